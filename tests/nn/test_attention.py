"""Attention within a window, against a plain attention with a mask over all pairs."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from moodline.nn.attention import MultiHeadAttention
from moodline.nn.packing import PackedUtterances

WIDTH = 6


def make(window: int, dropout: float = 0.0) -> MultiHeadAttention:
    torch.manual_seed(0)
    return MultiHeadAttention(WIDTH, 2, 3, dropout, window).double()


def inputs(
    lengths: list[int], memories: int, missing: float
) -> tuple[Tensor, list[Tensor], list[Tensor], PackedUtterances]:
    torch.manual_seed(1)
    n = sum(lengths)
    rows = PackedUtterances(torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None])
    streams = [torch.randn(n, WIDTH, dtype=torch.float64, requires_grad=True) for _ in range(memories + 1)]
    return streams[0], streams[1:], [torch.rand(n) >= missing for _ in range(memories)], rows


def plain(model: MultiHeadAttention, query: Tensor, memory: Tensor, real: Tensor, window: int) -> Tensor:
    """One conversation [U, D], memories end to end [M · U, D], by a mask over all pairs."""
    places = torch.arange(len(memory)) % len(query)
    allowed = real & ((torch.arange(len(query))[:, None] - places).abs() < window)
    heads = []
    for h in range(model.heads):
        part = slice(h * model.head_width, (h + 1) * model.head_width)
        q, k, v = model.query(query)[:, part], model.key(memory)[:, part], model.value(memory)[:, part]
        scores = (q @ k.T / math.sqrt(model.head_width)).masked_fill(~allowed, float("-inf"))
        heads.append(scores.softmax(-1).nan_to_num() @ v)
    return model.out(torch.cat(heads, -1)) * allowed.any(1, keepdim=True)


def expected(
    model: MultiHeadAttention,
    query: Tensor,
    memories: list[Tensor],
    real: list[Tensor],
    lengths: list[int],
    window: int,
) -> Tensor:
    out, start = [], 0
    for u in lengths:
        part = slice(start, start + u)
        memory, mask = torch.cat([m[part] for m in memories]), torch.cat([r[part] for r in real])
        out.append(plain(model, query[part], memory, mask, window))
        start += u
    return torch.cat(out)


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("lengths", [[9], [30], [1, 17, 8], [5, 5], [40, 2]], ids=str)
@pytest.mark.parametrize(("memories", "missing"), [(1, 0.0), (2, 0.3), (1, 0.9)])
def test_window_is_a_band_over_all_pairs(window: int, lengths: list[int], memories: int, missing: float) -> None:
    model = make(window)
    query, streams, real, rows = inputs(lengths, memories, missing)
    found = model(query, streams, real, rows)
    wanted = expected(model, query, streams, real, lengths, window)
    assert torch.allclose(found, wanted, atol=1e-12)
    weights = torch.cos(torch.arange(found.numel(), dtype=torch.float64)).view_as(found)
    variables = [query, *streams, *model.parameters()]
    ours, theirs = (torch.autograd.grad((y * weights).sum(), variables) for y in (found, wanted))
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-10)


@pytest.mark.parametrize("lengths", [[8], [3, 8, 1]], ids=str)
def test_window_as_long_as_the_conversation_changes_nothing(lengths: list[int]) -> None:
    query, streams, real, rows = inputs(lengths, 2, 0.3)
    whole = make(0)(query, streams, real, rows)
    assert torch.equal(make(8)(query, streams, real, rows), whole)
    assert torch.allclose(expected(make(0), query, streams, real, lengths, 10**6), whole, atol=1e-12)


def test_a_long_neighbour_does_not_change_a_short_conversation() -> None:
    query, streams, real, rows = inputs([5, 40], 1, 0.2)
    together = make(6)(query, streams, real, rows)[:5]
    alone = PackedUtterances(torch.ones(1, 5, dtype=torch.bool))
    assert torch.allclose(make(0)(query[:5], [streams[0][:5]], [real[0][:5]], alone), together, atol=1e-12)


def test_no_key_within_reach_gives_zero() -> None:
    query, streams, _, rows = inputs([12], 1, 0.0)
    real = torch.zeros(12, dtype=torch.bool)
    real[0] = True
    out = make(3)(query, streams, [real], rows)
    assert (out[3:] == 0).all()
    assert (out[:3] != 0).any(1).all()
    assert (make(0)(query, streams, [torch.zeros(12, dtype=torch.bool)], rows) == 0).all()


def test_scores_are_as_many_as_utterances_not_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    attend = MultiHeadAttention._attend

    def noted(self: MultiHeadAttention, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        sizes.append(q.shape[0] * q.shape[1] * k.shape[1])
        return attend(self, q, k, v, mask)

    monkeypatch.setattr(MultiHeadAttention, "_attend", noted)
    model = make(16)
    for u in (512, 1024, 4096):
        model(*inputs([u], 1, 0.0))
    assert sizes == [512 * 38, 1024 * 38, 4096 * 38]  # a block of 8 and 15 on each side
    sizes.clear()
    model(*inputs([512, *[8] * 40], 1, 0.0))  # short conversations take one block each, not those of the longest
    assert sizes == [(64 + 40) * 8 * 38]


def test_dropout_in_training_with_a_window() -> None:
    model, values = make(4, dropout=0.5), inputs([20], 1, 0.0)
    assert not torch.equal(model.train()(*values), model(*values))
    assert torch.equal(model.eval()(*values), model(*values))
