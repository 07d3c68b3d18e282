"""Single words with times, as recognizers of speech list them, made utterances."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

PAUSE = 1.0
"""A pause of this length (seconds) ends an utterance, whoever goes on."""

LONG, LONGEST = 8.0, 20.0
"""An utterance of ``LONG`` seconds ends with its sentence, one of ``LONGEST`` anywhere."""

_END = re.compile(r"[.!?…。？！][\"'”’)\]]*$")


@dataclass(frozen=True, slots=True)
class Word:
    """A word as a recognizer tells it.

    Args:
        text: as written, with its punctuation; white space at either end does not matter.
        start: seconds; None if unknown.
        end: seconds; None if unknown.
        speaker: who says it; None if unknown, which goes on with the speaker before.
        glued: no space in front of it, as in front of a comma that stands by itself.
    """

    text: str
    start: float | None = None
    end: float | None = None
    speaker: str | None = None
    glued: bool = False


def turns(words: Iterable[Word]) -> list[dict[str, Any]]:
    """Words as segments ``{"text", "speaker", "start", "end"}``: a new one for another speaker or after a pause.

    Args:
        words: in the order in which they were said.
    """
    out: list[dict[str, Any]] = []
    for word in words:
        text = word.text.strip()
        if not text:
            continue
        if not out or (not word.glued and _ends(out[-1], word)):
            out.append({"text": text, "speaker": word.speaker, "start": word.start, "end": word.end})
            continue
        turn = out[-1]
        turn["text"] += text if word.glued else f" {text}"
        turn["speaker"] = word.speaker if turn["speaker"] is None else turn["speaker"]
        turn["start"] = word.start if turn["start"] is None else turn["start"]
        turn["end"] = turn["end"] if word.end is None else word.end
    return out


def _ends(turn: dict[str, Any], word: Word) -> bool:
    """Whether a turn is over before this word."""
    if None not in (turn["speaker"], word.speaker) and turn["speaker"] != word.speaker:
        return True
    if turn["end"] is None or word.start is None:
        return False
    lasted = turn["end"] - (turn["end"] if turn["start"] is None else turn["start"])
    paused = word.start - turn["end"] >= PAUSE
    return paused or lasted >= LONGEST or (lasted >= LONG and _END.search(turn["text"]) is not None)
