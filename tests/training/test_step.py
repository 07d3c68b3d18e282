"""One optimizer step: the same as a plain loop with the ordinary Adam and torch's clipping."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from moodline.core.errors import MoodlineError
from moodline.evaluation.selection import judge_by_weighted_f1
from moodline.models.mister_e import MisterE, MisterEConfig
from moodline.training.data import collate, epoch_batches
from moodline.training.loop import _Run
from moodline.training.settings import TrainConfig
from tests.training.small_run import CLASSES, example, run


@pytest.mark.parametrize("clip_norm", [0.01, 1e6], ids=["clipped", "not-clipped"])
@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_steps_are_those_of_a_plain_loop(tmp_path: Path, clip_norm: float, optimizer: str) -> None:
    torch.manual_seed(0)
    dims, sizes = {"speech": 4, "text": 6}, {"hidden": 8, "heads": 2, "head_width": 4, "dropout": 0.0}
    model = MisterE(MisterEConfig(dims, CLASSES, **sizes)).train()  # type: ignore[arg-type]
    plain = copy.deepcopy(model)
    examples = [example(n) for n in range(12)]
    config = TrainConfig(
        epochs=1, learning_rate=1e-2, batch_size=4, clip_norm=clip_norm, optimizer=optimizer, weight_decay=0.1
    )
    ours = _Run(model, examples, examples, collate, len, judge_by_weighted_f1(CLASSES), config, tmp_path, None)
    kind = torch.optim.AdamW if optimizer == "adamw" else torch.optim.Adam
    theirs = kind(plain.parameters(), lr=1e-2, weight_decay=0.1, foreach=False, fused=False)
    for n, chosen in enumerate(epoch_batches([len(e) for e in examples], 4, 0, 0)):
        ours.one_step([chosen], [], n)
        batch = collate([examples[i] for i in chosen])
        theirs.zero_grad()
        plain.loss(batch, plain(batch))["total"].backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), clip_norm)
        theirs.step()
    for (name, a), b in zip(model.named_parameters(), plain.parameters(), strict=True):
        # the bias of keys shifts all scores alike, so its gradient is rounding noise, which Adam blows up
        assert name.endswith("key.bias") or torch.allclose(a, b, atol=1e-5), name


def test_a_gradient_that_is_not_finite_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moodline.nn import goals

    monkeypatch.setattr(goals, "focal_loss", lambda z, *_: (z * 0).sqrt().sum())
    with pytest.raises(MoodlineError, match="gradient is not finite"):
        run(tmp_path, epochs=1)
    assert not (tmp_path / "state.pt").exists()
