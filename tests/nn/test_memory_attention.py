"""Looking around in long conversations: blocks, and one head of attention that tells where it looked."""

from __future__ import annotations

import pytest
import torch

from moodline.nn.local_attention import Windows
from moodline.nn.memory_attention import recall
from moodline.nn.packing import PackedUtterances


def rows_of(*lengths: int) -> PackedUtterances:
    return PackedUtterances(torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None])


@pytest.mark.parametrize("window", [1, 2, 3, 4, 7])
def test_windows_hold_what_is_near_and_give_back_what_they_took(window: int) -> None:
    rows = rows_of(11, 3)
    x = torch.arange(22).view(2, 11)
    w = Windows(rows.valid, window)
    own, around = w.own(x), w.around(x)
    assert torch.equal(torch.where(rows.valid, w.back(own), 0), torch.where(rows.valid, x, 0))
    for g in range(len(own)):
        for s in range(own.shape[1]):
            near = set(around[g][w.near[s]].tolist())
            place = int(w.first[g]) + window - 1 + s
            if place < 11:
                start = int(own[g, s]) - place
                assert {start + j for j in range(11) if abs(j - place) < window} <= near


@pytest.mark.parametrize("window", [0, 2, 5])
def test_recall_is_softmax_over_real_places_within_reach(window: int) -> None:
    torch.manual_seed(0)
    rows = rows_of(9, 1, 4)
    query, memory = torch.randn(2, 14, 3, dtype=torch.float64)
    real = torch.rand(14) > 0.3
    found, weights, places = recall(query, memory, real, rows, window, kept=3)
    start = 0
    for length in (9, 1, 4):
        for u in range(length):
            seen = [j for j in range(length) if real[start + j] and (not window or abs(j - u) < window)]
            row, keys = start + u, [start + j for j in seen]
            alpha = (memory[keys] @ query[row]).softmax(0) if seen else torch.zeros(0, dtype=torch.float64)
            assert torch.allclose(found[row], (alpha[:, None] * memory[keys]).sum(0))
            best = sorted(zip(alpha.tolist(), seen, strict=True), reverse=True)[:3]
            assert [p for p in places[row].tolist() if p >= 0] == [j for _, j in best]
            assert weights[row, : len(best)].tolist() == pytest.approx([a for a, _ in best])
        start += length
