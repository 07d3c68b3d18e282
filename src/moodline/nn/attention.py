"""Multi-head attention within a conversation, to all of it or to a window, whose keys can be masked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodline.nn.local_attention import Windows
from moodline.nn.packing import PackedUtterances


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention with an inner width of its own.

    ``torch.nn.MultiheadAttention`` ties the inner width to the model width and returns NaN where no key is
    real; the models here need neither.

    With a window, an utterance attends to those less than ``window`` places away. A conversation of at most
    ``window`` utterances is therefore attended to as a whole. Longer ones are cut into blocks, each of which sees
    itself and its neighbours, so that time and memory grow with the number of utterances, not with its square.

    Args:
        width: size D of queries, keys and values.
        heads: number of heads.
        head_width: inner size of each head.
        dropout: on the attention weights, in training.
        window: see above; 0 is the whole conversation.
    """

    def __init__(self, width: int, heads: int, head_width: int, dropout: float = 0.0, window: int = 0) -> None:
        super().__init__()
        self.heads, self.head_width, self.dropout, self.window = heads, head_width, dropout, window
        inner = heads * head_width
        self.query = nn.Linear(width, inner)
        self.key = nn.Linear(width, inner)
        self.value = nn.Linear(width, inner)
        self.out = nn.Linear(inner, width)

    def forward(
        self, query: Tensor, memories: Sequence[Tensor], real: Sequence[Tensor], rows: PackedUtterances
    ) -> Tensor:
        """Attend from each utterance to the real places of its conversation in every memory.

        Args:
            query: [N, D].
            memories: [N, D] each, keys and values.
            real: bool [N] for each memory, True where a key may be attended to.
            rows: which conversation each row belongs to.

        Returns:
            [N, D]; zero where no key within reach is real.
        """
        q = rows.pad(self.query(query))
        k, v = ([rows.pad(layer(m)) for m in memories] for layer in (self.key, self.value))
        masks = [rows.pad(r) for r in real]
        if self.window and rows.shape[1] > self.window:
            windows = Windows(rows.valid, self.window)
            k, v, masks = ([windows.around(x) for x in kind] for kind in (k, v, masks))
            mask = windows.near.repeat(1, len(masks)) & torch.cat(masks, dim=1)[:, None]
            found = self._attend(windows.own(q), torch.cat(k, dim=1), torch.cat(v, dim=1), mask)
            attended, some = (windows.back(x) for x in found)
        else:
            attended, some = self._attend(q, torch.cat(k, dim=1), torch.cat(v, dim=1), torch.cat(masks, dim=1)[:, None])
        out = self.out(rows.pack(attended))
        return torch.where(rows.pack(some.expand(rows.shape))[:, None], out, torch.zeros((), dtype=out.dtype))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """[B, Q, I], [B, K, I] twice, bool [B, Q or 1, K] → [B, Q, I], and which queries have a key [B, Q or 1]."""

        def split(x: Tensor) -> Tensor:
            return x.view(*x.shape[:2], self.heads, self.head_width).transpose(1, 2)

        some = mask.any(dim=-1)
        attended = F.scaled_dot_product_attention(
            split(q),
            split(k),
            split(v),
            attn_mask=(mask | ~some[..., None])[:, None],  # a row without keys would be NaN
            dropout_p=self.dropout if self.training else 0.0,
        )
        return attended.transpose(1, 2).flatten(2), some
