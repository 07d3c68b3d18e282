"""Attention that keeps what a GPU's fused kernels keep, for counting on networks without numbers.

On torch's device ``meta`` attention falls back to its plain form, which keeps a weight for each pair of places; fused
kernels keep queries, keys, values and the result, and compute the weights again on the way back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class _Fused(torch.autograd.Function):
    """Of the right shapes and with the right products; without softmax, for there are no numbers."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = (q @ k.transpose(-1, -2)) @ v
        ctx.save_for_backward(q, k, v, out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        q, k, v, _ = ctx.saved_tensors
        weights = q @ k.transpose(-1, -2)
        back = gradients[0] @ v.transpose(-1, -2)
        return back @ k, back.transpose(-1, -2) @ q, weights.transpose(-1, -2) @ gradients[0]


def _attention(query: Tensor, key: Tensor, value: Tensor, *rest: Any, **options: Any) -> Tensor:
    if key.shape[-3] != query.shape[-3]:
        times = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
    out: Tensor = _Fused.apply(query, key, value)
    return out


@contextmanager
def fused_attention() -> Iterator[None]:
    """In here ``torch.nn.functional.scaled_dot_product_attention`` only counts."""
    original = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = _attention
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = original
