"""Predictions as an EXMARaLDA file: for each speaker a tier of turns, and below it the emotions and the confidences.

Of a model of scores: the scores and the intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.presentation import line, presentation_of
from moodline.report.tiers import Tier, tiers
from moodline.transcripts.exmaralda import OURS

_UNITS = 1000


def write_exb(prediction: list[Prediction], file: BinaryIO) -> None:
    """Write the one conversation as a basic transcription; every turn has its times."""
    p = prediction[0]
    lanes = tiers(p, _UNITS)
    root = Element("basic-transcription")
    speakers = _head(root, p, lanes)
    body = SubElement(root, "basic-body")
    points = sorted({time for lane in lanes for turn in lane.turns for time in (turn.start, turn.end)})
    names = {time: f"T{n}" for n, time in enumerate(points)}
    line_ = SubElement(body, "common-timeline")
    for time, name in names.items():
        SubElement(line_, "tli", {"id": name, "time": f"{time / _UNITS:.3f}"})
    count = 0
    for lane in lanes:
        speaker = speakers.get(lane.speaker)
        rows: list[tuple[str, str, str, Callable[[UtterancePrediction], str]]] = [
            ("v", "t", lane.name, lambda u: line(u.text or "…"))
        ]
        rows += [(suffix.strip(" []"), "a", lane.name + suffix, label) for suffix, label in presentation_of(p).tiers()]
        for category, kind, name, label in rows:
            _tier(body, f"TIE{count}", speaker, category, kind, name, lane, label, names)
            count += 1
    indent(root)
    ElementTree(root).write(file, encoding="UTF-8", xml_declaration=True)


def _head(root: Element, p: Prediction, lanes: list[Tier]) -> dict[str | None, str]:
    """What the transcription is of, and the table of speakers; gives the id of each."""
    head = SubElement(root, "head")
    about = SubElement(head, "meta-information")
    SubElement(about, "project-name").text = f"{OURS} {p.version}, model {line(p.model)}"
    SubElement(about, "transcription-name").text = line(p.conversation)
    if p.media is not None:
        SubElement(about, "referenced-file", {"url": line(str(p.media))})
    for name in ("ud-meta-information", "comment", "transcription-convention"):
        SubElement(about, name)
    table = SubElement(head, "speakertable")
    names = dict.fromkeys(lane.speaker for lane in lanes if lane.speaker is not None)
    out: dict[str | None, str] = {}
    for n, name in enumerate(names):
        out[name] = f"SPK{n}"
        SubElement(SubElement(table, "speaker", {"id": f"SPK{n}"}), "abbreviation").text = name
    return out


def _tier(
    body: Element,
    own: str,
    speaker: str | None,
    category: str,
    kind: str,
    name: str,
    lane: Tier,
    label: Callable[[UtterancePrediction], str],
    names: dict[int, str],
) -> None:
    attributes = {"id": own, "category": category, "type": kind, "display-name": name}
    tier = SubElement(body, "tier", attributes if speaker is None else {**attributes, "speaker": speaker})
    for turn in lane.turns:
        SubElement(tier, "event", {"start": names[turn.start], "end": names[turn.end]}).text = label(turn.utterance)
