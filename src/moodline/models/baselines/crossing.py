"""A transformer layer in which one modality attends to another, or to itself."""

from __future__ import annotations

from torch import Tensor, nn

from moodline.nn.dropout import Dropout


class Crossing(nn.Module):
    """Attention from one sequence to another, then a feed-forward part; both with a residual and a layer norm before.

    Args:
        width: H of both sequences.
        heads: must divide ``width``.
        dropout: of both parts, in training.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.query_norm, self.key_norm, self.inner_norm = (nn.LayerNorm(width) for _ in range(3))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.inner = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, other: Tensor, here: Tensor) -> Tensor:
        """Attend.

        Args:
            x: [B, U, H], who asks.
            other: [B, U, H], who is asked.
            here: bool [B, U], which places of ``other`` may be attended to; where a conversation has none, nothing is
                added.

        Returns:
            [B, U, H].
        """
        some = here.any(1)[:, None, None]
        mask = ~here & some[..., 0]  # a row with no place would give NaN
        keys = self.key_norm(other)
        found, _ = self.attention(self.query_norm(x), keys, keys, key_padding_mask=mask, need_weights=False)
        x = x + self.dropout(found) * some
        return x + self.dropout(self.inner(self.inner_norm(x)))


def heads_problem(heads: int, hidden: int) -> list[str]:
    """What is wrong with the number of heads."""
    return [] if heads >= 1 and hidden % heads == 0 else [f"heads must divide hidden, got {heads} and {hidden}"]
