"""From windows of turns to padded token numbers, and from token states back to turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from moodline.encoders.inputs import Window
from moodline.encoders.text.tokens import TextTokens


@dataclass
class WindowTokens:
    """Lays the turns of a window end to end, parted as the tokenizer parts sentences (by line ends where it does not).

    If a window is too long, the context turn farthest from the wanted ones goes first; then the longest turns lose
    their ends.

    Args:
        tokens: the tokenizer, its padding and its limit.
    """

    tokens: TextTokens
    _marks: tuple[list[int], list[int]] = field(init=False)

    def __post_init__(self) -> None:
        encoding = self.tokens.tokenizer.encode("a")
        ordinary = [n for n, special in enumerate(encoding.special_tokens_mask) if not special]
        before, after = encoding.ids[: ordinary[0]], encoding.ids[ordinary[-1] + 1 :]
        self._marks = before, after or self.tokens.tokenizer.encode("\n", add_special_tokens=False).ids

    def __call__(self, windows: Sequence[Window]) -> dict[str, Tensor]:
        """Tokenize and pad on the right.

        Returns:
            input_ids int64 [B, T]; attention_mask bool [B, T]; tokens_of_turn int64 [N, L], for each of the N wanted
            turns of all windows the places of its tokens in the flattened [B · T]; pool_mask bool [N, L], True at
            those that are real.
        """
        rows: list[list[int]] = []
        turns: list[tuple[int, int, int]] = []
        for window in windows:
            ids, wanted = self._lay_out(window)
            turns += [(len(rows), start, stop) for start, stop in wanted]
            rows.append(ids)
        longest = max(map(len, rows))
        ids_ = torch.full((len(rows), longest), self.tokens.pad, dtype=torch.int64)
        mask = torch.zeros(ids_.shape, dtype=torch.bool)
        for n, row in enumerate(rows):
            ids_[n, : len(row)] = torch.tensor(row)
            mask[n, : len(row)] = True
        width = max(stop - start for _, start, stop in turns)
        starts = torch.tensor([n * longest + start for n, start, _ in turns])
        lengths = torch.tensor([stop - start for _, start, stop in turns])
        within = torch.arange(width)[None] < lengths[:, None]
        places = torch.where(within, starts[:, None] + torch.arange(width)[None], starts[:, None])
        out = {"input_ids": ids_, "attention_mask": mask, "tokens_of_turn": places, "pool_mask": within}
        return {**out, "token_type_ids": torch.zeros_like(ids_)} if self.tokens.types else out

    def cuts(self, windows: Sequence[Window]) -> list[list[bool]]:
        """For each window whether each of its wanted turns loses its end."""
        out = []
        for window in windows:
            before, after = self._marks
            wanted = slice(window.first, window.first + window.size)
            counts = self.tokens.counts(window.turns, 0)
            if sum(counts[wanted]) + len(before) + len(after) * window.size <= self.tokens.max_tokens:
                out.append([False] * window.size)
                continue
            turns = [[0] * count for count in counts]
            _kept(turns, wanted.start, wanted.stop, self.tokens.max_tokens - len(before), len(after))
            out.append([len(turn) < count for turn, count in zip(turns[wanted], counts[wanted], strict=True)])
        return out

    def _lay_out(self, window: Window) -> tuple[list[int], list[tuple[int, int]]]:
        """Token numbers, and for each wanted turn where it starts and stops (its closing mark included)."""
        before, after = self._marks
        encoded = self.tokens.tokenizer.encode_batch(list(window.turns), add_special_tokens=False)
        turns = [e.ids for e in encoded]
        first, stop = window.first, window.first + window.size
        low, high = _kept(turns, first, stop, self.tokens.max_tokens - len(before), len(after))
        ids, wanted = list(before), []
        for n, turn in enumerate(turns[low:high], low):
            start = len(ids)
            ids += [*turn, *after]
            if first <= n < stop:
                wanted.append((start, len(ids)))
        return ids, wanted


def _kept(turns: list[Any], first: int, stop: int, room: int, mark: int) -> tuple[int, int]:
    """Which turns fit; shortens ``turns`` in place where the wanted ones alone do not."""
    low, high = 0, len(turns)
    lengths = [len(t) + mark for t in turns]
    total = sum(lengths)
    while total > room and (low < first or high > stop):
        if first - low >= high - stop:
            total -= lengths[low]
            low += 1
        else:
            high -= 1
            total -= lengths[high]
    while total > room:
        longest = max(range(low, high), key=lambda n: len(turns[n]))
        cut = max(1, min(total - room, len(turns[longest]) // 8))
        if len(turns[longest]) <= cut:
            break
        turns[longest] = turns[longest][:-cut]
        total -= cut
    return low, high


def turns_apart(states: tuple[Tensor, ...], places: Tensor) -> tuple[Tensor, ...]:
    """States of windows [B, T, H] → states of turns [N, L, H]; ``places`` is ``tokens_of_turn``."""
    return tuple(state.flatten(0, 1)[places] for state in states)
