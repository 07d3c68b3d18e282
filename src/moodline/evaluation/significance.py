"""The paired bootstrap test of two models on the same test set, over conversations and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.evaluation.metrics import Floats, interval, weighted_f1_from_confusion

Value = Callable[[NDArray[Any]], NDArray[Any]]
"""From sums over conversations […, S, …], e.g. confusion counts, to one number for each seed […, S]."""

MIN_SEEDS = 3
"""With fewer seeds there is no saying how much trainings differ by chance."""
LEVEL = 0.05
"""A difference is distinguishable if its p is below this."""
UNCLEAR, TOO_FEW = "not distinguishable", "too few seeds"
CHUNK = 500
"""Resampled test sets that are computed together."""


def undecided(p: float, seeds: int) -> str:
    """Why a paired test decides nothing: ``not distinguishable``, ``too few seeds``; empty if it does.

    The one rule of ``moodline compare`` and ``moodline experiment``.

    Args:
        p: of the test, corrected where there are several.
        seeds: of the side that has fewer.
    """
    return UNCLEAR if p >= LEVEL else TOO_FEW if seeds < MIN_SEEDS else ""


def paired_test(
    sums: Sequence[NDArray[Any]],
    values: Value | Sequence[Value] = weighted_f1_from_confusion,
    draws: int = 5000,
    same_seeds: bool = False,
) -> dict[str, Any]:
    """Bootstrap test of the difference of two numbers over the same conversations.

    Conversations are drawn with replacement, the same for both; so are seeds, each side's own unless both numbers
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
            drawn = np.tensordot(weights[part], s, axes=(1, 1))  # [draws, S, …]
            of_seed = t(drawn.reshape(*drawn.shape[:2], *of.shape[2:]))
            means.append(np.take_along_axis(of_seed, seeds[part], axis=1).mean(1))
        differences[part] = means[1] - means[0]
    low, high = interval(differences)
    return {
        "values": observed,
        "difference": observed[1] - observed[0],
        "interval": [low, high],
        "p": min(1.0, 2 * (1 + int(min((differences <= 0).sum(), (differences >= 0).sum()))) / (1 + draws)),
    }
