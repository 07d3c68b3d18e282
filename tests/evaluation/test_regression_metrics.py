"""Numbers of scores against a plain version; losses; intervals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from moodline.core.labels import MOSI_SCALE, SIMS_SCALE, ValueScale
from moodline.evaluation.calibration import calibrate_intervals
from moodline.evaluation.metrics import bootstrap, clustered_errors, mae_from_sums, regression_report
from moodline.nn.goals import RegressionGoal
from moodline.nn.losses import RegressionLoss, regression_loss
from moodline.nn.value_range import from_range, to_range
from tests.evaluation import plain_regression as plain_scores

STEP = {"mosi": 0.25, "sims": 0.1}
"""Scores on a grid, so that halves, zeros and the bounds between classes occur often."""


def on_grid(step: float, most: int) -> st.SearchStrategy[list[tuple[float, float]]]:
    number = st.integers(-most, most).map(lambda n: round(n * step, 4))
    return st.lists(st.tuples(number, number), min_size=1, max_size=40)


def check(pairs: list[tuple[float, float]], scale: ValueScale) -> None:
    truth, said = ([float(x) for x in side] for side in zip(*pairs, strict=True))
    plain = plain_scores.mosi(truth, said) if scale is MOSI_SCALE else plain_scores.sims(truth, said)
    got = regression_report(np.array(truth), np.array(said), scale)
    for name, value in plain.items():
        assert got[name] == pytest.approx(value, abs=0.0051 if name != "mae" else 1e-4), name
    assert got["utterances"] == len(pairs)


@given(on_grid(0.25, 16))
def test_mosi_numbers_are_those_of_the_definitions(pairs: list[tuple[float, float]]) -> None:
    check(pairs, MOSI_SCALE)


@given(on_grid(0.1, 13))
def test_sims_numbers_are_those_of_the_definitions(pairs: list[tuple[float, float]]) -> None:
    check(pairs, SIMS_SCALE)


@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-4, 4)), min_size=2, max_size=30))
def test_correlation_is_pearsons(pairs: list[tuple[float, float]]) -> None:
    truth, said = (np.array(side) for side in zip(*pairs, strict=True))
    got = regression_report(truth, said, MOSI_SCALE)["corr"]
    if min(truth.std(), said.std()) > 1e-3:
        assert got == pytest.approx(plain_scores.corr(truth.tolist(), said.tolist()), abs=1e-3)
    assert -1 <= got <= 1


def test_zero_divides_as_the_corpora_say() -> None:
    truth, said = np.array([0.0, -1.0, 2.0]), np.array([-0.1, -2.0, 1.0])
    mosi = regression_report(truth, said, MOSI_SCALE)
    assert mosi["has0_acc2"] == 66.67, "a true 0 counts as not negative"
    assert mosi["non0_acc2"] == 100.0, "a true 0 is left out"
    assert regression_report(np.array([0.0]), np.array([0.0]), SIMS_SCALE)["acc2"] == 100.0


def test_bounds_hold_in_single_precision() -> None:
    """Scores come out of networks as float32, where 0.4 is a little more than 0.4."""
    truth = np.array([0.4, -0.4, 0.1, 0.7], np.float32).astype(np.float64)
    said = np.array([0.4, 0.4, -0.1, 0.9], np.float32).astype(np.float64)
    got = regression_report(truth, said, SIMS_SCALE)
    assert got["acc2_weak"] == 33.33
    assert got["acc5"] == 25.0  # 0.1 belongs to the class below it, as −0.1 does; 0.7 to the one below, 0.9 not


def test_other_scales_have_the_accuracies_that_make_sense() -> None:
    both = (np.array([1.0, 2.0]), np.array([1.0, 3.0]))
    assert "has0_acc2" in regression_report(*both, ValueScale("mine", -5, 5))
    assert set(regression_report(*both, ValueScale("stars", 1, 5))) == {"mae", "corr", "mae_constant", "utterances"}
    assert regression_report(np.array([1.0, 1.0]), np.array([2.0, 3.0]), ValueScale("stars", 1, 5))["corr"] == 0.0


def test_the_error_by_conversations_is_the_error_of_all() -> None:
    rng = np.random.default_rng(0)
    truth, clusters = rng.normal(size=50), np.sort(rng.integers(0, 7, 50))
    predicted = truth + rng.normal(size=(3, 50))
    sums = clustered_errors(truth, predicted, clusters)
    assert mae_from_sums(sums.sum(1)) == pytest.approx(np.abs(predicted - truth).mean(1))
    draws = bootstrap(sums, mae_from_sums, draws=300)
    assert draws.mean() == pytest.approx(np.abs(predicted - truth).mean(), abs=0.1)
    assert draws.std() > 0.01


@pytest.mark.parametrize(("kind", "known"), [("l1", F.l1_loss), ("mse", F.mse_loss), ("smooth_l1", F.smooth_l1_loss)])
def test_distances_are_torchs_and_rows_without_a_score_do_not_count(kind: RegressionLoss, known: object) -> None:
    said, truth = torch.randn(9, requires_grad=True), 2 * torch.randn(9)
    truth[[2, 5]] = float("nan")
    real = ~truth.isnan()
    loss = regression_loss(said, truth, kind)
    assert loss.item() == pytest.approx(known(said[real], truth[real]).item(), rel=1e-6)  # type: ignore[operator]
    loss.backward()
    assert said.grad is not None
    assert (said.grad[~real] == 0).all()
    assert torch.isfinite(said.grad).all()
    nothing = regression_loss(said, torch.full((9,), float("nan")), kind)
    assert nothing.item() == 0
    assert nothing.requires_grad


def test_the_gate_learns_whom_to_believe() -> None:
    weights = torch.tensor([[0.2, 0.8], [0.5, 0.5]], requires_grad=True)
    z = torch.tensor([[[1.0], [3.0]], [[0.0], [2.0]]], requires_grad=True)
    y = torch.tensor([1.0, 1.5])
    loss = RegressionGoal("l1").gate(weights, z, y)
    assert loss.item() == pytest.approx(((0.2 * 0 + 0.8 * 2) + (0.5 * 1.5 + 0.5 * 0.5)) / 2)
    loss.backward()
    assert z.grad is None, "the experts are held fixed"


@given(st.floats(-5, 5), st.sampled_from([(-3.0, 3.0), (-1.0, 1.0), (0.0, 10.0)]))
def test_ranges_there_and_back(x: float, limits: tuple[float, float]) -> None:
    z = torch.tensor([x])
    assert torch.allclose(from_range(to_range(z, limits), limits), z, atol=1e-5)
    assert to_range(torch.tensor([-3.0, 3.0]), limits).tolist() == pytest.approx(limits)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=60), st.integers(0, 99))
def test_intervals_hold_their_share_of_dev(truth: list[float], seed: int) -> None:
    true = np.array(truth)
    said = true + np.random.default_rng(seed).normal(size=len(true))
    found = calibrate_intervals(true, said)
    errors = np.abs(said - true)
    for level, width in found["half_widths"].items():
        held = (errors <= width + 1e-4).mean()
        assert held >= min(float(level), 1 - 1 / (len(true) + 1)) - 1e-9
    assert found["bias"] == pytest.approx(float((said - true).mean()), abs=1e-4)


def test_intervals_hold_new_answers_too() -> None:
    """Split conformal prediction: errors drawn alike are held with at least the level's probability, on average."""
    rng = np.random.default_rng(1)
    held = []
    for _ in range(400):
        errors = rng.standard_t(3, size=31)
        width = calibrate_intervals(np.zeros(30), errors[:30])["half_widths"]["0.8"]
        held.append(abs(errors[30]) <= width)
    assert 0.75 < np.mean(held) < 0.9
