"""The numbers of a classification: of one model on one split, and of all seeds together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moodline.core.answers import Answers
from moodline.core.labels import IGNORE, LabelSet
from moodline.evaluation.calibration import softmax
from moodline.evaluation.headline import HeadlineMetric
from moodline.evaluation.metrics import (
    bootstrap,
    classification_report,
    clustered_confusions,
    expected_calibration_error,
    interval,
    mean_and_sd,
    percent,
    plus_minus,
)
from moodline.evaluation.resampling import ResamplingUnits

CLASS_TABLE = (
    "recipe", "corpus", "weighted F1", "95 % interval", "always the commonest", "accuracy", "macro F1",
    "experts alone (weighted F1)",
)  # fmt: skip


def classification_numbers(
    answers: Sequence[Answers], labels: LabelSet, calibration: dict[str, Any], alone: Sequence[str]
) -> dict[str, Any]:
    """The numbers of one model on one split.

    Args:
        answers: of every conversation.
        labels: the label set.
        calibration: fitted on dev.
        alone: the numbers of each expert alone.

    Returns:
        ``classification_report`` of the mixture, ``ece`` (percent, calibrated), ``experts`` (each alone) and
        ``gate_weights`` (mean, and by true class).
    """
    truth = np.concatenate([a.labels for a in answers])
    real = truth != IGNORE
    truth = truth[real]
    logits = np.concatenate([a.logits for a in answers])[real]
    weights = np.concatenate([a.weights for a in answers])[real]
    names = list(answers[0].experts)
    out = classification_report(truth, logits.argmax(-1), labels.labels)
    out["ece"] = percent(expected_calibration_error(softmax(logits, calibration["temperature"]), truth))
    out["experts"] = {}
    for name in names:
        predicted = np.concatenate([a.experts[name] for a in answers])[real].argmax(-1)
        report = classification_report(truth, predicted, labels.labels)
        out["experts"][name] = {k: report[k] for k in alone}
    by_class = {
        label: {n: round(float(w), 4) for n, w in zip(names, weights[truth == c].mean(0), strict=True)}
        for c, label in enumerate(labels.labels)
        if (truth == c).any()
    }
    mean = {n: round(float(w), 4) for n, w in zip(names, weights.mean(0), strict=True)}
    out["gate_weights"] = {"mean": mean, "per_class": by_class}
    return out


def summarize_classes(
    labels: LabelSet,
    headline: HeadlineMetric,
    alone: Sequence[str],
    seeds: list[dict[str, Any]],
    predictions: Sequence[Sequence[Answers]],
    units: ResamplingUnits,
) -> dict[str, Any]:
    """The fields of ``results.json`` from ``labels`` on; arguments as those of ``Task.summary``."""
    truth = np.concatenate([a.labels for a in predictions[0]])
    groups = np.repeat(units.number, [len(a.labels) for a in predictions[0]])
    predicted = np.stack([np.concatenate([a.logits.argmax(-1) for a in answers]) for answers in predictions])
    real = truth != IGNORE
    counts = clustered_confusions(truth[real], predicted[:, real], groups[real], len(labels))
    low, high = interval(bootstrap(counts, headline.value))
    tests = [s["test"] for s in seeds]
    both = {name: mean_and_sd([t[name] for t in tests]) for name in (*alone, "ece")}
    experts = {e: mean_and_sd([t["experts"][e][headline.key] for t in tests]) for e in tests[0]["experts"]}
    summary = {
        kind: {n: v[kind] for n, v in both.items()} | {"experts": {e: v[kind] for e, v in experts.items()}}
        for kind in ("mean", "sd")
    }
    return {
        "labels": list(labels.labels),
        "chosen_on": "dev",
        "tested": 1,
        "seeds": seeds,
        **summary,
        "interval": {headline.key: [headline.unit.written(low), headline.unit.written(high)]},
        "interval_method": units.method(len(seeds)),
    }


def class_table_row(results: Mapping[str, Any]) -> list[str]:
    """The cells below ``CLASS_TABLE``; a result that is no better than a constant answer is called collapsed."""
    low, high = results["interval"]["weighted_f1"]
    constant = constant_answer(results)
    collapsed = results["mean"]["weighted_f1"] <= constant["weighted_f1"]
    return [
        results["corpus"],
        f"**{plus_minus(results, 'weighted_f1')}**",
        f"{low:.1f} – {high:.1f}",
        f"{constant['weighted_f1']:.1f}" + (" (**collapsed**)" if collapsed else ""),
        plus_minus(results, "accuracy"),
        plus_minus(results, "macro_f1"),
        ", ".join(f"{name} {value:.1f}" for name, value in results["mean"]["experts"].items()),
    ]


def constant_answer(results: Mapping[str, Any]) -> dict[str, Any]:
    """What the class that is commonest in the test split scores if it is always the answer.

    Returns:
        ``label``, ``accuracy`` and ``weighted_f1`` in percent.
    """
    support = {label: row["support"] for label, row in results["seeds"][0]["test"]["per_class"].items()}
    label = max(support, key=lambda name: support[name])
    share = support[label] / sum(support.values())
    return {
        "label": label,
        "accuracy": round(100 * share, 2),
        "weighted_f1": round(100 * share * 2 * share / (1 + share), 2),
    }


def class_result_rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines of one result on the command line: mixture, a constant answer, experts."""
    low, high = results["interval"]["weighted_f1"]
    constant = constant_answer(results)
    rows = [
        ("weighted F1", f"{plus_minus(results, 'weighted_f1', digits=2)}   95 % interval {low:.2f} – {high:.2f}"),
        ("accuracy", plus_minus(results, "accuracy", digits=2)),
        ("macro F1", plus_minus(results, "macro_f1", digits=2)),
        ("calibration error (ECE)", plus_minus(results, "ece", digits=2)),
        (
            f"always {constant['label']}",
            f"weighted F1 {constant['weighted_f1']:.2f}, accuracy {constant['accuracy']:.2f}",
        ),
    ]
    for name in results["mean"]["experts"]:
        rows.append((f"{name} expert alone, weighted F1", plus_minus(results, "experts", name, digits=2)))
    return rows


def per_class_rows(results: Mapping[str, Any]) -> list[tuple[str, str, str, str, int]]:
    """Class, precision, recall and F1 (means over seeds), and how many utterances there are."""
    rows = []
    for label in results["labels"]:
        tests = [s["test"]["per_class"][label] for s in results["seeds"]]
        precision, recall, f1 = (f"{sum(t[k] for t in tests) / len(tests):.1f}" for k in ("precision", "recall", "f1"))
        rows.append((label, precision, recall, f1, tests[0]["support"]))
    return rows


def class_card_rows(dev: Mapping[str, Any], calibration: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Dev numbers in the table of a model card."""
    ece = calibration["ece"]
    return [
        ("dev weighted F1", f"{dev['weighted_f1']}"),
        ("dev accuracy", f"{dev['accuracy']}"),
        (
            "calibration error on dev (ECE, %)",
            f"{ece['before']} before, {ece['after']} after temperature {calibration['temperature']:.2f}",
        ),
    ]
