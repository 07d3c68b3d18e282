"""Units of times: milliseconds and ticks that a file gives where seconds are expected."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from moodline.transcripts.common import Source
from moodline.transcripts.json_fields import unit_of

SLOW = 50.0
"""Seconds for a word, in the median of a file, that no one takes: the unit is another."""

_NAMES = {1e-3: "milliseconds", 1e-7: "ticks of 100 nanoseconds", 1e3: "seconds"}


def in_seconds(segments: list[dict[str, Any]], source: Source, data: Any = None) -> list[dict[str, Any]]:
    """The segments with times in seconds; a note where they were in another unit.

    Args:
        segments: with ``text``, ``start`` and ``end``.
        source: the file, for the note.
        data: the JSON that they come from, which may name its duration.
    """
    if any(isinstance(s.get("start"), str) for s in segments[:10]):
        segments = [s | {k: _number(s.get(k)) for k in ("start", "end") if k in s} for s in segments]
    timed = [(s.get("start"), s.get("end"), str(s.get("text") or "")) for s in segments]
    unit = guessed_unit(timed, _duration(data))
    if unit == 1.0:
        return segments
    source.note(f"Times are {_NAMES[unit]}, though the file does not say so: they were divided by {1 / unit:,.0f}.")
    return [
        s | {name: round(s[name] * unit, 6) for name in ("start", "end") if isinstance(s.get(name), int | float)}
        for s in segments
    ]


def _number(value: Any) -> Any:
    """A number for text that is a whole number; anything else as it is."""
    return int(value) if isinstance(value, str) and len(value) < 16 and value.isascii() and value.isdecimal() else value


def guessed_unit(timed: Sequence[tuple[Any, Any, str]], duration: float | None = None) -> float:
    """Seconds of the unit of these times: 1, 1e-3 or 1e-7.

    Args:
        timed: start, end and words of each utterance, all of one file.
        duration: how long the recording lasts in seconds, if the file says so.
    """
    numbers = [t for start, end, _ in timed for t in (start, end) if isinstance(t, int | float)]
    if not numbers or not all(0 <= t < 1e16 and float(t).is_integer() for t in numbers) or not any(numbers):
        return 1.0
    if duration and max(numbers) > 20 * duration:
        ratio = max(numbers) / duration
        return 1e-7 if ratio > 1e6 else 1e-3
    lasting = [
        (end - start) / _words(text)
        for start, end, text in timed
        if isinstance(start, int | float) and isinstance(end, int | float) and end > start and text.strip()
    ]
    if not lasting:
        starts = [s for s, _, _ in timed if isinstance(s, int | float)]
        if len(starts) < 3:
            return 1.0
        lasting = [(starts[-1] - starts[0]) / max(1, sum(_words(text) for _, _, text in timed))]
    rate = statistics.median(lasting)
    return 1e-7 if rate > 3e5 else 1e-3 if rate > SLOW else 1.0


def _words(text: str) -> int:
    """How many words, or characters of a script without spaces."""
    wide = sum("\u3000" < c < "\uffa0" for c in text)
    return max(1, len(text.split()) + wide // 2)


def _duration(data: Any) -> float | None:
    """The recording's length in seconds, where JSON has it on top."""
    if not isinstance(data, dict):
        return None
    for key in ("duration", "audio_duration", "audioDuration", "durationMilliseconds", "duration_ms", "length"):
        value = data.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return value * unit_of(key)
    return None
