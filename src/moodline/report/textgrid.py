"""Predictions as a TextGrid for Praat: for each speaker a tier of turns, of emotions, and of confidences.

Of a model of scores: of turns, of scores, and of intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.presentation import line, presentation_of
from moodline.report.tiers import Tier, tiers

_UNITS = 1_000_000  # microseconds
_HEAD = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'


def write_textgrid(prediction: list[Prediction], file: BinaryIO) -> None:
    """Write the one conversation in Praat's long text form; every turn has its times."""
    lanes = tiers(prediction[0], _UNITS)
    end = max(lane.turns[-1].end for lane in lanes)
    rows: list[tuple[str, Tier, Callable[[UtterancePrediction], str]]] = []
    for lane in lanes:
        rows.append((lane.name, lane, lambda u: line(u.text or "…")))
        rows += [(lane.name + suffix, lane, label) for suffix, label in presentation_of(prediction[0]).tiers()]
    text = _HEAD + f"xmin = 0 \nxmax = {_seconds(end)} \ntiers? <exists> \nsize = {len(rows)} \nitem []: \n"
    file.write(text.encode())
    for number, (name, lane, label) in enumerate(rows, start=1):
        intervals = list(_intervals(lane, label, end))
        file.write(_tier(number, name, intervals, end).encode("utf-8", "replace"))


def _intervals(lane: Tier, label: Callable[[UtterancePrediction], str], end: int) -> Iterator[tuple[int, int, str]]:
    """Turns and the pauses between them, from 0 to the end without a gap."""
    at = 0
    for turn in lane.turns:
        if turn.start > at:
            yield at, turn.start, ""
        yield turn.start, turn.end, label(turn.utterance)
        at = turn.end
    if at < end:
        yield at, end, ""


def _tier(number: int, name: str, intervals: list[tuple[int, int, str]], end: int) -> str:
    parts = [
        f'    item [{number}]:\n        class = "IntervalTier" \n        name = {_quoted(name)} \n'
        f"        xmin = 0 \n        xmax = {_seconds(end)} \n        intervals: size = {len(intervals)} \n"
    ]
    parts += [
        f"        intervals [{n}]:\n            xmin = {_seconds(low)} \n            xmax = {_seconds(high)} \n"
        f"            text = {_quoted(text)} \n"
        for n, (low, high, text) in enumerate(intervals, start=1)
    ]
    return "".join(parts)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _seconds(units: int) -> str:
    """The number without needless zeros; the same time is always written the same."""
    return f"{units // _UNITS}.{units % _UNITS:06d}".rstrip("0").rstrip(".")
