"""The numbers of a regression: of one model on one split, and of all seeds together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moodline.core.answers import Answers
from moodline.core.labels import ValueScale
from moodline.evaluation.headline import HeadlineMetric
from moodline.evaluation.metrics import (
    bootstrap,
    clustered_errors,
    interval,
    mean_and_sd,
    percent,
    plus_minus,
    regression_report,
)
from moodline.evaluation.resampling import ResamplingUnits
from moodline.evaluation.selection import true_and_predicted, true_values

IN_UNITS = ("mae", "corr", "mae_constant")
"""Numbers with four decimals, not in percent."""
ACCURACIES = {
    "has0_acc2": "Has0 acc-2", "has0_f1": "Has0 F1", "non0_acc2": "Non0 acc-2", "non0_f1": "Non0 F1",
    "acc2": "acc-2", "acc2_weak": "weak acc-2", "f1": "F1", "acc3": "acc-3", "acc5": "acc-5", "acc7": "acc-7",
}  # fmt: skip
"""The accuracies of values as the field calls them, see ``metrics.regression_report``."""
VALUE_TABLE = (
    "recipe of scores", "corpus, range", "mean absolute error", "95 % interval", "always the median", "correlation",
    "accuracies (%)", "true score in the 80 % interval", "experts alone (error)",
)  # fmt: skip


def regression_numbers(
    answers: Sequence[Answers], scale: ValueScale, calibration: dict[str, Any], alone: Sequence[str]
) -> dict[str, Any]:
    """The numbers of one model on one split.

    Args:
        answers: of every conversation.
        scale: of the values.
        calibration: of ``calibrate_intervals``, fitted on dev; its half widths are numbers, or arrays with one for each
            utterance that has a value (of several models together).
        alone: the numbers of each expert alone.

    Returns:
        ``regression_report`` of the mixture; ``coverage``, how many true values (percent) lie within the intervals of
        each level; ``experts``, the error and correlation of each alone; ``gate_weights``, their ``mean``.
    """
    truth, predicted = true_and_predicted(answers)
    real = ~np.isnan(true_values(answers))
    weights = np.concatenate([a.weights for a in answers])[real]
    errors = np.abs(predicted - truth)
    experts = {}
    for name in answers[0].experts:
        values = np.concatenate([a.experts[name][:, 0] for a in answers])[real].astype(np.float64)
        report = regression_report(truth, values, scale)
        experts[name] = {k: report[k] for k in alone}
    mean = {n: round(float(w), 4) for n, w in zip(answers[0].experts, weights.mean(0), strict=True)}
    return {
        **regression_report(truth, predicted, scale),
        "coverage": {level: percent((errors <= width).mean()) for level, width in calibration["half_widths"].items()},
        "experts": experts,
        "gate_weights": {"mean": mean},
    }


def summarize_values(
    scale: ValueScale,
    headline: HeadlineMetric,
    seeds: list[dict[str, Any]],
    predictions: Sequence[Sequence[Answers]],
    units: ResamplingUnits,
) -> dict[str, Any]:
    """The fields of ``results.json`` from ``labels`` on; arguments as those of ``Task.summary``."""
    both = [true_and_predicted(answers) for answers in predictions]
    truth, predicted = both[0][0], np.stack([p for _, p in both])
    groups = np.repeat(units.number, [int((~np.isnan(true_values([a]))).sum()) for a in predictions[0]])
    low, high = interval(bootstrap(clustered_errors(truth, predicted, groups), headline.value))
    tests = [s["test"] for s in seeds]
    names = [k for k, v in tests[0].items() if isinstance(v, float | int) and k != "utterances"]
    numbers = {n: mean_and_sd([t[n] for t in tests], 4 if n in IN_UNITS else 2) for n in names}
    levels = {level: mean_and_sd([t["coverage"][level] for t in tests]) for level in tests[0]["coverage"]}
    digits = headline.unit.digits
    experts = {e: mean_and_sd([t["experts"][e][headline.key] for t in tests], digits) for e in tests[0]["experts"]}
    summary = {
        kind: {n: v[kind] for n, v in numbers.items()}
        | {"coverage": {n: v[kind] for n, v in levels.items()}, "experts": {e: v[kind] for e, v in experts.items()}}
        for kind in ("mean", "sd")
    }
    return {
        "labels": [],
        "scale": {"name": scale.name, "low": scale.low, "high": scale.high},
        "chosen_on": "dev",
        "tested": 1,
        "seeds": seeds,
        **summary,
        "interval": {headline.key: [headline.unit.written(low), headline.unit.written(high)]},
        "interval_method": units.method(len(seeds)),
    }


def value_table_row(results: Mapping[str, Any]) -> list[str]:
    """The cells below ``VALUE_TABLE``."""
    low, high = results["interval"]["mae"]
    return [
        f"{results['corpus']}, {results['scale']['low']:g} to {results['scale']['high']:g}",
        f"**{plus_minus(results, 'mae', digits=3)}**",
        f"{low:.3f} – {high:.3f}",
        f"{results['mean']['mae_constant']:.3f}",
        plus_minus(results, "corr", digits=3),
        ", ".join(f"{name} {plus_minus(results, k)}" for k, name in ACCURACIES.items() if k in results["mean"]),
        plus_minus(results, "coverage", "0.8"),
        ", ".join(f"{name} {value:.3f}" for name, value in results["mean"]["experts"].items()),
    ]


def value_result_rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The lines of one result on the command line: mixture, then experts."""
    low, high = results["interval"]["mae"]
    rows = [
        ("mean absolute error", f"{plus_minus(results, 'mae', digits=4)}   95 % interval {low:.4f} – {high:.4f}"),
        ("always the median", f"{results['mean']['mae_constant']:.4f}"),
        ("correlation (Pearson)", plus_minus(results, "corr", digits=4)),
    ]
    rows += [(name, plus_minus(results, k, digits=2)) for k, name in ACCURACIES.items() if k in results["mean"]]
    for level in results["mean"]["coverage"]:
        within = f"true scores in the {100 * float(level):.0f} % interval (%)"
        rows.append((within, plus_minus(results, "coverage", level, digits=2)))
    for name in results["mean"]["experts"]:
        rows.append((f"{name} expert alone, error", plus_minus(results, "experts", name, digits=4)))
    return rows


def value_card_rows(dev: Mapping[str, Any], calibration: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Dev numbers in the table of a model card."""
    widths = ", ".join(f"± {w:g} for {100 * float(level):.0f} %" for level, w in calibration["half_widths"].items())
    return [
        ("dev mean absolute error", f"{dev['mae']} (always the median: {dev['mae_constant']})"),
        ("dev correlation (Pearson)", f"{dev['corr']}"),
        ("intervals, from the errors on dev", widths),
    ]
