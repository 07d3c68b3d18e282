"""SURE as code of this field is usually written: padded to a fixed length, a loop over time, a loop over experts.

The same equations as ``moodline.models.sure`` with all modalities present, for ``sure_epoch.py`` only.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LENGTH = 110
"""All conversations are padded to the longest of IEMOCAP."""


class PlainModality(nn.Module):
    """Experts and reasoning of one modality (eq. 1–10)."""

    def __init__(self, size: int, settings: dict[str, Any]) -> None:
        super().__init__()
        d, inner, self.bound = settings["hidden"], settings["expert_hidden"], 8.0
        self.steps, self.top_k = settings["reasoning_steps"], settings["top_k"]
        self.project, self.mean, self.spread = nn.Linear(size, d), nn.Linear(d, d), nn.Linear(d, d)
        experts = range(settings["experts"])
        self.enter = nn.ModuleList(nn.Linear(d, inner) for _ in experts)
        self.leave = nn.ModuleList(nn.Linear(inner, d) for _ in experts)
        self.doubt = nn.ModuleList(nn.Linear(inner, 1) for _ in experts)
        self.router, self.caution = nn.Linear(d, settings["experts"]), nn.Parameter(torch.zeros(()))
        self.forwards, self.backwards = nn.GRUCell(d, d // 2), nn.GRUCell(d, d // 2)
        self.memory, self.query, self.cell = nn.Linear(d, d), nn.Linear(d, d), nn.LSTMCell(2 * d, d)
        self.dropout = nn.Dropout(settings["dropout"])

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 110, D] and valid [B, 110] → [B, 110, d] and the sum of the KL and balance losses."""
        x = self.project(x)
        mean, log_variance = self.mean(x), self.bound * torch.tanh(self.spread(x) / self.bound)
        x = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        means, doubts = [], []
        for enter, leave, doubt in zip(self.enter, self.leave, self.doubt, strict=True):
            inner = self.dropout(torch.relu(enter(x)))
            doubts.append(self.bound * torch.tanh(doubt(inner) / self.bound))
            means.append(leave(inner) + (0.5 * doubts[-1]).exp() * torch.randn_like(x))
        doubt_all = torch.cat(doubts, -1)
        scores = (self.router(x) - F.softplus(self.caution) * 0.5 * doubt_all).softmax(-1)
        usage = scores * torch.zeros_like(scores).scatter(-1, scores.topk(self.top_k, -1).indices, 1.0)
        y = torch.stack([usage[..., [k]] * m for k, m in enumerate(means)]).sum(0)
        kl = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).mean(-1)
        kl = kl + 0.5 * (doubt_all.exp() - 1 - doubt_all).mean(-1)
        asked = (usage[valid] > 0).float().mean(0) / self.top_k
        extra = 0.01 * kl[valid].mean() + 0.01 * len(self.enter) * (asked * scores[valid].mean(0)).sum()
        return self.reason(y, valid), extra

    def reason(self, y: Tensor, valid: Tensor) -> Tensor:
        """[B, 110, d] → [B, 110, d], a step of time after the other."""
        ways = []
        for cell, order in ((self.forwards, range(LENGTH)), (self.backwards, reversed(range(LENGTH)))):
            h = y.new_zeros(len(y), y.shape[-1] // 2)
            states: list[Tensor] = [h] * LENGTH
            for t in order:
                h = torch.where(valid[:, t, None], cell(y[:, t], h), h)
                states[t] = h
            ways.append(torch.stack(states, 1))
        context = torch.cat(ways, -1)
        memory, out = self.memory(context), []
        for t in range(LENGTH):
            q = self.query(context[:, t])
            state = (torch.zeros_like(q), torch.zeros_like(q))
            for _ in range(self.steps):
                alpha = torch.bmm(memory, q[..., None]).squeeze(-1).masked_fill(~valid, -1e9).softmax(-1)
                found = (alpha[..., None] * memory).sum(1)
                state = self.cell(torch.cat([q, found], -1), state)
                q = state[0]
            out.append(q)
        return torch.stack(out, 1)


class PlainEncoder(nn.Module):
    """A pre-norm encoder layer and its gate (eq. 11–16)."""

    def __init__(self, d: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.norm_further = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = nn.MultiheadAttention(d, heads, dropout, batch_first=True)
        self.further = nn.Sequential(nn.Linear(d, inner), nn.GELU(), nn.Dropout(dropout), nn.Linear(inner, d))
        self.gate, self.dropout = nn.Linear(d, d), nn.Dropout(dropout)

    def forward(self, query: Tensor, memory: Tensor, valid: Tensor) -> Tensor:
        """[B, 110, d] twice → [B, 110, d]."""
        keys = self.norm(memory)
        seen, _ = self.attention(self.norm(query), keys, keys, key_padding_mask=~valid)
        x = query + self.dropout(seen)
        x = x + self.dropout(self.further(self.norm_further(x)))
        return torch.sigmoid(self.gate(x)) * x


class PlainSure(nn.Module):
    """The whole model."""

    def __init__(self, dims: dict[str, int], classes: int, settings: dict[str, Any]) -> None:
        super().__init__()
        d, self.names = settings["hidden"], tuple(dims)
        self.parts = nn.ModuleDict({m: PlainModality(size, settings) for m, size in dims.items()})
        rest = (d, settings["heads"], settings["feed_forward"], settings["dropout"])
        self.encoders = nn.ModuleDict({f"{m}-{n}": PlainEncoder(*rest) for m in dims for n in dims})
        self.reduce = nn.ModuleDict({m: nn.Linear(len(dims) * d, d) for m in dims})
        self.speakers = nn.Embedding(settings["speakers"], d)
        self.classify = nn.Sequential(nn.Dropout(settings["dropout"]), nn.Linear(len(dims) * d, classes))
        angles = torch.arange(LENGTH)[:, None] * torch.exp(torch.arange(0, d, 2) * (-math.log(10_000.0) / d))
        self.register_buffer("positions", torch.stack([angles.sin(), angles.cos()], -1).flatten(1))

    def loss(self, features: dict[str, Tensor], valid: Tensor, labels: Tensor, speakers: Tensor) -> Tensor:
        """NLL, KL and balance of a batch; everything padded to 110."""
        found = {m: self.parts[m](features[m], valid) for m in self.names}
        placed = {m: y + self.positions + self.speakers(speakers) for m, (y, _) in found.items()}
        fused = [
            self.reduce[m](torch.cat([self.encoders[f"{m}-{n}"](placed[m], placed[n], valid) for n in self.names], -1))
            for m in self.names
        ]
        nll = F.cross_entropy(self.classify(torch.cat(fused, -1))[valid], labels[valid])
        return nll + torch.stack([extra for _, extra in found.values()]).mean()
