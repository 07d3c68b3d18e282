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

from moodline.core.batch import Batch, Output
from moodline.core.settings import Settings
from moodline.experiments.evaluate import evaluate
from moodline.experiments.train import train
from moodline.models.registry import MODELS
from moodline.nn.losses import focal_loss
from moodline.nn.model import ConversationModel
from moodline.pipeline.recipe import Recipe, parse


@dataclass(frozen=True)
class EarlyFusionConfig(Settings):
    """``dims`` and ``classes`` are filled in from the data, the rest comes from the recipe."""

    dims: dict[str, int]
    classes: int
    hidden: int = 32


class EarlyFusion(ConversationModel):
    """All modalities side by side into two layers, each utterance alone."""

    Config = EarlyFusionConfig
    description = "Early fusion: all modalities side by side."

    def __init__(self, config: EarlyFusionConfig) -> None:
        super().__init__(config)
        size = sum(config.dims.values())
        self.layers = nn.Sequential(nn.Linear(size, config.hidden), nn.ReLU(), nn.Linear(config.hidden, config.classes))

    def fit_statistics(self, batches: object) -> None:
        """Nothing to standardise here."""

    def forward(self, batch: Batch) -> Output:
        """Logits [B, U, C]; values of a missing modality are never read."""
        x = [v.masked_fill(~batch.present[m][..., None], 0.0) for m, v in batch.features.items()]
        logits = self.layers(torch.cat(x, dim=-1))
        return Output(logits, experts={"fusion": logits})

    def loss(self, batch: Batch, output: Output) -> dict[str, torch.Tensor]:
        """A mean over real, labelled utterances (``focal_loss`` leaves out padding and unlabelled ones)."""
        return {"total": focal_loss(output.logits.flatten(0, 1), batch.labels.flatten(), gamma=1.0)}


if __name__ == "__main__":
    MODELS["early-fusion"] = f"{__name__}:EarlyFusion"
    place = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    data = write_corpus(place / "data")
    recipe = {**RECIPE, "name": "early-fusion", "model": {"name": "early-fusion", "hidden": 16}}
    run = train(parse(Recipe, recipe, "early-fusion"), data, place / "run")
    print("test weighted F1:", evaluate(run, data)["mean"]["weighted_f1"])
