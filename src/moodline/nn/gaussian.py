"""A feature as a Gaussian: what it says, and how sure that is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Gaussian(nn.Module):
    """μ = FC_μ(x) and log σ² = FC_σ(x), softly bounded so that σ stays finite whatever comes in.

    Args:
        inputs: size of x.
        width: size of μ and σ.
        bound: |log σ²| stays below it.
        start: log σ² before training, so that learning does not begin in noise.
        hidden: width of a hidden layer before FC_σ; 0 for none. Of a linear σ, noise around x leaves log σ² the same on
            average; with a hidden layer it can tell how far out x is.
    """

    def __init__(self, inputs: int, width: int, bound: float, start: float, hidden: int = 0) -> None:
        super().__init__()
        self.bound = bound
        self.mean, self.spread = nn.Linear(inputs, width), nn.Linear(hidden or inputs, width)
        self.before = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU()) if hidden else nn.Identity()
        nn.init.constant_(self.spread.bias, bound * math.atanh(start / bound))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[N, D] → μ and log σ², each [N, width]."""
        return self.mean(x), bounded(self.spread(self.before(x)), self.bound)


def bounded(x: Tensor, bound: float) -> Tensor:
    """bound · tanh(x / bound), at least in single precision: near 0 it is x."""
    return bound * torch.tanh(x.to(torch.promote_types(x.dtype, torch.float32)) / bound)


def sample(mean: Tensor, log_variance: Tensor) -> Tensor:
    """μ + σ⊙ε with ε from N(0, 1): gradients reach both."""
    return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)


def kl_to_standard(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(μ, diag σ²) ‖ N(0, 1)), the average over dimensions.

    Args:
        mean, log_variance: [N, D].

    Returns:
        [N].
    """
    return 0.5 * (log_variance.exp() + mean.to(log_variance).square() - 1 - log_variance).mean(-1)
