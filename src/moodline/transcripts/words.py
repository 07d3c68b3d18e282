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


def joined(segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Segments that are single words, as some programs write them, made utterances; others as they are.

    Args:
        segments: with ``text``, ``speaker``, ``start`` and ``end``; times are numbers or None.
    """
    texts = [str(row.get("text") or "") for row in segments]
    single = sum(len(text.split()) < 2 for text in texts)
    ends = sum(_END.search(text.strip()) is not None for text in texts)
    timed = all(isinstance(row.get("start"), int | float) for row in segments)
    if len(texts) < 4 or not timed or 20 * single < 19 * len(texts) or 2 * ends > len(texts):
        return segments
    spaced = sum(text[:1] == " " for text in texts)  # tokens that bring their own spaces
    glued = [
        (4 * spaced > len(texts) and text[:1] != " " and not _END.search(before)) or not any(map(str.isalnum, text))
        for before, text in zip(["", *texts], texts, strict=False)
    ]
    return turns(
        Word(text, row["start"], row["end"] if isinstance(row.get("end"), int | float) else None, row.get("speaker"), g)
        for text, row, g in zip(texts, segments, glued, strict=True)
    )


def _ends(turn: dict[str, Any], word: Word) -> bool:
    """Whether a turn is over before this word."""
    if None not in (turn["speaker"], word.speaker) and turn["speaker"] != word.speaker:
        return True
    if turn["end"] is None or word.start is None:
        return False
    lasted = turn["end"] - (turn["end"] if turn["start"] is None else turn["start"])
    paused = word.start - turn["end"] >= PAUSE
    return paused or lasted >= LONGEST or (lasted >= LONG and _END.search(turn["text"]) is not None)
