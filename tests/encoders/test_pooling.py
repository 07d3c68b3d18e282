"""Masked pooling: plain reference implementations, and padding of any amount, side and content."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.nn import pooling

REFERENCES = {
    "mean": lambda x: x.mean(0),
    "cls": lambda x: x[0],
    "last": lambda x: x[-1],
    "mean_std": lambda x: np.concatenate([x.mean(0), x.std(0)]),
}


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(REFERENCES)),
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    left=st.booleans(),
    extra=st.integers(0, 3),
    rubbish=st.sampled_from([0.0, 1e30, float("nan"), float("inf")]),
)
def test_against_plain_numpy(name: str, lengths: list[int], left: bool, extra: int, rubbish: float) -> None:
    rng = np.random.default_rng(len(lengths))
    rows = [rng.normal(size=(n, 3)).astype(np.float32) for n in lengths]
    size = max(lengths) + extra
    x = torch.full((len(rows), size, 3), rubbish)
    mask = torch.zeros(len(rows), size, dtype=torch.bool)
    for b, row in enumerate(rows):
        place = slice(size - len(row), size) if left else slice(0, len(row))
        x[b, place], mask[b, place] = torch.from_numpy(row), True
    out = pooling.POOLINGS[name](x, mask)
    for b, row in enumerate(rows):
        np.testing.assert_allclose(out[b], REFERENCES[name](row), atol=4e-5)


def test_attentive_statistics() -> None:
    torch.manual_seed(0)
    pool = pooling.AttentiveStatistics(4, hidden=8)
    x = torch.randn(1, 5, 4)
    weights = pool.score(x).softmax(1)
    mean = (weights * x).sum(1)
    std = (weights * (x - mean) ** 2).sum(1).sqrt()
    alone = pool(x, torch.ones(1, 5, dtype=torch.bool))
    torch.testing.assert_close(alone, torch.cat([mean, std], -1))
    padded = torch.cat([torch.full((1, 2, 4), torch.nan), x, torch.full((1, 3, 4), 1e20)], 1)
    mask = torch.tensor([[False] * 2 + [True] * 5 + [False] * 3])
    torch.testing.assert_close(pool(padded, mask), alone)


@pytest.mark.parametrize("name", [*REFERENCES, "attentive"])
def test_gradients_are_finite_and_empty_rows_are_zero(name: str) -> None:
    pool = pooling.AttentiveStatistics(3) if name == "attentive" else pooling.POOLINGS[name]
    x = torch.ones(2, 4, 3, requires_grad=True)  # equal frames: the standard deviation is zero
    mask = torch.tensor([[True, True, False, False], [False] * 4])
    out = pool(x, mask)
    out.sum().backward()
    assert torch.isfinite(out).all()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert (x.grad[0, 2:] == 0).all()
    assert (out[1] == 0).all()
