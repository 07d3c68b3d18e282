"""What the columns of a table without a telling header hold: times, speakers, words, told by their cells.

ELAN's and other programs' tab-delimited exports have no header, or one in any language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from moodline.core.errors import TranscriptError
from moodline.transcripts.times import clock

_TIME = re.compile(r"(?:[0-9]{1,3}:)?[0-9]{1,3}:[0-9]{2}(?:[.,][0-9]{1,9})?|[0-9]{1,9}(?:[.,][0-9]{1,9})?")
_RANGE = re.compile(r"([0-9:.,]{3,13})\s*(?:-->|->|-|–|—|to)\s*([0-9:.,]{3,13})")
_GENERIC = re.compile(
    r"default|text|transcript\w*|utterances?|sentences?|words?|speech|annotations?|labels?", re.IGNORECASE
)
SAME = 0.02
"""Seconds by which two columns may differ and be the same time, written differently."""


@dataclass(frozen=True)
class Columns:
    """Column numbers; None where there is no such column.

    Args:
        text: the words.
        speaker: names.
        start: times.
        end: times.
        lasts: durations, where there is no ``end``.
        unit: seconds of the unit of times.
        head: the first row is a header.
        each: several columns of words, each a speaker's, named in the header; ``text`` is the first of them.
    """

    text: int
    speaker: int | None = None
    start: int | None = None
    end: int | None = None
    lasts: int | None = None
    unit: float = 1.0
    head: bool = False
    each: tuple[int, ...] = ()

    def note(self) -> str:
        """What was taken for what, for people: columns count from 1."""
        parts = [f"words {', '.join(str(n + 1) for n in self.each or (self.text,))}"]
        for name, at in (("speaker", self.speaker), ("start", self.start), ("end", self.end), ("duration", self.lasts)):
            if at is not None:
                parts.append(f"{name} {at + 1}")
        unit = " (milliseconds)" if self.unit != 1.0 else ""
        return f"Columns were told by their cells: {', '.join(parts)}{unit}. Name them in a header if that is wrong."


def guessed_columns(rows: Sequence[Sequence[str]]) -> Columns | None:
    """What the columns hold, or None if they are no transcript.

    Args:
        rows: cells of each row, all of one length, at least two rows.
    """
    if len(rows) < 2 or len(rows[0]) < 2:
        return None
    head = _is_head(rows)
    body = rows[1:] if head else rows
    columns = list(zip(*body, strict=True))
    times = {n: t for n, cells in enumerate(columns) if (t := _times(cells)) is not None}
    words = [
        n for n, cells in enumerate(columns) if n not in times and _share(list(filter(None, cells)), _has_letters) > 0.5
    ]
    if not words:
        return None
    text = max(words, key=lambda n: sum(len(cell) for cell in columns[n]))
    speaker = _speaker([n for n in words if n != text], columns)
    start, end, lasts = _span(times)
    unit = _unit(times, start, end, columns[text])
    each = tuple(n for n in range(len(rows[0])) if n not in times and rows[0][n].strip() and any(columns[n]))
    if (
        head
        and start is not None
        and len(each) > 1
        and 2 * sum(sum(bool(c[n]) for n in each) == 1 for c in body) > len(body)
    ):
        return Columns(each[0], None, start, end, lasts, unit, head, each)
    if start is None and speaker is None:
        return None
    return Columns(text, speaker, start, end, lasts, unit, head)


def split_ranges(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """The rows with a column of stretches, ``0:00.0 - 0:03.5``, made two columns."""
    width = len(rows[0]) if rows else 0
    ranges = [n for n in range(width) if len(rows) > 1 and all(_RANGE.fullmatch(row[n].strip()) for row in rows[1:])]
    out = []
    for row in rows:
        cells: list[str] = []
        for n, cell in enumerate(row):
            match = _RANGE.fullmatch(cell.strip()) if n in ranges else None
            cells += [match[1], match[2]] if match else [cell, cell] if n in ranges else [cell]
        out.append(cells)
    return out


def _is_head(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: it has no time where the others have them, and no long text."""
    timed = [n for n in range(len(rows[0])) if _times([row[n] for row in rows[1:]]) is not None]
    if not timed or len(rows) < 2:
        return False
    return all(rows[0][n].strip() and not _TIME.fullmatch(rows[0][n].strip()) for n in timed)


def _times(cells: Sequence[str]) -> list[float] | None:
    """The cells as seconds, or None if they are no times."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if len(filled) < 0.8 * len(cells) or not filled or not all(_TIME.fullmatch(cell) for cell in filled):
        return None
    try:
        return [clock(cell, "", "") or 0.0 for cell in cells]
    except TranscriptError:
        return None


def _span(times: dict[int, list[float]]) -> tuple[int | None, int | None, int | None]:
    """The columns of starts, ends and durations."""
    rising = [n for n, t in times.items() if t == sorted(t) and t[-1] > t[0]] or list(times)
    for start in rising:
        ends = [
            n
            for n, t in times.items()
            if n > start
            and all(b >= a - SAME for a, b in zip(times[start], t, strict=True))
            and any(b > a + SAME for a, b in zip(times[start], t, strict=True))
        ]
        if ends:
            return start, ends[0], None
    if not rising:
        return None, None, None
    start = rising[0]
    starts = times[start]
    for n, t in times.items():
        if n > start and all(a + b <= c + 1.0 for a, b, c in zip(starts, t, starts[1:], strict=False)) and any(t):
            return start, None, n
    counted = starts == [float(k) for k in range(int(starts[0]), int(starts[0]) + len(starts))]
    return (None if counted else start), None, None  # 1, 2, 3 … are numbers of rows


def _unit(times: dict[int, list[float]], start: int | None, end: int | None, texts: Sequence[str]) -> float:
    from moodline.transcripts.units import guessed_unit

    if start is None:
        return 1.0
    ends: Sequence[float | None] = times[end] if end is not None else [None] * len(texts)
    return guessed_unit(list(zip(times[start], ends, texts, strict=True)))


def _speaker(candidates: Sequence[int], columns: Sequence[Sequence[str]]) -> int | None:
    """The column of names: short cells that recur, or differ between rows at all."""
    best: tuple[float, int] | None = None
    for n in candidates:
        filled = [cell.strip() for cell in columns[n] if cell.strip()]
        kinds = set(filled)
        if not filled or max(map(len, kinds)) > 60 or sum(len(k.split()) for k in kinds) > 4 * len(kinds):
            continue
        if len(filled) > 4 and len(kinds) > max(2, 0.6 * len(filled)):
            continue
        if len(kinds) == 1 and _GENERIC.fullmatch(next(iter(kinds))):
            continue
        score = (len(kinds) > 1) + len(filled) / len(columns[n])
        if best is None or score > best[0]:
            best = (score, n)
    return None if best is None else best[1]


def _has_letters(cell: str) -> bool:
    return any(map(str.isalpha, cell))


def _share(cells: Sequence[str], fits: object) -> float:
    assert callable(fits)
    return sum(bool(fits(cell)) for cell in cells) / max(1, len(cells))
