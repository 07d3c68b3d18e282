"""Mean and standard deviation over a training set, added up batch by batch."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Standardizing(Protocol):
    """A block that subtracts ``mean`` and divides by ``scale``, buffers [D]."""

    mean: Tensor
    scale: Tensor


class TrainingStatistics:
    """Sums over the rows of a training set, in float64.

    Args:
        size: features D of a row.
    """

    def __init__(self, size: int) -> None:
        self.sums = torch.zeros(3, size, dtype=torch.float64)

    def add(self, rows: Tensor) -> None:
        """Count rows [N, D]."""
        rows = rows.double()
        self.sums += torch.stack([torch.full_like(self.sums[0], len(rows)), rows.sum(0), rows.square().sum(0)])

    def store(self, block: Standardizing) -> None:
        """Set a block's buffers; a constant feature keeps scale 1."""
        count, first, second = self.sums
        mean = first / count.clamp_min(1)
        sd = (second / count.clamp_min(1) - mean**2).clamp_min(0).sqrt()
        block.mean.copy_(mean)
        block.scale.copy_(torch.where(sd > 1e-6 * mean.abs().clamp_min(1), sd, torch.ones_like(sd)))
