"""The longest batch first: it leaves no trace. The tests run without a GPU and are told there was one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from moodline.training import loop
from moodline.training.memory_check import reserve_memory, should_check_memory
from tests.training.small_run import example, run, weights_hash


def test_only_devices_with_a_memory_of_their_own() -> None:
    assert [should_check_memory(torch.device(d)) for d in ("cpu", "cuda")] == [False, True]


def test_results_are_the_same_and_the_longest_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[int]] = []
    expected = weights_hash(run(tmp_path / "plain", epochs=2, accumulate=2, average=0.5))
    original = loop._Run.check_memory

    def watched(self: loop._Run) -> None:
        collate = self.collate
        self.collate = lambda examples: (seen.append([len(e) for e in examples]), collate(examples))[1]
        original(self)
        self.collate = collate

    monkeypatch.setattr(loop, "should_check_memory", lambda device: True)
    monkeypatch.setattr(loop._Run, "check_memory", watched)
    assert weights_hash(run(tmp_path / "tried", epochs=2, accumulate=2, average=0.5)) == expected
    assert seen == [sorted(len(example(n)) for n in range(40))[-4:]]


def test_statistics_gradients_and_random_numbers_stay() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with reserve_memory(model, torch.device("cpu"), 3):
        model(torch.randn(8, 3)).sum().backward()
        assert not torch.equal(model[1].running_mean, before["1.running_mean"])
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_a_resumed_run_does_not_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, epochs=1)
    monkeypatch.setattr(loop, "should_check_memory", lambda device: True)
    monkeypatch.setattr(loop._Run, "check_memory", lambda self: pytest.fail("tried again"))
    run(tmp_path, epochs=1)
