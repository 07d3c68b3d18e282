"""The header of a table: which column holds what, in which unit, told by the columns' names."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from moodline.transcripts.common import Source

COLUMNS: dict[str, tuple[str, ...]] = {
    "text": (
        "text", "utterance", "sentence", "transcript", "transcription", "words", "content", "caption", "message",
        "body", "segment_text", "speech", "subtitle", "utterance_text", "transcript_text", "spoken_text", "line",
        "annotation", "comment", "phrase", "texte", "texto", "testo", "äußerung", "wortlaut", "transkript",
        "dialogue_text",
    ),
    "speaker": (
        "speaker", "speaker_name", "speaker_label", "speaker_id", "name", "who", "author", "username", "user", "sender",
        "participant", "character", "speakers", "speaker_tag", "spk", "actor", "person", "role", "agent", "talker",
        "participant_name", "display_name", "sprecher", "locuteur", "hablante", "parlante", "interlocutor", "turn_by",
        "channel", "tier",
    ),
    "start": (
        "start", "start_time", "starttime", "start_s", "start_sec", "start_seconds", "begin", "onset", "from", "in",
        "start_timecode", "timecode_in", "start_ms", "begin_time", "time_start", "time_in", "tc_in", "in_point", "tmin",
        "xmin", "start_timestamp", "timestamp_start", "beginn", "anfang", "début", "debut", "inicio", "inizio",
    ),
    "end": (
        "end", "end_time", "endtime", "end_s", "end_sec", "end_seconds", "stop", "offset", "to", "out", "end_timecode",
        "timecode_out", "end_ms", "stop_time", "time_end", "time_out", "tc_out", "out_point", "tmax", "xmax", "finish",
        "end_timestamp", "timestamp_end", "ende", "fin", "fine",
    ),
    "duration": ("duration", "dur", "length", "lasts", "dauer", "durée", "duración", "durata"),
    "clock": ("timestamp", "time", "timecode", "zeit", "tc"),
    "id": ("id", "utterance_id", "utt_id"),
    "conversation": (
        "conversation", "conversation_id", "dialogue_id", "dialog_id", "dialogue", "dialog", "conv_id", "call_id",
    ),
    "scene": ("scene_id", "scene", "session_id", "session", "recording_id", "video_id", "interview_id", "episode_id"),
}  # fmt: skip
"""Field to the column names that stand for it, the surest first; case, spaces and hyphens do not matter.

``clock`` stands for the start where there is none, if it holds times that go on and no dates. ``dialogue`` and
``dialog`` are the words where nothing else is. ``scene`` is a conversation's id if its values recur.
"""

_UNITS = (
    (re.compile(r"(?:^|_)(?:ms|msec|msecs|millis|milliseconds|millisekunden)$"), 1e-3),
    (re.compile(r"_ticks$"), 1e-7),
)
_SECONDS = re.compile(
    r"_(?:s|sec|secs|seconds|sekunden|hh_mm_ss(?:_m?s(?:ec)?)?|ss_ms(?:ec)?|hms|ms|msec|millis|milliseconds)$"
)


@dataclass(frozen=True)
class Header:
    """How a table is to be read.

    Args:
        delimiter: between the cells of a row.
        width: how many cells a row has.
        columns: field of ``COLUMNS`` to column number.
        units: seconds of the unit of a field with times, where its column's name gives one.
        names: the columns' names as they stand there.
    """

    delimiter: str
    width: int
    columns: dict[str, int]
    units: dict[str, float] = field(default_factory=dict)
    names: tuple[str, ...] = ()


def read_header(source: Source) -> Header | None:
    """The header of a table, the delimiter found out; None if no column is named as the words are.

    Args:
        source: the file.
    """
    first = next(line for line in source.text.split("\n") if line.strip())
    best: Header | None = None
    for delimiter in "\t,;|" if source.path.suffix.lower() == ".tsv" else ",;\t|":
        try:
            names = next(csv.reader([first], delimiter=delimiter))
        except csv.Error:
            continue
        found = _header(delimiter, names)
        if best is None or (len(found.columns), "text" in found.columns) > (len(best.columns), "text" in best.columns):
            best = found
    if best is None or "text" not in best.columns:
        return None
    return Header("\x1f", 1, best.columns, best.units, best.names) if best.width == 1 else best


def _header(delimiter: str, names: Sequence[str]) -> Header:
    keys = [_key(name) for name in names]
    columns: dict[str, int] = {}
    for name, aliases in COLUMNS.items():
        at = _first(keys, aliases, lambda key: key)
        if at is None and name in ("start", "end", "duration", "clock"):
            at = _first(keys, aliases, lambda key: _SECONDS.sub("", key))
        if at is None and name in ("text", "speaker", "start", "end"):
            at = _first(keys, [a for a in aliases if a in _TELLING], _telling, taken=set(columns.values()))
        if at is not None:
            columns[name] = at
    if "text" not in columns:
        words = next((keys.index(key) for key in ("dialog", "dialogue") if key in keys), None)
        if words is not None and len(keys) > 1:
            columns["text"] = words
    if columns.get("conversation") == columns.get("text", -1):
        del columns["conversation"]
    units: dict[str, float] = {
        str(name): unit
        for name in ("start", "end", "duration")
        if name in columns
        for pattern, unit in _UNITS
        if pattern.search(keys[columns[name]]) and not re.search(r"(?:hh|ss)_m", keys[columns[name]])
    }
    if "start" in units and "end" in columns:
        units.setdefault("end", units["start"])
    return Header(delimiter, len(names), columns, units, tuple(names))


_TELLING = ("text", "utterance", "sentence", "transcript", "transcription", "speaker", "start", "begin", "end")
"""Words of longer names that tell what a column holds: "Speaker Name (edited)"."""


def _telling(key: str) -> str:
    words = [word for word in key.split("_") if word in _TELLING]
    other = {"id", "number", "no", "index", "count", "length", "score", "language", "type", "emotion"}
    return words[0] if len(words) == 1 and not other & set(key.split("_")) else ""


def _first(
    keys: Sequence[str], aliases: Sequence[str], change: Callable[[str], str], taken: set[int] | None = None
) -> int | None:
    changed = [change(key) for key in keys]
    return next((n for a in aliases for n, key in enumerate(changed) if key == a and n not in (taken or ())), None)


def _key(name: str) -> str:
    """A column's name in small letters, its words parted by underscores."""
    name = re.sub(r"(?<=[a-zäöü])(?=[A-Z])", "_", name.strip().lstrip("\ufeff"))
    return re.sub(r"\W+", "_", name.lower()).strip("_")
