"""Plain text with time stamps inside the lines: f4's ``#00:01:02-3#`` and MOSS's ``[0.48][S01] words[1.66]``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from moodline.transcripts.common import Source
from moodline.transcripts.speakers import MARK, Cue
from moodline.transcripts.times import clock

_F4 = re.compile(r"[#\[]\s?(?=[0-9:]{5,9}[-.,][0-9]{1,3}#|[0-9]{1,2}:[0-9]{2}:[0-9]{2}-[0-9]\])([0-9]{1,2}:[0-9]{2}:[0-9]{2}|[0-9]{1,3}:[0-9]{2})[-.,]([0-9]{1,3})\s?[#\]]")  # fmt: skip  # noqa: E501
_MOSS = re.compile(r"\[([0-9]{1,6}(?:\.[0-9]{1,3})?)\]\s*\[(S[0-9]{1,3}|[^\[\]:]{1,30})\]\s*(.*?)\s*\[([0-9]{1,6}(?:\.[0-9]{1,3})?)\]", re.S)  # fmt: skip  # noqa: E501
_ANSWER = re.compile(r"((?:\[[^\[\]]{1,60}\]|[^:\[\]]{1,60}):\s)?(" + MARK.pattern.removeprefix(r"\A") + ")")
"""A name and the mark behind it, as Moodline writes such texts; in front of the name it is known as one."""


def inline_cues(source: Source, lines: Sequence[tuple[int, str]]) -> list[Cue] | None:
    """The cues of a text with stamps of one of these kinds, or None if it is of neither.

    Args:
        source: the file.
        lines: number and text of each line that is not blank.

    Raises:
        TranscriptError: a stamp that is no time.
    """
    first = lines[0][1].strip() if lines else ""
    if _MOSS.match(first):
        return _moss(source)
    if sum(_F4.search(line) is not None for _, line in lines) >= min(2, len(lines)):
        return _f4(source, lines)
    return None


def _moss(source: Source) -> list[Cue]:
    text = source.text
    cues, end, line = [], 0, 1
    for match in _MOSS.finditer(text):
        line += text.count("\n", end, match.start())
        end = match.start()
        start, stop = (clock(match[k], source.at(line), name) for k, name in ((1, "start"), (4, "end")))
        cues.append(Cue(line, start, stop, match[3], match[2]))
    return cues


def _f4(source: Source, lines: Sequence[tuple[int, str]]) -> list[Cue]:
    """Paragraphs with f4's stamps: one at the end says when it ends, one in front when it begins."""
    ends = sum(_F4.search(line) is not None and line.rstrip()[-1:] in "#]" for _, line in lines)
    starts = sum(_F4.match(line.lstrip()) is not None for _, line in lines)
    both = sum(len(_F4.findall(line)) > 1 and _F4.match(line.lstrip()) is not None for _, line in lines)
    at_end = ends >= starts and 2 * both <= ends  # with one at either end, each says what it seems to
    cues: list[Cue] = []
    last: float | None = 0.0
    for number, line in lines:
        stamps = [_seconds(source, number, match) for match in _F4.finditer(line)]
        text = " ".join(_F4.sub(" ", line).split())
        if at_end:
            end = stamps[-1] if stamps else None
            if text:
                cues.append(Cue(number, last, end, text))
            last = end
        else:
            start = stamps[0] if stamps else None
            stop = stamps[-1] if len(stamps) > 1 and line.rstrip()[-1:] in "#]" else None
            if text:
                cues.append(Cue(number, start, stop, text))
    if cues and all(_ANSWER.match(cue.text) for cue in cues):
        cues = [replace(cue, text=_ANSWER.sub(r"\2\1", cue.text, count=1)) for cue in cues]
    if at_end and any(cue.end is not None for cue in cues):
        source.note("Stamps behind the words (#00:01:02-3#) were taken for the ends of what is said.")
    return cues


def _seconds(source: Source, number: int, match: re.Match[str]) -> float | None:
    return clock(f"{match[1]}.{match[2]}", source.at(number), "the time")
