"""Where in its conversation an utterance stands, as sines and cosines; conversations may go on for ever."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoids(places: Tensor, width: int) -> Tensor:
    """int64 [N] → float [N, width]: sines in even columns, cosines in odd ones; wavelengths from 2π to 10000 · 2π."""
    steps = torch.arange(0, width, 2, device=places.device, dtype=torch.float32)
    angles = places[:, None].float() * torch.exp(steps * (-math.log(10_000.0) / width))
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]
