"""Predictions for programs of qualitative research: text with time marks, and tasks of Label Studio.

MAXQDA, ATLAS.ti, NVivo and f4 read a paragraph for each turn with marks ``#00:00:01-5#`` (tenths of a second).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.presentation import line, presentation_of
from moodline.transcripts.speaker_names import plausible


def write_paragraphs(prediction: list[Prediction], file: BinaryIO) -> None:
    """Write a paragraph for each turn: ``#00:00:01-5# Anna: [joy 0.81] We won! #00:00:03-0#``; marks where known."""
    shown = presentation_of(prediction[0])
    out = []
    for u in prediction[0].utterances:
        name = line(u.speaker) if u.speaker else ""
        parts = [
            "" if u.start is None else _stamp(u.start),
            f"{name if plausible(name) else f'[{name}]'}:" if name else "",
            f"[{shown.caption(u)}]",
            line(u.text or "…"),
            "" if u.end is None else _stamp(u.end),
        ]
        out.append(" ".join(part for part in parts if part))
    file.write(("\n\n".join(out) + "\n").encode("utf-8", "replace"))


def _stamp(seconds: float) -> str:
    whole, tenths = divmod(round(seconds * 10), 10)
    return f"#{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}-{tenths}#"


LABEL_STUDIO = """<View>
  <Paragraphs name="dialogue" value="$dialogue" layout="dialogue" nameKey="author" textKey="text"/>
  <ParagraphLabels name="emotion" toName="dialogue">{labels}</ParagraphLabels>
</View>"""
"""The labelling interface that goes with the tasks."""


def write_tasks(prediction: list[Prediction], file: BinaryIO) -> None:
    """Write a task of Label Studio for each conversation: its turns as a dialogue, the answers as predictions.

    The labelling interface is in the task's ``meta``. A regression has no labels: its values are in ``data`` only.
    """
    data = [_task(p) for p in prediction]
    file.write((json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace"))


def _task(p: Prediction) -> dict[str, Any]:
    labels = "".join(f'<Label value="{_escaped(label)}"/>' for label in p.labels)
    task: dict[str, Any] = {
        "data": {
            "id": p.conversation,
            "media": None if p.media is None else str(p.media),
            "dialogue": [_turn(u) for u in p.utterances],
        },
        "meta": {"program": "moodline", "label_config": LABEL_STUDIO.format(labels=labels)},
    }
    if p.labels:
        task["predictions"] = [{"model_version": f"{p.model} ({p.version})", "result": _results(p.utterances)}]
    return task


def _turn(u: UtterancePrediction) -> dict[str, Any]:
    turn = {"id": u.id, "author": u.speaker or "", "text": u.text or "…"}
    more = {"start": u.start, "end": u.end, "value": u.value}
    return turn | {name: value for name, value in more.items() if value is not None}


def _results(utterances: Sequence[UtterancePrediction]) -> list[dict[str, Any]]:
    """The answers; where the recognizer abstained there is none, so that a person decides."""
    return [
        {
            "id": f"r{n}",
            "from_name": "emotion",
            "to_name": "dialogue",
            "type": "paragraphlabels",
            "value": {
                "start": str(n),
                "end": str(n),
                "startOffset": 0,
                "endOffset": len(u.text or "…"),
                "paragraphlabels": [u.emotion],
            },
            "score": round(u.probabilities.get(u.emotion, 0.0), 4),
        }
        for n, u in enumerate(utterances)
        if not u.abstained and u.emotion
    ]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
