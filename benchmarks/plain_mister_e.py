"""MiSTER-E as the released code does it, to measure against: everything is computed on padding as well.

Convolutions, an unpacked GRU and attention without masks run over conversations padded to the longest of a batch.
The parameters are as many as in ``moodline.models.mister_e``, the loss terms the same. No part of it is used elsewhere.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodline.core.labels import IGNORE
from moodline.nn.losses import directional_kl, focal_loss, supervised_contrastive_loss


class Context(nn.Module):
    """Three convolutions, a BiGRU, a skip."""

    def __init__(self, width: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(width, hidden, k, padding=k // 2) for k in (1, 3, 5))
        self.gru = nn.GRU(hidden, hidden // 2, layers, batch_first=True, bidirectional=True, dropout=dropout)
        self.skip, self.dropout = nn.Linear(width, hidden), nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[B, U, D] → [B, U, hidden]."""
        y = sum(torch.relu(c(x.transpose(1, 2))) for c in self.convolutions).transpose(1, 2)
        return self.gru(self.dropout(y))[0] + self.skip(x)


class Attention(nn.Module):
    """Multi-head attention to every place, real or not."""

    def __init__(self, width: int, heads: int, head_width: int, dropout: float) -> None:
        super().__init__()
        inner = heads * head_width
        self.heads, self.p = heads, dropout
        self.query, self.key, self.value = (nn.Linear(width, inner) for _ in range(3))
        self.out = nn.Linear(inner, width)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """[B, U, D] twice → [B, U, D]."""
        q, k, v = (
            y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for y in (self.query(x), self.key(memory), self.value(memory))
        )
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.p if self.training else 0.0)
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Cross-attention and self-attention of both streams."""

    def __init__(self, width: int, heads: int, head_width: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.ModuleList(Attention(width, heads, head_width, dropout) for _ in range(4))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """[B, U, D] twice → the same."""
        out = []
        for n, (x, other) in enumerate(((a, b), (b, a))):
            x = self.norms[2 * n](x + self.dropout(self.attention[2 * n](x, other)))
            out.append(self.norms[2 * n + 1](x + self.dropout(self.attention[2 * n + 1](x, x))))
        return out[0], out[1]


class PlainMisterE(nn.Module):
    """Two modalities, paper's gate and loss."""

    def __init__(self, dim: int, classes: int, model: dict[str, Any]) -> None:
        super().__init__()
        d, drop = model["hidden"], model["dropout"]
        self.settings = model
        self.context = nn.ModuleList(Context(dim, d, model["gru_layers"], drop) for _ in range(2))
        self.heads = nn.ModuleList(nn.Sequential(nn.Dropout(drop), nn.Linear(d, classes)) for _ in range(2))
        self.projections = nn.ModuleList(nn.Linear(dim, d) for _ in range(2))
        self.blocks = nn.ModuleList(
            Block(d, model["heads"], model["head_width"], drop) for _ in range(model["fusion_layers"])
        )
        self.fusion_head = nn.Sequential(nn.Dropout(drop), nn.Linear(2 * d, classes))
        self.gate = nn.Linear(3 * classes, 3)

    def forward(self, speech: Tensor, text: Tensor) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """[B, U, D] twice → experts' logits, the mixture's, fused streams."""
        experts = [head(context(x)) for head, context, x in zip(self.heads, self.context, (speech, text), strict=True)]
        a, b = self.projections[0](speech), self.projections[1](text)
        for block in self.blocks:
            a, b = block(a, b)
        experts.append(self.fusion_head(torch.cat([a, b], -1)))
        weights = self.gate(torch.cat(experts, -1)).softmax(-1)
        return experts, (weights[..., None] * torch.stack(experts, 2)).sum(2), [a, b]

    def loss(self, labels: Tensor, experts: list[Tensor], mixture: Tensor, streams: list[Tensor]) -> Tensor:
        """The paper's terms."""
        s, real = self.settings, labels != IGNORE
        y, z = labels[real], [e[real] for e in experts]
        total = focal_loss(mixture[real], y, s["gamma"]) + sum(focal_loss(e, y, s["gamma"]) for e in z)
        rows = torch.cat([x[real] for x in streams])
        total = total + s["beta"] * supervised_contrastive_loss(rows, y.repeat(2), s["tau"])
        everywhere = torch.ones(len(y), dtype=torch.bool)
        return total + s["kl_weight"] * directional_kl(z[2], [(e, everywhere) for e in z[:2]])
