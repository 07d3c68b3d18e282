"""Is one run better than another? A paired test over utterances, conversations and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.core.errors import ConfigError
from moodline.evaluation.metrics import (
    Floats,
    clustered_confusions,
    clustered_errors,
    interval,
    mae_from_sums,
    percent,
    weighted_f1_from_confusion,
)
from moodline.evaluation.predictions import Predictions, RegressionPredictions, read_any_predictions

Value = Callable[[NDArray[Any]], NDArray[Any]]
"""From sums over conversations […, S, …], e.g. confusion counts, to one number for each seed […, S]."""

MIN_SEEDS = 3
"""With fewer seeds there is no saying how much trainings differ by chance."""
LEVEL = 0.05
"""A difference is distinguishable if its p is below this."""
UNCLEAR, TOO_FEW = "not distinguishable", "too few seeds"
CHUNK = 500
"""Resampled test sets that are computed together."""


def compare(first: Path, second: Path, draws: int = 5000) -> dict[str, Any]:
    """Compare the test predictions of two runs on the same utterances.

    Conversations (or groups of them, where the corpus says so) and seeds are units with replacement, the same
    conversations for both runs; the p-value is the two-sided bootstrap one for a difference of zero. See
    ``undecided`` for when there is no verdict.

    Args:
        first, second: run directories with ``predictions.parquet``.
        draws: number of resampled test sets.

    Returns:
        mean weighted F1 of both in percent (of scores the mean absolute error, ``mae``), their ``difference`` (second
        minus first), its 95 % ``interval``, ``p``, and a ``verdict`` in words.

    Raises:
        ConfigError: no predictions, or they are of different utterances or labels.
    """
    a, b = read_any_predictions(first), read_any_predictions(second)
    metric, sign = "weighted_f1", 1
    shown: Callable[[Any], float] = percent
    try:
        if isinstance(a, RegressionPredictions) and isinstance(b, RegressionPredictions):
            metric, sign, shown = "mae", -1, _four
            found = paired_test(common_errors(a, b), mae_from_sums, draws)
        elif isinstance(a, Predictions) and isinstance(b, Predictions):
            found = paired_test(common_confusions(a, b), draws=draws)
        else:
            raise ValueError("classes and scores")
    except ValueError:
        raise ConfigError(
            f"{first} and {second}: the runs were tested on different utterances, labels or scores",
            fix="Compare runs of the same corpus, the same task and the same options.",
        ) from None
    low, high = found["interval"]
    seeds = min(len(a.seeds), len(b.seeds))
    better = "second is better" if sign * found["difference"] > 0 else "first is better"
    return {
        "first": {"run": first.name, metric: shown(found["values"][0]), "seeds": len(a.seeds)},
        "second": {"run": second.name, metric: shown(found["values"][1]), "seeds": len(b.seeds)},
        "difference": shown(found["difference"]),
        "interval": [shown(low), shown(high)],
        "p": round(found["p"], 4),
        "verdict": undecided(found["p"], seeds) or better,
        "method": f"paired bootstrap, {draws} draws of test {a.units} and of seeds",
    }


def undecided(p: float, seeds: int) -> str:
    """Why a paired test decides nothing: ``not distinguishable``, ``too few seeds``; empty if it does.

    The one rule of ``moodline compare`` and ``moodline experiment``.

    Args:
        p: of the test, corrected where there are several.
        seeds: of the side that has fewer.
    """
    return UNCLEAR if p >= LEVEL else TOO_FEW if seeds < MIN_SEEDS else ""


def _four(value: float) -> float:
    return round(float(value), 4)


def common_errors(a: RegressionPredictions, b: RegressionPredictions) -> tuple[Floats, Floats]:
    """Sums of absolute errors [S, G, 2] of each conversation, for two runs tested on the same utterances.

    Raises:
        ValueError: the utterances or their scores differ.
    """
    if a.utterances != b.utterances or not np.array_equal(a.truth, b.truth):
        raise ValueError("different utterances or scores")
    return clustered_errors(a.truth, a.predicted, a.clusters), clustered_errors(b.truth, b.predicted, b.clusters)


def common_confusions(a: Predictions, b: Predictions) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Confusion counts [S, G, C, C] of each conversation, for two runs that were tested on the same utterances.

    Raises:
        ValueError: the utterances or their labels differ.
    """
    truth = [a.labels[y] for y in a.truth]
    if a.utterances != b.utterances or truth != [b.labels[y] for y in b.truth]:
        raise ValueError("different utterances or labels")
    names = sorted({*a.labels, *b.labels})
    index = {name: i for i, name in enumerate(names)}

    def counts(run: Predictions) -> NDArray[np.int64]:
        of = np.array([index[name] for name in run.labels])
        return clustered_confusions(of[run.truth], of[run.predicted], a.clusters, len(names))

    return counts(a), counts(b)


def paired_test(
    sums: Sequence[NDArray[Any]],
    values: Value | Sequence[Value] = weighted_f1_from_confusion,
    draws: int = 5000,
    same_seeds: bool = False,
) -> dict[str, Any]:
    """Bootstrap test of the difference of two numbers over the same conversations.

    Conversations are units with replacement, the same for both; so are seeds, each side's own unless both numbers
    come from the same models.

    Args:
        sums: for both sides [S, G, …]: what adds up over the G conversations, e.g. confusion counts, for each seed.
        values: from the sums […, S, …] to a number for each seed […, S]; one for both sides, or one for each.
        draws: number of resampled test sets.
        same_seeds: draw the same seeds for both sides.

    Returns:
        ``values`` of both sides (means over seeds), their ``difference`` (second minus first), its 95 % ``interval``
        and the two-sided ``p`` for a difference of zero.
    """
    take = list(values) if isinstance(values, Sequence) else [values, values]
    flat = [s.reshape(*s.shape[:2], -1).astype(np.float64) for s in sums]
    observed = [float(t(s.sum(1)).mean()) for t, s in zip(take, sums, strict=True)]
    rng = np.random.default_rng(0)
    groups = flat[0].shape[1]
    weights = np.empty((draws, groups))
    chosen = [np.empty((draws, len(s)), dtype=np.int64) for s in flat]
    for d in range(draws):
        weights[d] = rng.multinomial(groups, np.full(groups, 1 / groups))
        for side, s in enumerate(flat):
            chosen[side][d] = chosen[0][d] if side and same_seeds else rng.integers(0, len(s), len(s))
    differences: Floats = np.empty(draws)
    for at in range(0, draws, CHUNK):
        part = slice(at, at + CHUNK)
        means = []
        for t, s, of, seeds in zip(take, flat, sums, chosen, strict=True):
            units = np.tensordot(weights[part], s, axes=(1, 1))  # [draws, S, …]
            of_seed = t(units.reshape(*units.shape[:2], *of.shape[2:]))
            means.append(np.take_along_axis(of_seed, seeds[part], axis=1).mean(1))
        differences[part] = means[1] - means[0]
    low, high = interval(differences)
    return {
        "values": observed,
        "difference": observed[1] - observed[0],
        "interval": [low, high],
        "p": min(1.0, 2 * (1 + int(min((differences <= 0).sum(), (differences >= 0).sum()))) / (1 + draws)),
    }
