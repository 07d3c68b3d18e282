"""Multi-head attention whose keys can be masked, down to none at all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention with an inner width of its own.

    ``torch.nn.MultiheadAttention`` ties the inner width to the model width and returns NaN where no key is
    real; the models here need neither.

    Args:
        width: size D of queries, keys and values.
        heads: number of heads.
        head_width: inner size of each head.
        dropout: on the attention weights, in training.
    """

    def __init__(self, width: int, heads: int, head_width: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.head_width, self.dropout = heads, head_width, dropout
        inner = heads * head_width
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner)
        self.value = nn.Linear(width, inner)
        self.out = nn.Linear(inner, width)

    def forward(self, query: Tensor, memory: Tensor, real: Tensor) -> Tensor:
        """Attend from each query to the real places of ``memory``.

        Args:
            query: [B, Q, D].
            memory: [B, M, D], keys and values.
            real: bool [B, M], True where a key may be attended to.

        Returns:
            [B, Q, D]; zero for conversations in which no key is real.
        """
        batch = query.shape[0]

        def split(x: Tensor) -> Tensor:
            return x.view(batch, -1, self.heads, self.head_width).transpose(1, 2)

        some = real.any(dim=1)
        mask = real | ~some[:, None]  # a row without keys would be NaN; its result is set to zero below
        attended = F.scaled_dot_product_attention(
            split(self.query(query)),
            split(self.key(memory)),
            split(self.value(memory)),
            attn_mask=mask[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        out = self.out(attended.transpose(1, 2).reshape(batch, query.shape[1], -1))
        return torch.where(some[:, None, None], out, torch.zeros((), dtype=out.dtype, device=out.device))
