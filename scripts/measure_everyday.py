"""How right the packaged model of words is on everyday conversations that two readers labelled.

    python scripts/measure_everyday.py [--model meld-text] [--check]

The set (scripts/everyday/) is never trained on and nothing is chosen on it. Writes results/models/everyday.json.
With --check nothing is written, and the exit code is 1 if the stored numbers differ from those of today's code.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from moodline.core.conversation import Conversation, Utterance
from moodline.core.files import write_json
from moodline.core.labels import MELD_7
from moodline.evaluation.agreement import cohens_kappa
from moodline.evaluation.metrics import abstention_threshold, classification_report, expected_calibration_error, percent
from moodline.pipeline.recognizer import Recognizer

FOLDER = Path(__file__).parent / "everyday"
RESULTS = Path(__file__).resolve().parents[1] / "results" / "models" / "everyday.json"
KEPT = 0.6
"""The share of turns that is answered when the model abstains."""


def dialogues() -> list[Conversation]:
    """The conversations, without labels."""
    return [
        Conversation(d["id"], tuple(Utterance(f"{d['id']}-{n}", s, text=t) for n, (s, t) in enumerate(d["turns"])))
        for d in yaml.safe_load((FOLDER / "dialogues.yaml").read_text(encoding="utf-8"))
    ]


def reader(number: int) -> dict[str, int] | None:
    """Utterance id to the class of one reader's label; None if that reader has not read yet."""
    path = FOLDER / f"reader-{number}.csv"
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        return {f"{r['dialogue']}-{r['turn']}": MELD_7.index(r["emotion"]) for r in csv.DictReader(file)}


def numbers(p: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Accuracy, F1, calibration, and how right the most confident answers are; percent."""
    report = classification_report(y, p.argmax(1), MELD_7.labels)
    firm = p.max(1) >= np.sort(p.max(1))[::-1][int(np.ceil(KEPT * len(y))) - 1]
    return {
        "turns": len(y),
        "accuracy": report["accuracy"],
        "weighted_f1": report["weighted_f1"],
        "macro_f1": report["macro_f1"],
        "ece": percent(expected_calibration_error(p, y)),
        "right_of_the_surest_60": percent((p.argmax(1) == y)[firm].mean()),
        "threshold_for_85": round(abstention_threshold(p, y, 0.85, 0.0), 3),
        "f1": {k: v["f1"] for k, v in report["per_class"].items()},
    }


def measure(model: str) -> dict[str, Any]:
    """Everything about one model."""
    talks = dialogues()
    recognizer = Recognizer.load(model, "cpu")
    p = np.array(
        [
            [u.probabilities[label] for label in MELD_7.labels]
            for r in recognizer.recognize_many(talks)
            for u in r.utterances
        ]
    )
    ids = [u.id for c in talks for u in c]
    readers = [[labels[i] for i in ids] for n in (1, 2) if (labels := reader(n)) is not None]
    each = [np.array(r) for r in readers]
    out: dict[str, Any] = {"model": model, "dialogues": len(talks), "turns": len(ids)}
    for n, y in enumerate(each, 1):
        out[f"reader {n}"] = numbers(p, y)
    if len(each) == 2:
        same = each[0] == each[1]
        both = [(MELD_7.labels[a], MELD_7.labels[b]) for a, b in zip(*readers, strict=True)]
        out["readers agree"] = numbers(p[same], each[0][same])
        out["agreement"] = {"accuracy": percent(same.mean()), "kappa": round(float(cohens_kappa(both) or 0.0), 3)}
    return out


def main() -> None:
    """Measure, write or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="meld-text")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    found = measure(options.model)
    if options.check:
        stored = json.loads(RESULTS.read_text(encoding="utf-8"))
        if abs(stored["reader 1"]["accuracy"] - found["reader 1"]["accuracy"]) > 0.3:
            sys.exit("results/models/everyday.json is out of date. Run: python scripts/measure_everyday.py")
        return
    write_json(RESULTS, found)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
