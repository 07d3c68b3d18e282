"""What people do with cues: dashes for two speakers, ``>>``, names in place of numbers, captions that roll."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from moodline.transcripts.common import Source
from moodline.transcripts.conventions import is_name_line
from moodline.transcripts.speakers import Cue, diarized, split_name

BLINK = 0.05
"""Seconds that nobody can read in."""

GAP = 0.25
"""Seconds between a caption and the same one with more words."""

_DASHED = re.compile(r"[-–—‐‑−]\s?(?=[^\s\d.,-])")
_INLINE = re.compile(r"(?<=[.?!…\"”’)\]♪])\s+[-–—]\s?(?=[^\s\d-])")
_ARROWS = re.compile(r"\s*>>>?\s*")
_WEBEX = re.compile(r"[0-9]+\s+[\"“](.{1,80}?)[\"”](?:\s*\([^()]*\))?")


def customary(source: Source, cues: Sequence[Cue]) -> list[Cue]:
    """The cues with these customs understood; without tags before and after.

    Args:
        source: the file, for notes.
        cues: in order.
    """
    found = _named(source, cues)
    once = unrolled(found)
    once = _grown(source, found) if once == found else once
    arrows = sum(_ARROWS.match(cue.text) is not None and ">>" in cue.text for cue in once) > 1
    return [part for cue in once for part in _turns(cue, arrows)]


def _turns(cue: Cue, arrows: bool) -> Iterator[Cue]:
    """The cue, or one for every speaker that dashes or ``>>`` tell apart, with the same times.

    Args:
        cue: without tags.
        arrows: the file marks each speaker with ``>>``, so that a cue without goes on with the one before.
    """
    if arrows and not cue.speaker and cue.text and not cue.text.startswith(">>"):
        head, mark, rest = cue.text.partition(">>")
        yield replace(cue, text=head.strip(), continues=True)
        cue = replace(cue, text=mark + rest)
        if not mark:
            return
    if not cue.text or cue.speaker or (cue.text[0] not in "-–—‐‑−>" and not _marked_below(cue.text)):
        yield cue
        return
    parts: list[str] = []
    for line in cue.text.split("\n"):
        pieces = [line]
        if ">>" in line:
            pieces = [p for p in _ARROWS.split(line) if p.strip()]
            new = _ARROWS.match(line) is not None
        else:
            match = _DASHED.match(line.strip())
            new = match is not None
            if match:
                pieces = _INLINE.split(line.strip()[match.end() :])
        if not pieces:
            continue
        if new or not parts:
            parts.append(pieces[0])
        else:
            parts[-1] += f"\n{pieces[0]}"
        parts += pieces[1:]
    for text in parts or [cue.text]:
        yield replace(cue, text=text)


def _marked_below(text: str) -> bool:
    """Whether a line below the first begins with a mark of another speaker; an em dash alone goes on a sentence."""
    return ">>" in text or any(line[:1] in "-–‐‑" and _DASHED.match(line) for line in text.split("\n")[1:])


def _named(source: Source, cues: Sequence[Cue]) -> list[Cue]:
    """Cues whose names (what stands above the times) are those of speakers, such as Webex writes them."""
    given = [(_WEBEX.fullmatch(cue.name) if cue.name else None) for cue in cues]
    if sum(m is not None for m in given) * 2 > len(cues):
        return [replace(c, speaker=c.speaker or m[1]) if m else c for c, m in zip(cues, given, strict=True)]
    names = [cue.name for cue in cues if cue.name and not cue.name.isdecimal()]
    counts = Counter(names)
    if len(cues) < 2 or 2 * len(names) <= len(cues) or not all(map(is_name_line, counts)):
        return list(cues)
    if not diarized(counts) and len(counts) == len(names):  # chapters, scenes
        return list(cues)
    if any(cue.speaker or split_name(cue.text) for cue in cues):
        return list(cues)
    source.note(f"The cues' names were taken for speakers: {', '.join(list(counts)[:3])}{', …' * (len(counts) > 3)}.")
    return [replace(cue, speaker=cue.name) if cue.name and not cue.name.isdecimal() else cue for cue in cues]


def unrolled(cues: Sequence[Cue]) -> list[Cue]:
    """The cues without the lines that roll up: automatic captions show a cue's last lines again in the next one.

    They are taken off if more than half of the cues begin so, and several lines or the blink of an eye (``BLINK``) tell
    this from somebody who says the same again.

    Args:
        cues: without tags.
    """
    lines = [[line.strip() for line in cue.text.strip().split("\n")] for cue in cues]
    again = [0]
    for (before, one), (above, below) in zip(pairwise(cues), pairwise(lines), strict=True):
        lengths = [(cue.end or 0) - (cue.start or 0) for cue in (before, one)]
        follows = (before.start or 0) < (one.start or 0) >= (before.end or 0) - BLINK
        short = follows and min(lengths) <= BLINK < max(lengths)
        most = min(len(above), len(below))
        same = next((k for k in range(most, 0, -1) if above[-k:] == below[:k] and below[0]), 0)
        again.append(same if same and (len(below) > 1 or short) else 0)
    if sum(map(bool, again)) < 2 or 2 * sum(map(bool, again)) <= len(cues):
        return list(cues)
    kept = (replace(cue, text="\n".join(said[twice:])) for cue, said, twice in zip(cues, lines, again, strict=True))
    return [cue for cue in kept if cue.text.strip()]


def _grown(source: Source, cues: Sequence[Cue]) -> list[Cue]:
    """Cues that show the words before again, with more behind them, or the same once more, put together."""
    texts = [" ".join(cue.text.split()) for cue in cues]
    grows = [
        bool(a)
        and (b == a or b.startswith(f"{a} "))
        and one.speaker == other.speaker
        and abs((other.start or 0.0) - (one.end if one.end is not None else one.start or 0.0)) <= GAP
        for (one, other), (a, b) in zip(pairwise(cues), pairwise(texts), strict=True)
    ]
    lines = any("\n" in cue.text for cue in cues)  # what rolls by lines is another custom
    if sum(grows) < 3 or 3 * sum(grows) < len(cues) or (lines and 2 * sum(grows) <= len(cues)):
        return list(cues)
    out: list[Cue] = []
    for cue, grew in zip(cues, [False, *grows], strict=True):
        if grew:
            out[-1] = replace(cue, start=out[-1].start, line=out[-1].line)
        else:
            out.append(cue)
    source.note(f"{len(cues) - len(out)} captions that only repeat or lengthen the one before were put together.")
    return out
