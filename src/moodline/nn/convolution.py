"""Convolution over the utterances of each conversation."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from moodline.nn.packing import PackedUtterances


def convolve(x: Tensor, rows: PackedUtterances, convolutions: Iterable[nn.Conv1d]) -> list[Tensor]:
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
    return [_convolve(x, rows, c) for c in convolutions]


def _convolve(x: Tensor, rows: PackedUtterances, convolution: nn.Conv1d) -> Tensor:
    weight, side = convolution.weight.flatten(1), convolution.kernel_size[0] // 2
    if side == 0:
        return F.linear(x, weight, convolution.bias)

    def neighbourhoods(x: Tensor) -> Tensor:
        return torch.stack(rows.neighbours(x, side), dim=-1).flatten(1)

    around, plain = neighbourhoods(x), x.detach()
    place = around.data_ptr()
    # K times as large as the rows: not kept for the gradient of the weights, but made again
    with saved_tensors_hooks(
        lambda saved: plain if saved.data_ptr() == place else saved,
        lambda kept: neighbourhoods(plain) if kept is plain else kept,
    ):
        return F.linear(around, weight, convolution.bias)
