"""The door of every model: standardised features, and a learned vector where a modality is missing."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from moodline.core.batch import Batch
from moodline.nn.statistics import TrainingStatistics


class ModalityInput(nn.Module):
    """Standardise one modality with statistics of the training set, and stand in where it is missing.

    Mean and standard deviation are buffers, saved with the model and never trained. A missing utterance
    becomes a learned vector, so "missing" differs from "a vector of zeros".

    Args:
        width: feature size D.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.missing = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Standardise and fill in.

        Args:
            x: [N, D], utterances; those that are not present are never read, NaN included.
            present: bool [N].

        Returns:
            [N, D]. It needs no gradient where nothing is missing, which spares the layers behind it.
        """
        if bool(present.all()):
            return (x - self.mean) / self.scale
        x = (torch.where(present[:, None], x, self.mean) - self.mean) / self.scale
        return torch.where(present[:, None], x, self.missing)


class SpeakerInput(nn.Module):
    """Who of a conversation speaks: a learned vector for each speaker's number, zero at first.

    Args:
        slots: how many speakers are told apart; further ones share these vectors in turn.
        width: feature size D.
    """

    def __init__(self, slots: int, width: int) -> None:
        super().__init__()
        self.slots = slots
        self.table = nn.Parameter(torch.zeros(slots, width))

    def forward(self, speakers: Tensor) -> Tensor:
        """int64 [N], speakers by the order of first speaking, -1 unknown → [N, D], zero where unknown."""
        return torch.where((speakers >= 0)[:, None], self.table[speakers % self.slots], 0.0)


def hide_modalities(present: dict[str, Tensor], rate: float) -> dict[str, Tensor]:
    """Hide a share of present (utterance, modality) pairs, never the last one of an utterance; for training.

    Args:
        present: modality to bool [B, U].
        rate: the share.
    """
    if not rate or len(present) == 1:
        return present
    stacked = torch.stack(list(present.values()))
    luck = torch.rand(stacked.shape, device=stacked.device) * stacked
    kept = stacked & ((luck >= rate) | (luck == luck.max(0).values))
    return dict(zip(present, kept, strict=True))


def fit_statistics(inputs: dict[str, ModalityInput], batches: Iterable[Batch]) -> None:
    """Set mean and scale of each modality from present utterances of the training set.

    Args:
        inputs: modality to its input block, changed in place.
        batches: training batches; each present utterance counts once. A constant feature keeps scale 1.
    """
    found = {m: TrainingStatistics(i.width) for m, i in inputs.items()}
    for batch in batches:
        for m, statistics in found.items():
            statistics.add(batch.features[m][batch.present[m]])
    for m, statistics in found.items():
        statistics.store(inputs[m])
