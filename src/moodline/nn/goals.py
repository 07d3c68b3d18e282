"""What a conversation model learns, for its losses: classes or values. A model asks its goal and does not distinguish.

``N`` counts the real utterances that have a label or a value, ``C`` classes, ``K`` experts. ``z`` are numbers of the
network: logits [N, C], or values [N, 1] in the network's own range (see ``value_range.py``); ``y`` is the truth:
classes int64 [N], or values float [N] in the same range.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from moodline.core.batch import Batch
from moodline.core.labels import IGNORE
from moodline.nn.losses import (
    RegressionLoss,
    focal_loss,
    gate_likelihood,
    kl_divergence,
    regression_loss,
    value_distance,
)
from moodline.nn.value_range import from_range, to_range


@dataclass(frozen=True)
class ClassificationGoal:
    """Classes.

    Args:
        gamma: focusing parameter of the focal loss.
        term: the loss's name in histories.
    """

    gamma: float
    term: str = "focal"

    def truth(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Where there is a labelled utterance, bool [B, U], and the classes there, int64 [N]."""
        assert batch.labels is not None
        real = batch.valid & (batch.labels != IGNORE)
        return real, batch.labels[real]

    def to_output(self, z: Tensor) -> Tensor:
        """The network's numbers as ``Output`` has them: logits as they are."""
        return z

    def to_network(self, output: Tensor) -> Tensor:
        """The inverse of ``to_output``."""
        return output

    def loss(self, z: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Focal loss, a mean; ``weight`` [C] weighs the classes."""
        return focal_loss(z, y, self.gamma, weight)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Classes are answered by their names, not by numbers."""
        return ()

    def answer_index(self, y: Tensor) -> Tensor:
        """The index of the true answer among all that a language model may give, int64 [N]."""
        return y

    def apart(self, teacher: Tensor, student: Tensor) -> Tensor:
        """How far two answers are apart, [N]: the KL divergence."""
        return kl_divergence(teacher, student)

    def groups(self, y: Tensor) -> Tensor:
        """Which utterances are positives of each other, int64 [N]: those of the same class."""
        return y

    def gate(self, weights: Tensor, z: Tensor, y: Tensor) -> Tensor:
        """The loss of the gate alone, for its weights [N, K] and the experts' answers [N, K, C], held fixed."""
        return gate_likelihood(weights, z, y)


@dataclass(frozen=True)
class RegressionGoal:
    """Values.

    Args:
        kind: the distance that all terms use.
        value_range: (low, high) of the corpus's values.
    """

    kind: RegressionLoss
    value_range: tuple[float, float] = (-3.0, 3.0)
    term: str = "score"

    def truth(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Where there is an utterance with a value, bool [B, U], and the values there, float [N]."""
        assert batch.targets is not None
        real = batch.valid & ~torch.isnan(batch.targets)
        return real, from_range(batch.targets[real], self.value_range)

    def to_output(self, z: Tensor) -> Tensor:
        """The network's numbers as values of the corpus's range."""
        return to_range(z, self.value_range)

    def to_network(self, output: Tensor) -> Tensor:
        """The inverse of ``to_output``."""
        return from_range(output, self.value_range)

    def loss(self, z: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Mean distance; there are no classes to weigh."""
        return regression_loss(z.squeeze(-1), y, self.kind)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers with one decimal from the lowest to the highest value, as a language model answers them."""
        low, high = (round(10 * x) for x in self.value_range)
        return tuple(n / 10 for n in range(low, high + 1))

    def answer_index(self, y: Tensor) -> Tensor:
        """The index of the true answer among ``numbers``, int64 [N]."""
        return ((self.to_output(y) - self.value_range[0]) * 10).round().long()

    def apart(self, teacher: Tensor, student: Tensor) -> Tensor:
        """How far two answers are apart, [N]."""
        return value_distance(teacher.squeeze(-1), student.squeeze(-1), self.kind)

    def groups(self, y: Tensor) -> Tensor:
        """Which utterances are positives of each other, int64 [N]: those that round to the same of seven numbers."""
        return y.round().long()

    def gate(self, weights: Tensor, z: Tensor, y: Tensor) -> Tensor:
        """Mean of Σ_k w_k d(z_k, y) for weights [N, K] and the experts' answers [N, K, 1], held fixed."""
        if not len(y):
            return weights.sum() * 0.0
        d = value_distance(z.detach().squeeze(-1), y[:, None].expand(-1, z.shape[1]), self.kind)
        return (weights.float() * d).sum(-1).mean()


Goal = ClassificationGoal | RegressionGoal


def goal_of(value_range: tuple[float, float] | None, gamma: float, kind: RegressionLoss, term: str = "focal") -> Goal:
    """The goal of a model's settings.

    Args:
        value_range: (low, high) of a regression; None for classes.
        gamma: of the focal loss of classes; 0 is cross-entropy.
        kind: the distance of values.
        term: name of the loss of classes.
    """
    return ClassificationGoal(gamma, term) if value_range is None else RegressionGoal(kind, value_range)
