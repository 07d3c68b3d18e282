"""Plain text with times: what recorders of meetings and messengers write.

A *stamp* stands in front of the words or behind the speaker's name:

- ``[00:01:23] Anna: text``, ``(1:23) Anna: text``, ``00:01:23 - Anna: text``, also a stretch, ``0:01 - 0:04``,
  ``0:0:3.8 --> 0:0:6.0``, ``[0.00s -> 2.50s]``;
- ``Anna (1:23): text``, ``Anna [1:23] text``, ``Anna: [1:23] text``, and ``Anna  1:23`` or ``[Anna] 1:23`` alone on a
  line, the words below it;
- a stamp alone on a line, the words below it; the names, too, if they stand alone on the next line throughout;
- a date, ``[12.03.24, 21:15:33] Anna: text``, ``12/03/24, 9:15 pm - Anna: text``. It says when a message was written,
  not where it is in a recording, so it gives no time.

A file is read so if its first line has a stamp, and half of its lines have one or all stamps stand alone; or if some
lines of a heading come first and the rest is a clear case (``_begin``). A line without a stamp goes on with the
utterance before it, but below a bare time a name that stands in front of words begins another. Where an utterance ends
is known only from a stretch.
What nobody says (headings, "Anna started transcription", a messenger's remarks) is left out, and a note says how much.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source
from moodline.transcripts.speaker_names import plausible, possible, titled
from moodline.transcripts.speakers import Cue, conventional, split_name
from moodline.transcripts.times import clock

HEADING = 12
"""So many lines may stand in front of the first stamp."""

_CLOCK = (
    r"(?:(?:[0-9]{1,3}:[0-9]{1,2}:[0-9]{1,2}|[0-9]{1,3}:[0-9]{2})(?:[.,][0-9]{1,9})?|[0-9]{1,3}:[0-9][.,][0-9]{1,9})"
)
_TO = r"\s{0,3}(?:-->|->|-|–|—|→|,)\s{0,3}"
_STRETCH = rf"({_CLOCK})(?:{_TO}({_CLOCK}))?"
_SECONDS = rf"([0-9]{{1,6}}(?:\.[0-9]{{1,9}})?)\s?s(?:{_TO}([0-9]{{1,6}}(?:\.[0-9]{{1,9}})?)\s?s)?"
_DAY = r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}"
_DATE = (
    rf"{_DAY},?\s{{1,3}}(?:[^\W\d]{{1,3}}\s?)?[0-9]{{1,2}}[:.][0-9]{{2}}(?:[:.][0-9]{{2}})?(?:\s?[AaPp]\.?\s?[Mm]\.?)?"
)
_MARKS = r"[\u200e\u200f\u202a-\u202e]*"  # of direction, as messengers write them
_BEFORE = re.compile(
    rf"{_MARKS}(?:[\[(]\s?{_STRETCH}\s?[\])]|[\[(]\s?{_SECONDS}\s?[\])]|{_STRETCH}(?![0-9:.,])"
    rf"|(\[{_DATE}\]|{_DATE}(?=\s-\s)))\s*(?:[-–—|]\s{{1,3}})?:?\s*{_MARKS}(.*)"
)
_BEHIND = re.compile(
    rf"{_MARKS}(?:\[([^\[\]\n]{{1,60}})\]|([^\[\]():：\n]{{1,60}}?(?:\([^\[\]():：\n]{{1,30}}\))?))"
    rf"(?:(?:\s?:)?\s{{0,3}}[\[(]\s?{_STRETCH}\s?[\])]\s?:?\s*(.*)|\s{{1,9}}{_STRETCH}\s?:?())"
)
_UNSAID = re.compile(
    r".{1,60}\s(?:started|stopped) transcription|Transcribed by https://otter\.ai|Meeting ended after [0-9:]{4,9}.{0,3}"
    r"|Transcription ended after [0-9:]{4,9}|This editable transcript was computer generated\b.{0,120}"
)
_TO_WHOM = re.compile(r"From\s+([^:\n]{1,60}?)\s+to\s+[^:\n]{1,60}:\s*(.*)", re.IGNORECASE)
_AT = re.compile(r".*\b(?:about|after|around|at|before|by|from|in|on|since|till|to|until)", re.IGNORECASE)
_ATTACHED = re.compile(r"\u200e.{1,80}|<[^<>]{3,40}>")


@dataclass(frozen=True)
class Stamped:
    """What a text with times holds.

    Args:
        cues: in order.
        notes: what was left out, one sentence each.
    """

    cues: list[Cue]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Stamp:
    """What a line begins with: times as they stand there, perhaps a name, and the words on the same line.

    ``dated``: it is a date; ``apart``: the name is in brackets, or stands well off the time.
    """

    start: str | None
    end: str | None
    name: str | None
    words: str
    dated: bool = False
    apart: bool = False


_END = _Stamp(None, None, None, "")
"""After the last line."""


def stamped(source: Source, lines: Sequence[tuple[int, str]]) -> Stamped | None:
    """The cues of a text with times, or None if it is not one.

    Args:
        source: the file, for error messages.
        lines: number and text of each line that is not blank.

    Raises:
        TranscriptError: a stamp that is no time, such as 0:75.
    """
    said = [(n, text.strip()) for n, text in lines if not _UNSAID.fullmatch(text.strip())]
    stamps = [_stamp(text) for _, text in said]
    followed = [*stamps[1:], _END]
    for n, one in enumerate(stamps):
        if one and one.name and not one.words and followed[n]:  # no words below: a sentence that ends in a time
            stamps[n] = None
    begin = _begin(said, stamps)
    if begin is None:
        return None
    cues = _cues(source, said[begin:], stamps[begin:])
    notes = []
    if begin:
        notes.append(f"The heading, {begin} line{'s'[: begin > 1]} before the transcript's first time, was left out.")
    if any(s and s.dated for s in stamps):
        kept = _from_somebody(cues)
        if len(kept) < len(cues):
            notes.append(f"{len(cues) - len(kept)} messages that nobody wrote, or without words, were left out.")
        cues = kept
    return Stamped(cues, tuple(notes))


def only_times(line: str, place: str) -> tuple[float | None, float | None] | None:
    """Start and end of a line that holds nothing but times, or None.

    Raises:
        TranscriptError: it looks like a time but is none, such as 0:75.
    """
    stamp = _stamp(line.strip())
    if stamp is None or stamp.name or stamp.words or stamp.start is None:
        return None
    return clock(stamp.start, place, "start"), clock(stamp.end or "", place, "end")


def _begin(lines: Sequence[tuple[int, str]], stamps: Sequence[_Stamp | None]) -> int | None:
    """The number of lines in front of the first stamp, or None if this is no text with times.

    Behind a heading stamps must be of one kind and in order; two or more, on a quarter of the lines, or between lines
    most of which begin with a name, where one alone must be 0:00.
    """
    begin = next((n for n, stamp in enumerate(stamps) if stamp), None)
    if begin is None or begin > HEADING:
        return None
    found = [s for s in stamps if s is not None]
    alone = len(found) > 1 and not any(s.words for s in found)
    rest = len(stamps) - begin
    if not (alone or 2 * len(found) >= rest):
        return None
    if not begin:
        return 0
    if not _of_one_kind(found):
        return None
    clear = len(found) > 1 and 4 * len(found) >= rest
    others = [text for (_, text), s in zip(lines[begin:], stamps[begin:], strict=True) if s is None]
    names = conventional(others, lower=True)
    if any((split_name(text) or ("",))[0] in names for _, text in lines[:begin]):  # no heading: somebody speaks
        return None
    if len(found) == 1 and (found[0].start or "1").strip("0:.,"):
        return None
    return begin if clear or (names and not any(s.name for s in found)) else None


def _of_one_kind(found: Sequence[_Stamp]) -> bool:
    """Whether stamps are written alike, with names that have capitals or none, and never go back in time."""
    if len({(s.name is None, not s.words, s.dated) for s in found}) > 1:
        return False
    if any(s.name and not (plausible(s.name) or titled(s.name) or s.apart) for s in found):
        return False
    try:
        times = [clock(s.start or "", "", "start") or 0.0 for s in found]
    except TranscriptError:
        return False
    return times == sorted(times)


def _stamp(line: str) -> _Stamp | None:
    match = _BEFORE.fullmatch(line)
    if match:
        *times, date, words = match.groups()
        start, end = (next(filter(None, found), None) for found in (times[::2], times[1::2]))
        to = _TO_WHOM.fullmatch(words)
        return _Stamp(start, end, to[1] if to else None, to[2] if to else words, date is not None)
    match = _BEHIND.fullmatch(line)
    if not match:
        return None
    bracketed, plain, a, b, words, c, d, _ = match.groups()
    name = (bracketed or plain).strip()
    apart = f"{name}  " in line or f"{name}\t" in line
    if not bracketed and (_AT.fullmatch(name) or not (_is_name(name) or (apart and possible(name)))):
        return None
    return _Stamp(a or c, b or d, name, words or "", apart=apart or bool(bracketed))


def _is_name(name: str) -> bool:
    return plausible(name, lower=True) or titled(name)


def _cues(source: Source, lines: Sequence[tuple[int, str]], stamps: Sequence[_Stamp | None]) -> list[Cue]:
    bare = not any(s and (s.words or s.name) for s in stamps)
    others = [text for (_, text), s in zip(lines, stamps, strict=True) if s is None]
    names = conventional(others, lower=True) if bare else frozenset()
    below = _names_below(lines, stamps) if bare else frozenset()
    cues: list[Cue] = []
    for n, ((number, text), stamp) in enumerate(zip(lines, stamps, strict=True)):
        if stamp is not None:
            place = source.at(number)
            start, end = clock(stamp.start or "", place, "start"), clock(stamp.end or "", place, "end")
            cues.append(Cue(number, start, end, stamp.words, stamp.name))
        elif n in below:
            cues[-1] = replace(cues[-1], speaker=text)
        elif names and cues[-1].text and (split_name(text) or ("",))[0] in names:
            cues.append(Cue(number, None, None, text))
        else:
            last = cues[-1]
            cues[-1] = replace(last, text=f"{last.text} {text}".strip())
    return [cue for cue in cues if cue.text] if bare else cues


def _names_below(lines: Sequence[tuple[int, str]], stamps: Sequence[_Stamp | None]) -> frozenset[int]:
    """The lines that hold nothing but a name: right below a stamp, with words below, in every case; none if not so."""
    at = [n + 1 for n, stamp in enumerate(stamps) if stamp]
    if not all(n + 1 < len(stamps) and stamps[n] is None and stamps[n + 1] is None for n in at):
        return frozenset()
    names = Counter(lines[n][1] for n in at)
    again = sum(count for name, count in names.items() if count > 1 and possible(name))
    fine = all(plausible(name) or titled(name) or (count > 1 and possible(name)) for name, count in names.items())
    return (
        frozenset(at) if fine and 2 * again > len(at) and not any(name[-1] in ".,?!" for name in names) else frozenset()
    )


def _from_somebody(cues: Sequence[Cue]) -> list[Cue]:
    """Messages that somebody wrote: without the messenger's own remarks, and those that stand for a picture.

    If names stand in front throughout, then whatever is in front of a colon is one, be it a telephone number.
    """
    if not conventional([cue.text for cue in cues if not cue.speaker], lower=True):
        return list(cues)
    parts = [(cue.speaker, cue.text) if cue.speaker else split_name(cue.text) for cue in cues]
    named = [replace(c, speaker=p[0], text=p[1]) for c, p in zip(cues, parts, strict=True) if p]
    return [cue for cue in named if not _ATTACHED.fullmatch(cue.text)] or named
