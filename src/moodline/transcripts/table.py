"""Tables (``.csv``, ``.tsv``): one utterance a row, columns told by their names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Row, Source, conversation
from moodline.transcripts.times import clock

COLUMNS: dict[str, tuple[str, ...]] = {
    "text": (
        "text", "utterance", "sentence", "transcript", "transcription", "words", "content", "caption", "message",
        "body", "segment_text", "speech", "subtitle",
    ),
    "speaker": (
        "speaker", "speaker_name", "speaker_label", "speaker_id", "name", "who", "author", "username", "user", "sender",
        "participant", "character",
    ),
    "start": (
        "start", "start_time", "starttime", "start_s", "start_sec", "start_seconds", "begin", "onset", "from", "in",
        "start_timecode", "timecode_in", "start_ms",
    ),
    "end": (
        "end", "end_time", "endtime", "end_s", "end_sec", "end_seconds", "stop", "offset", "to", "out", "end_timecode",
        "timecode_out", "end_ms",
    ),
    "clock": ("timestamp", "time"),
    "id": ("id", "utterance_id", "utt_id"),
    "conversation": ("conversation", "conversation_id", "dialogue_id", "dialog_id", "dialogue", "dialog"),
}  # fmt: skip
"""Field to the column names that stand for it, the surest first; case, spaces and hyphens do not matter.

``clock`` stands for the start where there is none, if it holds times that go on and no dates (``_clocks``).
"""

_CLOCK = re.compile(r"(?:[0-9]{1,2}:)?[0-5]?[0-9]:[0-5][0-9](?:[.,][0-9]{1,9})?")

SLOW = 100.0
"""Seconds for a word, on average of a table, that no one takes."""


def read_table(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read a table; only the words' column is required, unknown columns are passed over, the delimiter is found out.

    Rows with different values in a column ``conversation`` become different conversations, in the order of their first
    row. An apostrophe that guards a cell against being run as a formula (``'=…``) is taken off. Times are seconds,
    clock times, or milliseconds (see ``_in_milliseconds``).

    Raises:
        TranscriptError: no column for the words, broken quoting, too many cells, or a row that cannot be an utterance.
    """
    delimiter, columns = _header(source)
    if "start" not in columns and _clocks(source, delimiter, columns):
        columns["start"] = columns["clock"]
    groups: dict[str, list[Row]] = {}
    for line, cells in _cells(source, delimiter):
        if line == 0 or not any(cell.strip() for cell in cells):
            continue
        with source.row():
            found, row = _row(source, columns, delimiter, line, cells)
            groups.setdefault(found, []).append(row)
    if _in_milliseconds(columns, [row for rows in groups.values() for row in rows]):
        groups = {name: [_in_seconds(row) for row in rows] for name, rows in groups.items()}
    if not groups:
        if source.bad:
            raise source.bad[0]
        raise TranscriptError(f"{source.path}: no utterance in the file", "a header only", "Add at least one row.")
    spoken = {name: rows for name, rows in groups.items() if any(row.text for row in rows)}
    groups = spoken if skip_empty and spoken else groups
    return [conversation(source, rows, skip_empty=skip_empty, id=name) for name, rows in groups.items()]


def _row(source: Source, columns: dict[str, int], delimiter: str, line: int, cells: Sequence[str]) -> tuple[str, Row]:
    """The conversation and the utterance of a row."""
    place = source.at(line)
    if len(cells) > columns["*"]:
        raise TranscriptError(
            f"{place}: expected {columns['*']} cells",
            len(cells),
            f"Put texts that hold the delimiter {delimiter!r} in double quotes.",
        )
    row = {name: _unguard(cells[n].strip()) for name, n in columns.items() if name in COLUMNS and n < len(cells)}
    return row.get("conversation") or source.path.stem, Row(
        place,
        row.get("text", ""),
        row.get("speaker"),
        clock(row.get("start", ""), place, "start"),
        clock(row.get("end", ""), place, "end"),
        row.get("id"),
    )


def _clocks(source: Source, delimiter: str, columns: dict[str, int]) -> bool:
    """Whether the column ``clock`` is there and holds ``M:SS`` or ``H:MM:SS`` in every row, never going back."""
    at = columns.get("clock")
    rows = [cells for line, cells in _cells(source, delimiter) if line and any(cell.strip() for cell in cells)]
    if at is None or not all(at < len(cells) and _CLOCK.fullmatch(cells[at].strip()) for cells in rows):
        return False
    times = [clock(cells[at], "", "start") or 0.0 for cells in rows]
    return times == sorted(times)


def _in_milliseconds(columns: dict[str, int], rows: Sequence[Row]) -> bool:
    """Whether times are milliseconds: a column says so, or a word would take more than ``SLOW`` seconds.

    The latter only for whole numbers in a table of ``start``, ``end`` and ``text``: the command line of Whisper writes
    such, and does not say so.
    """
    if "ms" in columns:
        return True
    if columns["*"] != 3 or not {"start", "end", "text"} <= set(columns):
        return False
    times = [t for row in rows for t in (row.start, row.end) if t is not None]
    if not times or not all(t.is_integer() for t in times):
        return False
    timed = [(r.end - r.start, len((r.text or "").split())) for r in rows if r.start is not None and r.end is not None]
    return sum(seconds for seconds, _ in timed) > SLOW * sum(words for _, words in timed) > 0


def _in_seconds(row: Row) -> Row:
    start, end = (None if t is None else t / 1000 for t in (row.start, row.end))
    return replace(row, start=start, end=end)


def _header(source: Source) -> tuple[str, dict[str, int]]:
    """The delimiter, and field to column number; the number of columns under ``*``."""
    first = next(line for line in source.text.split("\n") if line.strip())
    candidates = []
    for delimiter in "\t,;|" if source.path.suffix.lower() == ".tsv" else ",;\t|":
        try:
            names = next(csv.reader([first], delimiter=delimiter))
        except csv.Error:
            continue
        keys = [re.sub(r"\W+", "_", name.strip().lower()).strip("_") for name in names]
        columns = {
            field: keys.index(alias)
            for field, aliases in COLUMNS.items()
            if (alias := next((a for a in aliases if a in keys), None)) is not None
        }
        if any(keys[columns[field]].endswith("_ms") for field in ("start", "end") if field in columns):
            columns["ms"] = 0
        candidates.append((delimiter, {**columns, "*": len(names)}))
    best, best_columns = max(candidates, key=lambda c: len(c[1]), default=(",", dict[str, int]()))
    if "text" not in best_columns:
        raise TranscriptError(
            f"{source.path}, line 1: expected a header with a column for the words",
            first.strip()[:60],
            f"Name it 'text' (or {', '.join(COLUMNS['text'][1:8])}); 'speaker', 'start' and 'end' may stand beside it.",
        )
    return (best if best_columns["*"] > 1 else "\x1f"), best_columns  # one column: nothing to delimit


def _cells(source: Source, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row; line 0 for the header."""
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=delimiter, strict=True)
    line, header = 1, True
    try:
        for cells in reader:
            blank = not any(cell.strip() for cell in cells)
            yield (0 if header else line), cells
            header, line = header and blank, reader.line_num + 1
    except csv.Error as error:
        raise TranscriptError(
            f"{source.at(line)}: the row cannot be read: {error}",
            fix='Quote texts with "…" and double a quotation mark inside: "she said ""no""".',
        ) from None


def _unguard(cell: str) -> str:
    """The cell without the apostrophe that keeps spreadsheets from running it."""
    return cell[1:] if cell[:1] == "'" and cell[1:].lstrip()[:1] in ("=", "+", "-", "@") else cell
