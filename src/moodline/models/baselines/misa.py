"""MISA: what modalities share, and what each has for itself (Hazarika et al. 2020, ACM MM).

    shared c_m = σ(E_c x_m), one E_c for all;   private p_m = σ(E_m x_m)
    h = transformer over [c_1 … c_M, p_1 … p_M] of one utterance, its outputs side by side

    L = L_task + α · CMD(c_m, c_n) + β · (‖C_mᵀ P_m‖² + ‖P_mᵀ P_n‖²) + γ_r · ‖x_m − D(c_m + p_m)‖²

CMD is the central moment discrepancy of orders 1 to 5. Only utterances that have both modalities count in a term.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moodline.models.baselines.base import Baseline, BaselineConfig, Turns
from moodline.models.baselines.crossing import Crossing, heads_problem

MOMENTS = 5
"""Orders of the central moment discrepancy."""


@dataclass(frozen=True)
class MisaConfig(BaselineConfig):
    """Settings of MISA."""

    heads: int = 2
    """Attention heads; must divide ``hidden``."""
    similarity: float = 0.8
    """α, weight of the discrepancy between shared parts."""
    difference: float = 0.3
    """β, weight of the orthogonality of shared and private parts."""
    reconstruction: float = 0.8
    """γ_r, weight of the reconstruction."""

    def problems(self) -> list[str]:
        """See ``BaselineConfig.problems``."""
        own = heads_problem(self.heads, self.hidden)
        if min(self.similarity, self.difference, self.reconstruction) < 0:
            own.append("similarity, difference and reconstruction must not be negative")
        return super().problems() + own


class Misa(Baseline):
    """See the module."""

    Config = MisaConfig
    description = "MISA: shared and private parts of each modality (ACM MM 2020)."

    def __init__(self, config: MisaConfig) -> None:
        super().__init__(config)
        h, names = config.hidden, list(config.dims)
        self.shared = nn.Linear(h, h)
        self.private = nn.ModuleDict({m: nn.Linear(h, h) for m in names})
        self.decode = nn.ModuleDict({m: nn.Linear(h, h) for m in names})
        self.fuse = Crossing(h, config.heads, config.dropout)
        self.head(2 * h * len(names))

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """See ``Baseline.encode``; S = 2 · H · M."""
        common = {m: torch.sigmoid(self.shared(x)) for m, x in turns.x.items()}
        own = {m: torch.sigmoid(self.private[m](x)) for m, x in turns.x.items()}
        if self.training:
            extras["terms"] = self._losses(turns, common, own)
        parts = torch.stack([*common.values(), *own.values()], 1)  # [N, 2M, H]
        here = torch.stack([turns.present[m] for m in turns.x] * 2, 1)
        return self.fuse(parts, parts, here).flatten(1)

    def _losses(self, turns: Turns, common: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
        c, zero = self.config, next(iter(common.values())).new_zeros(())
        similar, different, again = [zero], [zero], [zero]
        for m, x in turns.x.items():
            here = turns.present[m]
            if here.any():
                different.append(orthogonality(common[m][here], own[m][here]))
                again.append(F.mse_loss(self.decode[m](common[m] + own[m])[here], x.detach()[here]))
        for m, n in combinations(turns.x, 2):
            both = turns.present[m] & turns.present[n]
            if both.any():
                similar.append(moment_discrepancy(common[m][both], common[n][both]))
                different.append(orthogonality(own[m][both], own[n][both]))
        pairs = max(1, len(similar) - 1)
        return {
            "similarity": c.similarity * torch.stack(similar).sum() / pairs,
            "difference": c.difference * torch.stack(different).sum(),
            "reconstruction": c.reconstruction * torch.stack(again).sum() / len(turns.x),
        }


def moment_discrepancy(a: Tensor, b: Tensor) -> Tensor:
    """CMD of two samples [N, H] with numbers in [0, 1]: distances of means and of central moments up to order 5."""
    mean_a, mean_b = a.mean(0), b.mean(0)
    out = _distance(mean_a, mean_b)
    for order in range(2, MOMENTS + 1):
        out = out + _distance(((a - mean_a) ** order).mean(0), ((b - mean_b) ** order).mean(0))
    return out


def orthogonality(a: Tensor, b: Tensor) -> Tensor:
    """Mean square of the products of two centred samples [N, H] whose rows have length 1; 0 if they share nothing."""
    a, b = (F.normalize(x - x.mean(0), dim=1, eps=1e-6) for x in (a, b))
    return (a.T @ b).square().mean()


def _distance(a: Tensor, b: Tensor) -> Tensor:
    return ((a - b).square().sum() + 1e-12).sqrt()
