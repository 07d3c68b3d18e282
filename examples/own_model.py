"""Bring your own architecture: register a class, train it under the same protocol as the others.

python examples/own_model.py [DIRECTORY]
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from own_features import RECIPE, write_corpus
from torch import nn

from moodline.batch import Batch, Output
from moodline.config import Recipe, parse
from moodline.experiment import evaluate, train
from moodline.labels import IGNORE
from moodline.losses import focal_loss
from moodline.registry import MODELS
from moodline.settings import Settings


@dataclass(frozen=True)
class LateSumConfig(Settings):
    """Settings of ``LateSum``; ``dims`` and ``classes`` are filled in from the data."""

    dims: dict[str, int]
    classes: int
    gamma: float = 0.0


class LateSum(nn.Module):
    """One linear layer a modality, logits added up; no context at all."""

    Config = LateSumConfig

    def __init__(self, config: LateSumConfig) -> None:
        super().__init__()
        self.config = config
        self.heads = nn.ModuleDict({m: nn.Linear(size, config.classes) for m, size in config.dims.items()})

    def fit_statistics(self, batches: object) -> None:
        """Nothing to standardise."""

    def forward(self, batch: Batch) -> Output:
        """Logits [B, U, C]; a missing modality adds nothing."""
        experts = {}
        for m, head in self.heads.items():
            mask = batch.present[m][..., None]
            experts[m] = head(batch.features[m].masked_fill(~mask, 0.0)) * mask
        real = torch.stack([batch.present[m] for m in experts], dim=-1).float()
        return Output(sum(experts.values()), experts, real / real.sum(-1, keepdim=True).clamp_min(1))

    def loss(self, batch: Batch, output: Output) -> dict[str, torch.Tensor]:
        """Mean over real, labelled utterances."""
        real = batch.labels != IGNORE
        return {"total": focal_loss(output.logits[real], batch.labels[real], self.config.gamma)}


if __name__ == "__main__":
    MODELS["late-sum"] = f"{__name__}:LateSum"
    place = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    data = write_corpus(place / "data")
    recipe = {**RECIPE, "name": "late-sum", "model": {"name": "late-sum", "gamma": 1.0}}
    run = train(parse(Recipe, recipe, "late-sum"), data, place / "run")
    print("test weighted F1:", evaluate(run, data)["mean"]["weighted_f1"])
