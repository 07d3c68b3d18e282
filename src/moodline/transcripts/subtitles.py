"""Cues of SubRip and WebVTT: the timing lines, and what stands between them.

Files found in the wild have blank lines inside a cue, or none between two cues, or no numbers. So a cue is read from
its timing line to the next one, less the number or name in front of that. What people do with cues, as dashes for two
speakers and captions that roll, is in ``subtitle_customs``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source
from moodline.transcripts.speakers import Cue
from moodline.transcripts.times import TIME_FIX, clock

_TIMING = re.compile(r"\s*([^\s>]+?)\s*-->\s*(\S+)(?:\s.*)?")
_USUAL = re.compile(
    r"([0-9]{2,3}):([0-5][0-9]):([0-5][0-9])[,.]([0-9]{3}) --> "
    r"([0-9]{2,3}):([0-5][0-9]):([0-5][0-9])[,.]([0-9]{3})(?:\s.*)?"
)
_ARROW = re.compile(r"\s*(?:[0-9:.,;-]*[0-9][0-9:.,;-]*|[0-9]{1,3}(?:[:.,\s]{1,3}[0-9]{1,4}){2,3})\s*-->")
_BROKEN = re.compile(r"\s*[0-9]{1,3}:[0-9]{2}(?::[0-9]{2})?[.,][0-9]{1,3}\s*[^\w\s]{1,3}\s*[0-9]{1,3}:[0-9]{2}\b.*")
_SPACED = re.compile(r"(?<=[0-9][:,.])\s+(?=[0-9])|(?<=[0-9])\s+(?=[:,.][0-9])")
_COLON = re.compile(r"([0-9]+:[0-9]{2}:[0-9]{2}):([0-9]{3})")
_FULL = re.compile(r"(.*[0-9])[.,]1000")
_TAG = re.compile(r"</?(?:i|b|u|s|c|v|font|lang|ruby|rt)(?:[.\s][^<>]*)?/?>|<[0-9:.]{5,}>|\{\\[^{}]*\}", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#39|#34);")


def without_tags(text: str) -> str:
    """The text without formatting: ``<i>``, ``<font …>``, ``<c.red>``, ``<00:01.000>``, ``{\\an8}``; ``<3`` stays."""
    return _TAG.sub("", text) if "<" in text or "{" in text else text


def without_entities(text: str) -> str:
    """The text with ``&amp;`` and the like made characters."""
    return _ENTITY.sub(lambda m: html.unescape(m[0]), text) if "&" in text else text


def cues(source: Source, lines: list[str], is_id: Callable[[str, bool], bool]) -> Iterator[Cue]:
    """The cues of a subtitle file, with their tags still in the text.

    Args:
        source: the file, for error messages.
        lines: its lines; whatever is no cue (headers, comments) already blank.
        is_id: whether a line directly in front of a timing line names the cue; also told whether a blank line is above.

    Raises:
        TranscriptError: something stands in front of the first cue, or there is none; or, if the reading is strict, a
            time cannot be read.
    """
    timings = [n for n, line in enumerate(lines) if _is_timing(line)]
    begins, known = [], set(timings)
    for n in timings:
        above = lines[n - 1].strip() if n and n - 1 not in known else ""
        begins.append(n - bool(above and is_id(above, n < 2 or not lines[n - 2].strip())))
    for n, line in enumerate(lines[: begins[0] if begins else None]):
        if line.strip():
            raise TranscriptError(
                f"{source.at(n + 1)}: expected a cue, that is a timing line 00:00:01.000 --> 00:00:02.500",
                line.strip()[:40],
                f"Check that this is a {source.path.suffix or 'subtitle'} file.",
            )
    for n, begin, stop in zip(timings, begins, [*begins, len(lines)][1:], strict=True):
        with source.row():
            start, end = _times(source, lines[n], n + 1)
            body = lines[n + 1 : stop]
            if (lost := _next_number(body, lines[begin].strip())) is not None:
                source.leave_out(
                    TranscriptError(f"{source.at(n + 2 + lost)}: a cue without a timing line", body[lost].strip())
                )
                body = body[:lost]
            text = "\n".join(line for line in body if line.strip())
            name = lines[begin].strip() if begin < n else None
            yield Cue(n + 1, start, end, text, name=None if name is None or name.isdecimal() else name)


def _next_number(body: list[str], number: str) -> int | None:
    """Where, behind a blank line, the number of a cue stands whose timing line is missing; None if it does not."""
    if not number.isdecimal() or len(number) > 9:
        return None
    following = str(int(number) + 1)
    for k in range(1, len(body) - 1):
        if body[k].strip() == following and not body[k - 1].strip() and body[k + 1].strip():
            return k
    return None


def without_preamble(lines: list[str]) -> list[str]:
    """The lines with all in front of the first cue blank: styles and regions that programs write in forms of theirs."""
    first = next((n for n, line in enumerate(lines) if _is_timing(line)), 0)
    named = first > 1 and bool(lines[first - 1].strip()) and not lines[first - 2].strip()
    start = first - named
    return [""] * start + lines[start:]


def _is_timing(line: str) -> bool:
    """Whether a line is to be a timing line; an arrow between words ("Settings --> Privacy") makes none."""
    return ("-->" in line and _ARROW.match(line) is not None) or _BROKEN.fullmatch(line) is not None


def _times(source: Source, line: str, number: int) -> tuple[float | None, float | None]:
    usual = _USUAL.fullmatch(line)
    if usual is not None:  # quick, since large files have hundreds of thousands
        h, m, s, f, h2, m2, s2, f2 = map(int, usual.groups())
        return (h * 3600000 + m * 60000 + s * 1000 + f) / 1000, (h2 * 3600000 + m2 * 60000 + s2 * 1000 + f2) / 1000
    match = _TIMING.fullmatch(line) if line.count("-->") == 1 else None
    if match is None or _SPACED.search(match[0].split("-->")[0].strip()):
        match = _TIMING.fullmatch(_SPACED.sub("", line))
    if match is None:
        raise TranscriptError(
            f"{source.at(number)}: expected a timing line 00:00:01.000 --> 00:00:02.500", line.strip()[:60], TIME_FIX
        )
    start, end = (_time(match[k], source.at(number), name) for k, name in ((1, "start"), (2, "end")))
    return start, end


def _time(text: str, place: str, name: str) -> float | None:
    """A time of a cue; a thousand milliseconds (``00:00:01,1000``) are a second, a colon may stand in front of them."""
    text = _COLON.sub(r"\1.\2", text)
    full = _FULL.fullmatch(text)
    seconds = clock(full[1] if full else text, place, name)
    return seconds + 1 if full and seconds is not None else seconds
