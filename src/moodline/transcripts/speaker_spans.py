"""Who speaks when, listed beside the words: paragraphs, segments or speakers of a JSON file that have no words."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

from moodline.core.errors import TranscriptError
from moodline.transcripts.json_fields import END, LASTS, SPEAKER, START, TEXT, field, speaker_of, time_of, unit_of, walk
from moodline.transcripts.times import number

_LISTS = ("speaker", "segment", "paragraph", "diari", "turn", "monolog", "span")
"""What is in the names of such lists."""

Spans = list[tuple[float, float, str]]


def speaker_spans(data: Any) -> Spans:
    """Start, end and name of each stretch, in order; empty if nothing in the JSON lists any."""
    for key, value in walk(data):
        if isinstance(value, list) and len(value) > 0 and any(part in key.lower() for part in _LISTS):
            spans = [_span(row) for row in value]
            found = [span for span in spans if span is not None]
            if found and 2 * len(found) > len(value):
                return sorted(found)
    return []


def _span(row: Any) -> tuple[float, float, str] | None:
    if not isinstance(row, dict) or any(isinstance(row.get(key), str) for key in row if key.lower() in TEXT[:-3]):
        return None
    start, end, lasts, who = field(row, START), field(row, END), field(row, LASTS), field(row, SPEAKER)
    name = speaker_of(row[who]) if who else None
    if start is None or name is None or (end is None and lasts is None):
        return None
    try:
        begins = number(time_of(row[start], unit_of(start)), "", "")
        if end is not None:
            ends = number(time_of(row[end], unit_of(end)), "", "")
        else:
            ends = number(time_of(row[lasts or ""], unit_of(lasts or "")), "", "")
            ends = None if begins is None or ends is None else begins + ends
    except TranscriptError:
        return None
    return None if begins is None or ends is None else (begins, ends, name)


def speaker_at(spans: Spans, starts: Sequence[float], start: float | None, end: float | None) -> str | None:
    """Who speaks in the middle of a word; None if nobody does.

    Args:
        spans: of ``speaker_spans``.
        starts: their starts.
        start: of the word; None if unknown.
        end: of the word; None if unknown.
    """
    if start is None or not spans:
        return None
    middle = start if end is None else (start + end) / 2
    at = bisect.bisect_right(starts, middle) - 1
    return spans[at][2] if at >= 0 and middle <= spans[at][1] + 0.25 else None
