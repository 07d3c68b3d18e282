"""JSON of no layout that is known, read by the names of its fields; and fields that look useful and were not used.

The list of objects with the most words is taken. Which field was taken for what is said in a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source
from moodline.transcripts.json_fields import (
    CHANNEL,
    END,
    LASTS,
    SPEAKER,
    START,
    TEXT,
    field,
    lasting,
    names_in,
    objects,
    plain_key,
    segment,
    speaker_of,
    time_of,
    unit_of,
    walk,
)
from moodline.transcripts.speaker_spans import speaker_at, speaker_spans
from moodline.transcripts.times import number
from moodline.transcripts.units import in_seconds
from moodline.transcripts.words import joined

DEEPEST = 8
"""Levels of lists and objects in which utterances are looked for."""

_ASIDE = (
    "alternatives",
    "nbest",
    "tokens",
    "hypotheses",
    "summary",
    "chapters",
    "metadata",
    "actionitems",
    "topics",
    "highlights",
)
_UNSPEAKING = ("name", "from", "user", "role", "side", "track", "voice", "speakers", "participants")
"""Names of fields that may be a speaker's, but often are something else."""


@dataclass(frozen=True)
class _Found:
    """Rows at one place of the JSON, with the object each stands in."""

    path: str
    rows: list[dict[str, Any]]
    above: list[dict[str, Any]]


def guessed_segments(data: Any, source: Source, *, timed: bool = False) -> list[dict[str, Any]] | None:
    """The segments in JSON of an unknown layout, or None if there is nothing like a transcript in it.

    Args:
        data: what the file holds.
        source: the file, for the note.
        timed: only if the rows have times of their own.
    """
    groups: dict[str, _Found] = {}
    for path, row, above in _rows(data, "", {}, 0):
        found = groups.setdefault(path, _Found(path, [], []))
        found.rows.append(row)
        found.above.append(above)
    candidates = [(f, t) for f in groups.values() if (t := _text_field(f.rows)) is not None]
    if not candidates:
        return None
    most = max(_words(f.rows, t) for f, t in candidates)
    whole = [(f, t) for f, t in candidates if 2 * _words(f.rows, t) > most]
    best, text = max(whole, key=lambda c: _rank(c[0], c[1]))
    start, end = _common(best.rows, START, _is_time), _common(best.rows, END, _is_time)
    lasts = _common(best.rows, LASTS, _is_time)
    if start in (None, "from", "time", "timestamp", "ts") and end is None and lasts is None and timed:
        return None
    who, values = _speakers(best, names_in(data) if isinstance(data, dict) else {})
    unit = unit_of(start or "")
    out = []
    for row, speaker in zip(best.rows, values, strict=True):
        begins, ends = row.get(start or ""), row.get(end or "")
        if isinstance(begins, list) and len(begins) == 2:
            begins, ends = begins
        if end is None and lasts is not None:
            made = lasting(row.get(text), None, time_of(begins, unit), time_of(row.get(lasts), unit_of(lasts)))
        else:
            made = segment(row.get(text), None, begins, ends, unit)
        out.append(made | {"speaker": speaker})
    out = in_seconds(out, source, data)
    if who is None and (spans := speaker_spans(data)):
        starts = [span[0] for span in spans]
        for row in out:
            times = (t if isinstance(t, int | float) else None for t in (row["start"], row["end"]))
            row["speaker"] = speaker_at(spans, starts, *times)
        who = "spans beside the words" if any(row["speaker"] for row in out) else None
    out = joined(out)
    out = [row for row in out if isinstance(row["text"], str) and row["text"].strip()]
    if not out:
        return None
    source.note(_note(best.path, text, who, start, end or lasts, unit))
    return out


def note_unused(data: Any, segments: Sequence[dict[str, Any]], source: Source) -> None:
    """Note fields that seem to say who speaks, or when, if no utterance has got a speaker or a time from anywhere."""
    if len(segments) < 2:
        return
    words = [w for row in segments if isinstance(row.get("words"), list) for w in row["words"] if isinstance(w, dict)]
    if not any(row.get("speaker") for row in (*segments, *words)):
        seen: dict[str, set[str]] = {}
        used = any(row.get("channel") is not None for row in segments)  # see ``whisper``
        for key, value in walk(data):
            name = plain_key(key)
            usual = name in SPEAKER or name in CHANNEL or "speaker" in name
            if (
                usual
                and name not in _UNSPEAKING
                and not (used and name == "channel")
                and isinstance(value, str | int)
                and not isinstance(value, bool)
            ):
                seen.setdefault(key, set()).add(str(value))
        unused = next((key for key, values in seen.items() if len(values) > 1), None)
        if unused:
            source.note(f"No speaker was read, but a field '{unused}' may say who speaks; it was not used.")
    if not any(isinstance(row.get("start"), int | float | str) for row in segments):
        counts: dict[str, int] = {}
        for key, value in walk(data):
            name = plain_key(key)
            if (name in START[:-8] or name in END[:-6]) and _is_time(value):
                counts[key] = counts.get(key, 0) + 1
        unused = next((key for key, count in counts.items() if count > 1), None)
        if unused:
            source.note(f"No time was read, but a field '{unused}' may say when; it was not used.")


def _rows(
    data: Any, path: str, above: dict[str, Any], depth: int
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Path, object and the object above, of every object in a list."""
    if depth > DEEPEST:
        return
    if isinstance(data, dict):
        for key, value in data.items():
            if plain_key(key) not in _ASIDE and isinstance(value, dict | list):
                yield from _rows(value, f"{path}.{key}" if path else key, data, depth + 1)
    elif isinstance(data, list):
        for row in data:
            if isinstance(row, dict):
                yield f"{path}[]", _flat(row), above
                yield from _rows(row, f"{path}[]", row, depth + 1)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the times of an object inside it, as ``{"instances": [{"start": …}]}``."""
    for key in ("offsets", "instances", "timing", "times", "timestamps", "interval", "span", "range", "time", "period"):
        inner = row.get(key)
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(inner, dict) and field(inner, START) and not field(row, START[:-8]):
            unit = 1e-3 if key == "offsets" else 1.0
            times = {k: time_of(v, unit) for k, v in inner.items() if isinstance(v, int | float | str)}
            return {**times, **{k: v for k, v in row.items() if k != key}}
    return row


def _text_field(rows: Sequence[dict[str, Any]]) -> str | None:
    for name in TEXT:
        keys = {key for row in rows[:50] for key in row if plain_key(key) == name}
        for key in sorted(keys):
            if 5 * sum(isinstance(row.get(key), str) for row in rows) >= 4 * len(rows):
                return key if any(c.isalpha() for row in rows for c in str(row.get(key))) else None
    return _wordiest(rows) if _common(rows, START, _is_time) else None


def _wordiest(rows: Sequence[dict[str, Any]]) -> str | None:
    """The field of strings with the most words, of rows that have times; None if there is none with several."""
    keys = {key for row in rows[:50] for key in row if plain_key(key) not in (*SPEAKER, *CHANNEL, *START, *END)}
    lengths = {key: sum(len(v.split()) for row in rows if isinstance(v := row.get(key), str)) for key in keys}
    key = max(sorted(lengths), key=lambda k: lengths[k], default=None)
    return key if key is not None and lengths[key] >= 2.5 * len(rows) else None


def _words(rows: Sequence[dict[str, Any]], text: str) -> int:
    return sum(len(str(row.get(text) or "").split()) for row in rows)


def _rank(found: _Found, text: str) -> tuple[int, int, int]:
    """How much rows say: times and speakers first, then whole utterances rather than single words."""
    timed = _common(found.rows, START, _is_time) is not None
    speakers = _speakers(found, {})[0] is not None
    return timed + speakers, len(found.rows) > 1, int(_words(found.rows, text) > 1.5 * len(found.rows))


def _common(rows: Sequence[dict[str, Any]], names: Sequence[str], fits: Any) -> str | None:
    """The field, the surest first, that nearly all rows have, with values that fit."""
    keys: dict[str, str] = {}
    for row in rows[:50]:
        keys |= {plain_key(key): key for key in row if plain_key(key) in names}
    for name in names:
        key = keys.get(name)
        if key is not None and 10 * sum(fits(row.get(key)) for row in rows) >= 8 * len(rows):
            return key
    return None


def _is_time(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and all(isinstance(x, int | float) and not isinstance(x, bool) for x in value)
    if isinstance(value, bool) or not isinstance(value, int | float | str | dict):
        return False
    if isinstance(value, dict) and not {"seconds", "nanos"} & set(value):
        return False
    try:
        seconds = number(time_of(value), "", "")
    except TranscriptError:
        return False
    return seconds is not None and seconds < 1e9


def _speakers(found: _Found, names: dict[Any, str]) -> tuple[str | None, list[str | None]]:
    """The field that says who speaks, in the rows or above them, and who that is."""
    for rows, where in ((found.rows, ""), (found.above, "above, ")):
        key = _common(rows, SPEAKER, lambda v: speaker_of(v) is not None and not _is_number_text(v))
        if key in ("from", "name", "role", "user") and where:
            continue
        if key is not None:
            given = [row.get(key) for row in rows]
            named = [names.get(g) if isinstance(g, int | str) else None for g in given]
            return where + key, [name or speaker_of(g) for name, g in zip(named, given, strict=True)]
        key = _common(rows, CHANNEL, lambda v: isinstance(v, int | str))
        if key is not None and len({str(row.get(key)) for row in rows}) > 1:
            values = [row.get(key) for row in rows]
            return where + key, [f"Channel {v}" if isinstance(v, int) else speaker_of(v) for v in values]
    return None, [None] * len(found.rows)


def _is_number_text(value: Any) -> bool:
    """Whether it is text of numbers and marks, as a time is."""
    return isinstance(value, str) and any(c in value for c in ".:,") and not any(map(str.isalpha, value))


def _note(path: str, text: str, who: str | None, start: str | None, end: str | None, unit: float) -> str:
    times = " to ".join(f"'{name}'" for name in (start, end) if name) or "nothing"
    units = {1e-3: " (milliseconds)", 1e-7: " (ticks)", 1e-9: " (nanoseconds)"}.get(unit, "")
    speaker = f"'{who}'" if who else "nothing"
    return (
        f"The JSON is of no layout that is known: the words were taken from '{path}.{text}', the speakers from "
        f"{speaker}, the times from {times}{units}."
    )


def is_utterance_list(data: Any) -> bool:
    """Whether ``utterances`` are a recognizer's rather than Moodline's own, by fields that it would not write."""
    rows = objects(data, "utterances") or []
    foreign = {"confidence", "words", "channel", "startTime", "start_time", "transcript", "end_time", "endTime"}
    return any(foreign & set(row) for row in rows) or any(field(row, LASTS) for row in rows)
