"""The context addition network of MiSTER-E (arXiv 2602.23300, §3.3.1): one modality's view of the conversation."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from moodline.nn.convolution import convolve
from moodline.nn.dropout import Dropout
from moodline.nn.packing import PackedUtterances


class TemporalInception(nn.Module):
    """TIN(e) = Σ_k ReLU(Conv1d_k(e)), 'same' padding, over the utterances of a conversation (§3.3.1)."""

    def __init__(self, width: int, hidden: int, kernels: Iterable[int]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(width, hidden, k, padding=k // 2) for k in kernels)

    def forward(self, x: Tensor, rows: PackedUtterances) -> Tensor:
        """[N, D] → [N, hidden]."""
        first, *others = (torch.relu_(y) for y in convolve(x, rows, self.convolutions))  # type: ignore[arg-type]
        return sum(others, first)


class ContextAddition(nn.Module):
    """h = BiGRU(TIN(e)) + W_skip e: one modality's view of the conversation (eq. 3–4, without the last layer)."""

    def __init__(self, inception: nn.Module, recurrent: nn.Module, skip: nn.Module, dropout: float) -> None:
        super().__init__()
        self.inception, self.recurrent, self.skip = inception, recurrent, skip
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, rows: PackedUtterances) -> Tensor:
        """[N, D] → [N, hidden]."""
        return self.recurrent(self.dropout(self.inception(x, rows)), rows) + self.skip(x)
