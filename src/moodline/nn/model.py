"""What a network promises: the training loop asks for a loss, everything else for what a model of conversations has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from moodline.core.batch import Batch, Output


class TrainableModel(nn.Module):
    """A network that the training loop can train: ``model(batch)`` gives an ``Output``."""

    if TYPE_CHECKING:

        def __call__(self, batch: Any) -> Output:
            """The answers to a batch."""

    def loss(self, batch: Any, output: Output) -> dict[str, Tensor]:
        """The terms of the loss by name, with ``total``, a scalar: a mean over the batch's labelled utterances.

        Args:
            batch: what the model was called with.
            output: what it returned.
        """
        raise NotImplementedError


class ConversationModel(TrainableModel):
    """A model of conversations, as ``models/registry.py`` lists them.

    A class of its own has ``Config`` with the fields ``dims`` (modality to feature size), ``classes`` and
    ``value_range``, takes one as its only argument, and returns from ``forward`` an ``Output`` with logits [B, U, C],
    its experts' logits and their weights [B, U, K].
    """

    Config: ClassVar[type[Any]]
    """Its settings, a ``Settings`` dataclass, checked when they are made."""
    description: ClassVar[str]
    """One line for ``moodline models``."""
    reads: ClassVar[dict[str, str]] = {}
    """Modality to "frames" or "tokens"; all others are vectors."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Set what the model takes from the training set before training, such as means of its inputs.

        Args:
            batches: of the training set, each utterance once.
        """
        raise NotImplementedError
