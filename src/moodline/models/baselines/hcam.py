"""HCAM: recurrent context of each modality, then attention between them (Dutta & Ganapathy 2023, arXiv 2304.06910).

    g_m = BiGRU_m(x_m) over the conversation;  s_m = self-attention over g_m
    co-attention: s_m attends to s_n for each other modality;  h = [z_1; …; z_M]

The loss adds a supervised contrastive term on h, weighted by ``contrast``; the paper trains its three stages one after
the other, here they are trained together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from moodline.core.batch import Batch, Output
from moodline.models.baselines.base import Baseline, BaselineConfig, Turns
from moodline.models.baselines.crossing import Crossing, heads_problem
from moodline.nn.losses import supervised_contrastive_loss
from moodline.nn.recurrent import BiGRU


@dataclass(frozen=True)
class HcamConfig(BaselineConfig):
    """Settings of HCAM."""

    heads: int = 4
    """Attention heads; must divide ``hidden``."""
    contrast: float = 0.1
    """Weight of the contrastive term; 0 for none. Of values, those that round to the same number are positives."""
    temperature: float = 0.5
    """Of the contrastive term."""

    def problems(self) -> list[str]:
        """See ``BaselineConfig.problems``."""
        own = heads_problem(self.heads, self.hidden)
        if self.contrast < 0 or self.temperature <= 0:
            own.append("contrast must not be negative, temperature must be positive")
        return super().problems() + own


class Hcam(Baseline):
    """See the module."""

    Config = HcamConfig
    description = "HCAM: recurrent context of each modality, then co-attention between them (arXiv 2304.06910)."

    def __init__(self, config: HcamConfig) -> None:
        super().__init__(config)
        h, names = config.hidden, list(config.dims)
        self.context = nn.ModuleDict({m: BiGRU(h, h // 2, 1) for m in names})
        self.within = nn.ModuleDict({m: Crossing(h, config.heads, config.dropout) for m in names})
        self.pairs = [(m, n) for m in names for n in names if m != n]
        self.across = nn.ModuleDict({f"{m}-{n}": Crossing(h, config.heads, config.dropout) for m, n in self.pairs})
        self.head(h * len(names))

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """See ``Baseline.encode``; S = H · M."""
        rows = turns.rows
        here = {m: rows.pad(present) for m, present in turns.present.items()}
        states = {}
        for m, x in turns.x.items():
            g = rows.pad(self.context[m](x, rows))  # [B, U, H]
            states[m] = self.within[m](g, g, here[m])
        out = []
        for m in turns.x:
            z = states[m]
            for _, n in (pair for pair in self.pairs if pair[0] == m):
                z = z + self.across[f"{m}-{n}"](states[m], states[n], here[n])
            out.append(rows.pack(z))
        joined = torch.cat(out, -1)
        if self.training:
            extras["states"] = joined
        return joined

    def loss(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """The task's loss, and in training the contrastive term.

        Returns:
            ``total``, ``contrast``.
        """
        terms = super().loss(batch, output)
        if "states" not in output.extras or not self.config.contrast:
            return terms
        real, y = self.goal.truth(batch)
        states = output.extras["states"][real[batch.valid]]
        term = supervised_contrastive_loss(states, self.goal.groups(y), self.config.temperature)
        return {"total": terms["total"] + self.config.contrast * term, "contrast": term}
