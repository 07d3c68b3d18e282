"""What the dev set says of a model's confidence: a temperature, so that 0.7 is right about seven times in ten; for
scores the errors there, so that an interval of 80 % holds the true score about four times in five."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.evaluation.metrics import (
    Floats,
    Ints,
    abstention_threshold,
    expected_calibration_error,
    percent,
    risk_coverage,
)

ACCURACY, COVERAGE = 0.7, 0.5
"""Below the confidence at which this share of dev's answers is right, a model had better abstain; but it should answer
at least so many."""


def softmax(logits: NDArray[Any], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities [N, C] of logits [N, C] divided by a temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled -= scaled.max(-1, keepdims=True)
    exp = np.exp(scaled)
    return exp / exp.sum(-1, keepdims=True)


def negative_log_likelihood(logits: NDArray[Any], labels: Ints, temperature: float = 1.0) -> float:
    """Mean −log p of the true class, in nats."""
    p = softmax(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(p, 1e-12)).mean())


def fit_temperature(logits: NDArray[Any], labels: Ints) -> float:
    """The temperature in [0.05, 20] with the lowest negative log likelihood on the dev set.

    Args:
        logits: [N, C] of labelled dev utterances.
        labels: [N].
    """
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda t: negative_log_likelihood(logits, labels, float(np.exp(t))),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
    )
    return float(np.exp(found.x))


def calibrate(logits: NDArray[Any], experts: dict[str, NDArray[Any]], labels: Ints) -> dict[str, Any]:
    """Temperatures of the mixture and of each expert, fitted on dev, with the error before and after.

    Args:
        logits: [N, C] of the mixture, labelled dev utterances only.
        experts: expert name to logits [N, C].
        labels: [N].

    Returns:
        ``temperature``, ``experts`` (name to temperature), before/after ``ece`` (percent) and ``nll`` on dev, and
        ``abstain``: the ``confidence`` below which to abstain, for which ``accuracy`` and least ``coverage``, and the
        ``curve`` of risk over coverage.
    """
    temperature = fit_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    return {
        "fitted_on": "dev",
        "temperature": temperature,
        "experts": {name: fit_temperature(z, labels) for name, z in experts.items()},
        "ece": {
            "before": percent(expected_calibration_error(softmax(logits), labels)),
            "after": percent(expected_calibration_error(softmax(logits, temperature), labels)),
        },
        "nll": {
            "before": round(negative_log_likelihood(logits, labels), 4),
            "after": round(negative_log_likelihood(logits, labels, temperature), 4),
        },
        "abstain": {
            "confidence": round(abstention_threshold(probabilities, labels, ACCURACY, COVERAGE), 4),
            "accuracy": ACCURACY,
            "coverage": COVERAGE,
            "curve": risk_coverage(probabilities, labels),
        },
    }


LEVELS = (0.5, 0.8, 0.9)
"""Shares of true scores that intervals around the answers should hold."""
SHOWN = 0.8
"""The level of the interval that is told with an answer."""


def calibrate_intervals(truth: Floats, predicted: Floats) -> dict[str, Any]:
    """How wide intervals around a model's scores must be, from its errors on dev (split conformal prediction).

    The half width for a share p of n errors is the ⌈(n + 1) p⌉-th least of them, which holds the next error with a
    probability of at least p if that is units like these. The epoch was chosen on the same errors, and utterances of
    one conversation resemble each other, so elsewhere a little less is held: results tell how much on test.

    Args:
        truth, predicted: scores [N] of dev.

    Returns:
        ``half_widths`` (level as text to half width in units of the score; the largest error where n is too small),
        ``mae`` and ``bias`` (mean of predicted minus true) on dev.
    """
    errors = np.sort(np.abs(predicted - truth))
    places = {level: min(len(errors), math.ceil((len(errors) + 1) * level)) - 1 for level in LEVELS}
    return {
        "fitted_on": "dev",
        "half_widths": {str(level): round(float(errors[place]), 4) for level, place in places.items()},
        "mae": round(float(errors.mean()), 4),
        "bias": round(float((predicted - truth).mean()), 4),
    }
