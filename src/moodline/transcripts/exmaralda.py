"""EXMARaLDA's basic transcriptions (``.exb``)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from xml.etree.ElementTree import Element

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Row, Source, conversation, squeeze
from moodline.transcripts.tier import Label, Tier
from moodline.transcripts.tier_names import Kind, split_tier
from moodline.transcripts.tiers import rows
from moodline.transcripts.times import clock
from moodline.transcripts.xml_source import root_of

_END = re.compile(r"[.!?…][\"'”’)\]]*\s*$|[˙∙]\s*$")
OURS = "Moodline"
"""The project's name in files that Moodline writes."""


def read_exb(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the tiers of transcription (type ``t``); the speaker is the one that the file's table names.

    Events that follow each other without a gap are one text, cut at the ends of sentences. Points of the time line
    without a time lie evenly between those with one. Annotations are passed over (a note lists them), descriptions
    (type ``d``) are events.

    Raises:
        TranscriptError: not XML, not EXMARaLDA's, an event that names no point of the time line, or no words.
    """
    tiers, described, ours = exb_tiers(source)
    found = rows(tiers, ours=ours, wanted=source.tiers, where=str(source.path), note=source.note)
    return [conversation(source, [*found, *described], skip_empty=skip_empty)]


def exb_tiers(source: Source) -> tuple[list[Tier], list[Row], bool]:
    """All tiers of a basic transcription but those of descriptions, which are events; and whether Moodline wrote it.

    Raises:
        TranscriptError: see ``read_exb``.
    """
    root = root_of(source, "EXMARaLDA")
    if root.tag != "basic-transcription":
        raise TranscriptError(
            f"{source.path}: expected EXMARaLDA's <basic-transcription>",
            f"<{root.tag[:40]}>",
            "Open it with the Partitur-Editor and save it as a basic transcription.",
        )
    order = _timeline(root, source)
    names = _speakers(root)
    ours = (root.findtext("head/meta-information/project-name") or "").startswith(OURS)
    tiers: list[Tier] = []
    described: list[Row] = []
    for node in root.iterfind("basic-body/tier"):
        kind, category = node.get("type", ""), node.get("category", "")
        speaker = names.get(node.get("speaker", ""), "")
        name = node.get("display-name") or f"{speaker} [{category}]".strip()
        labels = _labels(node, order, f"{source.path}: tier '{name[:40]}'")
        if kind == "d" and not source.tiers:
            described += [Row(x.place, squeeze(x.text), speaker or None, x.start, x.end, event=True) for x in labels]
            continue
        holds = split_tier(category)[1]
        if kind == "t":
            sure = holds in (Kind.UNKNOWN, Kind.UTTERANCES) or category == "v"
            labels = _texts(labels, whole=ours) if sure else labels
            tiers.append(Tier(name, labels, speaker, holds=Kind.UTTERANCES if sure else holds, sure=sure))
        else:
            holds = Kind.NOTES if holds in (Kind.UNKNOWN, Kind.UTTERANCES) else holds
            tiers.append(Tier(name, labels, speaker, holds=holds, sure=True))
    return tiers, described, ours


def _timeline(root: Element, source: Source) -> dict[str, tuple[int, float | None]]:
    """Position and seconds of every point of the time line; times that are missing lie between their neighbours."""
    points = [(p.get("id", ""), p.get("time")) for p in root.iterfind("basic-body/common-timeline/tli")]
    times = [None if t is None else clock(t, f"{source.path}: point {name[:40]}", "time") for name, t in points]
    known = [n for n, t in enumerate(times) if t is not None]
    for a, b in pairwise(known):
        low, high = times[a], times[b]
        for n in range(a + 1, b):
            if low is not None and high is not None:
                times[n] = round(low + (high - low) * (n - a) / (b - a), 6)
    return {name: (n, time) for n, ((name, _), time) in enumerate(zip(points, times, strict=True))}


def _speakers(root: Element) -> dict[str, str]:
    """Id and abbreviation (or name) of every speaker."""
    out = {}
    for node in root.iterfind("head/speakertable/speaker"):
        own = node.get("id", "")
        out[own] = squeeze(node.findtext("abbreviation") or "") or own
    return out


def _labels(node: Element, order: Mapping[str, tuple[int, float | None]], place: str) -> list[Label]:
    """A tier's events in the order of the time line."""
    found = []
    for n, event in enumerate(node.iterfind("event"), start=1):
        ends = [event.get("start", ""), event.get("end", "")]
        where = f"{place}, event {n}"
        for name in ends:
            if name not in order:
                raise TranscriptError(f"{where}: names no point of the time line", f"'{name[:40]}'", "Save it again.")
        (at, start), (_, end) = order[ends[0]], order[ends[1]]
        if start is not None and end is not None and end < start:
            end = start
        found.append((at, Label(where, start, end, "".join(event.itertext()))))
    return [label for _, label in sorted(found, key=lambda pair: pair[0])]


def _texts(labels: Sequence[Label], whole: bool) -> list[Label]:
    """Events that follow each other made one, up to the end of a sentence.

    Args:
        labels: in the order of time.
        whole: each is an utterance already.
    """
    out: list[Label] = []
    for label in labels:
        if not label.text.strip():
            continue
        last = out[-1] if out else None
        if whole or last is None or last.end != label.start or last.end is None or _END.search(last.text):
            out.append(label if whole else replace(label, text=label.text.replace("|", " ")))
        else:
            out[-1] = Label(last.place, last.start, label.end, last.text + label.text.replace("|", " "))
    return out
