"""Linear: each utterance by itself, one linear layer on what its encoders say. The baseline without context.

It tells what encoders are worth on their own, and what the context models of this folder add to them: multinomial
logistic regression on the standardised features of all modalities side by side, with a learned vector where a modality
is missing. Nothing of it is from a paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from moodline.core.batch import Batch, Output
from moodline.core.errors import ConfigError
from moodline.core.settings import Settings
from moodline.nn.dropout import Dropout
from moodline.nn.goals import goal_of
from moodline.nn.inputs import ModalityInput, fit_statistics, hide_modalities
from moodline.nn.losses import RegressionLoss
from moodline.nn.model import ConversationModel
from moodline.nn.packing import PackedUtterances
from moodline.nn.value_range import value_range_problems


@dataclass(frozen=True)
class LinearConfig(Settings):
    """Settings of the baseline."""

    dims: dict[str, int]
    """Feature size D of each modality; set from the data."""
    classes: int
    """Number of classes C; set from the label set; 1 with ``value_range``."""
    value_range: tuple[float, float] | None = None
    """The range (low, high) of the values to learn in place of classes; set from the corpus for a regression."""
    score_loss: RegressionLoss = "l1"
    """With ``value_range``: how far an answer is from the true value."""
    gamma: float = 0.0
    """Focal parameter γ; 0 is cross-entropy."""
    dropout: float = 0.0
    """Of the features, in training."""
    modality_dropout: float = 0.0
    """Share of present (utterance, modality) pairs hidden in training, never the last one of an utterance."""

    def __post_init__(self) -> None:
        problems = []
        if not self.dims or any(d < 1 for d in self.dims.values()):
            problems.append(f"dims must name at least one modality with a positive size, got {self.dims}")
        if not 0 <= self.gamma < float("inf"):
            problems.append(f"gamma must not be negative, got {self.gamma}")
        for name in ("dropout", "modality_dropout"):
            if not 0 <= getattr(self, name) < 1:
                problems.append(f"{name} must be in [0, 1), got {getattr(self, name)}")
        problems += value_range_problems(self.classes, self.value_range)
        if problems:
            raise ConfigError("linear: " + "; ".join(problems))


class Linear(ConversationModel):
    """logits = W [x_1; …; x_M] + b for each utterance. See ``LinearConfig``."""

    Config = LinearConfig
    description = "Linear: each utterance by itself, a linear layer on its features; the baseline without context."

    def __init__(self, config: LinearConfig) -> None:
        super().__init__(config)
        self.goal = goal_of(config.value_range, config.gamma, config.score_loss)
        self.inputs = nn.ModuleDict({m: ModalityInput(size) for m, size in config.dims.items()})
        self.dropout = Dropout(config.dropout)
        self.classify = nn.Linear(sum(config.dims.values()), config.classes)

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Set the input standardisation from training batches; called once, before training."""
        fit_statistics(dict(self.inputs.items()), batches)  # type: ignore[arg-type]

    def forward(self, batch: Batch) -> Output:
        """Logits of every utterance.

        Args:
            batch: features and masks of this model's modalities.

        Returns:
            ``Output`` with logits [B, U, C] (of a regression [B, U, 1], in its range) and one expert ``model``,
            the whole. An utterance without any modality gets equal logits, or the middle of the range.
        """
        rows, c = PackedUtterances(batch.valid), self.config
        masks = {m: batch.present[m] & batch.valid for m in c.dims}
        masks = hide_modalities(masks, c.modality_dropout) if self.training else masks
        present = {m: rows.pack(mask) for m, mask in masks.items()}
        x = torch.cat([self.inputs[m](rows.pack(batch.features[m]), here) for m, here in present.items()], dim=-1)
        some = torch.stack(list(present.values())).any(0)
        told = torch.where(some[:, None], self.classify(self.dropout(x)), 0.0)
        logits = rows.pad(self.goal.to_output(told))
        return Output(logits, {"model": logits}, batch.valid[..., None].to(logits))

    def loss(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Focal loss (distance of values) over real, labelled utterances.

        Returns:
            ``total``, a scalar.
        """
        real, y = self.goal.truth(batch)
        return {"total": self.goal.loss(self.goal.to_network(output.logits[real]), y)}
