"""Metrics and statistics of the protocol, computed by scikit-learn and numpy on class indices and on scores.

Weighted F1 is the headline number of classes; it is never called accuracy here. That of scores is the mean absolute
error. What is measured of scores beside it depends on the corpus and is as MMSA defines it (``regression_report``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.core.labels import ValueScale

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def confusion(labels: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts [C, C], rows the true class, columns the predicted one."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def f1_from_confusion(matrix: NDArray[Any]) -> Floats:
    """F1 of each class from confusion counts [..., C, C]; 0 for a class that is never true nor predicted."""
    hit = np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)
    both = matrix.sum(-1) + matrix.sum(-2)
    return np.divide(2 * hit, both, out=np.zeros_like(hit), where=both > 0)


def weighted_f1_from_confusion(matrix: NDArray[Any]) -> NDArray[np.float64]:
    """Weighted F1 from confusion counts [..., C, C]: class F1 weighted by true counts."""
    support = matrix.sum(-1)
    return (f1_from_confusion(matrix) * support).sum(-1) / np.maximum(support.sum(-1), 1)


def classification_report(labels: Ints, predicted: Ints, names: Sequence[str]) -> dict[str, Any]:
    """The numbers of one evaluation.

    Args:
        labels, predicted: class indices [N], N ≥ 1.
        names: the class names, in order.

    Returns:
        ``weighted_f1, accuracy, macro_f1`` in percent, ``per_class`` (name to precision, recall, f1 in percent
        and support), ``confusion`` (rows true) and ``utterances``.
    """
    from sklearn.metrics import precision_recall_fscore_support

    index = list(range(len(names)))
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted, labels=index, zero_division=0)
    return {
        "weighted_f1": percent(np.average(f1, weights=support)),
        "accuracy": percent(np.mean(labels == predicted)),
        "macro_f1": percent(f1.mean()),
        "utterances": len(labels),
        "per_class": {
            name: {"precision": percent(p), "recall": percent(r), "f1": percent(f), "support": int(s)}
            for name, p, r, f, s in zip(names, precision, recall, f1, support, strict=True)
        },
        "confusion": confusion(labels, predicted, len(names)).tolist(),
    }


def percent(share: Any) -> float:
    """A share as percent with two decimals."""
    return round(100 * float(share), 2)


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation over seeds; the latter is 0 for one seed."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def mean_and_sd(values: Sequence[float], digits: int = 2) -> dict[str, Any]:
    """``mean``, ``sd`` and the values for each seed (``seeds``), rounded, as result files hold them."""
    mean, sd = mean_sd(values)
    return {"mean": round(mean, digits), "sd": round(sd, digits), "seeds": [round(float(v), digits) for v in values]}


def plus_minus(results: Mapping[str, Any], *name: str, digits: int = 1) -> str:
    """``mean ± sd`` of a number of a result file; one seed has no sd.

    Args:
        results: content of ``results.json``.
        name: the keys that lead to the number in ``mean`` and ``sd``, e.g. ``"experts", "text"``.
        digits: after the point.
    """
    mean, sd = results["mean"], results["sd"]
    for key in name:
        mean, sd = mean[key], sd[key]
    return f"{mean:.{digits}f}" + (f" ± {sd:.{digits}f}" if len(results["seeds"]) > 1 else "")


def weighted_f1(labels: Ints, predicted: Ints, classes: int) -> float:
    """Weighted F1 as a share in [0, 1]."""
    return float(weighted_f1_from_confusion(confusion(labels, predicted, classes)))


def clustered_confusions(labels: Ints, predicted: NDArray[Any], clusters: Ints, classes: int) -> NDArray[np.int64]:
    """Confusion counts of each conversation: [S, G, C, C] for predictions [S, N] of S seeds and G conversations."""
    groups = int(clusters.max()) + 1
    out = np.empty((len(predicted), groups, classes, classes), dtype=np.int64)
    for s, row in enumerate(predicted):
        flat = (clusters * classes + labels) * classes + row
        out[s] = np.bincount(flat, minlength=groups * classes**2).reshape(groups, classes, classes)
    return out


def mae_from_sums(sums: NDArray[Any]) -> NDArray[np.float64]:
    """Mean absolute error from sums [..., 2] of absolute errors and of how many there are."""
    return np.asarray(sums[..., 0] / np.maximum(sums[..., 1], 1), dtype=np.float64)


def clustered_errors(truth: Floats, predicted: NDArray[Any], clusters: Ints) -> Floats:
    """Sums for ``mae_from_sums`` of each conversation: [S, G, 2] for predictions [S, N] and G conversations."""
    groups = int(clusters.max()) + 1
    counts = np.bincount(clusters, minlength=groups)
    errors = [np.bincount(clusters, np.abs(row - truth), minlength=groups) for row in predicted]
    return np.stack([np.stack([e, counts], axis=-1) for e in errors])


def bootstrap(
    per_conversation: NDArray[Any],
    value: Callable[[NDArray[Any]], NDArray[np.float64]] = weighted_f1_from_confusion,
    draws: int = 2000,
    seed: int = 0,
) -> Floats:
    """A metric of resampled test sets: conversations and seeds are drawn with replacement.

    Utterances of one conversation depend on each other, so whole conversations are drawn; seeds are drawn for each
    resampled test set, and the mean over the drawn seeds is kept.

    Args:
        per_conversation: what adds up over conversations, [S, G, …]: confusion counts, or sums of errors.
        value: from such sums, [S, …], to the metric of each seed.
        draws: number of resampled test sets.
        seed: of the resampling.

    Returns:
        float [draws].
    """
    rng = np.random.default_rng(seed)
    seeds, groups = per_conversation.shape[:2]
    flat = per_conversation.reshape(seeds, groups, -1).astype(np.float64)
    out = np.empty(draws)
    for d in range(draws):
        counts = rng.multinomial(groups, np.full(groups, 1 / groups)).astype(np.float64)
        chosen = rng.integers(0, seeds, seeds)
        summed = np.einsum("g,sgc->sc", counts, flat)[chosen].reshape(seeds, *per_conversation.shape[2:])
        out[d] = value(summed).mean()
    return out


def interval(samples: NDArray[Any], level: float = 0.95) -> tuple[float, float]:
    """The central interval of bootstrap samples."""
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def expected_calibration_error(probabilities: NDArray[Any], labels: Ints, bins: int = 15) -> float:
    """ECE with equal-width bins of confidence, as a share.

    Args:
        probabilities: [N, C].
        labels: [N].
        bins: number of bins.
    """
    confidence, predicted = probabilities.max(1), probabilities.argmax(1)
    correct = (predicted == labels).astype(np.float64)
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        here = which == b
        if here.any():
            error += here.mean() * abs(correct[here].mean() - confidence[here].mean())
    return float(error)


def risk_coverage(probabilities: NDArray[Any], labels: Ints, points: int = 20) -> list[dict[str, float]]:
    """How often the answers are wrong if only the most confident are given (El-Yaniv & Wiener 2010).

    Args:
        probabilities: [N, C].
        labels: [N].
        points: how many steps of coverage, evenly spaced, the last one everything.

    Returns:
        For each step ``coverage`` and ``risk`` in percent, and ``confidence``, the least that is answered. Answers of
        equal confidence are given together, so a step may cover more than its share.
    """
    confidence = probabilities.max(1)
    wrong = probabilities.argmax(1) != labels
    found: list[dict[str, float]] = []
    for step in range(1, points + 1):
        least = float(np.sort(confidence)[::-1][max(0, -(-step * len(labels) // points) - 1)])
        given = confidence >= least
        row = {
            "coverage": percent(given.mean()),
            "risk": percent(wrong[given].mean()),
            "confidence": round(least, 4),
        }
        if not found or row != found[-1]:
            found.append(row)
    return found


def abstention_threshold(probabilities: NDArray[Any], labels: Ints, accuracy: float, coverage: float) -> float:
    """The lowest confidence from which on the answers are right often enough.

    Args:
        probabilities: [N, C].
        labels: [N].
        accuracy: the share of right answers that is wanted among those given.
        coverage: the least share of utterances to be answered, however often wrong.

    Returns:
        A confidence in [0, 1]; 0 if all answers together are right often enough.
    """
    order = np.argsort(-probabilities.max(1), kind="stable")
    confidence = probabilities.max(1)[order]
    right = (probabilities.argmax(1) == labels)[order]
    share = np.cumsum(right) / np.arange(1, len(right) + 1)
    ends = np.append(confidence[1:] < confidence[:-1], True)  # all of equal confidence, or none
    good = np.flatnonzero(ends & (share >= accuracy))
    least = max(0, int(np.ceil(coverage * len(right))) - 1)  # at least one is answered
    last = max(int(good[-1]) if len(good) else -1, least)
    return 0.0 if last >= len(right) - 1 else float(confidence[last])


def regression_report(truth: Floats, predicted: Floats, scale: ValueScale) -> dict[str, Any]:
    """The numbers of one evaluation of scores, those of a corpus by the definitions of MMSA (thuiar/MMSA, metricsTop).

    - ``mosi`` (CMU-MOSI and CMU-MOSEI): ``has0_acc2`` and ``has0_f1`` (weighted) tell scores from 0 on from those
      below; ``non0_acc2`` and ``non0_f1`` leave out utterances whose true score is 0, and tell those above 0 from the
      rest. ``acc7`` and ``acc5`` round scores clipped to ±3 and to ±2, halves to the even number.
    - ``sims`` (CH-SIMS and its second version): everything on scores clipped to ±1. ``acc2`` and ``f1`` (weighted)
      tell those above 0 from the rest; ``acc3`` parts at ±0.1, ``acc5`` at ±0.1 and ±0.7, the lower class having the
      bound. ``acc2_weak`` is ``acc2`` where the true score lies within ±0.4 (as SIMS v2 reports it).
    - any other scale: the four of ``mosi`` with a 0, if 0 lies inside the range.

    Args:
        truth, predicted: scores [N], N ≥ 1.
        scale: what they are scores of.

    Returns:
        ``mae`` and ``corr`` (Pearson's; 0 where one side does not vary), to four decimals; the accuracies and F1 in
        percent (0 where no utterance counts); ``mae_constant``, the error of always answering the true median, which
        no constant answer betters; and ``utterances``.
    """
    if scale.name == "sims":  # in single precision, in which a score of 0.4 is the bound 0.4
        truth, predicted = (np.clip(x.astype(np.float32), -1.0, 1.0) for x in (truth, predicted))  # type: ignore[assignment]
    out: dict[str, Any] = {
        "mae": round(float(np.abs(predicted - truth).mean()), 4),
        "corr": round(pearson(truth, predicted), 4),
        "mae_constant": round(float(np.abs(truth - np.median(truth)).mean()), 4),
        "utterances": len(truth),
    }
    if scale.name == "sims":
        weak = np.abs(truth) <= np.float32(0.4)
        of = {n: [_binned(x, edges) for x in (truth, predicted)] for n, edges in SIMS_BINS.items()}
        out |= {f"acc{n}": _agreement(*pair) for n, pair in of.items()}
        return out | {"f1": _f1(*of[2]), "acc2_weak": _agreement(*(x[weak] for x in of[2]))}
    if scale.low < 0 < scale.high:
        some = truth != 0
        out |= {
            "has0_acc2": _agreement(truth >= 0, predicted >= 0),
            "has0_f1": _f1(truth >= 0, predicted >= 0),
            "non0_acc2": _agreement(truth[some] > 0, predicted[some] > 0),
            "non0_f1": _f1(truth[some] > 0, predicted[some] > 0),
        }
    if scale.name == "mosi":
        for n, most in ((7, 3.0), (5, 2.0)):
            both = [np.round(np.clip(x, -most, most)) for x in (truth, predicted)]
            out[f"acc{n}"] = _agreement(*both)
    return out


SIMS_BINS = {2: (0.0,), 3: (-0.1, 0.1), 5: (-0.7, -0.1, 0.1, 0.7)}
"""The bounds between the classes of CH-SIMS, by the number of classes."""


def pearson(a: Floats, b: Floats) -> float:
    """Pearson's correlation; 0 where one side does not vary."""
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return min(1.0, max(-1.0, float((a * b).sum()) / norm)) if norm > 0 else 0.0  # squares may underflow


def _binned(scores: Floats, edges: Sequence[float]) -> Ints:
    """The class of each score; one that is equal to a bound belongs to the class below it."""
    return np.searchsorted(np.asarray(edges, scores.dtype), scores, side="left").astype(np.int64)


def _agreement(truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    return percent((truth == predicted).mean()) if len(truth) else 0.0


def _f1(truth: NDArray[Any], predicted: NDArray[Any]) -> float:
    if not len(truth):
        return 0.0
    classes = int(max(truth.max(), predicted.max())) + 1
    return percent(weighted_f1(truth.astype(np.int64), predicted.astype(np.int64), classes))
