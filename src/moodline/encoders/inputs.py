"""What encoders are given: text with its context, clips of sound and of video. Nothing heavy is imported here."""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError
from moodline.core.hashing import data_hash, json_hash, text_hash
from moodline.encoders.settings import EncoderSpec
from moodline.media.audio import AudioClip
from moodline.media.video import VideoClip


@dataclass(frozen=True)
class TextInput:
    """A turn and what was said before it.

    A tokenizer gets the pair (context turns joined by newlines, current turn), as in
    ``[CLS] context [SEP] current [SEP]`` for BERT; without context ``[CLS] current [SEP]``.

    Args:
        text: the current turn.
        context: previous turns, the oldest first.
    """

    text: str
    context: tuple[str, ...] = ()

    def content_hash(self) -> str:
        """SHA-256 of the content: what a feature store compares."""
        return json_hash([self.text, self.context])


@dataclass(frozen=True)
class Window:
    """Neighbouring turns that an encoder reads in one go, as ``[CLS] turn [SEP] turn [SEP] …``.

    Args:
        turns: in order.
        first: the first turn that is wanted; those before and after the wanted ones are context.
        count: how many are wanted; None for all from ``first`` on.
    """

    turns: tuple[str, ...]
    first: int = 0
    count: int | None = None

    @property
    def size(self) -> int:
        """How many turns are wanted."""
        return len(self.turns) - self.first if self.count is None else self.count


@dataclass(frozen=True)
class TurnInput:
    """One wanted turn of a window.

    Args:
        window: what is read together.
        place: 0 for the first wanted turn.
    """

    window: Window
    place: int

    def content_hash(self) -> str:
        """SHA-256 of the content: what a feature store compares."""
        return json_hash([self.window.turns, self.window.first, self.window.size, self.place])


def spoken_lines(conversation: Conversation, speakers: bool, letters: bool = False) -> list[str | None]:
    """What each utterance says; None where it has no text.

    Args:
        conversation: its utterances in order.
        speakers: put "NAME: " before each turn whose speaker is known.
        letters: "A: ", "B: ", … in the order of first appearance instead, so that no name tells anything.
    """
    known: dict[str, str] = {}
    out: list[str | None] = []
    for utterance in conversation:
        line = None if utterance.text is None else utterance.text.strip()
        if line is not None and utterance.speaker and (speakers or letters):
            letter = known.setdefault(utterance.speaker, string.ascii_uppercase[len(known) % 26])
            line = f"{letter if letters else utterance.speaker}: {line}"
        out.append(line)
    return out


def windows(lines: Sequence[str], size: int, before: int = 0, after: int = 0) -> list[Window]:
    """Cut a conversation into windows whose wanted turns follow each other without overlap.

    Args:
        lines: all turns.
        size: at most this many wanted turns in a window; shared out evenly.
        before, after: context turns on either side.
    """
    if not lines:
        return []
    size = math.ceil(len(lines) / math.ceil(len(lines) / size))
    out = []
    for start in range(0, len(lines), size):
        low, stop = max(0, start - before), min(len(lines), start + size)
        out.append(Window(tuple(lines[low : stop + after]), start - low, stop - start))
    return out


def window_inputs(conversation: Conversation, spec: EncoderSpec) -> list[TurnInput | None]:
    """Each utterance as a turn of its window; None where an utterance has no text."""
    lines = spoken_lines(conversation, spec.context_speakers, spec.speaker_letters)
    parts = windows([x for x in lines if x is not None], spec.window, spec.context_turns, spec.context_after)
    turns = iter([TurnInput(window, place) for window in parts for place in range(window.size)])
    return [None if line is None else next(turns) for line in lines]


def text_inputs(
    conversation: Conversation, turns: int = 0, speakers: bool = False, letters: bool = False
) -> list[TextInput | None]:
    """Each utterance with its context.

    Args:
        conversation: its utterances in order.
        turns: how many previous utterances with text are read along.
        speakers, letters: see ``spoken_lines``.

    Returns:
        One input per utterance; None where an utterance has no text.
    """
    said: list[str] = []
    out: list[TextInput | None] = []
    for line in spoken_lines(conversation, speakers, letters):
        if line is None:
            out.append(None)
            continue
        out.append(TextInput(line, tuple(said[len(said) - turns :]) if turns else ()))
        said = [*said, line][-turns:] if turns else []
    return out


def speech_inputs(conversation: Conversation) -> list[AudioClip | None]:
    """Each utterance's sound: its own file, or its part of the recording; None where there is neither."""
    out: list[AudioClip | None] = []
    sound = conversation.sound or conversation.media
    for utterance in conversation:
        if utterance.audio is not None:
            out.append(AudioClip(utterance.audio))
        elif sound is not None and utterance.start is not None and utterance.end is not None:
            whole = utterance.end > utterance.start
            out.append(AudioClip(sound, utterance.start, utterance.end) if whole else None)
        else:
            out.append(None)
    return out


SOUND_ONLY = frozenset((".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aiff", ".aif", ".wma"))
"""Suffixes of recordings that have no pictures."""


@dataclass(frozen=True)
class FaceInput:
    """An utterance's pictures, and where in them its speaker is.

    Args:
        clip: the pictures.
        side: ``"left"`` or ``"right"`` if the speaker is known to be in that half of the picture.
    """

    clip: VideoClip
    side: str | None = None

    def content_hash(self) -> str:
        """SHA-256 of the content: what a feature store compares."""
        return text_hash(f"{self.clip.content_hash()} {self.side}")


def visual_inputs(conversation: Conversation, sides: Sequence[str] = ()) -> list[FaceInput | None]:
    """Each utterance's pictures: its own file, or its part of the recording; None where there is neither.

    Args:
        conversation: its utterances.
        sides: ``EncoderSpec.face_sides``.
    """
    media = conversation.media
    out: list[FaceInput | None] = []
    for utterance in conversation:
        clip = None
        if utterance.video is not None:
            clip = VideoClip(utterance.video)
        elif media is not None and media.suffix.lower() not in SOUND_ONLY:
            start, end = utterance.start, utterance.end
            clip = VideoClip(media, start, end) if start is not None and end is not None and end > start else None
        side = _side(sides, conversation.id, utterance.speaker)
        out.append(None if clip is None else FaceInput(clip, side))
    return out


def _side(rules: Sequence[str], conversation: str, speaker: str | None) -> str | None:
    """The half of the picture that a speaker is in, by the first rule that fits."""
    for rule in rules if speaker is not None else ():
        pattern, _, side = rule.rpartition("=")
        if fnmatchcase(f"{conversation}/{speaker}" if "/" in pattern else str(speaker), pattern):
            return side
    return None


def conversation_inputs(conversation: Conversation, modality: str, spec: EncoderSpec) -> Sequence[Any]:
    """The inputs of a conversation's utterances for an encoder; None where the modality is missing.

    Args:
        conversation: the conversation.
        modality: ``"text"``, ``"speech"`` or ``"visual"``.
        spec: the encoder's spec, for the context and the sides of the picture.

    Raises:
        ConfigError: no encoder reads this modality.
    """
    if modality == "text":
        if spec.window:
            return window_inputs(conversation, spec)
        return text_inputs(conversation, spec.context_turns, spec.context_speakers, spec.speaker_letters)
    if modality == "speech":
        return speech_inputs(conversation)
    if modality == "visual":
        return visual_inputs(conversation, spec.face_sides)
    raise ConfigError("encoders read the modalities text, speech and visual", modality)


def content_hash(payload: Any) -> str:
    """The hash of an encoder's input, for ``features.encode_to_store``: text, clip or array of samples."""
    if isinstance(payload, TextInput | TurnInput | AudioClip | FaceInput | VideoClip):
        return payload.content_hash()
    if isinstance(payload, str):
        return TextInput(payload).content_hash()
    array = np.ascontiguousarray(payload, dtype=np.float32)
    return data_hash(array.tobytes())
