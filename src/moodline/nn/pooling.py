"""From frames or tokens to one vector: masked pooling.

All take ``x`` [B, T, D] and ``mask`` bool [B, T], True where a frame is real, and look at nothing else: neither the
amount of padding, nor its side, nor what stands there (even NaN) changes a result. A row without any real frame
gives zeros.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

EPS = 1e-9
"""Smallest variance; keeps the gradient of the square root finite where all frames are equal."""


def mean(x: Tensor, mask: Tensor) -> Tensor:
    """The average of the real frames, [B, D]."""
    return _weighted(x, _uniform(mask, x))[0]


def mean_std(x: Tensor, mask: Tensor) -> Tensor:
    """Average ‖ standard deviation (of the population) of the real frames, [B, 2D]."""
    return torch.cat(_weighted(x, _uniform(mask, x)), dim=-1)


def cls(x: Tensor, mask: Tensor) -> Tensor:
    """The first real frame, [B, D]."""
    return _pick(x, mask, mask.int().argmax(dim=1))


def last(x: Tensor, mask: Tensor) -> Tensor:
    """The last real frame, [B, D]; what decoder-only language models are read by."""
    return _pick(x, mask, mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1))


class AttentiveStatistics(nn.Module):
    """Weighted mean ‖ weighted standard deviation, the weights learned (Okabe et al. 2018; stage 1 of MiSTER-E).

    Args:
        dim: D.
        hidden: width of the scoring network Linear → tanh → Linear(1).
    """

    def __init__(self, dim: int, hidden: int = 128) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool ``x`` [B, T, D] over ``mask`` [B, T] to [B, 2D]."""
        x = torch.where(mask[..., None], x, 0.0)
        scores = self.score(x).squeeze(-1).float().masked_fill(~mask, torch.finfo(torch.float32).min)
        weights = torch.where(mask, scores.softmax(dim=1), 0.0)
        return torch.cat(_weighted(x, weights.to(x.dtype)), dim=-1)


POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mean": mean, "cls": cls, "last": last, "mean_std": mean_std}
"""Poolings without weights, by name; ``mean_std`` doubles D."""


def _uniform(mask: Tensor, like: Tensor) -> Tensor:
    weights = mask.to(like.dtype)
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=1)


def _weighted(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [B, D] under ``weights`` [B, T], which sum to 1 (or to 0: both are zero)."""
    weights = weights[..., None]
    real = weights > 0
    x = torch.where(real, x, 0.0)
    centre = (weights * x).sum(dim=1)
    spread = torch.where(real, x - centre[:, None], 0.0)
    std = (weights * spread.square()).sum(dim=1).clamp(min=EPS).sqrt()
    return centre, torch.where(real.any(dim=1), std, 0.0)


def _pick(x: Tensor, mask: Tensor, at: Tensor) -> Tensor:
    chosen = x.gather(1, at[:, None, None].expand(-1, 1, x.shape[-1])).squeeze(1)
    return torch.where(mask.any(dim=1, keepdim=True), chosen, 0.0)
