"""Times: what stands in files, made seconds."""

from __future__ import annotations

import math
import re
from typing import Any

from moodline.core.errors import TranscriptError

TIME_FIX = "Write seconds (12.5) or HH:MM:SS.mmm (00:00:12.500)."
"""What to do about a time that cannot be read."""

_SECONDS = re.compile(r"[+-]?(?:(?:[0-9]+[.,]?[0-9]*|[.,][0-9]+)(?:e[+-]?[0-9]+)?|nan|inf(?:inity)?)", re.IGNORECASE)
_CLOCK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-9]{1,2})(?:[.,]([0-9]{1,9}))?")


def clock(text: str, place: str, name: str) -> float | None:
    """Read a time as seconds: ``12.5``, ``12,5``, ``MM:SS``, ``HH:MM:SS,mmm``; None if it is blank.

    Raises:
        TranscriptError: it is none of these, not finite, or negative.
    """
    text = text.strip()
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        return seconds(float(text.replace(",", ".")), place, name)
    match = _CLOCK.fullmatch(text)
    hours, minutes, secs, fraction = match.groups() if match else (None, None, "99", None)
    if int(secs) >= 60 or (hours is not None and int(minutes or 0) >= 60):
        raise TranscriptError(f"{place}: {name} is not a time", text[:40], TIME_FIX)
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(secs)
    return float(f"{whole}.{fraction or 0}")


def number(value: Any, place: str, name: str) -> float | None:
    """Seconds of JSON that may be a number or a string with a time, see ``clock``; None stays None.

    Raises:
        TranscriptError: neither of them, not finite, or negative.
    """
    return clock(value, place, name) if isinstance(value, str) else seconds(value, place, name)


def seconds(value: Any, place: str, name: str) -> float | None:
    """Check a number that stands for seconds; None stays None.

    Raises:
        TranscriptError: not a number, not finite, or negative.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TranscriptError(f"{place}: {name} must be a number of seconds", shown(value))
    try:
        value = float(value)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise TranscriptError(f"{place}: {name} must be a finite number of seconds", value, TIME_FIX)
    if value < 0:
        raise TranscriptError(f"{place}: {name} must not be negative", value, "Times count from the beginning, at 0.")
    return value


def shown(value: Any) -> str:
    """A value of JSON for an error message: short, and never a walk through deep nesting."""
    return f"a {type(value).__name__}" if isinstance(value, list | dict) else repr(value)[:40]
