"""Tables (``.csv``, ``.tsv``): one utterance a row, columns told by their names, or else by their cells."""

from __future__ import annotations

import ast
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.columns import guessed_columns, split_ranges
from moodline.transcripts.common import Row, Source, conversation
from moodline.transcripts.table_header import COLUMNS, Header, read_header
from moodline.transcripts.times import clock

Table = list[tuple[int, list[str]]]
"""Line number and cells of each row that is not blank, without the header."""

_CLOCK = re.compile(r"(?:[0-9]{1,2}:)?[0-5]?[0-9]:[0-5][0-9](?:[.,][0-9]{1,9})?")
_SEPARATOR = re.compile(r"\s*\"?sep=.\"?\n", re.IGNORECASE)
_FRAMES = re.compile(r"([0-9]{1,2}:[0-9]{2}:[0-9]{2})[:;][0-9]{2}")

SLOW = 100.0
"""Seconds for a word, on average of a table, that no one takes."""

_FIX = 'Quote texts with "…" and double a quotation mark inside: "she said ""no""".'


def read_table(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read a table; only the words' column is required, unknown columns are passed over, the delimiter is found out.

    Rows with different values in a column ``conversation`` become different conversations, in the order of their first
    row. An apostrophe that guards a cell against being run as a formula (``'=…``) is taken off. Times are seconds,
    clock times, or milliseconds (see ``_in_milliseconds``). Where no header names the words, columns are told by their
    cells (``columns``), and a note says how.

    Raises:
        TranscriptError: no column for the words, or no good row; or, if the reading is strict, broken quoting, too many
            cells, or a row that cannot be an utterance.
    """
    if (separator := _SEPARATOR.match(source.text)) is not None:  # Excel's first line
        source = replace(source, text=f"\n{source.text[separator.end() :]}")
        if not source.text.strip():
            raise TranscriptError(
                f"{source.path}: no utterance in the file", "a separator only", "Add at least one row."
            )
    header = read_header(source)
    if header is None:
        return [_without_header(source, skip_empty)]
    columns, table = header.columns, _cells(source, header.delimiter)
    if "start" not in columns and _clocks(table, header):
        columns["start"] = columns["clock"]
    places = _scenes(table, header)
    groups: dict[str, list[Row]] = {}
    for line, cells in table:
        with source.row():
            row = _row(source, header, line, cells)
            found = "-".join(cells[n].strip() for n in places if n < len(cells)) or source.path.stem
            groups.setdefault(found, []).append(row)
    if _in_milliseconds(header, [row for rows in groups.values() for row in rows]):
        groups = {name: [_in_seconds(row) for row in rows] for name, rows in groups.items()}
    if not groups:
        if source.bad:
            raise source.bad[0]
        raise TranscriptError(f"{source.path}: no utterance in the file", "a header only", "Add at least one row.")
    spoken = {name: rows for name, rows in groups.items() if any(row.text for row in rows)}
    groups = spoken if spoken and (skip_empty or not source.strict) else groups
    return [
        conversation(source, _carried(source, rows), skip_empty=skip_empty, id=name) for name, rows in groups.items()
    ]


def _row(source: Source, header: Header, line: int, cells: Sequence[str]) -> Row:
    """The utterance of a row."""
    place, columns = source.at(line), header.columns
    if len(cells) > header.width and columns["text"] == header.width - 1 and not source.strict:
        cells = [*cells[: header.width - 1], header.delimiter.join(cells[header.width - 1 :])]
        source.note(f"Cells behind the last column were taken for words that hold the delimiter {header.delimiter!r}.")
    if len(cells) > header.width:
        raise TranscriptError(
            f"{place}: expected {header.width} cells",
            len(cells),
            f"Put texts that hold the delimiter {header.delimiter!r} in double quotes.",
        )
    row = {name: _unguard(cells[n].strip()) for name, n in columns.items() if name in COLUMNS and n < len(cells)}
    start, end, lasts = (_time(source, header, row, place, name) for name in ("start", "end", "duration"))
    if end is None and start is not None and lasts is not None:
        end = round(start + lasts, 6)
    return Row(place, row.get("text", ""), _unlisted(row.get("speaker")), start, end, row.get("id"))


def _time(source: Source, header: Header, row: dict[str, str], place: str, name: str) -> float | None:
    """A time in seconds; the frames of a time code are dropped, since the frame rate is unknown."""
    cell = row.get(name, "")
    if match := _FRAMES.fullmatch(cell):
        source.note("Frames at the end of times (HH:MM:SS:FF) were left out: how long one lasts is unknown.")
        cell = match[1]
    found = clock(cell, place, name)
    unit = header.units.get(name, 1.0)
    return found if found is None or unit == 1.0 or ":" in cell else round(found * unit, 6)


def _unlisted(name: str | None) -> str | None:
    """A name out of a list as Python writes it: ``['Ada']``."""
    if not name or name[0] != "[" or name[-1] != "]":
        return name
    try:
        names = ast.literal_eval(name)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return name
    return ", ".join(names) if isinstance(names, list) and all(isinstance(n, str) for n in names) else name


def _carried(source: Source, rows: list[Row]) -> list[Row]:
    """Rows without a speaker given to the one before, where speakers are named only as they change."""
    named = [row.speaker for row in rows if row.speaker]
    blank = len(rows) - len(named)
    again = any(one == other for one, other in pairwise(named))
    if blank < 2 or len(set(named)) < 2 or not rows[0].speaker or again:
        return rows
    out: list[Row] = []
    for row in rows:
        out.append(row if row.speaker else replace(row, speaker=out[-1].speaker))
    source.note(f"{blank} rows without a speaker were given to the speaker named before.")
    return out


def _scenes(table: Table, header: Header) -> list[int]:
    """The columns whose values together are a conversation's id; none for one conversation.

    A scene's number counts if it recurs; where it begins anew in each episode, season and episode are part of the id.
    """
    columns = header.columns
    if "conversation" in columns:
        return [columns["conversation"]]
    if "scene" not in columns:
        return []
    at = columns["scene"]
    keys = [re.sub(r"\W+", "_", name.strip().lower()) for name in header.names]
    above = [keys.index(key) for key in ("season", "season_id", "episode", "episode_id") if key in keys]
    above = [n for n in above if n != at]
    rows = [cells for _, cells in table if len(cells) > max([at, *above])]
    values = {row[at].strip() for row in rows}
    wholes = {tuple(row[n].strip() for n in (*above, at)) for row in rows}
    if len(wholes) < 2 or 2 * len(wholes) > max(4, len(rows) + 1):
        return []
    return [*above, at] if len(wholes) > len(values) else [at]


def _clocks(table: Table, header: Header) -> bool:
    """Whether the column ``clock`` is there and holds ``M:SS`` or ``H:MM:SS`` in every row, never going back."""
    at = header.columns.get("clock")
    if at is None:
        return False
    if not all(at < len(cells) and _CLOCK.fullmatch(cells[at].strip()) for _, cells in table):
        return False
    times = [clock(cells[at], "", "start") or 0.0 for _, cells in table]
    return times == sorted(times)


def _in_milliseconds(header: Header, rows: Sequence[Row]) -> bool:
    """Whether times are milliseconds though no column says so: a word would take more than ``SLOW`` seconds.

    Only for whole numbers: the command line of Whisper writes such.
    """
    columns = header.columns
    if header.units or not {"start", "end", "text"} <= set(columns):
        return False
    times = [t for row in rows for t in (row.start, row.end) if t is not None]
    if not times or not all(t.is_integer() for t in times):
        return False
    timed = [(r.end - r.start, len((r.text or "").split())) for r in rows if r.start is not None and r.end is not None]
    return sum(seconds for seconds, _ in timed) > SLOW * sum(words for _, words in timed) > 0


def _in_seconds(row: Row) -> Row:
    start, end = (None if t is None else t / 1000 for t in (row.start, row.end))
    return replace(row, start=start, end=end)


def _cells(source: Source, delimiter: str) -> Table:
    """The rows; where quotation marks are broken, each line by itself, and lines that cannot be read are left out.

    Raises:
        TranscriptError: a row cannot be read, and the reading is strict.
    """
    rows: Table = []
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        broken = TranscriptError(f"{source.at(line)}: the row cannot be read: {error}", fix=_FIX)
        if source.strict:
            raise broken from None
        rows = list(_lines(source, delimiter))
    return [(n, cells) for n, cells in rows if any(cell.strip() for cell in cells)][1:]


def _lines(source: Source, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line, read by itself."""
    for n, line in enumerate(source.text.split("\n"), 1):
        try:
            yield from ((n, cells) for cells in csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error as error:
            source.leave_out(TranscriptError(f"{source.at(n)}: the row cannot be read: {error}", fix=_FIX))


def _without_header(source: Source, skip_empty: bool) -> Conversation:
    """A table whose columns are told by their cells.

    Raises:
        TranscriptError: they cannot be told.
    """
    first = next(line for line in source.text.split("\n") if line.strip())
    for delimiter in sorted(",;\t|", key=first.count, reverse=True):
        if delimiter not in first:
            break
        rows = [row for row in _lines(source, delimiter) if any(cell.strip() for cell in row[1])]
        width = max(Counter(len(cells) for _, cells in rows).items(), key=lambda pair: pair[1], default=(0, 0))[0]
        whole = [(n, [_unguard(cell.strip()) for cell in cells]) for n, cells in rows if len(cells) == width]
        if len(whole) == len(rows) and (found := _unnamed(source, whole, skip_empty=skip_empty)) is not None:
            return found
    raise TranscriptError(
        f"{source.path}, line 1: expected a header with a column for the words",
        first.strip()[:60],
        f"Name it 'text' (or {', '.join(COLUMNS['text'][1:8])}); 'speaker', 'start' and 'end' may stand beside it.",
    )


def _unguard(cell: str) -> str:
    """The cell without the apostrophe that keeps spreadsheets from running it."""
    return cell[1:] if cell[:1] == "'" and cell[1:].lstrip()[:1] in ("=", "+", "-", "@") else cell


def read_unnamed(source: Source, *, skip_empty: bool) -> Conversation | None:
    """Read a table whose header does not name the words, or that has none; None if it is no table with tabs.

    Args:
        source: the file; its columns are parted by tabs.
        skip_empty: see ``read_table``.
    """
    lines = [(n, line) for n, line in enumerate(source.text.split("\n"), 1) if line.strip()]
    tabs = Counter(line.rstrip("\n").count("\t") for _, line in lines)
    (most, count), *_ = tabs.most_common(1)
    if not most or len(lines) < 2 or count < 0.9 * len(lines):
        return None
    rows = [(n, [cell.strip() for cell in line.split("\t")]) for n, line in lines if line.count("\t") == most]
    return _unnamed(source, rows, skip_empty=skip_empty)


def _unnamed(source: Source, rows: Sequence[tuple[int, list[str]]], *, skip_empty: bool) -> Conversation | None:
    width = len(rows[0][1]) if rows else 0
    whole = split_ranges([cells for _, cells in rows])
    rows = [(n, cells) for (n, _), cells in zip(rows, whole, strict=True)]
    found = guessed_columns(whole)
    if found is None:
        return None
    source.note(found.note() + (" A column of stretches counts as two." if len(whole[0]) > width else ""))
    out = []
    for n, cells in rows[found.head :]:
        with source.row():
            place = source.at(n)
            start, end, lasts = (
                None if at is None else clock(cells[at], place, name)
                for at, name in ((found.start, "start"), (found.end, "end"), (found.lasts, "duration"))
            )
            if lasts is not None and start is not None:
                end = start + lasts
            begins, ends = (None if t is None else round(t * found.unit, 6) for t in (start, end))
            speaker = cells[found.speaker] if found.speaker is not None else None
            for at in found.each:
                if cells[at]:
                    out.append(Row(place, cells[at], rows[0][1][at], begins, ends))
            if not found.each:
                out.append(Row(place, cells[found.text], speaker, begins, ends))
    return conversation(source, sorted(out, key=lambda row: row.start or 0.0), skip_empty=skip_empty)
