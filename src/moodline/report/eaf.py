"""Predictions as an ELAN file: for each speaker a tier of turns, and below it the emotions and the confidences.

Of a model of scores: the scores and the intervals.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.presentation import line, presentation_of
from moodline.report.tiers import Tier, tiers

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_CONSTRAINTS = {
    "Time_Subdivision": "Divides the parent annotation in time, without gaps",
    "Symbolic_Subdivision": "Divides the parent annotation in order, without times",
    "Symbolic_Association": "One annotation for each parent annotation",
    "Included_In": "Lies within the parent annotation in time, with gaps",
}
"""The four kinds of tiers that ELAN knows; it expects them in every file."""
_TYPES = {".wav": "audio/x-wav", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".m4a": "audio/mp4", ".mpg": "video/mpeg"}


def write_eaf(prediction: list[Prediction], file: BinaryIO) -> None:
    """Write the one conversation; every turn has its times."""
    p = prediction[0]
    lanes = tiers(p, 1000)
    root = Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": f"Moodline {p.version}, model {line(p.model)}",
            "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    count = sum(len(lane.turns) for lane in lanes)
    _header(root, p, file, 3 * count)
    _slots(SubElement(root, "TIME_ORDER"), lanes)
    number = 1
    for lane in lanes:
        _turns(root, lane, number)
        for place, (suffix, label) in enumerate(presentation_of(p).tiers(), start=1):
            _answers(root, lane, suffix, label, number, number + place * count)
        number += len(lane.turns)
    for name, aligned in (("turn", True), ("answer", False)):
        kind = {"LINGUISTIC_TYPE_ID": name, "TIME_ALIGNABLE": str(aligned).lower(), "GRAPHIC_REFERENCES": "false"}
        SubElement(root, "LINGUISTIC_TYPE", kind if aligned else {**kind, "CONSTRAINTS": "Symbolic_Association"})
    for name, description in _CONSTRAINTS.items():
        SubElement(root, "CONSTRAINT", {"STEREOTYPE": name, "DESCRIPTION": description})
    indent(root)
    ElementTree(root).write(file, encoding="UTF-8", xml_declaration=True)


def _header(root: Element, p: Prediction, file: BinaryIO, last: int) -> None:
    """Which recording this is of, by its place and by its place seen from the file, so that both may move together."""
    header = SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if p.media is not None:
        media = Path(p.media).absolute()
        place = {
            "MEDIA_URL": line(media.as_uri()),
            "MIME_TYPE": _TYPES.get(media.suffix.lower(), "unknown"),
        }
        folder = Path(str(file.name)).absolute().parent if getattr(file, "name", None) else media.parent
        if media.drive == folder.drive:
            place["RELATIVE_MEDIA_URL"] = line("./" + Path(os.path.relpath(media, folder)).as_posix())
        SubElement(header, "MEDIA_DESCRIPTOR", place)
    SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"}).text = str(last)


def _slots(order: Element, lanes: list[Tier]) -> None:
    """Two time slots for each turn, numbered in the order of the turns."""
    times = [time for lane in lanes for turn in lane.turns for time in (turn.start, turn.end)]
    for n, time in enumerate(times, start=1):
        SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{n}", "TIME_VALUE": str(time)})


def _turns(root: Element, lane: Tier, first: int) -> None:
    """The tier of a speaker's turns; ``first`` is the number of the first of them."""
    attributes = {"TIER_ID": lane.name, "LINGUISTIC_TYPE_REF": "turn"}
    tier = SubElement(root, "TIER", attributes if lane.speaker is None else {**attributes, "PARTICIPANT": lane.speaker})
    for n, turn in enumerate(lane.turns, start=first):
        slots = {"TIME_SLOT_REF1": f"ts{2 * n - 1}", "TIME_SLOT_REF2": f"ts{2 * n}"}
        place = SubElement(SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{n}", **slots})
        SubElement(place, "ANNOTATION_VALUE").text = line(turn.utterance.text or "…")


def _answers(
    root: Element, lane: Tier, suffix: str, label: Callable[[UtterancePrediction], str], first: int, own: int
) -> None:
    """A tier below a speaker's, one annotation for each turn, numbered from ``own``."""
    attributes = {"TIER_ID": lane.name + suffix, "LINGUISTIC_TYPE_REF": "answer", "PARENT_REF": lane.name}
    tier = SubElement(root, "TIER", attributes if lane.speaker is None else {**attributes, "PARTICIPANT": lane.speaker})
    for n, turn in enumerate(lane.turns):
        names = {"ANNOTATION_ID": f"a{own + n}", "ANNOTATION_REF": f"a{first + n}"}
        place = SubElement(SubElement(tier, "ANNOTATION"), "REF_ANNOTATION", names)
        SubElement(place, "ANNOTATION_VALUE").text = label(turn.utterance)
