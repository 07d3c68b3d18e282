"""Whom of several experts to believe: a softmax over what they say."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Gate(nn.Module):
    """w = softmax(G([z_1 ; … ; z_K]) / τ_g), with weight 0 for experts whose modality is missing (eq. 10)."""

    def __init__(self, width: int, experts: int, hidden: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.network: nn.Module = nn.Linear(width, experts)
        if hidden:
            self.network = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, experts))

    def forward(self, views: Tensor, available: Tensor, more: Iterable[Tensor] = ()) -> Tensor:
        """What each expert says [N, K, W], where it can [N, K], what else is known [N, …] → weights [N, K]."""
        said = (views * available[..., None]).flatten(1)
        scores = self.network(torch.cat([said, *more], dim=-1)) / self.temperature
        return scores.masked_fill(~available, float("-inf")).softmax(-1)
