"""The longest batch, before the first step: memory that will not do is found at once, while nothing has been written
and the run can be begun with other settings. Batches come in random order, so it might else be found an hour later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


def should_check_memory(device: torch.device) -> bool:
    """Whether the device has a memory of its own, which a batch can fill."""
    return device.type != "cpu"


@contextmanager
def reserve_memory(model: nn.Module, device: torch.device, copies: int) -> Iterator[None]:
    """In here forward and backward may run, and leave no trace: no gradients, statistics or random numbers drawn.

    Args:
        model: is being trained.
        device: where it is.
        copies: of the weights that learn, for which room is held meanwhile, as training will need it later.
    """
    learning = [p for p in model.parameters() if p.requires_grad]
    room = [torch.empty_like(p) for p in learning for _ in range(copies)]
    kept = [(buffer, buffer.clone()) for buffer in model.buffers()]
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        yield
    del room
    with torch.no_grad():
        for buffer, before in kept:
            if not torch.equal(buffer, before):
                buffer.copy_(before)
    for parameter in learning:
        parameter.grad = None
