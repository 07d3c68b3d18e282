"""The paired test of two models on the same test set: conversations and trainings both vary by chance.

Two sources of chance are crossed: which conversations are in the test set, and how each training went. The variance of
the difference D of two means over S seeds is estimated as their sum, as in a model with crossed random effects:

    V = V_c + V_s

V_c is that of D over resampled test sets (bootstrap over conversations, the trained models held fixed). V_s is that of
the trainings: the sample variances of the seeds' numbers on the whole test set, divided by S (of the seeds' differences
where seeds are pairs). D / √V is compared with Student's t, whose degrees of freedom are those of Welch and
Satterthwaite. A bootstrap over three or five seeds alone has too small a spread: under a simulated null it called 9 to
27 % of differences real at 0.05 (``tests/evaluation/test_significance.py`` has the simulation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from moodline.evaluation.metrics import Floats, weighted_f1_from_confusion

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
    """Test the difference of two numbers over the same conversations; see the module.

    Args:
        sums: for both sides [S, G, …]: what adds up over the G conversations, e.g. confusion counts, for each seed.
        values: from the sums […, S, …] to a number for each seed […, S]; one for both sides, or one for each.
        draws: number of resampled test sets.
        same_seeds: the seeds of both sides are pairs: same first weights and batches, or the same models.

    Returns:
        ``values`` of both sides (means over seeds), their ``difference`` (second minus first), its 95 % ``interval``
        and the two-sided ``p`` for a difference of zero.
    """
    take = list(values) if isinstance(values, Sequence) else [values, values]
    each = [np.asarray(t(s.sum(1)), np.float64) for t, s in zip(take, sums, strict=True)]  # [S] of both sides
    observed = [float(of.mean()) for of in each]
    difference = observed[1] - observed[0]
    groups = sums[0].shape[1]
    conversations = float(_resampled(sums, take, draws).var())
    trainings, freedom = _trainings(each, same_seeds)
    total = conversations + trainings
    if total <= 0:
        p, half = float(difference == 0), 0.0
    else:
        parts = conversations**2 / max(1, groups - 1) + sum(v**2 / f for v, f in freedom)
        t = stats.t(total**2 / parts)
        p = 2 * float(t.sf(abs(difference) / np.sqrt(total)))
        half = float(t.ppf(0.975)) * float(np.sqrt(total))
    return {
        "values": observed,
        "difference": difference,
        "interval": [difference - half, difference + half],
        "p": p,
    }


def _resampled(sums: Sequence[NDArray[Any]], values: Sequence[Value], draws: int) -> Floats:
    """[draws] the difference of means over seeds in resampled test sets."""
    flat = [s.reshape(*s.shape[:2], -1).astype(np.float64) for s in sums]
    groups = flat[0].shape[1]
    weights = np.random.default_rng(0).multinomial(groups, np.full(groups, 1 / groups), draws).astype(np.float64)
    differences: Floats = np.empty(draws)
    for at in range(0, draws, CHUNK):
        part = slice(at, at + CHUNK)
        means = []
        for t, s, of in zip(values, flat, sums, strict=True):
            drawn = np.tensordot(weights[part], s, axes=(1, 1))  # [draws, S, …]
            means.append(t(drawn.reshape(*drawn.shape[:2], *of.shape[2:])).mean(1))
        differences[part] = means[1] - means[0]
    return differences


def _trainings(each: Sequence[Floats], same_seeds: bool) -> tuple[float, list[tuple[float, int]]]:
    """V_s, and its parts with their degrees of freedom; nothing of a single seed, whose chance cannot be seen."""
    samples = [each[1] - each[0]] if same_seeds and len(each[0]) == len(each[1]) else list(each)
    parts = [(float(x.var(ddof=1)) / len(x), len(x) - 1) for x in samples if len(x) > 1]
    return sum(v for v, _ in parts), parts
