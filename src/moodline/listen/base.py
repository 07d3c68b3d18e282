"""What the parts of listening hand to each other. Times are seconds from the beginning of the recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


class Span(NamedTuple):
    """A stretch of time."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end - self.start


class SpeakerSpan(NamedTuple):
    """A stretch of time in which somebody speaks."""

    start: float
    end: float
    speaker: str


class Word(NamedTuple):
    """A word and when it is said; ``start`` and ``end`` are estimated where a recognizer does not tell."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Recognized:
    """What a recognizer heard in a clip.

    Args:
        text: the words; empty if there are none.
        words: with times from the beginning of the clip; empty if the recognizer tells no times.
        confidence: mean log probability of what was written; None if the recognizer does not tell.
        language: what the recognizer takes the language for, e.g. "en"; None if it does not tell.
    """

    text: str
    words: tuple[Word, ...] = ()
    confidence: float | None = None
    language: str | None = None


@dataclass(frozen=True)
class Chunk:
    """A stretch of one speaker's speech and what was heard in it.

    Args:
        span: from where to where.
        speaker: who speaks; None if unknown.
        recognized: what was recognized.
        speech: where in it there is voice, in seconds of the recording.
        channel: the channel it was heard on, from 0; None for the average of all.
    """

    span: Span
    speaker: str | None
    recognized: Recognized
    speech: tuple[Span, ...] = ()
    channel: int | None = None
