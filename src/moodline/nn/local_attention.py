"""Long conversations cut into blocks, each of which sees itself and its neighbours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


class Windows:
    """Blocks of a padded batch, so that what looks around costs the same for each utterance, however long it goes on.

    An utterance sees those less than ``window`` places away. Only blocks that hold an utterance are kept: G of them,
    with S utterances of their own and R around them.

    Args:
        valid: bool [B, U].
        window: at least 1.

    Attributes:
        near: bool [S, R], which of the utterances around are less than ``window`` away.
        first: int64 [G], the place in the conversation of the first utterance around; may lie outside of it.
    """

    def __init__(self, valid: Tensor, window: int) -> None:
        (self.batch, self.utterances), self.side = valid.shape, window - 1
        self.size = -(-window // 2)
        self.blocks = -(-self.utterances // self.size)
        self.spare = self.blocks * self.size - self.utterances
        self.span = self.size + 2 * self.side
        whole = F.pad(valid, (0, self.spare)).view(self.batch * self.blocks, self.size)
        self.used = whole.any(1).nonzero().squeeze(1)
        own, around = (torch.arange(n, device=valid.device) for n in (self.size, self.span))
        self.near = (own[:, None] + self.side - around).abs() < window
        self.first = self.used % self.blocks * self.size - self.side

    def own(self, x: Tensor) -> Tensor:
        """[B, U, …] → [G, S, …]."""
        ends = [0, 0] * (x.dim() - 2) + [0, self.spare]
        return F.pad(x, ends).view(self.batch * self.blocks, self.size, *x.shape[2:])[self.used]

    def around(self, x: Tensor) -> Tensor:
        """[B, U, …] → [G, R, …], zero outside of the batch."""
        ends = [0, 0] * (x.dim() - 2) + [self.side, self.side + self.spare]
        views = F.pad(x, ends).unfold(1, self.span, self.size)  # [B, blocks, …, R]
        return views[self.used // self.blocks, self.used % self.blocks].movedim(-1, 1)

    def back(self, x: Tensor) -> Tensor:
        """[G, S, …] → [B, U, …], zero in blocks that are not kept."""
        whole = x.new_zeros(self.batch * self.blocks, *x.shape[1:]).index_copy(0, self.used, x)
        return whole.view(self.batch, self.blocks * self.size, *x.shape[2:])[:, : self.utterances]
