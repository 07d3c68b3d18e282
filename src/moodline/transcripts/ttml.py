"""TTML and DFXP subtitles (``.ttml``, ``.dfxp``, ``.xml``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import Source, squeeze
from moodline.transcripts.subtitle_customs import customary
from moodline.transcripts.xml_source import attribute, local, root_of

_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,4}):(\d{2})(?:\.(\d+)|:(\d+)(?:\.\d+)?)?")
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(h|m|s|ms|f|t)?")


@dataclass(frozen=True)
class _Clock:
    """How times of the file count: frames and ticks per second."""

    frames: float
    ticks: float

    def seconds(self, value: str | None, place: str) -> float | None:
        if value is None:
            return None
        value = value.strip()
        if match := _CLOCK.fullmatch(value):
            hours, minutes, whole, fraction, frames = match.groups()
            total = int(hours or 0) * 3600 + int(minutes) * 60 + int(whole)
            return total + float(f"0.{fraction or 0}") + (int(frames) / self.frames if frames else 0.0)
        if match := _OFFSET.fullmatch(value):
            unit = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "f": 1 / self.frames, "t": 1 / self.ticks, None: 1}
            return round(float(match[1]) * unit[match[2]], 6)
        raise TranscriptError(f"{place}: not a time of TTML", value[:40], "Write 00:00:01.500 or 1.5s.")


def read_ttml(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the paragraphs (``<p begin end>``); who speaks is an agent (``ttm:agent``), or a name before the words.

    Raises:
        TranscriptError: not XML, not TTML, no paragraph with words, or a time that cannot be read.
    """
    root = root_of(source, "the program that made it", doctype=True)
    if local(root) != "tt":
        raise TranscriptError(f"{source.path}: expected TTML: <tt>", f"<{local(root)[:40]}>")
    rate = _number(attribute(root, "frameRate"), 30.0)
    factor = (attribute(root, "frameRateMultiplier") or "").replace(":", " ").split()
    if len(factor) == 2 and all(_number(f, 0.0) for f in factor):
        rate *= float(factor[0]) / float(factor[1])
    times = _Clock(rate, _number(attribute(root, "tickRate"), rate))
    agents = {}
    for node in root.iter():
        if local(node) == "agent":
            names = [squeeze("".join(n.itertext())) for n in node if local(n) == "name"]
            agents[attribute(node, "id") or ""] = next((n for n in names if n), "") or attribute(node, "id") or ""
    cues = [
        cue for node in root if local(node) == "body" for cue in _cues(source, node, times, agents, 0.0, None, None)
    ]
    cues.sort(key=lambda cue: cue.start or 0.0)
    if not cues:
        raise TranscriptError(f"{source.path}: no paragraph with words", fix="Pass a file with at least one.")
    return [speakers.spoken(source, customary(source, cues), skip_empty=skip_empty, screen=True)]


def _cues(
    source: Source,
    node: Element,
    times: _Clock,
    agents: dict[str, str],
    base: float,
    end: float | None,
    agent: str | None,
) -> Iterator[speakers.Cue]:
    """The paragraphs below a node; times of a node count from the beginning of the one above."""
    place = str(source.path)
    begin = times.seconds(node.get("begin"), place)
    lasts, until = times.seconds(node.get("dur"), place), times.seconds(node.get("end"), place)
    start = base + (begin or 0.0)
    if until is not None:
        end = base + until
    elif lasts is not None:
        end = start + lasts
    agent = attribute(node, "agent") or agent
    if local(node) != "p":
        for child in node:
            yield from _cues(source, child, times, agents, start, end, agent)
        return
    spans = [n for n in node.iter() if n is not node and local(n) == "span" and n.get("begin") is not None]
    text = _text(node)
    if begin is None and spans and node.get("end") is None:  # the times are those of single words
        starts = [t for n in spans if (t := times.seconds(n.get("begin"), place)) is not None]
        ends = [t for n in spans if (t := times.seconds(n.get("end"), place)) is not None]
        start, end = base + min(starts), (base + max(ends) if ends else end)
        begin = start
    inner = next((a for n in node.iter() if n is not node and (a := attribute(n, "agent"))), None)
    name = (agent or inner or "").split()
    if text.strip():
        known = begin is not None or start > 0 or end is not None
        yield speakers.Cue(
            1,
            round(start, 6) if known else None,
            None if end is None else round(end, 6),
            text,
            agents.get(name[0], name[0]) if name else None,
        )


def _text(node: Element) -> str:
    """The words of a paragraph, ``<br/>`` made a new line."""
    out = [" ".join((node.text or "").split("\n"))]
    for child in node:
        if local(child) == "br":
            out.append("\n")
        elif local(child) != "metadata":
            out.append(_text(child))
        out.append(" ".join((child.tail or "").split("\n")))
    return re.sub(r"[ \t\r]+", " ", "".join(out))


def _number(value: str | None, otherwise: float) -> float:
    try:
        found = float(value) if value else otherwise
    except ValueError:
        return otherwise
    return found if 0 < found < 1e12 else otherwise
