"""Plain text with times: what recorders of meetings and messengers write.

A *stamp* stands in front of the words or behind the speaker's name:

- ``[00:01:23] Anna: text``, ``(1:23) Anna: text``, ``00:01:23 - Anna: text``, also a stretch, ``0:01 - 0:04``;
- ``Anna (1:23): text``, ``Anna [1:23] text``, and ``Anna  1:23`` alone on a line, the words below it;
- a stamp alone on a line, the words below it;
- a date, ``[12.03.24, 21:15:33] Anna: text``, ``12/03/24, 9:15 pm - Anna: text``. It says when a message was written,
  not where it is in a recording, so it gives no time.

A file is read so if its first line has a stamp, and half of its lines have one or all stamps stand alone. A line
without one goes on with the utterance before it. Where an utterance ends is known only from a stretch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from moodline.transcripts.common import Source
from moodline.transcripts.names import plausible, titled
from moodline.transcripts.speakers import Cue
from moodline.transcripts.times import clock

_CLOCK = r"(?:[0-9]{1,3}:)?[0-9]{1,3}:[0-9]{2}(?:[.,][0-9]{1,3})?"
_STRETCH = rf"({_CLOCK})(?:\s{{0,3}}(?:-|–|—|-->)\s{{0,3}}({_CLOCK}))?"
_DATE = r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4},?\s{1,3}[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:\s?[AaPp]\.?\s?[Mm]\.?)?"
_MARKS = r"[\u200e\u200f\u202a-\u202e]*"  # of direction, as messengers write them
_BEFORE = re.compile(
    rf"{_MARKS}(?:[\[(]\s?{_STRETCH}\s?[\])]|{_STRETCH}(?![0-9:.,])|\[{_DATE}\]|{_DATE}(?=\s-\s))"
    rf"\s*(?:[-–—|]\s{{1,3}})?:?\s*{_MARKS}(.*)"
)
_BEHIND = re.compile(
    rf"{_MARKS}([^\[\]():：\n]{{1,60}}?(?:\([^\[\]():：\n]{{1,30}}\))?)(?:\s{{0,3}}[\[(]\s?{_STRETCH}\s?[\])]\s?:?\s*(.*)|\s{{1,9}}{_STRETCH}\s?:?())"
)


@dataclass(frozen=True)
class _Stamp:
    """What a line begins with: times as they stand there, perhaps a name, and the words on the same line."""

    start: str | None
    end: str | None
    name: str | None
    words: str


_END = _Stamp(None, None, None, "")
"""After the last line."""


def stamped(source: Source, lines: Sequence[tuple[int, str]]) -> list[Cue] | None:
    """The cues of a text with times, or None if it is not one.

    Args:
        source: the file, for error messages.
        lines: number and text of each line that is not blank.

    Raises:
        TranscriptError: a stamp that is no time, such as 0:75.
    """
    stamps = [_stamp(text.strip()) for _, text in lines]
    followed = [*stamps[1:], _END]
    for n, one in enumerate(stamps):
        if one and one.name and not one.words and followed[n]:  # no words below: a sentence that ends in a time
            stamps[n] = None
    found = [s for s in stamps if s is not None]
    alone = len(found) > 1 and not any(s.words for s in found)
    if not stamps or stamps[0] is None or not (alone or 2 * len(found) >= len(stamps)):
        return None
    return _cues(source, lines, stamps)


def _stamp(line: str) -> _Stamp | None:
    match = _BEFORE.fullmatch(line)
    if match:
        a, b, c, d, words = match.groups()
        return _Stamp(a or c, b or d, None, words)
    match = _BEHIND.fullmatch(line)
    if match and (plausible(match[1].strip(), lower=True) or titled(match[1].strip())):
        name, a, b, words, c, d, _ = match.groups()
        return _Stamp(a or c, b or d, name.strip(), words or "")
    return None


def _cues(source: Source, lines: Sequence[tuple[int, str]], stamps: Sequence[_Stamp | None]) -> list[Cue]:
    cues: list[Cue] = []
    for (number, text), stamp in zip(lines, stamps, strict=True):
        if stamp is None:
            last = cues[-1]
            cues[-1] = replace(last, text=f"{last.text} {text.strip()}".strip())
            continue
        place = source.at(number)
        start, end = clock(stamp.start or "", place, "start"), clock(stamp.end or "", place, "end")
        cues.append(Cue(number, start, end, stamp.words, stamp.name))
    return cues
