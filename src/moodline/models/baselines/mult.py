"""MulT: every modality attends to every other one (Tsai et al. 2019, ACL P19-1656).

    z_{n→m} = cross-modal transformer of L layers, queries of m, keys and values of n
    z_m = self-attention over [z_{n→m}]_{n ≠ m};  h = [z_1; …; z_M]

The paper's sequences are the frames and words of one utterance; here they are the utterances of a conversation, for
features of whole utterances. One modality alone attends to itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from moodline.models.baselines.base import Baseline, BaselineConfig, Turns
from moodline.models.baselines.crossing import Crossing, heads_problem
from moodline.nn.positions import sinusoids


@dataclass(frozen=True)
class MultConfig(BaselineConfig):
    """Settings of MulT."""

    heads: int = 4
    """Attention heads; must divide ``hidden``."""
    layers: int = 2
    """L."""

    def problems(self) -> list[str]:
        """See ``BaselineConfig.problems``."""
        own = heads_problem(self.heads, self.hidden)
        return super().problems() + own + ([] if self.layers >= 1 else [f"layers must be positive, got {self.layers}"])


class MulT(Baseline):
    """See the module."""

    Config = MultConfig
    description = "MulT: cross-modal transformers between all pairs of modalities (ACL 2019)."

    def __init__(self, config: MultConfig) -> None:
        super().__init__(config)
        h, names = config.hidden, list(config.dims)
        self.pairs = [(m, n) for m in names for n in names if m != n] or [(names[0], names[0])]

        self.across = nn.ModuleDict(
            {
                f"{m}-{n}-{layer}": Crossing(h, config.heads, config.dropout)
                for m, n in self.pairs
                for layer in range(config.layers)
            }
        )
        self.within = nn.ModuleDict({m: Crossing(h, config.heads, config.dropout) for m in names})
        self.join = nn.ModuleDict({m: nn.Linear(h * sum(a == m for a, _ in self.pairs), h) for m in names})
        self.head(h * len(names))

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """See ``Baseline.encode``; S = H · M."""
        rows = turns.rows
        place = sinusoids(rows.places, self.config.hidden).to(next(iter(turns.x.values())))
        x = {m: rows.pad(v + place) for m, v in turns.x.items()}  # [B, U, H]
        here = {m: rows.pad(turns.present[m]) for m in x}
        out = []
        for m in x:
            reached = []
            for _, n in (pair for pair in self.pairs if pair[0] == m):
                z = x[m]
                for layer in range(self.config.layers):
                    z = self.across[f"{m}-{n}-{layer}"](z, x[n], here[n])
                reached.append(z)
            z = self.join[m](torch.cat(reached, -1))
            out.append(rows.pack(self.within[m](z, z, rows.valid)))
        return torch.cat(out, -1)
