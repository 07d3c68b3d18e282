"""The paired test: known cases, and how often it errs where there is no difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from moodline.evaluation.significance import paired_test


def share(sums: np.ndarray) -> np.ndarray:
    """Right answers of all."""
    return sums[..., 0] / sums[..., 1]


def simulated(rng: np.random.Generator, seeds: int, luck: float, spread: float, groups: int = 60) -> list[np.ndarray]:
    """Two kinds of models that are equally good: right answers and turns [S, G, 2] of each.

    Args:
        rng: of everything random.
        seeds: S.
        luck: how much trainings differ, standard deviation of the log odds.
        spread: how much models differ in which conversations are hard for them.
        groups: G.
    """
    turns = rng.integers(4, 16, groups)
    hard = rng.normal(0.4, 0.8, groups)
    out = []
    for _ in range(2):
        own = rng.normal(0, spread, groups)  # of the kind of model, in all its trainings
        odds = hard + own + rng.normal(0, luck, (seeds, 1)) + rng.normal(0, spread, (seeds, groups))
        right = rng.binomial(turns, 1 / (1 + np.exp(-odds)))
        out.append(np.stack([right, np.broadcast_to(turns, right.shape)], -1))
    return out


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize(("luck", "spread"), [(0.15, 0.0), (0.1, 0.4)])
def test_equal_models_are_seldom_called_different(seeds: int, luck: float, spread: float) -> None:
    """At 0.05, with the noise of trainings alone and with both kinds; 600 simulations have an error of 0.9 points."""
    rng = np.random.default_rng(seeds)
    wrong = np.mean([paired_test(simulated(rng, seeds, luck, spread), share, 200)["p"] < 0.05 for _ in range(600)])
    assert wrong <= 0.06 + 0.018


def test_a_real_difference_is_seen() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(40):
        a, b = simulated(rng, 5, 0.05, 0.2)
        right = np.minimum(b[..., 0] + rng.binomial(b[..., 1] - b[..., 0], 0.25), b[..., 1])
        found.append(paired_test([a, np.stack([right, b[..., 1]], -1)], share, 200)["p"] < 0.05)
    assert np.mean(found) > 0.9


def test_it_is_students_t_where_the_test_set_does_not_matter() -> None:
    """All conversations alike: only the seeds vary, and the test is Welch's; of pairs, the paired one."""
    first, second = np.array([50, 54, 52, 57]), np.array([58, 55, 60, 61])

    def of(right: np.ndarray) -> np.ndarray:
        return np.stack([np.repeat(right[:, None], 30, 1), np.full((4, 30), 100)], -1)

    apart = paired_test([of(first), of(second)], share, 300)
    welch = stats.ttest_ind(second, first, equal_var=False)
    assert apart["p"] == pytest.approx(float(welch.pvalue), rel=1e-6)
    assert apart["interval"] == pytest.approx([float(x) / 100 for x in welch.confidence_interval()], rel=1e-6)
    pairs = paired_test([of(first), of(second)], share, 300, same_seeds=True)
    assert pairs["p"] == pytest.approx(float(stats.ttest_rel(second, first).pvalue), rel=1e-6)
    assert pairs["difference"] == pytest.approx(0.0525)


def test_equal_answers_have_no_difference() -> None:
    a = simulated(np.random.default_rng(0), 3, 0.1, 0.1)[0]
    found = paired_test([a, a], share, 100, same_seeds=True)
    assert (found["difference"], found["p"], found["interval"]) == (0.0, 1.0, [0.0, 0.0])
