"""How right a model is on turns that a person labelled: matched, counted, with the threshold that suits."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from moodline.core.errors import ConversationError, LabelError
from moodline.core.labels import SAME_EMOTION
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.evaluation.metrics import (
    abstention_threshold,
    classification_report,
    expected_calibration_error,
    percent,
    risk_coverage,
)

WANTED, LEAST = 0.85, 0.6
"""The share of right answers that a threshold should give, and the least share of turns to be answered."""
FEW = 30
"""Below so many labelled turns the numbers are only a hint."""
MATCHES = ("id", "turn", "start", "text")
"""Columns by which a row finds its turn, the surest first."""


@dataclass(frozen=True)
class OwnLabel:
    """A row of the file of labels.

    Args:
        line: of the file, from 1.
        emotion: as it stands there, in small letters.
        keys: column of ``MATCHES`` to its value.
    """

    line: int
    emotion: str
    keys: dict[str, str]


def read_labels(path: Path) -> list[OwnLabel]:
    """Read a CSV file with a column ``emotion`` and one of ``id``, ``turn`` (from 1), ``start`` (seconds) or ``text``.

    Raises:
        LabelError: a column is missing, or no row has a label.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise LabelError(f"{path}: no such file", fix="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LabelError(f"{path}: the labels cannot be read", error, "Save them as CSV in UTF-8.") from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    names = {(name or "").strip().casefold(): name for name in rows.fieldnames or ()}
    if "emotion" not in names or not set(MATCHES) & set(names):
        found = ", ".join(filter(None, names)) or "no columns"
        raise LabelError(
            f"{path}: expected the columns emotion and one of {', '.join(MATCHES)}", found, "Name the columns so."
        )
    out = []
    for row in rows:
        emotion = (row[names["emotion"]] or "").strip().casefold()
        keys = {k: (row[names[k]] or "").strip() for k in MATCHES if k in names and (row[names[k]] or "").strip()}
        if emotion and keys:
            out.append(OwnLabel(rows.line_num, emotion, keys))
    if not out:
        raise LabelError(f"{path}: no row has an emotion", fix="Fill in the column emotion for some turns.")
    return out


def match(labels: Iterable[OwnLabel], prediction: Prediction, path: Path) -> dict[int, str]:
    """Which turn each label belongs to.

    Returns:
        Index of the utterance to its label, one of the model's.

    Raises:
        LabelError: a label that the model does not have; a row that fits no turn; two rows for one turn.
    """
    turns, out, lines = prediction.utterances, dict[int, str](), dict[int, int]()
    for label in labels:
        where = f"{path}, line {label.line}"
        emotion = (
            label.emotion if label.emotion in prediction.labels else SAME_EMOTION.get(label.emotion, label.emotion)
        )
        if emotion not in prediction.labels:
            raise LabelError(f"{where}: the model has no such emotion", f"'{label.emotion}'",
                             f"Use: {', '.join(prediction.labels)}.")  # fmt: skip
        place = _turn_index(label, turns)
        if place is None:
            said = ", ".join(f"{k} '{v[:40]}'" for k, v in label.keys.items())
            raise LabelError(f"{where}: no turn fits", said, f"There are {len(turns)} turns; take ids from --json.")
        if place in out:
            raise LabelError(f"{where}: two labels for one turn", f"also line {lines[place]}", "Remove one.")
        out[place], lines[place] = emotion, label.line
    return out


def _turn_index(label: OwnLabel, turns: Sequence[UtterancePrediction]) -> int | None:
    """The index of the utterance that a row of labels means; None if no or several utterances fit."""
    keys = label.keys
    if "id" in keys:
        return next((n for n, u in enumerate(turns) if u.id == keys["id"]), None)
    if "turn" in keys:
        return int(keys["turn"]) - 1 if keys["turn"].isdigit() and 1 <= int(keys["turn"]) <= len(turns) else None
    if "start" in keys:
        return _at(keys["start"], turns)
    wanted = _plain(keys["text"])
    fits = [n for n, u in enumerate(turns) if u.text and _plain(u.text) == wanted]
    return fits[0] if len(fits) == 1 else None


def _at(start: str, turns: Sequence[UtterancePrediction]) -> int | None:
    """The turn that begins within a second of ``start``, the nearest; else the one that is spoken then."""
    try:
        second = float(start.replace(",", "."))
    except ValueError:
        return None
    timed = [(n, u.start, u.end) for n, u in enumerate(turns) if u.start is not None]
    near = min(timed, key=lambda t: abs(t[1] - second), default=None)
    if near is not None and abs(near[1] - second) <= 1:
        return near[0]
    return next((n for n, a, b in timed if b is not None and a <= second < b), None)


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def check_answers(prediction: Prediction, labels: Mapping[int, str]) -> dict[str, Any]:
    """The numbers of one model.

    Args:
        prediction: of the conversation.
        labels: index of the utterance to its label, see ``match``.

    Returns:
        ``model``, ``turns``; ``accuracy`` with a 95 % interval (Wilson), ``weighted_f1``, ``ece``, ``per_class`` and
        ``confusion``; ``own_threshold``: how many are answered with the model's own threshold and how many of these
        are right; ``suggested``: the confidence from which at least ``WANTED`` of the answers are right, ``LEAST`` of
        the turns being answered, and ``reached``, whether that can be had; ``curve`` of risk over coverage. Percent.

    Raises:
        ConversationError: the model gives values, not emotions.
    """
    if not prediction.labels:
        raise ConversationError(f"model {prediction.model}: it gives values, not emotions", fix="Take another model.")
    rows = [prediction.utterances[n] for n in labels]
    p = np.array([[u.probabilities.get(label, 0.0) for label in prediction.labels] for u in rows])
    y = np.array([prediction.labels.index(emotion) for emotion in labels.values()])
    right, firm = p.argmax(1) == y, np.array([not u.abstained for u in rows])
    threshold = abstention_threshold(p, y, WANTED, LEAST)
    given = p.max(1) >= threshold
    report = classification_report(y, p.argmax(1), prediction.labels)
    return {
        "model": prediction.model,
        "turns": len(y),
        "accuracy": percent(right.mean()),
        "accuracy_interval": [percent(x) for x in binomtest(int(right.sum()), len(y)).proportion_ci(method="wilson")],
        "weighted_f1": report["weighted_f1"],
        "ece": percent(expected_calibration_error(p, y, bins=5)),
        "own_threshold": {
            "answered": percent(firm.mean()),
            "right": percent(right[firm].mean()) if firm.any() else None,
        },
        "suggested": {
            "abstain_below": round(threshold, 3),
            "answered": percent(given.mean()),
            "right": percent(right[given].mean()),
            "reached": bool(right[given].mean() >= WANTED),
        },
        "per_class": {k: v for k, v in report["per_class"].items() if v["support"]},
        "labels": list(prediction.labels),
        "confusion": report["confusion"],
        "curve": risk_coverage(p, y),
    }
