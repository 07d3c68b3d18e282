"""ELAN's annotation files (``.eaf``)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source, conversation
from moodline.transcripts.tier import Label, Tier
from moodline.transcripts.tier_names import Kind, split_tier
from moodline.transcripts.tiers import rows
from moodline.transcripts.times import seconds
from moodline.transcripts.xml_source import root_of

_FIX = "Save it again with ELAN."


def read_eaf(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the tiers that hold what is said (see ``tiers``); a tier's participant, or else its name, is a speaker.

    Tiers that hang from others (translations, words, Moodline's own emotions) are passed over, unless what they hang
    from holds no words: references, or empty stretches. Then their times are those of what they hang from. On a tier
    that hangs from no other, an annotation whose time slot has no value has no time.

    Raises:
        TranscriptError: not XML, an XML with a document type (it could hold entities that grow without bound), not an
            ELAN file, a time slot that is not there, or no annotation with words.
    """
    found, ours = eaf_tiers(source)
    if not any(tier.spoken for tier in found):
        raise TranscriptError(
            f"{source.path}: no annotation with times in the file",
            f"tiers {', '.join(t.name for t in found[:5])}" if found else "no tier",
            "Put each speaker's turns on a tier of their own that hangs from no other.",
        )
    if ours and not source.tiers:
        found = [tier for tier in found if tier.parent is None]
    spoken = rows(found, ours=ours, wanted=source.tiers, where=str(source.path), note=source.note)
    return [conversation(source, spoken, skip_empty=skip_empty)]


def eaf_tiers(source: Source) -> tuple[list[Tier], bool]:
    """All tiers of an ELAN file, and whether Moodline wrote it.

    Raises:
        TranscriptError: see ``read_eaf``.
    """
    root = root_of(source, "ELAN")
    if root.tag != "ANNOTATION_DOCUMENT":
        raise TranscriptError(
            f"{source.path}: expected an ELAN file: <ANNOTATION_DOCUMENT>", f"<{root.tag[:40]}>", _FIX
        )
    slots = dict(_slots(root, source))
    types = {t.get("LINGUISTIC_TYPE_ID", ""): t.get("CONSTRAINTS", "") for t in root.iterfind("LINGUISTIC_TYPE")}
    nodes = {tier.get("TIER_ID", ""): tier for tier in root.iterfind("TIER")}
    reader = _Annotations(source, slots, nodes)
    found = []
    for name, node in nodes.items():
        kind, form = node.get("LINGUISTIC_TYPE_REF", ""), types.get(node.get("LINGUISTIC_TYPE_REF", ""), "")
        holds = Kind.UNKNOWN if kind.startswith("default") else split_tier(kind)[1]
        if holds is Kind.UNKNOWN and form.endswith("Subdivision"):
            holds = Kind.WORDS
        participant = node.get("PARTICIPANT", "").strip()
        found.append(Tier(name, reader.labels(name), participant, node.get("PARENT_REF"), holds, type=kind))
    return found, root.get("AUTHOR", "").startswith("Moodline ")


def _slots(root: ElementTree.Element, source: Source) -> Iterator[tuple[str, float | None]]:
    """Id and seconds of every time slot."""
    for slot in root.iterfind("TIME_ORDER/TIME_SLOT"):
        name, value = slot.get("TIME_SLOT_ID", ""), slot.get("TIME_VALUE")
        if value is not None and not re.fullmatch(r"-?[0-9]{1,12}", value.strip()):
            raise TranscriptError(
                f"{source.path}: time slot {name[:40]} must have whole milliseconds", value[:40], _FIX
            )
        yield name, None if value is None else int(value) / 1000


@dataclass
class _Annotations:
    """The annotations of all tiers, with the times of those that only refer to others.

    Args:
        source: the file.
        slots: id and seconds of every time slot.
        nodes: the tiers by their names.
    """

    source: Source
    slots: Mapping[str, float | None]
    nodes: Mapping[str, ElementTree.Element]
    _known: dict[str, dict[str, Label]] = field(default_factory=dict)

    def labels(self, name: str) -> list[Label]:
        """The annotations of a tier in the order of the file."""
        return list(self._of(name, frozenset()).values())

    def _of(self, name: str, below: frozenset[str]) -> dict[str, Label]:
        """Annotations of a tier by their ids; ``below`` are the tiers that hang from it, to notice a circle."""
        if name in self._known:
            return self._known[name]
        node, place = self.nodes[name], f"{self.source.path}: tier '{name[:40]}'"
        out: dict[str, Label] = {}
        for annotation in node.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION"):
            own = annotation.get("ANNOTATION_ID", "?")
            times = self._times(annotation, f"{place}, annotation {own[:40]}")
            out[own if own not in out else f"{own} {len(out)}"] = Label(
                f"{place}, annotation {own[:40]}", *times, _value(annotation)
            )
        refs = node.findall("ANNOTATION/REF_ANNOTATION")
        parent = node.get("PARENT_REF")
        if refs and parent in self.nodes and parent not in below:
            above = self._of(parent or "", below | {name})
            out.update(self._referring(refs, above, place))
        self._known[name] = out
        return out

    def _referring(
        self, refs: Sequence[ElementTree.Element], above: Mapping[str, Label], place: str
    ) -> Iterator[tuple[str, Label]]:
        """Annotations that refer to others; several of one share its time evenly."""
        shares = Counter(ref.get("ANNOTATION_REF", "") for ref in refs)
        done = Counter[str]()
        for ref in refs:
            own, target = ref.get("ANNOTATION_ID", "?"), ref.get("ANNOTATION_REF", "")
            whole = above.get(target)
            start, end = (None, None) if whole is None else (whole.start, whole.end)
            if start is not None and end is not None:
                step = (end - start) / shares[target]
                start, end = start + done[target] * step, start + (done[target] + 1) * step
            done[target] += 1
            yield own, Label(f"{place}, annotation {own[:40]}", start, end, _value(ref))

    def _times(self, annotation: ElementTree.Element, where: str) -> tuple[float | None, float | None]:
        times = []
        for side, name in (("TIME_SLOT_REF1", "start"), ("TIME_SLOT_REF2", "end")):
            slot = annotation.get(side)
            if slot is None or slot not in self.slots:
                raise TranscriptError(f"{where}: its {name} names no time slot of the file", slot, _FIX)
            time = self.slots[slot]
            if time is not None and time < 0 and not self.source.strict:
                self.source.note("Times before 0 were read as 0.")
                time = 0.0
            times.append(seconds(time, where, name))
        return times[0], times[1]


def _value(annotation: ElementTree.Element) -> str:
    value = annotation.find("ANNOTATION_VALUE")
    return "" if value is None else "".join(value.itertext())
