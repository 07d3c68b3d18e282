"""MMGCN and MM-DFN: a graph of all utterances and modalities of a conversation (Hu et al. 2021; Hu et al. 2022).

Nodes are utterances in each modality. Edges join all utterances of a modality, and the modalities of an utterance.
An edge weighs 1 − arccos(cos(x_i, x_j)) / π; those between modalities are multiplied by ``across`` (γ). With
Ã = D^(−1/2) A D^(−1/2), layers l = 1 … L are those of GCNII:

    P = (1 − α) Ã H_{l−1} + α H_0        H_l = ReLU((1 − β_l) P + β_l P W_l),   β_l = log(η / l + 1)

MMGCN classifies [H_0; H_L] of the modalities side by side. MM-DFN reads the layers with gates, so that what earlier
layers knew is kept or forgotten (a cell C and a state G over the layers, as in an LSTM):

    Γ_u, Γ_f, Γ_o = σ(W [G_{l−1}; H_l] + b)      C_l = Γ_f ∘ C_{l−1} + Γ_u ∘ tanh(W_c [G_{l−1}; H_l] + b)
    G_l = Γ_o ∘ tanh(C_l)

and classifies [H_0; G_L]. The words' input goes through a BiLSTM, other modalities' through a linear layer; a learned
vector of the speaker is added to each node. A missing modality has no node. Both papers ran with L up to 64 layers
and 16; 4 is the default here, and a setting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moodline.models.baselines.base import Baseline, BaselineConfig, Turns
from moodline.nn.inputs import SpeakerInput
from moodline.nn.recurrent import BiLSTM


@dataclass(frozen=True)
class GraphConfig(BaselineConfig):
    """Settings of both."""

    layers: int = 4
    """L."""
    alpha: float = 0.1
    """α, the share of the first layer in each."""
    eta: float = 0.5
    """η, how fast the layers' weights fade."""
    across: float = 0.7
    """γ, by which edges between modalities are multiplied."""
    speakers: int = 9
    """How many speakers of a conversation have a vector of their own."""

    def problems(self) -> list[str]:
        """See ``BaselineConfig.problems``."""
        own = []
        if self.layers < 1 or self.speakers < 1:
            own.append(f"layers and speakers must be positive, got {self.layers} and {self.speakers}")
        if not 0 <= self.alpha <= 1 or self.eta <= 0 or self.across < 0:
            own.append("alpha must lie in [0, 1], eta be positive, across not negative")
        return super().problems() + own


class Mmgcn(Baseline):
    """See the module."""

    Config = GraphConfig
    description = "MMGCN: a deep graph network over utterances and modalities (ACL 2021)."
    gated = False

    def __init__(self, config: GraphConfig) -> None:
        super().__init__(config)
        h = config.hidden
        self.words = BiLSTM(h, h // 2) if "text" in config.dims else None
        self.who = SpeakerInput(config.speakers, h)
        self.weights = nn.ParameterList(
            [nn.Parameter(torch.empty(h, h).uniform_(-1 / h**0.5, 1 / h**0.5)) for _ in range(config.layers)]
        )
        self.gates = nn.Linear(2 * h, 4 * h) if self.gated else None
        self.head(2 * h * len(config.dims))

    def encode(self, turns: Turns, extras: dict[str, Any]) -> Tensor:
        """See ``Baseline.encode``; S = 2 · H · M."""
        rows, c = turns.rows, self.config
        x = dict(turns.x)
        if self.words is not None:
            x["text"] = self.words(x["text"], rows)
        nodes = torch.stack([rows.pad(v + self.who(turns.speakers)) for v in x.values()], 1)  # [B, M, U, H]
        here = torch.stack([rows.pad(turns.present[m]) for m in x], 1)  # [B, M, U]
        b, m, u, h = nodes.shape
        first = nodes.reshape(b, m * u, h)
        edges = self._edges(first, here.reshape(b, m * u), m, u)  # [B, M·U, M·U]
        state, hidden = first, torch.zeros_like(first)
        cell = torch.zeros_like(first)
        for number, weight in enumerate(self.weights, 1):
            beta = math.log(c.eta / number + 1)
            p = (1 - c.alpha) * (edges @ state) + c.alpha * first
            state = self.dropout(torch.relu((1 - beta) * p + beta * (p @ weight)))
            if self.gates is not None:
                update, forget, out, new = self.gates(torch.cat([hidden, state], -1)).chunk(4, -1)
                cell = torch.sigmoid(forget) * cell + torch.sigmoid(update) * torch.tanh(new)
                hidden = torch.sigmoid(out) * torch.tanh(cell)
        last = hidden if self.gates is not None else state
        both = torch.cat([first, last], -1).view(b, m, u, 2 * h).transpose(1, 2)  # [B, U, M, 2H]
        return rows.pack(both.reshape(b, u, m * 2 * h))

    def _edges(self, x: Tensor, here: Tensor, modalities: int, places: int) -> Tensor:
        """The normalised weights of all edges [B, M·U, M·U]; nodes that are not here have none but to themselves."""
        unit = F.normalize(x, dim=-1, eps=1e-6)
        similar = (unit @ unit.transpose(1, 2)).clamp(-1 + 1e-5, 1 - 1e-5)
        weight = 1 - torch.arccos(similar) / math.pi
        of = torch.arange(modalities, device=x.device).repeat_interleave(places)
        at = torch.arange(places, device=x.device).repeat(modalities)
        within, between = of[:, None] == of[None], (at[:, None] == at[None]) & (of[:, None] != of[None])
        kind = within.to(x) + self.config.across * between.to(x)  # [M·U, M·U]
        both = here[:, :, None] & here[:, None, :]
        weight = torch.where(both, weight * kind, 0.0)
        alone = torch.eye(len(of), device=x.device)[None] * (~here)[:, :, None]
        weight = weight + alone
        root = weight.sum(-1).clamp_min(1e-6).rsqrt()
        return weight * root[:, :, None] * root[:, None, :]


class MmDfn(Mmgcn):
    """See the module."""

    description = "MM-DFN: the same graph, its layers read through gates (ICASSP 2022)."
    gated = True
