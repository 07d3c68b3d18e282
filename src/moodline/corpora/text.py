"""Text as corpora hold it: wrongly decoded characters, clock times, comma-separated tables."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from moodline.core.errors import CorpusError
from moodline.corpora.base import Defect
from moodline.corpora.files import read_bytes

_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?")
_DOUBLE = re.compile("â€|Ã[\u0080-\u00bf]|Â[\u00a0-\u00bf]")
_C1 = re.compile("[\u0080-\u009f]")


def repair_text(text: str) -> tuple[str, bool]:
    """Undo the two usual wrong decodings: UTF-8 read as cp1252 or latin-1, and cp1252 read as latin-1.

    Args:
        text: any string; clean text comes back unchanged but stripped.

    Returns:
        The stripped text, and whether anything was decoded anew.
    """
    text = text.strip()
    if _C1.search(text):
        try:
            return text.encode("latin-1").decode("utf-8").strip(), True
        except UnicodeError:
            fixed = _C1.sub(lambda c: c.group().encode("latin-1").decode("cp1252", errors="ignore"), text)
            return fixed.strip(), True
    if _DOUBLE.search(text):
        try:
            return text.encode("cp1252").decode("utf-8").strip(), True
        except UnicodeError:
            return text, False
    return text, False


def decode(data: bytes) -> tuple[str, int]:
    """Decode UTF-8 (with or without a byte-order mark); lines that are not UTF-8 are read as cp1252.

    Returns:
        The text, and how many lines were not UTF-8.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines, repaired = [], 0
    for line in data.split(b"\n"):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode("cp1252", errors="replace"))
            repaired += 1
    return "\n".join(lines), repaired


def parse_clock(text: str) -> tuple[float, bool] | None:
    """Read a clock time such as ``00:16:16,059`` or ``0:12:32.632``.

    Returns:
        Seconds, and whether it was written in full (two digits a field, three of a fraction);
        None if it is no clock time.
    """
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds, fraction = match.groups()
    value = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")
    return round(value, 3), len(hours + minutes + seconds) == 6 and len(fraction or "") == 3


def read_times(start: str, end: str, where: str) -> tuple[float | None, float | None, list[Defect]]:
    """The start and end of one utterance, in seconds, and what was wrong with them.

    An unreadable time becomes None; an end that does not lie after the start becomes None.
    """
    defects = []
    a, b = parse_clock(start), parse_clock(end)
    shown = f"{start} - {end}"
    if a is None or b is None:
        defects.append(Defect("unreadable time", where, "dropped", shown))
    elif not (a[1] and b[1]):
        defects.append(Defect("time not written in full", where, "repaired", shown))
    if a is not None and b is not None and b[0] <= a[0]:
        defects.append(Defect("end not after start", where, "repaired", f"{shown}: start kept, end unknown"))
        b = None
    return (a[0] if a else None), (b[0] if b else None), defects


def read_table(corpus: str, path: Path, columns: Sequence[str]) -> tuple[list[dict[str, str]], list[Defect]]:
    """Read a comma-separated table with a header line.

    Args:
        corpus: the reader's name, for messages.
        path: the file.
        columns: the columns that must be there; others are kept too.

    Returns:
        One mapping a row, and the encoding defects.

    Raises:
        CorpusError: not a table, a column is missing, a row has too few or too many fields, no rows.
    """
    text, repaired = decode(read_bytes(path))
    defects = [Defect("not UTF-8", path.name, "repaired", f"{repaired} lines read as cp1252")] if repaired else []
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="\0", skipinitialspace=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise CorpusError(f"{corpus}: {path.name} is not a comma-separated table: {error}") from None
    missing = [c for c in columns if c not in (reader.fieldnames or ())]
    if missing:
        raise CorpusError(
            f"{corpus}: {path.name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
            ", ".join(reader.fieldnames or ())[:120] or "an empty file",
            "Use the file as its authors published it.",
        )
    for number, row in enumerate(rows, start=2):
        if "\0" in row or None in row.values():
            raise CorpusError(
                f"{corpus}: {path.name}: row {number} does not have {len(reader.fieldnames or ())} fields",
                fix="The file may be cut off; download it again.",
            )
    if not rows:
        raise CorpusError(f"{corpus}: {path.name} holds no rows", fix="The file may be cut off; download it again.")
    return rows, defects


def integer(corpus: str, path: Path, number: int, row: dict[str, str], column: str) -> int:
    """The whole number, 0 to 99999, in a column of a row.

    Raises:
        CorpusError: it is none.
    """
    text = row[column].strip()
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise CorpusError(
            f"{corpus}: {path.name}: row {number}: {column} must be a whole number, 0 to 99999", text[:40]
        )
    return int(text)
