"""From a recording to a conversation: ``listen``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from moodline.core.cache import recordings_directory, remove_old_recordings
from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, MediaError
from moodline.core.files import locked, replacing
from moodline.core.hashing import file_hash, text_hash
from moodline.core.progress import ProgressCallback
from moodline.listen import align
from moodline.listen.base import Chunk, Span, SpeakerSpan
from moodline.listen.channels import channels_of, cut_turns, own_speech
from moodline.listen.diarizer import Diarizer, load_diarizer
from moodline.listen.language import Evidence, evidence, foreign_words, language_names
from moodline.listen.transcriber import Transcriber, group, load_transcriber, pieces, transcribe_groups
from moodline.listen.turns import spread, turns
from moodline.listen.vad import speech_probabilities, speech_segments
from moodline.media.audio import check_whole
from moodline.media.decode import Decoded, decode

Channels = Literal["mix", "split"]


@dataclass(frozen=True)
class Listened:
    """What was heard.

    Args:
        conversation: its ``media`` is the recording, its ``sound`` the decoded one.
        sound: the decoded recording, mono WAV at 16 kHz; all times are its.
        notes: what the reader should know, one sentence each.
        texts: words that the model cannot read but people may, by utterance (a transcript in another language).
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
    languages: Sequence[str] = ("en",),
    track: int | None = None,
) -> Listened:
    """Turn a recording into a conversation. What each stage finished is kept and used the next time.

    Args:
        path: a sound or film file.
        transcript: what is said, by whom, and when, as far as it is known; used instead of being recognized. Utterances
            without text are a diarization, those without times are found in the recording.
        speakers: how many; None to find out.
        channels: "mix" to average the channels, "split" if each has one speaker of its own; the speakers of a
            transcript are looked for on all channels.
        transcriber: an object or a name; see ``load_transcriber``. It is loaded only if words are to be recognized.
        diarizer: likewise; see ``load_diarizer``.
        progress: called with (title, done, total).
        languages: which the words may be in, as "en", "de": those of the model that is to read them. Words that are
            most likely in another one are left out; with none named, any are kept.
        track: which of the file's sound tracks, from 1; None for the first that is not silent.

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
    if track is not None and track < 1:
        raise ConfigError("sound tracks count from 1", track)
    check_whole(path, whole=False)
    folder = recording_folder(path, channels, track)
    with locked(folder):
        decoded = decode(path, folder, channels == "split", progress, track)
        if channels == "split" and len(decoded.channels) < 2:
            raise ConfigError(f"{path}: --channels split needs several channels", "one", "Leave the option out.")
        heard = _Listener(path, decoded, speakers, transcriber, diarizer, progress, tuple(languages)).run(transcript)
    remove_old_recordings(folder)
    return heard


def recording_folder(path: Path, channels: Channels = "mix", track: int | None = None) -> Path:
    """Where what belongs to a recording is kept, by its content."""
    key = text_hash(f"{file_hash(path)} {channels} {track or ''} 2")
    return recordings_directory() / key[:32]


@dataclass
class _Listener:
    """One recording, its parts and how far they are."""

    path: Path
    decoded: Decoded
    speakers: int | None
    transcriber: Transcriber | str | None
    diarizer: Diarizer | str | None
    progress: ProgressCallback | None
    languages: tuple[str, ...] = ("en",)
    notes: list[str] = field(default_factory=list)

    def run(self, transcript: Conversation | None) -> Listened:
        self.notes += self.decoded.notes
        texts: dict[str, str] = {}
        if transcript is None:
            utterances = self._listen_to_all()
        else:
            self.notes += transcript.notes
            utterances = self._use(list(transcript))
            strange = foreign_words([u.text for u in transcript if u.text], self.languages)
            if strange is not None:
                self.notes.append(f"The transcript is {strange}: its words were left out, only the voice was judged.")
                texts = {u.id: u.text for u in utterances if u.text}
                utterances = [replace(u, text=None) for u in utterances]
        name = transcript.id if transcript is not None else self.path.stem
        events = transcript.events if transcript is not None else ()
        conversation = Conversation(name, tuple(utterances), self.path, self.decoded.sound, events=events)
        return Listened(conversation, self.decoded.sound, tuple(dict.fromkeys(self.notes)), texts)

    # -- no transcript ------------------------------------------------------------------------------------------

    def _listen_to_all(self) -> list[Utterance]:
        if self.decoded.channels:
            chunks, _ = self._channels()
            utterances = turns(chunks, words=self._readable(chunks))
            return self._cut(utterances, [int(u.speaker[1:]) - 1 if u.speaker else None for u in utterances])
        found = self._speech(None)
        self._check_speech(found)
        chunks = self._recognize(self._diarize(found), found, None)
        return turns(chunks, words=self._readable(chunks))

    def _channels(self) -> tuple[list[Chunk], list[Span]]:
        """What is said on every channel, by speakers "S1", "S2", …, and where there is speech on any."""
        segments = [self._speech(n) for n in range(len(self.decoded.channels))]
        segments = own_speech(self.decoded.channels, segments)
        everywhere = sorted(s for part in segments for s in part)
        self._check_speech(everywhere)
        spans = [[SpeakerSpan(s.start, s.end, f"S{n + 1}") for s in part] for n, part in enumerate(segments)]
        return [c for n, part in enumerate(spans) for c in self._recognize(part, segments[n], n)], everywhere

    def _cut(self, utterances: Sequence[Utterance], places: Sequence[int | None]) -> list[Utterance]:
        return cut_turns(utterances, places, self.decoded.channels, self.decoded.folder)

    def _check_speech(self, segments: Sequence[Span]) -> None:
        if not segments:
            raise MediaError(
                f"{self.path}: nobody speaks in this recording",
                f"{self.decoded.seconds:.1f} s without speech",
                "Check that it is the right one; if somebody does, give a transcript with times (--transcript).",
            )

    def _readable(self, chunks: Sequence[Chunk]) -> bool:
        """Whether the recognized words are to be used; if not, a note says why."""
        found = evidence(chunks)
        if not found.words:
            self.notes.append("No words were recognized; only the voice was judged.")
        strange = self._strange(chunks, found)
        if strange is None:
            return True
        self.notes.append(f"{strange}: the words were left out, only the voice was judged.")
        return False

    def _strange(self, chunks: Sequence[Chunk], found: Evidence) -> str | None:
        """What is wrong with the recognized words, if the model could not read them."""
        if self._garbled(found):
            more = ", which is all that the recognizer knows (see --transcriber and --transcript)"
            return f"This is probably not English{more if set(self.languages).difference(('en',)) else ''}"
        if found.named is not None:
            other = self.languages and found.named not in self.languages
            return f"This is probably not {language_names(self.languages)} ({found.named})" if other else None
        writes = self._transcriber().languages
        if found.words and writes and self.languages and not set(writes) & set(self.languages):
            return (
                f"The recognizer writes {language_names(writes)}, and the model reads {language_names(self.languages)}"
                " (see --transcriber and --transcript)"
            )
        other_words = foreign_words([c.recognized.text for c in chunks], self.languages)
        return None if other_words is None else f"This is {other_words}"

    def _garbled(self, found: Evidence) -> bool:
        """Whether a recognizer of English was given something else."""
        return found.named is None and found.foreign and tuple(self._transcriber().languages) == ("en",)

    # -- a transcript -------------------------------------------------------------------------------------------

    def _use(self, given: list[Utterance]) -> list[Utterance]:
        if not align.is_timed(given):
            utterances = self._find(given)
            return self._placed(utterances) if self.decoded.channels else utterances
        utterances, notes = align.fit_times(given, self.decoded.seconds)
        self.notes += notes
        if not any(u.start is not None for u in utterances):
            raise MediaError(
                f"{self.path}: no turn of the transcript lies within the recording",
                f"it lasts {self.decoded.seconds:.1f} s",
                "Check that both belong together and that times are in seconds.",
            )
        worded = any(u.text for u in utterances)
        if self.decoded.channels:
            return self._placed(utterances) if worded else self._words_of(utterances)
        spans = [Span(u.start, u.end) for u in utterances if u.start is not None and u.end is not None]
        if not any(u.speaker for u in utterances) and self.speakers != 1 and len(spans) > 1:
            utterances = align.speakers_of(utterances, self._diarize(spans))
        if worded:
            return utterances
        chunks = self._recognize(_spans(utterances), self._speech(None), None)
        return turns(chunks, words=self._readable(chunks))

    def _placed(self, utterances: list[Utterance]) -> list[Utterance]:
        """Each turn with the sound of its speaker's channel."""
        return self._cut(*self._on_channels(utterances))

    def _on_channels(self, utterances: list[Utterance]) -> tuple[list[Utterance], list[int | None]]:
        """The channel of each turn; where no speaker is named, the channel gives the name."""
        places = channels_of(utterances, self.decoded.channels)
        named = {u.speaker for u in utterances if u.speaker}
        used = {n for n in places if n is not None}
        if len(named) > 1 and len(used) == 1:
            self.notes.append(
                f"All speakers of the transcript are loudest on channel {1 + min(used)}; check that each has a channel"
                " of his own."
            )
        if not named:
            names = [None if n is None else f"S{n + 1}" for n in places]
            utterances = [replace(u, speaker=name) for u, name in zip(utterances, names, strict=True)]
        return utterances, places

    def _words_of(self, utterances: list[Utterance]) -> list[Utterance]:
        """The words of a diarization, each speaker's heard on his own channel."""
        utterances, places = self._on_channels(utterances)
        chunks = list[Chunk]()
        for n in range(len(self.decoded.channels)):
            own = _spans([u for u, place in zip(utterances, places, strict=True) if place == n])
            chunks += self._recognize(own, self._speech(n), n) if own else []
        return self._placed(turns(chunks, words=self._readable(chunks)))

    def _find(self, given: list[Utterance]) -> list[Utterance]:
        """Times for a transcript without any."""
        if self.decoded.channels:
            chunks, segments = self._channels()
        else:
            segments = self._speech(None)
            self._check_speech(segments)
            chunks = self._recognize([SpeakerSpan(s.start, s.end, "") for s in segments], segments, None)
        words = [w for c in chunks for w in (c.recognized.words or spread(c.recognized.text, c.speech))]
        if self._garbled(evidence(chunks)):
            words = []
        known = align.match_words(given, sorted(words, key=lambda w: w.start))
        utterances = align.place(given, known, segments)
        self.notes.append(_speaker_count_note(len(known), len(given)))
        if not any(u.speaker for u in utterances) and self.speakers != 1 and not self.decoded.channels:
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
            with replacing(kept) as file:
                np.save(file, found.astype(np.float16))
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
        transcriber = self._transcriber()
        groups = group(pieces(spans, segments, transcriber.max_seconds), transcriber.max_seconds)
        return transcribe_groups(self._sound(channel), groups, transcriber, self.decoded.folder, self.progress, channel)

    def _transcriber(self) -> Transcriber:
        if self.transcriber is None or isinstance(self.transcriber, str):
            self.transcriber = load_transcriber(self.transcriber)
        return self.transcriber


def _spans(utterances: Sequence[Utterance]) -> list[SpeakerSpan]:
    return [SpeakerSpan(u.start, u.end, u.speaker or "") for u in utterances if u.start is not None and u.end]


def _speaker_count_note(found: int, turns_: int) -> str:
    """A note on where the times of a transcript come from."""
    if not found:
        return "The transcript has no times; they are estimates by length, and turns may be seconds off."
    rest = f" for {found} of {turns_} turns, the others are estimates by length" if found < turns_ else ""
    return f"The transcript has no times; they were found by comparing it with what was recognized{rest}."
