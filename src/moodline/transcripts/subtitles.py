"""Cues of SubRip and WebVTT: the timing lines, and what stands between them.

Files found in the wild have blank lines inside a cue, or none between two cues, or no numbers. So a cue is read from
its timing line to the next one, less the number or name in front of that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source
from moodline.transcripts.speakers import Cue
from moodline.transcripts.times import TIME_FIX, clock

BLINK = 0.05
"""Seconds that nobody can read in."""

_TIMING = re.compile(r"\s*([^\s>]+?)\s*-->\s*(\S+)(?:\s.*)?")
_BROKEN = re.compile(r"\s*[0-9]{1,3}:[0-9]{2}(?::[0-9]{2})?[.,][0-9]{1,3}\s*[^\w\s]{1,3}\s*[0-9]{1,3}:[0-9]{2}\b.*")
_TAG = re.compile(r"</?(?:i|b|u|s|c|v|font|lang|ruby|rt)(?:[.\s][^<>]*)?/?>|<[0-9:.]{5,}>|\{\\[^{}]*\}", re.IGNORECASE)


def without_tags(text: str) -> str:
    """The text without formatting: ``<i>``, ``<font …>``, ``<c.red>``, ``<00:01.000>``, ``{\\an8}``; ``<3`` stays."""
    return _TAG.sub("", text)


def unrolled(cues: Sequence[Cue]) -> list[Cue]:
    """The cues without the lines that roll up: automatic captions show a cue's last line again in the next one.

    They are taken off if more than half of the cues begin so, and several lines or the blink of an eye (``BLINK``) tell
    this from somebody who says the same again.

    Args:
        cues: without tags.
    """
    lines = [cue.text.strip().split("\n") for cue in cues]
    again = [False]
    for (before, one), (above, below) in zip(pairwise(cues), pairwise(lines), strict=True):
        short = min((cue.end or 0) - (cue.start or 0) for cue in (before, one)) <= BLINK
        again.append(above[-1].strip() == below[0].strip() != "" and (len(below) > 1 or short))
    if sum(again) < 2 or 2 * sum(again) <= len(cues):
        return list(cues)
    kept = (replace(cue, text="\n".join(said[twice:])) for cue, said, twice in zip(cues, lines, again, strict=True))
    return [cue for cue in kept if cue.text.strip()]


def cues(source: Source, lines: list[str], is_id: Callable[[str, bool], bool]) -> Iterator[Cue]:
    """The cues of a subtitle file, with their tags still in the text.

    Args:
        source: the file, for error messages.
        lines: its lines; whatever is no cue (headers, comments) already blank.
        is_id: whether a line directly in front of a timing line names the cue; also told whether a blank line is above.

    Raises:
        TranscriptError: something stands in front of the first cue, there is none, or a time cannot be read.
    """
    timings = [n for n, line in enumerate(lines) if "-->" in line or _BROKEN.fullmatch(line)]
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
    for n, stop in zip(timings, [*begins, len(lines)][1:], strict=True):
        with source.row():
            match = _TIMING.fullmatch(lines[n])
            if match is None:
                raise TranscriptError(
                    f"{source.at(n + 1)}: expected a timing line 00:00:01.000 --> 00:00:02.500",
                    lines[n].strip()[:60],
                    TIME_FIX,
                )
            start, end = (clock(match[k], source.at(n + 1), name) for k, name in ((1, "start"), (2, "end")))
            text = "\n".join(line for line in lines[n + 1 : stop] if line.strip())
            yield Cue(n + 1, start, end, text)
