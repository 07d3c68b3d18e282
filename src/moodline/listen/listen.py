"""From a recording to a conversation: ``listen``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from moodline.cache import cache_directory
from moodline.conversation import Conversation, Utterance
from moodline.errors import ConfigError, MediaError
from moodline.features.files import file_hash, locked
from moodline.listen import align
from moodline.listen.base import Chunk, ProgressCallback, Span, SpeakerSpan
from moodline.listen.channels import cut_turns, own_speech
from moodline.listen.diarizer import Diarizer, load_diarizer
from moodline.listen.language import Evidence, evidence, foreign_script
from moodline.listen.transcriber import Transcriber, group, load_transcriber, pieces, transcribe_groups
from moodline.listen.turns import spread, turns
from moodline.listen.vad import speech_probabilities, speech_segments
from moodline.media.audio import check_whole
from moodline.media.decode import Decoded, decode

Channels = Literal["mix", "split"]


@dataclass(frozen=True)
class Heard:
    """What was heard.

    Args:
        conversation: its ``media`` is the recording, its ``sound`` the decoded one.
        sound: the decoded recording, mono WAV at 16 kHz; all times are its.
        notes: what the reader should know, one sentence each.
        texts: words that no model should read but people may, by utterance (a transcript in another script).
    """

    conversation: Conversation
    sound: Path
    notes: tuple[str, ...]
    texts: Mapping[str, str] = field(default_factory=dict)


def listen(
    path: str | Path,
    transcript: Conversation | None = None,
    speakers: int | None = None,
    channels: Channels = "mix",
    transcriber: Transcriber | str | None = None,
    diarizer: Diarizer | str | None = None,
    progress: ProgressCallback | None = None,
) -> Heard:
    """Turn a recording into a conversation. What each stage finished is kept and used the next time.

    Args:
        path: a sound or film file.
        transcript: what is said, by whom, and when, as far as it is known; used instead of being recognized. Utterances
            without text are a diarization, those without times are found in the recording.
        speakers: how many; None to find out.
        channels: "mix" to average the channels, "split" if each has one speaker of its own.
        transcriber: an object or a name; see ``load_transcriber``. It is loaded only if words are to be recognized.
        diarizer: likewise; see ``load_diarizer``.
        progress: called with (title, done, total).

    Raises:
        MediaError: not a recording, damaged from the start, silent, or without speech.
        ConfigError: settings that contradict each other.
        MissingDependencyError, StorageError: a package is missing; the disk is full.
    """
    path = Path(path)
    if channels not in ("mix", "split"):
        raise ConfigError("channels must be mix or split", channels)
    if speakers is not None and speakers < 1:
        raise ConfigError("there must be at least one speaker", speakers)
    check_whole(path, whole=False)
    folder = recording_folder(path, channels)
    with locked(folder):
        decoded = decode(path, folder, channels == "split", progress)
        if channels == "split" and len(decoded.channels) < 2:
            raise ConfigError(f"{path}: --channels split needs several channels", "one", "Leave the option out.")
        return _Listener(path, decoded, speakers, transcriber, diarizer, progress).run(transcript)


def recording_folder(path: Path, channels: Channels = "mix") -> Path:
    """Where what belongs to a recording is kept, by its content."""
    key = hashlib.sha256(f"{file_hash(path)} {channels} 1".encode()).hexdigest()
    return cache_directory() / "recordings" / key[:32]


@dataclass
class _Listener:
    """One recording, its parts and how far they are."""

    path: Path
    decoded: Decoded
    speakers: int | None
    transcriber: Transcriber | str | None
    diarizer: Diarizer | str | None
    progress: ProgressCallback | None
    notes: list[str] = field(default_factory=list)

    def run(self, transcript: Conversation | None) -> Heard:
        self.notes += self.decoded.notes
        texts: dict[str, str] = {}
        if transcript is None:
            utterances = self._listen_to_all()
        else:
            self.notes += transcript.notes
            utterances = self._use(list(transcript))
            if foreign_script([u.text for u in utterances if u.text]):
                self.notes.append("The transcript is not in Latin script; only the voice was judged.")
                texts = {u.id: u.text for u in utterances if u.text}
                utterances = [replace(u, text=None) for u in utterances]
        name = transcript.id if transcript is not None else self.path.stem
        conversation = Conversation(name, tuple(utterances), self.path, self.decoded.sound)
        return Heard(conversation, self.decoded.sound, tuple(dict.fromkeys(self.notes)), texts)

    # -- no transcript ------------------------------------------------------------------------------------------

    def _listen_to_all(self) -> list[Utterance]:
        if self.decoded.channels:
            segments = [self._speech(n) for n in range(len(self.decoded.channels))]
            segments = own_speech(self.decoded.channels, segments)
            self._check_speech([s for part in segments for s in part])
            spans = [[SpeakerSpan(s.start, s.end, f"S{n + 1}") for s in part] for n, part in enumerate(segments)]
            chunks = [c for n, part in enumerate(spans) for c in self._recognize(part, segments[n], n)]
            utterances = turns(chunks, words=self._readable(chunks))
            return cut_turns(utterances, self.decoded.channels, self.decoded.folder)
        found = self._speech(None)
        self._check_speech(found)
        chunks = self._recognize(self._diarize(found), found, None)
        return turns(chunks, words=self._readable(chunks))

    def _check_speech(self, segments: Sequence[Span]) -> None:
        if not segments:
            raise MediaError(
                f"{self.path}: nobody speaks in this recording",
                f"{self.decoded.seconds:.1f} s without speech",
                "Check that it is the right one; if somebody does, give a transcript with times (--transcript).",
            )

    def _readable(self, chunks: Sequence[Chunk]) -> bool:
        """Whether the recognized words are to be used; if not, a note says why."""
        found: Evidence = evidence(chunks)
        if not found.words:
            self.notes.append("No words were recognized; only the voice was judged.")
        if not found.foreign:
            return True
        which = f" ({found.named})" if found.named else ""
        self.notes.append(f"This is probably not English{which}: the words were left out, only the voice was judged.")
        return False

    # -- a transcript -------------------------------------------------------------------------------------------

    def _use(self, given: list[Utterance]) -> list[Utterance]:
        if not align.is_timed(given):
            return self._find(given)
        utterances, notes = align.fit_times(given, self.decoded.seconds)
        self.notes += notes
        if not any(u.start is not None for u in utterances):
            raise MediaError(
                f"{self.path}: no turn of the transcript lies within the recording",
                f"it lasts {self.decoded.seconds:.1f} s",
                "Check that both belong together and that times are in seconds.",
            )
        spans = [Span(u.start, u.end) for u in utterances if u.start is not None and u.end is not None]
        if not any(u.speaker for u in utterances) and self.speakers != 1 and len(spans) > 1:
            utterances = align.speakers_of(utterances, self._diarize(spans))
        if any(u.text for u in utterances):
            return utterances
        named = [SpeakerSpan(u.start, u.end, u.speaker or "") for u in utterances if u.start is not None and u.end]
        chunks = self._recognize(named, self._speech(None), None)
        return turns(chunks, words=self._readable(chunks))

    def _find(self, given: list[Utterance]) -> list[Utterance]:
        """Times for a transcript without any."""
        segments = self._speech(None)
        self._check_speech(segments)
        whole = [SpeakerSpan(s.start, s.end, "") for s in segments]
        chunks = self._recognize(whole, segments, None)
        words = [w for c in chunks for w in (c.heard.words or spread(c.heard.text, c.speech))]
        if evidence(chunks).foreign:
            words = []
        utterances = align.align_words(given, words, segments)
        self.notes.append("The transcript has no times; they were found by comparing it with what was recognized.")
        if not any(u.speaker for u in utterances) and self.speakers != 1:
            utterances = align.speakers_of(utterances, self._diarize(segments))
        return align.fit_times(utterances, self.decoded.seconds)[0]

    # -- the stages ---------------------------------------------------------------------------------------------

    def _sound(self, channel: int | None) -> Path:
        return self.decoded.sound if channel is None else self.decoded.channels[channel]

    def _speech(self, channel: int | None) -> list[Span]:
        kept = self.decoded.folder / f"speech-silero6-{'mix' if channel is None else channel}.npy"
        try:
            found = np.load(kept, allow_pickle=False)
        except (OSError, ValueError):
            found = speech_probabilities(self._sound(channel), self.progress)
            part = kept.with_suffix(".part.npy")
            np.save(part, found.astype(np.float16))
            part.replace(kept)
        return speech_segments(found.astype(np.float32), self.decoded.seconds)

    def _diarize(self, segments: Sequence[Span]) -> list[SpeakerSpan]:
        if self.diarizer is None or isinstance(self.diarizer, str):
            self.diarizer = load_diarizer(self.diarizer)
        spans = self.diarizer.diarize(self.decoded.sound, segments, self.speakers, self.decoded.folder, self.progress)
        found = len({s.speaker for s in spans})
        if self.speakers is not None and found < self.speakers:
            self.notes.append(f"{self.speakers} speakers were expected, {found} could be told apart.")
        return spans

    def _recognize(self, spans: Sequence[SpeakerSpan], segments: Sequence[Span], channel: int | None) -> list[Chunk]:
        if self.transcriber is None or isinstance(self.transcriber, str):
            self.transcriber = load_transcriber(self.transcriber)
        longest = self.transcriber.max_seconds
        groups = group(pieces(spans, segments, longest), longest)
        return transcribe_groups(
            self._sound(channel), groups, self.transcriber, self.decoded.folder, self.progress, channel
        )
