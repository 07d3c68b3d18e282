"""Training where frozen weights are shared out among processes (``encoders.sharding``).

DistributedDataParallel takes no such model, so what it would do for the weights that learn is done here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn


def is_shared(model: nn.Module) -> bool:
    """Whether this process holds parts of some of a model's weights."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return False
    from torch.distributed.tensor import DTensor

    return any(isinstance(p, DTensor) for p in model.parameters())


def prepare_shared(accelerator: Any, model: nn.Module) -> nn.Module:
    """Put what is whole on this process's device, the learning weights as the main process has them.

    Args:
        accelerator: of Accelerate; its precision is the model's from now on.
        model: one that ``is_shared``, changed in place.
    """
    with torch.no_grad():
        for tensor in _whole(model):
            tensor.data = tensor.data.to(accelerator.device)
        for parameter in _learning(model):
            torch.distributed.broadcast(parameter.data, 0)
    prepared: nn.Module = accelerator.prepare_model(model, evaluation_mode=True)  # else it asks for DDP
    return prepared


def mean_gradients(model: nn.Module) -> None:
    """Give every process the mean of all processes' gradients; a weight that nobody used keeps none."""
    learning = list(_learning(model))
    used = torch.tensor([p.grad is not None for p in learning], dtype=torch.int32, device=learning[0].device)
    torch.distributed.all_reduce(used)
    for parameter, users in zip(learning, used.tolist(), strict=True):
        if users:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            torch.distributed.all_reduce(gradient)
            parameter.grad = gradient.div_(torch.distributed.get_world_size())


def _learning(model: nn.Module) -> Iterator[nn.Parameter]:
    return (p for p in model.parameters() if p.requires_grad)


def _whole(model: nn.Module) -> Iterator[Tensor]:
    from torch.distributed.tensor import DTensor

    return (t for t in (*model.parameters(), *model.buffers()) if not isinstance(t, DTensor))
