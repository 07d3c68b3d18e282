"""The numbers of models that regress: of one model on one split, and of all seeds together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from moodline.core.answers import Answers
from moodline.core.labels import ValueScale
from moodline.evaluation.metrics import bootstrap, clustered_errors, interval, mae_from_sums, percent, regression_report
from moodline.evaluation.resampling import ResamplingUnits
from moodline.evaluation.selection import scored

IN_UNITS = ("mae", "corr", "mae_constant")
"""Numbers with four decimals, not in percent."""
SCORE_HEADLINE = ("mae", "corr")
"""What is told of an expert alone, and of a fold alone."""


def regression_numbers(answers: Sequence[Answers], scale: ValueScale, calibration: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one model on one split.

    Args:
        answers: of every conversation.
        scale: of the scores.
        calibration: of ``calibrate_intervals``, fitted on dev; its half widths are numbers, or arrays with one for each
            scored utterance (of several models together).

    Returns:
        ``regression_report`` of the mixture; ``coverage``, how many true values (percent) lie within the intervals of
        each level; ``experts``, the error and correlation of each alone; ``gate_weights``, their ``mean``.
    """
    truth, predicted = scored(answers)
    real = ~np.isnan(np.concatenate([a.truth for a in answers]))
    weights = np.concatenate([a.weights for a in answers])[real]
    errors = np.abs(predicted - truth)
    experts = {}
    for name in answers[0].experts:
        alone = np.concatenate([a.experts[name][:, 0] for a in answers])[real].astype(np.float64)
        report = regression_report(truth, alone, scale)
        experts[name] = {k: report[k] for k in SCORE_HEADLINE}
    mean = {n: round(float(w), 4) for n, w in zip(answers[0].experts, weights.mean(0), strict=True)}
    return {
        **regression_report(truth, predicted, scale),
        "coverage": {level: percent((errors <= width).mean()) for level, width in calibration["half_widths"].items()},
        "experts": experts,
        "gate_weights": {"mean": mean},
    }


def summarize_values(
    recipe: str,
    corpus: str,
    scale: ValueScale,
    seeds: list[dict[str, Any]],
    predictions: Sequence[Sequence[Answers]],
    units: ResamplingUnits,
) -> dict[str, Any]:
    """The content of ``results.json``; arguments as those of ``results.summarize``."""
    both = [scored(answers) for answers in predictions]
    truth, predicted = both[0][0], np.stack([p for _, p in both])
    groups = np.repeat(units.number, [int((~np.isnan(a.truth)).sum()) for a in predictions[0]])
    low, high = interval(bootstrap(clustered_errors(truth, predicted, groups), mae_from_sums))
    tests = [s["test"] for s in seeds]
    names = [k for k, v in tests[0].items() if isinstance(v, float | int) and k != "utterances"]

    def spread(values: Sequence[float], digits: int) -> tuple[float, float]:
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        return round(float(np.mean(values)), digits), round(sd, digits)

    told = {n: spread([t[n] for t in tests], 4 if n in IN_UNITS else 2) for n in names}
    levels = {level: spread([t["coverage"][level] for t in tests], 2) for level in tests[0]["coverage"]}
    experts = {e: spread([t["experts"][e]["mae"] for t in tests], 4) for e in tests[0]["experts"]}
    summary: list[dict[str, Any]] = [
        {n: v[k] for n, v in told.items()}
        | {"coverage": {n: v[k] for n, v in levels.items()}, "experts": {e: v[k] for e, v in experts.items()}}
        for k in (0, 1)
    ]
    return {
        "recipe": recipe,
        "corpus": corpus,
        "task": "scores",
        "labels": [],
        "scale": {"name": scale.name, "low": scale.low, "high": scale.high},
        "chosen_on": "dev",
        "tested": 1,
        "seeds": seeds,
        "mean": summary[0],
        "sd": summary[1],
        "interval": {"mae": [round(low, 4), round(high, 4)]},
        "interval_method": units.method(len(seeds)),
    }
