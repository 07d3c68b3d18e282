"""What all rivals share: standardised inputs, one projection per modality, one classifier, the same loss.

A rival's own file has what its paper adds between the two: ``encode``. So a difference in numbers is one of the model,
not of inputs, losses or training. Deviations from a paper that follow from this are not repeated in each file: inputs
are standardised, a missing modality is a learned vector (papers have none missing), the loss is cross-entropy (or the
distance of values), optimiser and number of epochs are the recipe's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from moodline.core.batch import Batch, Output
from moodline.core.errors import ConfigError
from moodline.core.settings import Settings
from moodline.nn.dropout import Dropout
from moodline.nn.goals import goal_of
from moodline.nn.inputs import ModalityInput, fit_statistics
from moodline.nn.losses import RegressionLoss
from moodline.nn.model import ConversationModel
from moodline.nn.packing import PackedUtterances
from moodline.nn.value_range import value_range_problems


@dataclass(frozen=True)
class BaselineConfig(Settings):
    """Settings of every rival."""

    dims: dict[str, int]
    """Feature size D of each modality; set from the data."""
    classes: int
    """Number of classes C; set from the label set; 1 with ``value_range``."""
    value_range: tuple[float, float] | None = None
    """The range (low, high) of the values to learn in place of classes; set from the corpus for a regression."""
    hidden: int = 100
    """H, the width that every modality is projected to."""
    dropout: float = 0.4
    """Of projected inputs and of the classifier's input, in training."""
    gamma: float = 0.0
    """Focal parameter γ; 0 is cross-entropy."""
    score_loss: RegressionLoss = "l1"
    """With ``value_range``: how far an answer is from the true value."""

    def __post_init__(self) -> None:
        problems = self.problems()
        problems += value_range_problems(self.classes, self.value_range)
        if problems:
            raise ConfigError(f"{type(self).__name__.removesuffix('Config').lower()}: " + "; ".join(problems))

    def problems(self) -> list[str]:
        """What is wrong with the settings; rivals with settings of their own add to it."""
        problems = []
        if not self.dims or any(d < 1 for d in self.dims.values()):
            problems.append(f"dims must name at least one modality with a positive size, got {self.dims}")
        if self.hidden < 2 or self.hidden % 2:
            problems.append(f"hidden must be positive and even, got {self.hidden}")
        if not 0 <= self.dropout < 1:
            problems.append(f"dropout must be in [0, 1), got {self.dropout}")
        if not 0 <= self.gamma < float("inf"):
            problems.append(f"gamma must not be negative, got {self.gamma}")
        return problems


@dataclass(frozen=True)
class Turns:
    """The real utterances of a batch, laid end to end (N of them).

    Args:
        x: modality to [N, H], projected; a learned vector where it is missing.
        present: modality to bool [N].
        rows: how they belong to conversations.
        speakers: int64 [N], number of the speaker in the conversation, −1 where unknown.
    """

    x: dict[str, Tensor]
    present: dict[str, Tensor]
    rows: PackedUtterances
    speakers: Tensor


class Baseline(ConversationModel):
    """The frame of a rival; subclasses say how wide ``encode``'s states are, and compute them."""

    Config = BaselineConfig

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__(config)
        self.goal = goal_of(config.value_range, config.gamma, config.score_loss)
        self.inputs = nn.ModuleDict({m: ModalityInput(size) for m, size in config.dims.items()})
        self.project = nn.ModuleDict({m: nn.Linear(size, config.hidden) for m, size in config.dims.items()})
        self.dropout = Dropout(config.dropout)

    def head(self, width: int) -> None:
        """Make the classifier for states of this width; called at the end of a subclass's constructor."""
        self.classify = nn.Linear(width, self.config.classes)

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """States of the utterances.

        Args:
            turns: the utterances.
            extras: ``Output.extras``; a rival puts in what its own loss needs, under ``terms`` further weighted terms.

        Returns:
            [N, S], S as given to ``head``.
        """
        raise NotImplementedError

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Set the input standardisation from training batches; called once, before training."""
        fit_statistics(dict(self.inputs.items()), batches)  # type: ignore[arg-type]

    def turns(self, batch: Batch) -> Turns:
        """The batch's real utterances, projected.

        Args:
            batch: features [B, U, D] of each modality.
        """
        rows = PackedUtterances(batch.valid)
        present = {m: rows.pack(batch.present[m] & batch.valid) for m in self.config.dims}
        x = {
            m: self.dropout(torch.relu(self.project[m](self.inputs[m](rows.pack(batch.features[m]), here))))
            for m, here in present.items()
        }
        who = torch.full_like(batch.valid, -1, dtype=torch.long) if batch.speakers is None else batch.speakers
        return Turns(x, present, rows, rows.pack(who))

    def forward(self, batch: Batch) -> Output:
        """Logits of every utterance.

        Args:
            batch: features and masks of this model's modalities.

        Returns:
            ``Output`` with logits [B, U, C] (of a regression [B, U, 1], in its range) and one expert ``model``, the
            whole. An utterance without any modality gets equal logits, or the middle of the range.
        """
        turns = self.turns(batch)
        extras: dict[str, Any] = {}
        z = self.classify(self.dropout(self.encode(turns, extras)))  # [N, C]
        some = torch.stack(list(turns.present.values())).any(0)
        logits = turns.rows.pad(self.goal.to_output(torch.where(some[:, None], z, 0.0)))
        return Output(logits, {"model": logits}, batch.valid[..., None].to(logits), extras)

    def loss(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Cross-entropy (distance of values) over real, labelled utterances, plus the rival's own terms.

        Returns:
            ``total`` and, where there are more terms, each by its name.
        """
        real, y = self.goal.truth(batch)
        own = self.goal.loss(self.goal.to_network(output.logits[real]), y)
        more: dict[str, Tensor] = output.extras.get("terms", {})
        return {"total": own + sum(more.values(), own.new_zeros(())), **more}
