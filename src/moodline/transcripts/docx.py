"""Word documents (``.docx``): interviews as people type them, and transcripts that services export."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from moodline.core.errors import TranscriptError

_TIME = re.compile(
    r"[\[(#]?\s*\d{1,2}:\d{2}(?::\d{2})?(?:[.,:-]\d{1,3})?\s*[\])#]?(?:\s*(?:-|–|—|to|-->)\s*\[?\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?\]?)?"
)
_FRAMES = re.compile(r"\b(\d{1,2}:\d{2}:\d{2}):\d{2}\b")
"""A time with frames behind the seconds."""

_HEADS = {
    "speaker": str.split(
        "speaker name who person participant sprecher sprecherin interviewer/interviewee hablante locuteur role"
    ),
    "text": str.split(
        "text transcript transcription utterance words content dialogue what said speech response inhalt "
        "äußerung texto texte"
    ),
    "time": str.split("time timecode timestamp start zeit tc in from begin"),
}


def docx_text(data: bytes, path: Path) -> tuple[str, list[str]]:
    """The text of a Word document, a line for each paragraph; rows of a table as ``[time] speaker: words``.

    Headings that come again are speakers (``Ada:``), others are left out.

    Args:
        data: the file's bytes.
        path: for messages.

    Returns:
        The text, and notes on what was left out.

    Raises:
        TranscriptError: no Word document, or one without text.
    """
    import docx

    try:
        document = docx.Document(io.BytesIO(data))
        lines, left_out = _lines(document)
    except Exception as error:  # of zipfile, lxml and python-docx, of many kinds
        raise TranscriptError(
            f"{path}: a Word document that cannot be read", " ".join(str(error).split())[:80], "Save it again as .docx."
        ) from None
    if not any(line.strip() for line in lines):
        raise TranscriptError(f"{path}: the document has no text", fix="Pass a document with at least one utterance.")
    notes = []
    if left_out:
        shown = ", ".join(f"“{text[:30]}”" for text in left_out[:3])
        notes = [f"Headings of the document are no words: {shown}{', …' * (len(left_out) > 3)}."]
    return "\n".join(lines), notes


def _lines(document: Any) -> tuple[list[str], list[str]]:
    """The lines of a document, and its headings that were left out."""
    from docx.table import Table

    blocks = list(document.iter_inner_content())
    headings = Counter(b.text.strip() for b in blocks if not isinstance(b, Table) and _is_heading(b))
    lines: list[str] = []
    left_out: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            lines += _table(block)
        elif not _is_heading(block):
            lines += block.text.replace("\t", " ").split("\n")
        elif headings[block.text.strip()] > 1 and len(block.text) < 60:
            lines.append(f"{block.text.strip().rstrip(':')}:")
        elif block.text.strip():
            left_out.append(block.text.strip())
    return lines, left_out


def _is_heading(paragraph: Any) -> bool:
    name = str(getattr(paragraph.style, "name", "") or "")
    return name.startswith(("Heading", "Title", "Subtitle"))


def _table(table: Any) -> Iterator[str]:
    """A table's rows as lines: with columns of speakers and words each is one utterance, else each cell is a line."""
    grid: list[list[str]] = []
    for row in table.rows:
        cells, seen = [], set[int]()
        for cell in row.cells:
            if id(cell._tc) not in seen:  # cells that are merged come several times
                seen.add(id(cell._tc))
                cells.append(" ".join(cell.text.split()))
        grid.append(cells)
    width = Counter(len(row) for row in grid).most_common(1)
    columns = _columns([row for row in grid if len(row) == width[0][0]]) if width and width[0][0] > 1 else None
    if columns is None:
        for row in grid:
            yield from (cell for cell in row if cell)
        return
    time, speaker, text, head = columns
    for n, row in enumerate(grid):
        if (head and n == 0) or len(row) != width[0][0] or not row[text]:
            continue
        clock = "" if time is None else _FRAMES.sub(r"\1", row[time].strip("[]()# "))
        stamp = f"[{clock}] " if clock else ""
        name = "" if speaker is None or not row[speaker] else f"{row[speaker].rstrip(': ')}: "
        yield f"{stamp}{name}{row[text]}"


def _columns(grid: Sequence[Sequence[str]]) -> tuple[int | None, int | None, int, bool] | None:
    """The columns of times, speakers and words, and whether the first row is a heading; None if there are no such."""
    if len(grid) < 2:
        return None
    width = len(grid[0])
    heads = [_head(cell) for cell in grid[0]]
    head = "text" in heads or ("speaker" in heads and width == 2)
    body = grid[1:] if head else grid
    filled = [[row[n] for row in body if row[n]] for n in range(width)]
    time = next((n for n in range(width) if filled[n] and _share(_TIME.fullmatch(c) for c in filled[n]) > 0.7), None)
    lengths = [fmean(map(len, column)) if column else 0.0 for column in filled]
    rest = [n for n in range(width) if n != time and lengths[n]]
    if not rest:
        return None
    text = heads.index("text") if "text" in heads else max(rest, key=lambda n: lengths[n])
    short = [n for n in rest if n != text and lengths[n] < 40 and not _share(c.isdecimal() for c in filled[n]) > 0.9]
    if "speaker" in heads:
        speaker: int | None = heads.index("speaker")
    else:
        again = [n for n in short if len(set(filled[n])) <= max(2, len(filled[n]) * 0.6)]
        speaker = again[0] if again else None
    if time is None and speaker is None:
        return None
    return time, speaker, text, head


def _head(cell: str) -> str | None:
    word = cell.strip().rstrip(":").lower()
    return next((kind for kind, names in _HEADS.items() if word in names), None)


def _share(values: Any) -> float:
    found = [bool(v) for v in values]
    return sum(found) / len(found) if found else 0.0
