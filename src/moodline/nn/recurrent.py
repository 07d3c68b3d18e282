"""Recurrent layers that never step over padding."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class BiGRU(nn.Module):
    """A bidirectional GRU over the real utterances of each conversation.

    Args:
        width: input size D.
        hidden: hidden size per direction; the output has ``2 * hidden``.
        layers: number of layers.
        dropout: between layers, in training.
    """

    def __init__(self, width: int, hidden: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.gru = nn.GRU(
            width, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout if layers > 1 else 0.0
        )

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Run over each conversation's own length.

        Args:
            x: [B, U, D].
            valid: bool [B, U], a prefix of True in every row.

        Returns:
            [B, U, 2 * hidden], zero at padding.
        """
        lengths = valid.sum(1).clamp_min(1).cpu()
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, _ = self.gru(packed)
        return pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])[0]
