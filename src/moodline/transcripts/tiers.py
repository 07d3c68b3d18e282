"""Tiers of annotation programs (Praat, ELAN): which hold utterances, and whose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from moodline.transcripts import speakers
from moodline.transcripts.common import Row, squeeze

EMOTION, CONFIDENCE, SCORE, INTERVAL = " [emotion]", " [confidence]", " [score]", " [interval]"
"""What ``report/tiers.py`` puts behind a speaker's name for the tiers of the answers; they are no utterances."""
OVERFLOW = " [overlap {}]"
"""… and for turns that overlap with others of the same speaker, counted from 2."""
NOBODY = "[no speaker]"
"""… and in place of the name where it is unknown."""

_OVERFLOW = re.compile(r" \[overlap [0-9]+\]$")
_PARTS = re.compile(r"(?:.*\W)?(?:phones?|phonemes?|phon|syllables?|segments?|words? ?parts?)", re.IGNORECASE)
_GENERIC = re.compile(
    r"(?:default|text|transcript|transcription|utterances?|sentences?|words?|speech|annotations?|labels?|speakers?|turns?"
    r"|diarization)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Label:
    """A labelled stretch of a tier.

    Args:
        place: file and line, for error messages.
        start: seconds, or None.
        end: seconds, or None.
        text: the label; may be empty.
    """

    place: str
    start: float | None
    end: float | None
    text: str


def rows(tiers: Iterable[tuple[str, list[Label]]], *, ours: bool) -> Iterator[Row]:
    """The utterances of all tiers in the order of their starts.

    A tier is a speaker, unless its name only says what it holds ("words", "transcription"). Empty labels are pauses.
    Tiers of phones and syllables are passed over where there are others, and so are the tiers of emotions that
    Moodline itself writes. If all labels are what a diarizer calls its speakers, they are speakers without words.

    Args:
        tiers: name (or the speaker's name) and labels of each.
        ours: Moodline wrote the file, so that every name is a speaker's, whatever it says.
    """
    kept = [
        (squeeze(name), labels) for name, labels in tiers if not name.endswith((EMOTION, CONFIDENCE, SCORE, INTERVAL))
    ]
    whole = [(name, labels) for name, labels in kept if ours or not _PARTS.fullmatch(name)]
    kept = whole or kept
    spoken = [(name, label) for name, labels in kept for label in labels if label.text.strip()]
    diarized = not ours and speakers.diarized(label.text for _, label in spoken)
    for name, label in sorted(spoken, key=lambda pair: pair[1].start or 0.0):
        if diarized:
            yield Row(label.place, None, speakers.diarizer_name(label.text), label.start, label.end)
        else:
            yield Row(label.place, squeeze(label.text), _speaker(name, ours), label.start, label.end)


def _speaker(tier: str, ours: bool) -> str | None:
    """The speaker that a tier is named after, or None."""
    name = _OVERFLOW.sub("", tier).strip()
    return None if not name or name == NOBODY or (_GENERIC.fullmatch(name) and not ours) else name
