"""A running mean of a model's weights, which is judged and kept in their place where a recipe asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

Weights = dict[str, Tensor]


class WeightAverage:
    """w̄ ← δ w̄ + (1 − δ) w after every step, with δ = min(decay, (1 + t) / (10 + t)) at step t, so that the mean soon
    forgets where it began. Buffers and whatever is not floating point are taken as they are.

    Args:
        decay: in [0, 1); 0 keeps no mean, and the weights themselves are used.
        weights: gives the model's weights by name, not copies.
    """

    def __init__(self, decay: float, weights: Callable[[], Weights]) -> None:
        self.decay, self.weights = decay, weights
        self.mean: Weights = {}

    def update(self, step: int) -> None:
        """Take in the weights after a step (from 0)."""
        if not self.decay:
            return
        now = self.weights()
        if not self.mean:
            self.mean = {n: w.clone() for n, w in now.items()}
            return
        share = 1.0 - min(self.decay, (1.0 + step) / (10.0 + step))
        for name, mean in self.mean.items():
            if mean.is_floating_point():
                mean.lerp_(now[name], share)
            else:
                mean.copy_(now[name])

    def load(self, mean: Weights) -> None:
        """Take up a mean that was saved."""
        now = self.weights()
        self.mean = {n: w.to(now[n].device) for n, w in mean.items()}

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """In here the model has the mean as its weights."""
        if not self.mean:
            yield
            return
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        now = self.weights()
        for name, mean in self.mean.items():
            kept = now[name].clone()
            now[name].copy_(mean)
            mean.copy_(kept)
