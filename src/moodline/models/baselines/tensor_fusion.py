"""TFN and LMF: the product of all modalities, whole or of low rank (Zadeh et al. 2017; Liu et al. 2018).

With z_m = [x_m; 1] of each modality:

    TFN   h = ReLU(W · vec(z_1 ⊗ … ⊗ z_M) + b)
    LMF   h = Σ_r w_r · (F_r1 z_1 ∘ … ∘ F_rM z_M) + b,   rank R

Both look at one utterance at a time. TFN's product has (k + 1)^M numbers, so each modality is first brought to
k = ``product`` of them, as the paper's subnetworks do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from moodline.models.baselines.base import Baseline, BaselineConfig, Turns


@dataclass(frozen=True)
class TfnConfig(BaselineConfig):
    """Settings of TFN."""

    product: int = 16
    """k, the numbers of each modality that are multiplied."""

    def problems(self) -> list[str]:
        """See ``BaselineConfig.problems``."""
        own = [] if self.product >= 1 else [f"product must be positive, got {self.product}"]
        if len(self.dims) > 4:
            own.append(f"at most four modalities can be multiplied, got {len(self.dims)}")
        return super().problems() + own


@dataclass(frozen=True)
class LmfConfig(BaselineConfig):
    """Settings of LMF."""

    rank: int = 4
    """R, the rank of the weight tensor."""

    def problems(self) -> list[str]:
        """See ``BaselineConfig.problems``."""
        return super().problems() + ([] if self.rank >= 1 else [f"rank must be positive, got {self.rank}"])


class Tfn(Baseline):
    """See the module."""

    Config = TfnConfig
    description = "TFN: the outer product of all modalities of an utterance (EMNLP 2017)."

    def __init__(self, config: TfnConfig) -> None:
        super().__init__(config)
        self.narrow = nn.ModuleDict({m: nn.Linear(config.hidden, config.product) for m in config.dims})
        self.fuse = nn.Linear((config.product + 1) ** len(config.dims), config.hidden)
        self.head(config.hidden)

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """See ``Baseline.encode``; S = H."""
        product = None
        for m, x in turns.x.items():
            z = _with_one(torch.relu(self.narrow[m](x)))  # [N, k + 1]
            product = z if product is None else (product[:, :, None] * z[:, None, :]).flatten(1)
        assert product is not None
        return torch.relu(self.fuse(product))


class Lmf(Baseline):
    """See the module."""

    Config = LmfConfig
    description = "LMF: the product of all modalities with weights of low rank (ACL 2018)."

    def __init__(self, config: LmfConfig) -> None:
        super().__init__(config)
        h = config.hidden
        self.factors = nn.ParameterDict(
            {m: nn.Parameter(torch.randn(config.rank, h + 1, h) / (h + 1) ** 0.5) for m in config.dims}
        )
        self.mix = nn.Parameter(torch.randn(config.rank) / config.rank**0.5)
        self.bias = nn.Parameter(torch.zeros(h))
        self.head(h)

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """See ``Baseline.encode``; S = H."""
        product = None
        for m, x in turns.x.items():
            part = torch.einsum("nd,rdh->nrh", _with_one(x), self.factors[m])  # [N, R, H]
            product = part if product is None else product * part
        assert product is not None
        return torch.einsum("nrh,r->nh", product, self.mix) + self.bias


def _with_one(x: Tensor) -> Tensor:
    """[N, D] → [N, D + 1], a one at the end: products of fewer modalities are then part of the whole."""
    return torch.cat([x, x.new_ones(len(x), 1)], -1)
