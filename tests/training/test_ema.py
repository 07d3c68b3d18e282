"""A running mean of the weights: what it is, that it is judged and kept, and that a resumed run has the same one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from moodline.core.errors import ConfigError
from moodline.training.ema import WeightAverage
from moodline.training.settings import TrainConfig
from tests.training.small_run import run, weights_hash


def test_it_is_the_recursion_with_a_short_memory_at_first() -> None:
    model = nn.Linear(1, 1, bias=False)
    average = WeightAverage(0.9, lambda: {"w": model.weight.detach()})
    values, mean = [3.0, -1.0, 4.0, 1.0, 5.0], 3.0
    for step, value in enumerate(values):
        with torch.no_grad():
            model.weight.fill_(value)
        average.update(step)
        if step:
            decay = min(0.9, (1 + step) / (10 + step))
            mean = decay * mean + (1 - decay) * value
    assert average.mean["w"].item() == pytest.approx(mean)
    with average.in_place():
        assert model.weight.item() == pytest.approx(mean)
    assert model.weight.item() == 5.0
    assert average.mean["w"].item() == pytest.approx(mean)


def test_counters_are_taken_as_they_are() -> None:
    count = torch.tensor(1)
    average = WeightAverage(0.9, lambda: {"count": count})
    average.update(0)
    count += 6
    average.update(1)
    assert average.mean["count"].item() == 7


@pytest.mark.train
def test_the_mean_is_kept_and_training_goes_on_without_it(tmp_path: Path) -> None:
    """Steps do not see the mean: with and without it the training losses are the same, the chosen weights are not."""
    import json

    plain, mean = run(tmp_path / "plain", epochs=3), run(tmp_path / "mean", epochs=3, average=0.8)
    assert weights_hash(plain) != weights_hash(mean)
    told = [
        [epoch["loss_total"] for epoch in json.loads((tmp_path / name / "history.json").read_text())]
        for name in ("plain", "mean")
    ]
    assert told[0] == told[1]


@pytest.mark.train
def test_an_interrupted_run_has_the_same_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moodline.training import loop

    expected = weights_hash(run(tmp_path / "whole", average=0.9))
    original = loop._Run.save
    left = 7

    def stop_after(self: loop._Run, *args: object) -> None:
        nonlocal left
        original(self, *args)  # type: ignore[arg-type]
        left -= 1
        if not left:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop._Run, "save", stop_after)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts", average=0.9)
    monkeypatch.undo()
    assert weights_hash(run(tmp_path / "parts", average=0.9)) == expected


def test_a_decay_of_one_would_never_learn() -> None:
    with pytest.raises(ConfigError, match=r"average must lie in \[0, 1\)"):
        TrainConfig(average=1.0)
