"""Turns longer than an encoder reads: they are split at sentence ends, and the vectors of the parts are averaged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from moodline.encoders.base import Encoder, Limited
from moodline.encoders.inputs import TextInput

_BREAKS = (re.compile(r"(?<=[.!?…。！？])\s*"), re.compile(r"(?<=[,;:—，；])\s*"), re.compile(r"\s+"), re.compile(r""))
"""Where a text may be split, the best first: after sentences, after clauses, between words, anywhere."""


def reads_in_parts(encoder: Encoder, item: Any) -> bool:
    """True if ``encode_whole`` reads all of ``item``, however long: one turn, one vector."""
    return isinstance(item, TextInput) and isinstance(encoder, Limited) and encoder.kind == "utterance"


def encode_whole(encoder: Encoder, inputs: Sequence[Any]) -> list[np.ndarray]:
    """As ``encoder.encode``; a turn that it would cut off is encoded in parts, whose mean is its vector.

    Args:
        encoder: of any modality; only turns of text are split.
        inputs: what it encodes, all of one kind.

    Returns:
        float32 [D] or [T, D] for each input. Parts count by their number of characters.
    """
    items = list(inputs)
    if not items or not isinstance(encoder, Limited) or not reads_in_parts(encoder, items[0]):
        return encoder.encode(items)
    cut = encoder.cuts(items)
    if not any(cut):
        return encoder.encode(items)
    split = [parts(encoder, item) if long else [item] for item, long in zip(items, cut, strict=True)]
    encoded = iter(encoder.encode([part for some in split for part in some]))
    out = []
    for some in split:
        vectors = [next(encoded) for _ in some]
        sizes = [len(part.text) for part in some] if len(some) > 1 else [1]
        out.append(np.average(vectors, axis=0, weights=sizes).astype(np.float32) if len(some) > 1 else vectors[0])
    return out


def parts(encoder: Any, item: TextInput) -> list[TextInput]:
    """The turn in parts that the encoder reads whole; their texts are the turn's words in order.

    Args:
        encoder: has ``cuts``, see ``Limited``.
        item: the turn; each part keeps its context.
    """
    if len(item.text) < 2 or not encoder.cuts([item])[0]:
        return [item]
    first, second = _halves(item.text)
    return [*parts(encoder, replace(item, text=first)), *parts(encoder, replace(item, text=second))]


def _halves(text: str) -> tuple[str, str]:
    """Two parts of a text, split at the best break of its middle half."""
    middle = len(text) / 2
    for breaks in _BREAKS:
        places = [m.end() for m in breaks.finditer(text) if len(text) / 4 <= m.end() <= 3 * len(text) / 4]
        if places:
            place = min(places, key=lambda n: abs(n - middle))
            if text[:place].strip() and text[place:].strip():
                return text[:place].strip(), text[place:].strip()
    return text[: len(text) // 2], text[len(text) // 2 :]
