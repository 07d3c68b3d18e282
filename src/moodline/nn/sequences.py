"""Sequences inside an utterance: frames to a vector, attention from words to other things."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodline.nn.dropout import Dropout


class FrameEncoder(nn.Module):
    """LSTM over an utterance's frames, its last state projected (MSE-Adapter's form of EGMF's encoder).

    Frames are standardised with mean and standard deviation of the training set's frames, which are buffers.

    Args:
        size: features D of a frame.
        hidden: of the LSTM.
        width: of the result.
        dropout: before the projection.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int, hidden: int, width: int, dropout: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scale", torch.ones(size))
        self.lstm = nn.LSTM(size, hidden, batch_first=True)
        self.project = nn.Sequential(Dropout(dropout), nn.Linear(hidden, width))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Frames [N, T, D], the first ``lengths`` [N] of them real, at least one each → [N, width]."""
        real = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        x = torch.where(real[..., None], (x - self.mean) / self.scale, 0.0)
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        return self.project(self.lstm(packed)[1][0][-1])


class SequenceAttention(nn.Module):
    """Multi-head attention between the sequences of single utterances, with masked keys.

    Args:
        width: D of queries, keys and values; a multiple of ``heads``.
        heads: number of heads.
        dropout: on the attention weights, in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, query: Tensor, memory: Tensor, real: Tensor) -> Tensor:
        """Attend from every place of ``query`` to the real places of ``memory``.

        Args:
            query: [N, Q, D].
            memory: [N, K, D], keys and values.
            real: bool [N, K], True where a key may be attended to.

        Returns:
            [N, Q, D]; zero where an utterance has no real key.
        """
        some = real.any(1)[:, None, None]
        q, k, v = (self._split(x) for x in (self.query(query), self.key(memory), self.value(memory)))
        mask = (real[:, None, None, :] | ~some[..., None]).expand(-1, 1, q.shape[2], -1)
        found = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0
        )
        return torch.where(some, self.out(found.transpose(1, 2).flatten(2)), 0.0)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
