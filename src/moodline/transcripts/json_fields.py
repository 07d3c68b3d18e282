"""Fields of JSON as programs and services name them: words, speakers, times, and the units of times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from moodline.transcripts.times import number
from moodline.transcripts.words import Word

TICK = 1e-7
"""Seconds of Azure's ticks."""

TEXT = (
    "text", "transcript", "transcription", "sentence", "utterance", "content", "display", "displaytext",
    "words", "body", "caption", "value", "line", "speech", "phrase", "message", "punctuatedtext", "asrtext",
    "normalizedtext", "dialogue", "dialog", "said", "punct", "punctuatedword", "word", "token", "lexical",
)  # fmt: skip
SPEAKER = (
    "speakername", "speakerdisplayname", "speaker", "speakerlabel", "speakerid", "speakertag", "spk", "spkid",
    "spkr", "participantname", "participant", "participantrole", "participantid", "displayname", "name", "who",
    "role", "author", "person", "personname", "character", "username", "user", "from", "speakernumber",
    "talker", "voice", "users", "speakers",
    "participants",
)  # fmt: skip
CHANNEL = ("channel", "channelid", "channeltag", "channellabel", "channelnumber", "channelindex", "track", "side")
START = (
    "start", "starttime", "startseconds", "startsec", "startinseconds", "starts", "startms", "starttimems",
    "startmillis", "starttimemillis", "startmilliseconds", "starttimeinmilliseconds", "begin", "begintime",
    "beginms", "beginoffsetmillis", "startoffset", "startoffsetms", "startoffsetmillis", "offsetms",
    "offsetmilliseconds", "offsetinticks", "offset", "onset", "ts", "tstart", "tstartms", "timestart",
    "timestampstart", "starttimestamp", "startts", "fromtime", "bg", "st", "xmin", "audiostart", "timefrom",
    "from", "timein", "timestamp", "time", "instancestart",
)  # fmt: skip
END = (
    "end", "endtime", "endseconds", "endsec", "endinseconds", "ends", "endms", "endtimems", "endmillis",
    "endtimemillis", "endmilliseconds", "endtimeinmilliseconds", "stop", "stoptime", "finish", "endoffset",
    "endoffsetms", "endoffsetmillis", "endts", "tend", "tendms", "timeend", "timestampend", "endtimestamp",
    "totime", "ed", "et", "xmax", "audioend", "timeto", "to", "timeout", "instanceend",
)  # fmt: skip
LASTS = (
    "duration", "durationms", "durationmilliseconds", "durationmillis", "durationinticks", "durationseconds",
    "dur", "ddurationms", "length", "lengthms",
)  # fmt: skip
_UNITS = (
    (re.compile(r"(?:ms|[Mm]s|[Mm]illis(?:econds)?|MS)$"), 1e-3),
    (re.compile(r"[Tt]icks$"), TICK),
    (re.compile(r"[Nn]anos(?:econds)?$|_ns$|Ns$"), 1e-9),
    (re.compile(r"[Mm]icros(?:econds)?$|_us$"), 1e-6),
)
_ISO = re.compile(r"PT(?:([0-9.]+)H)?(?:([0-9.]+)M)?(?:([0-9.]+)S)?")


def plain_key(key: str) -> str:
    """A field's name in small letters without marks, as ``TEXT`` and the other lists have them."""
    return "".join(c for c in key.lower() if c.isalnum())


def field(row: dict[str, Any], names: tuple[str, ...]) -> str | None:
    """The row's field that stands for one of these, the surest first; None if there is none with a value."""
    keys = {plain_key(key): key for key, value in row.items() if value is not None and value != ""}
    return next((keys[name] for name in names if name in keys), None)


def objects(data: Any, *path: str) -> list[dict[str, Any]] | None:
    """The list of objects at a path of keys, or None if there is none, or an empty one."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, list) and data and all(isinstance(row, dict) for row in data) else None


def first(row: dict[str, Any], *names: str) -> Any:
    """The first of these fields that is there."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def best(row: dict[str, Any], name: str = "alternatives") -> dict[str, Any]:
    """The first alternative of a result."""
    found = objects(row, name)
    return found[0] if found else {}


def speaker_of(value: Any) -> str | None:
    """A speaker's name; numbers become ``Speaker 0``; what stands for nobody (``UU``, ``?``) is None."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"Speaker {value}"
    if isinstance(value, float) and value.is_integer():
        return f"Speaker {int(value)}"
    if isinstance(value, dict):
        value = first(value, "name", "displayName", "display_name", "speaker_name", "username", "label", "id", "@id")
        return speaker_of(value) if not isinstance(value, dict) else None
    if isinstance(value, list):
        names = [name for part in value[:5] if (name := speaker_of(part) if not isinstance(part, list) else None)]
        return ", ".join(names) or None
    if isinstance(value, str) and value.strip().isdecimal():
        return f"Speaker {value.strip()}"
    if value == "UU":  # Speechmatics
        return None
    if isinstance(value, str) and value.strip().lower() not in ("", "?", "unknown", "none", "null", "<na>", "-1"):
        return value.strip()
    return None


def unit_of(key: str) -> float:
    """Seconds of the unit that a field's name ends with (``startMs``, ``offsetInTicks``); 1 if with none."""
    return next((unit for pattern, unit in _UNITS if pattern.search(key)), 1.0)


def time_of(value: Any, unit: float = 1.0) -> Any:
    """Seconds of a number in other units, of ``"1.4s"``, ``"PT1.4S"`` or seconds and nanoseconds.

    Anything else stays as it is, to be refused later.
    """
    if isinstance(value, dict):
        whole, parts = value.get("seconds", 0), value.get("nanos", value.get("nanoseconds", 0))
        try:
            return round(float(whole or 0) + float(parts or 0) / 1e9, 6) if value else 0.0
        except (TypeError, ValueError, OverflowError):
            return value
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e16:
        return value if unit == 1 else round(value * unit, 6)
    if not isinstance(value, str):
        return value
    value = value.strip()
    match = _ISO.fullmatch(value)
    if match and any(match.groups()):
        try:
            return round(sum(float(x or 0) * s for x, s in zip(match.groups(), (3600, 60, 1), strict=True)), 6)
        except ValueError:
            return value
    if unit != 1 and re.fullmatch(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", value):
        return round(float(value) * unit, 6)
    return value.removesuffix("s")


def segment(text: Any, speaker: Any, start: Any, end: Any, unit: float = 1.0) -> dict[str, Any]:
    """A segment as ``whisper.read_segments`` takes it."""
    return {"text": text, "speaker": speaker_of(speaker), "start": time_of(start, unit), "end": time_of(end, unit)}


def lasting(text: Any, speaker: Any, start: Any, lasts: Any, unit: float = 1.0) -> dict[str, Any]:
    """A segment that says how long it lasts."""
    start, lasts = time_of(start, unit), time_of(lasts, unit)
    numbers = all(isinstance(t, int | float) and not isinstance(t, bool) for t in (start, lasts))
    return segment(text, speaker, start, round(start + lasts, 6) if numbers else None)


def word(text: Any, speaker: Any, start: Any, end: Any, place: str, unit: float = 1.0, glued: bool = False) -> Word:
    """A word of a recognizer.

    Raises:
        TranscriptError: a time that is none.
    """
    begins = number(time_of(start, unit), f"{place}: a word", "start")
    ends = number(time_of(end, unit), f"{place}: a word", "end")
    return Word(text if isinstance(text, str) else "", begins, ends, speaker_of(speaker), glued)


def names_in(data: Any) -> dict[Any, str]:
    """Id to name of the speakers that a list beside the words introduces, ``{"speakers": [{"id": 0, "name": …}]}``."""
    out: dict[Any, str] = {}
    for key, value in walk(data, 2000):
        if plain_key(key) not in ("speakers", "participants", "speakernames", "speakermap", "speakermapping"):
            continue
        for row in value if isinstance(value, list) else []:
            if isinstance(row, dict):
                name = first(row, "name", "displayName", "display_name", "speaker_name", "label")
                given = first(row, "id", "speaker_id", "speaker", "tag")
                if isinstance(given, int | str) and isinstance(name, str) and name:
                    out.setdefault(given, name)
        if isinstance(value, dict):
            out |= {k: v for k, v in value.items() if isinstance(v, str) and v and k not in out}
    return out


def walk(data: Any, limit: int = 20_000) -> Iterator[tuple[str, Any]]:
    """Name and value of the fields in nested JSON, breadth first, at most so many."""
    level: list[Any] = [data]
    while level and limit > 0:
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                for key, inner in value.items():
                    yield key, inner
                    below.append(inner)
                    limit -= 1
            elif isinstance(value, list):
                below += value
            if limit <= 0:
                return
        level = [x for x in below if isinstance(x, dict | list)]


def channel_name(value: Any) -> Any:
    """A name for a channel's number; names stay."""
    return f"Channel {value}" if isinstance(value, int) and not isinstance(value, bool) else value


def voices(rows: list[dict[str, Any]], speaker: str = "speaker", channel: str = "channel") -> list[Any]:
    """Who speaks in each row: the speaker, the channel where there are several of these, or both."""
    channels = [r.get(channel) for r in rows]
    if len({str(c) for c in channels if c is not None}) < 2:
        return [r.get(speaker) for r in rows]
    within: dict[str, set[str]] = {}
    for r in rows:
        within.setdefault(str(r.get(channel)), set()).add(str(r.get(speaker)))
    both = any(len(names) > 1 for names in within.values())
    named = [r.get(speaker) for r in rows]
    if len({str(n) for n in named}) > 1 and not both and all(n is not None for n in named):
        return named
    return [
        f"{channel_name(c)}, {segment('', s, None, None)['speaker']}" if both and s is not None else channel_name(c)
        for c, s in zip(channels, named, strict=True)
    ]
