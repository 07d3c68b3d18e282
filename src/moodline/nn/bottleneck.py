"""Bottleneck experts and their hierarchical gate (EGMF, eq. 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodline.nn.dropout import Dropout

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"mish": F.mish, "gelu": F.gelu, "silu": F.silu, "relu": F.relu}
"""Activations by name; silu is also called Swish."""

Gating = Literal["uniform", "feature", "hierarchical"]


class Bottleneck(nn.Module):
    """Linear D → D/ratio, activation, Linear → D.

    Args:
        width: D.
        ratio: how much narrower the inner layer is.
        activation: a name of ``ACTIVATIONS``.
        dropout: after the activation.
    """

    def __init__(self, width: int, ratio: float, activation: str, dropout: float) -> None:
        super().__init__()
        inner = max(1, round(width / ratio))
        self.enter, self.leave = nn.Linear(width, inner), nn.Linear(inner, width)
        self.activation, self.dropout = ACTIVATIONS[activation], Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[N, D] → [N, D]."""
        return self.leave(self.dropout(self.activation(self.enter(x))))


class LearnableBottleneck(nn.Module):
    """A bottleneck that learns how wide it is and which activation it has (ours).

    Of W = ``width`` / 2 inner units, unit j counts with σ((w − j) / τ), where the width w is learned from W's share
    that ``ratio`` gives; the activation is a learned mixture, which begins at the named one.

    Args:
        width, ratio, activation, dropout: as for ``Bottleneck``; where ratio and activation begin.
    """

    place: Tensor

    def __init__(self, width: int, ratio: float, activation: str, dropout: float) -> None:
        super().__init__()
        inner = max(1, width // 2)
        self.enter, self.leave = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout, self.softness = Dropout(dropout), max(1.0, inner / 32)
        self.size = nn.Parameter(torch.tensor(min(width / ratio, inner) / inner))
        self.mixture = nn.Parameter(torch.tensor([2.0 if name == activation else 0.0 for name in ACTIVATIONS]))
        self.register_buffer("place", torch.arange(inner).float() + 0.5, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, D] → [N, D]."""
        x = self.enter(x)
        mixed = torch.stack([f(x) for f in ACTIVATIONS.values()], dim=-1) @ self.mixture.softmax(0)
        open_ = ((self.size * len(self.place) - self.place) / self.softness).sigmoid()
        return self.leave(self.dropout(mixed * open_))


class HierarchicalGate(nn.Module):
    """α: how much each expert counts for an utterance.

    ``feature``: w = softmax(GateNetwork(f)). ``hierarchical``: α = softmax(MLP([f ; w])), the paper's. ``uniform``: all
    alike, nothing is learned.

    Args:
        width: D.
        experts: K.
        kind: one of the three.
    """

    def __init__(self, width: int, experts: int, kind: Gating) -> None:
        super().__init__()
        self.experts = experts
        if kind != "uniform":
            self.first: nn.Module | None = nn.Linear(width, experts)
        else:
            self.first = None
        self.second: nn.Module | None = None
        if kind == "hierarchical":
            self.second = nn.Sequential(nn.Linear(width + experts, width // 2), nn.ReLU())
            self.second.append(nn.Linear(width // 2, experts))

    def forward(self, f: Tensor) -> Tensor:
        """[N, D] → α [N, K], sums to 1."""
        if self.first is None:
            return f.new_full((len(f), self.experts), 1 / self.experts)
        w = self.first(f).softmax(-1)
        return w if self.second is None else self.second(torch.cat([f, w], dim=-1)).softmax(-1)
