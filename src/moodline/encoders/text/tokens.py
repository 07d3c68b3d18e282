"""From text and context to padded token numbers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from moodline.encoders.inputs import TextInput


@dataclass(frozen=True)
class TextTokens:
    """A tokenizer and what its model needs.

    The context is cut from its left, the oldest turn first, and goes entirely before the current turn loses its end.

    Args:
        tokenizer: a ``tokenizers.Tokenizer`` with its post-processor (special tokens).
        pad: the number that fills up; masked, so that any will do where a model has none.
        max_tokens: most tokens of an input, special ones included.
        types: whether the model reads token types (0 context, 1 current turn).
        pool_context: whether the context's tokens enter the pooling.
        left: whether shorter inputs are filled up on the left.
    """

    tokenizer: Any
    pad: int
    max_tokens: int
    types: bool = False
    pool_context: bool = False
    left: bool = False

    def __post_init__(self) -> None:
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def __call__(self, inputs: Sequence[TextInput]) -> dict[str, Tensor]:
        """Tokenize and pad.

        Returns:
            input_ids int64 [B, T]; attention_mask bool [B, T]; pool_mask bool [B, T]; and, if the model reads them,
            token_type_ids int64 [B, T].
        """
        encodings = self._encode(inputs)
        longest = max(1, *(len(e) for e, _ in encodings))
        ids = torch.full((len(inputs), longest), self.pad, dtype=torch.int64)
        types = torch.zeros_like(ids)
        mask = torch.zeros(ids.shape, dtype=torch.bool)
        pool = torch.zeros_like(mask)
        for row, (encoding, skipped) in enumerate(encodings):
            count = max(1, len(encoding))  # a text without any token is one padding token
            real = slice(longest - count, longest) if self.left else slice(count)
            mask[row, real] = True
            pool[row, real] = True
            if len(encoding):
                ids[row, real] = torch.tensor(encoding.ids)
                types[row, real] = torch.tensor(encoding.type_ids)
            if not self.pool_context:
                pool[row, real] &= ~_first_ordinary(encoding, skipped)
        out = {"input_ids": ids, "attention_mask": mask, "pool_mask": pool}
        return {**out, "token_type_ids": types} if self.types else out

    def cuts(self, inputs: Sequence[TextInput]) -> list[bool]:
        """Whether each current turn loses its end."""
        room = max(1, self.max_tokens - self.tokenizer.num_special_tokens_to_add(False))
        return [count > room for count in self.counts([item.text for item in inputs], room)]

    def counts(self, texts: Sequence[str], enough: int) -> list[int]:
        """How many tokens texts have, special ones apart; guessed where they are surely not more than ``enough``."""
        sizes = [len(text.encode("utf-8", "surrogatepass")) + 1 for text in texts]  # a byte is a token at most
        long = [n for n, size in enumerate(sizes) if size > enough]
        for n, encoding in zip(
            long, self.tokenizer.encode_batch([texts[n] for n in long], add_special_tokens=False), strict=True
        ):
            sizes[n] = len(encoding)
        return sizes

    @functools.cached_property
    def parted(self) -> bool:
        """Whether the tokenizer puts a separator between the sentences of a pair.

        What opens a text is none: a second one in the middle looks like the beginning of another document.
        """
        one, other = (self.tokenizer.encode(text, add_special_tokens=False) for text in "ab")
        alone, pair = (self.tokenizer.post_process(one, second, True) for second in (None, other))
        words = [[n for n, special in enumerate(e.special_tokens_mask) if not special] for e in (alone, pair)]
        opening = alone.ids[: words[0][0]]
        between = pair.ids[words[1][len(one) - 1] + 1 : words[1][len(one)]]
        return bool(set(between) - set(opening))

    def _encode(self, inputs: Sequence[TextInput]) -> list[tuple[Any, int]]:
        """Encodings with special tokens, and how many context tokens each begins with."""
        tokenizer, parted = self.tokenizer, self.parted
        single = tokenizer.num_special_tokens_to_add(False)
        special = tokenizer.num_special_tokens_to_add(True) if parted else single
        turns = tokenizer.encode_batch([item.text for item in inputs], add_special_tokens=False)
        # without a separator (language models) context and turn are lines of one text
        end = "" if parted else "\n"
        joined = ["\n".join(item.context) + end if item.context else "" for item in inputs]
        contexts = tokenizer.encode_batch(joined, add_special_tokens=False)
        out = []
        for turn, context in zip(turns, contexts, strict=True):
            room = self.max_tokens - special - len(turn)
            if len(context) and room > 0:
                context.truncate(room, direction="left")
                skipped = min(len(context), room)
                both = (context, turn) if parted else (type(turn).merge([context, turn], growing_offsets=False), None)
                out.append((tokenizer.post_process(*both, True), skipped))
            else:
                turn.truncate(max(1, self.max_tokens - single))
                out.append((tokenizer.post_process(turn, None, True), 0))
        return out


def _first_ordinary(encoding: Any, count: int) -> Tensor:
    """True at the first ``count`` tokens that are not special, bool [T]."""
    ordinary = torch.tensor(encoding.special_tokens_mask or [1]) == 0
    return ordinary & (ordinary.cumsum(0) <= count)
