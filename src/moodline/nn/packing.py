"""The real utterances of a batch laid end to end, so that nothing is computed on padding."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor


class PackedUtterances:
    """How the places of a padded batch [B, U] and its N real utterances [N] belong together.

    Rows are in the order of conversations, and of utterances within a conversation.

    Args:
        valid: bool [B, U], a prefix of True in every conversation.
    """

    def __init__(self, valid: Tensor) -> None:
        self.shape = valid.shape
        self.valid = valid
        self.index = valid.flatten().nonzero().squeeze(1)
        self.whole = len(self.index) == valid.numel()

    def pack(self, x: Tensor) -> Tensor:
        """[B, U, …] → [N, …], the real places."""
        x = x.flatten(0, 1)
        return x if self.whole else x.index_select(0, self.index)

    def pad(self, rows: Tensor) -> Tensor:
        """[N, …] → [B, U, …], zero at padding."""
        if not self.whole:
            rows = rows.new_zeros(self.valid.numel(), *rows.shape[1:]).index_copy(0, self.index, rows)
        return rows.view(*self.shape, *rows.shape[1:])

    @cached_property
    def lengths(self) -> Tensor:
        """Utterances of each conversation, int64 [B]."""
        return self.valid.sum(1)

    @cached_property
    def places(self) -> Tensor:
        """Where each row stands in its conversation, int64 [N]."""
        return self.index % self.shape[1]

    def neighbours(self, x: Tensor, reach: int) -> list[Tensor]:
        """Each row's neighbours up to ``reach`` places before and after it.

        Args:
            x: [N, D].
            reach: how far to look.

        Returns:
            2 · reach + 1 tensors [N, D], from the farthest before to the farthest after; zero where the conversation
            has begun or ended.
        """
        here, ends = self.places, self.lengths.repeat_interleave(self.lengths)
        every = torch.arange(len(x), device=x.device)
        with_zero = torch.cat([x, x.new_zeros(1, x.shape[1])])
        out = []
        for offset in range(-reach, reach + 1):
            inside = (here + offset >= 0) & (here + offset < ends)
            other = torch.where(inside, every + offset, len(x))
            out.append(x if offset == 0 else with_zero.index_select(0, other))
        return out

    @cached_property
    def steps(self) -> TimeSteps:
        """The rows in the order in which a recurrent layer reads them."""
        return TimeSteps(self.lengths)


class TimeSteps:
    """Rows in order of time: the first utterances of all conversations, longest first, then the second ones, …

    Attributes:
        sizes: how many conversations have a t-th utterance, for each t.
        forwards, backwards: the rows in that order, int64 [N]; ``backwards`` counts from each conversation's end.
    """

    def __init__(self, lengths: Tensor) -> None:
        order = lengths.argsort(descending=True, stable=True)
        starts = (lengths.cumsum(0) - lengths)[order]
        lengths = lengths[order]
        t = torch.arange(int(lengths[0]), device=lengths.device)[:, None]
        real = t < lengths
        self.sizes: list[int] = real.sum(1).tolist()
        self.forwards = (starts + t)[real]
        self.backwards = (starts + lengths - 1 - t)[real]

    @cached_property
    def places(self) -> tuple[Tensor, Tensor]:
        """Where each row stands in ``forwards`` and in ``backwards``, int64 [N] each."""
        return self.forwards.argsort(), self.backwards.argsort()

    @cached_property
    def before(self) -> Tensor:
        """The place of each one's predecessor in the same conversation; only from the second step on, int64 [N - B]."""
        starts = torch.tensor([0, *self.sizes]).cumsum(0).tolist()
        parts = [torch.arange(start, start + n) for start, n in zip(starts[:-2], self.sizes[1:], strict=True)]
        return torch.cat(parts).to(self.forwards.device) if parts else self.forwards.new_zeros(0)
