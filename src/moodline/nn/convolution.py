"""Convolution over the utterances of each conversation."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodline.nn.rows import Rows


def convolve(x: Tensor, rows: Rows, convolutions: Iterable[nn.Conv1d]) -> list[Tensor]:
    """Convolutions of odd width with 'same' padding, as products of matrices.

    A row's neighbourhood becomes one long row, so all time goes into large matrix products; convolution kernels of
    CPUs take almost twice as long for the gradient of the weights.

    Args:
        x: [N, D], the real utterances.
        rows: which conversation each belongs to.
        convolutions: hold the weights [O, D, K] and biases.

    Returns:
        [N, O] for each of them.
    """
    convolutions = list(convolutions)
    reach = max(c.kernel_size[0] for c in convolutions) // 2
    near = rows.neighbours(x, reach)
    out = []
    for c in convolutions:
        side = c.kernel_size[0] // 2
        around = x if side == 0 else torch.stack(near[reach - side : reach + side + 1], dim=-1).flatten(1)
        out.append(F.linear(around, c.weight.flatten(1), c.bias))
    return out
