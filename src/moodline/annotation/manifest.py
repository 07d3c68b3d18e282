"""Manifests: CSV or JSONL files with a row for each recording, or for each turn of one, as NeMo's are."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from moodline.annotation.item import Item
from moodline.core.errors import ConfigError

MANIFESTS = (".csv", ".jsonl")
"""Suffixes of manifests, for files whose rows have ``audio_filepath`` or ``transcript_filepath``."""

RECORDING, TRANSCRIPT = "audio_filepath", "transcript_filepath"
TURN = ("text", "speaker", "offset", "duration")
"""Columns that describe a turn."""


def is_manifest(path: Path) -> bool:
    """True if the first row of a CSV or JSONL file names a recording or a transcript in NeMo's columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline(1 << 20)
        if path.suffix.lower() == ".jsonl":
            row = json.loads(first)
            return isinstance(row, dict) and bool({RECORDING, TRANSCRIPT} & set(row))
        return bool({RECORDING, TRANSCRIPT} & {name.strip() for name in next(csv.reader([first]), [])})
    except (OSError, ValueError, csv.Error):
        return False


def read_manifest(path: Path) -> list[Item]:
    """The items of a manifest, in its order.

    Columns: ``audio_filepath`` or ``transcript_filepath`` or both (relative to the manifest's folder); ``id``;
    ``text``, ``speaker``, ``offset`` and ``duration`` (seconds), which describe a turn of the recording. Rows of one
    recording are its turns, in order. All other columns are kept with the result. Whether the files exist is seen
    later: a missing one costs its own result only.

    Raises:
        ConfigError: a row cannot be read, lacks both paths, or has an offset or duration that is no number; or two
            items have one ``id``.
    """
    grouped: dict[tuple[str, str, str], list[tuple[int, Mapping[str, Any]]]] = {}
    for line, row in _rows(path):
        recording, transcript = (str(row.get(name) or "").strip() for name in (RECORDING, TRANSCRIPT))
        if not recording and not transcript:
            raise ConfigError(f"{path}, line {line}: expected {RECORDING} or {TRANSCRIPT}", fix="Add a path.")
        grouped.setdefault((str(row.get("id") or ""), recording, transcript), []).append((line, row))
    if not grouped:
        raise ConfigError(f"{path}: the manifest has no row", fix="Add a row for each recording.")
    items = [_item(path, key, rows) for key, rows in grouped.items()]
    ids = [i.id for i, (name, *_) in zip(items, grouped, strict=True) if name]
    if double := next((i for i in ids if ids.count(i) > 1), None):
        raise ConfigError(f"{path}: the id of a recording must be unique", double, "Rename one of them.")
    return items


def _item(path: Path, key: tuple[str, str, str], rows: list[tuple[int, Mapping[str, Any]]]) -> Item:
    name, recording, transcript = key
    turns = tuple(turn for line, row in rows if (turn := _turn(path, line, row)))
    worded = transcript == "" and any("text" in t or "speaker" in t for t in turns)
    about = {k: v for k, v in rows[0][1].items() if k not in (RECORDING, TRANSCRIPT, "id", *TURN) and v is not None}
    return Item(
        name or recording or transcript,
        path.parent / recording if recording else None,
        path.parent / transcript if transcript else None,
        turns if worded else (),
        about,
    )


def _turn(path: Path, line: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the house format; empty if the manifest's row says nothing of what is said."""
    turn: dict[str, Any] = {}
    for name in ("text", "speaker"):
        if str(row.get(name) or "").strip():
            turn[name] = str(row[name]).strip()
    numbers = {}
    for name in ("offset", "duration"):
        value = row.get(name)
        if value in (None, ""):
            continue
        try:
            numbers[name] = float(str(value))
            if not 0 <= numbers[name] < float("inf"):
                raise ValueError
        except ValueError:
            raise ConfigError(f"{path}, line {line}: {name} must be a number of seconds, 0 or more", value) from None
    if turn and "offset" in numbers:
        turn["start"] = numbers["offset"]
        if "duration" in numbers:
            turn["end"] = numbers["offset"] + numbers["duration"]
    return turn


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number and row of each line that is not empty."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".jsonl":
                for line, text in enumerate(file, 1):
                    if text.strip():
                        row = json.loads(text)
                        if not isinstance(row, dict):
                            raise ConfigError(f"{path}, line {line}: expected an object", type(row).__name__)
                        yield line, row
            else:
                reader = csv.DictReader(file, strict=True)
                reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
                for row in reader:
                    if None in row:
                        raise ConfigError(f"{path}, line {reader.line_num}: more cells than columns")
                    yield reader.line_num, row
    except ConfigError:  # a ValueError too
        raise
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: the manifest cannot be read: {reason}", fix="Save it as UTF-8.") from None
