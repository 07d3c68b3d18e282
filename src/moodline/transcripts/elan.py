"""ELAN's annotation files (``.eaf``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source, conversation
from moodline.transcripts.tiers import Label, rows
from moodline.transcripts.times import seconds

_FIX = "Save it again with ELAN."


def read_eaf(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the annotations of the tiers that hang from no other; a tier's participant, or else its name, is a speaker.

    Tiers that hang from others (translations, words, Moodline's own emotions) are passed over. An annotation whose
    time slot has no value has no time.

    Raises:
        TranscriptError: not XML, an XML with a document type (it could hold entities that grow without bound), not an
            ELAN file, a time slot that is not there, or no annotation with words.
    """
    root = _root(source)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise TranscriptError(
            f"{source.path}: expected an ELAN file: <ANNOTATION_DOCUMENT>", f"<{root.tag[:40]}>", _FIX
        )
    slots = dict(_slots(root, source))
    tiers = []
    for tier in root.iterfind("TIER"):
        if tier.get("PARENT_REF") is None:
            own = tier.get("TIER_ID", "")
            labels = list(_labels(tier, slots, f"{source.path}: tier '{own[:40]}'"))
            tiers.append((tier.get("PARTICIPANT", "").strip() or own, labels))
    if not any(labels for _, labels in tiers):
        raise TranscriptError(
            f"{source.path}: no annotation with times in the file",
            f"tiers {', '.join(name for name, _ in tiers[:5])}" if tiers else "no tier",
            "Put each speaker's turns on a tier of their own that hangs from no other.",
        )
    ours = root.get("AUTHOR", "").startswith("Moodline ")
    return [conversation(source, rows(tiers, ours=ours), skip_empty=skip_empty)]


def _root(source: Source) -> ElementTree.Element:
    if re.search("<!(?:DOCTYPE|ENTITY)", source.text, re.IGNORECASE):
        raise TranscriptError(
            f"{source.path}: expected an ELAN file without a document type", "<!DOCTYPE or <!ENTITY", "Remove it."
        )
    try:
        # of a str, the parser ignores the encoding that the file names: it was decoded already
        return ElementTree.fromstring(source.text.lstrip())
    except ElementTree.ParseError as error:
        raise TranscriptError(f"{source.at(error.position[0])}: broken XML: {error}", fix=_FIX) from None
    except (ValueError, RecursionError) as error:  # half a character; nested without end
        raise TranscriptError(f"{source.path}: broken XML: {error}", fix=_FIX) from None


def _slots(root: ElementTree.Element, source: Source) -> Iterator[tuple[str, float | None]]:
    """Id and seconds of every time slot."""
    for slot in root.iterfind("TIME_ORDER/TIME_SLOT"):
        name, value = slot.get("TIME_SLOT_ID", ""), slot.get("TIME_VALUE")
        if value is not None and not re.fullmatch(r"-?[0-9]{1,12}", value.strip()):
            raise TranscriptError(
                f"{source.path}: time slot {name[:40]} must have whole milliseconds", value[:40], _FIX
            )
        yield name, None if value is None else int(value) / 1000


def _labels(tier: ElementTree.Element, slots: dict[str, float | None], place: str) -> Iterator[Label]:
    for annotation in tier.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION"):
        where = f"{place}, annotation {annotation.get('ANNOTATION_ID', '?')[:40]}"
        times = []
        for side, name in (("TIME_SLOT_REF1", "start"), ("TIME_SLOT_REF2", "end")):
            slot = annotation.get(side)
            if slot is None or slot not in slots:
                raise TranscriptError(f"{where}: its {name} names no time slot of the file", slot, _FIX)
            times.append(seconds(slots[slot], where, name))
        value = annotation.find("ANNOTATION_VALUE")
        yield Label(where, times[0], times[1], "" if value is None else "".join(value.itertext()))
