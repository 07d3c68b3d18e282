"""The baseline: what it says is a linear map of each utterance's own features, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from moodline.core.errors import ConfigError
from moodline.models.linear import Linear, LinearConfig
from tests.models.helpers import random_batch

TWO = {"speech": 5, "text": 6}


def make(**settings: float) -> Linear:
    torch.manual_seed(4)
    model = Linear(LinearConfig(TWO, 4, **settings))  # type: ignore[arg-type]
    model.fit_statistics([random_batch(TWO, [9, 7], seed=2)])
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model.eval()


def test_each_utterance_is_weighed_on_its_own() -> None:
    model, batch = make().double(), random_batch(TWO, [4, 2], missing=0.4, seed=5)
    batch = dataclasses.replace(batch, features={m: x.double() for m, x in batch.features.items()})
    said = model(batch)
    weight, bias = model.classify.weight, model.classify.bias
    for b, u in batch.valid.nonzero().tolist():
        parts = []
        for m in TWO:
            door = model.inputs[m]
            if batch.present[m][b, u]:
                parts.append((batch.features[m][b, u] - door.mean) / door.scale)  # type: ignore[operator]
            else:
                parts.append(door.missing)  # type: ignore[arg-type]
        nothing = not any(batch.present[m][b, u] for m in TWO)
        expected = torch.zeros(4).double() if nothing else weight @ torch.cat(parts) + bias
        assert torch.allclose(said.logits[b, u], expected)


def test_neighbours_change_nothing() -> None:
    model, batch = make(), random_batch(TWO, [6], seed=1)
    turned = dataclasses.replace(batch, features={m: x.flip(1) for m, x in batch.features.items()})
    assert torch.allclose(model(batch).logits, model(turned).logits.flip(1), atol=1e-6)


def test_hard_utterances_weigh_more_with_gamma() -> None:
    batch = random_batch(TWO, [8], seed=3)
    plain, focal = make(), make(gamma=2.0)
    assert batch.labels is not None
    chances = plain(batch).logits.log_softmax(-1)[batch.valid].gather(1, batch.labels[batch.valid][:, None])
    total = focal.loss(batch, focal(batch))["total"]
    assert torch.allclose(total, (-((1 - chances.exp()) ** 2) * chances).mean())


def test_golden_numbers() -> None:
    said = make()(random_batch(TWO, [3], seed=7)).logits[0, :, 0]
    assert torch.allclose(said, torch.tensor(GOLDEN), atol=1e-4)


GOLDEN = [0.1464, -0.1325, -1.1243]


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"gamma": -1.0}, "gamma must not be negative"), ({"dropout": 1.0}, r"dropout must be in \[0, 1\)")],
)
def test_wrong_settings(settings: dict[str, float], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make(**settings)
