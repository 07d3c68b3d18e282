"""Running a model over examples, outside training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from moodline.core.answers import Answers
from moodline.core.batch import Output

Collate = Callable[[Sequence[Any]], Any]


def answer(
    model: nn.Module,
    examples: Sequence[Any],
    collate: Collate,
    *,
    lengths: Sequence[int],
    batch_size: int = 32,
    max_places: int = 8192,
    progress: Callable[[int], None] | None = None,
    together: bool = False,
) -> list[Answers]:
    """The model's answers, in the order of ``examples``; a batch that the device's memory does not hold is halved.

    Args:
        model: gives an ``Output`` for a batch.
        examples: whatever ``collate`` takes.
        collate: examples to a batch.
        lengths: length of each example; batches are made of similar lengths.
        batch_size: examples in a batch.
        max_places: padded places (examples x longest) in a batch, so that long conversations go alone and memory
            does not grow with their number.
        progress: called with the number of examples done in each step.
        together: several processes compute the same batches, each with its part of the weights: none is halved.

    Raises:
        torch.OutOfMemoryError: not even one example fits.
    """
    was_training = model.training
    if was_training:  # a loaded model is in eval mode for good: other threads may be using it
        model.eval()
    device = next(model.parameters()).device
    out: list[Answers | None] = [None] * len(examples)
    order = sorted(range(len(examples)), key=lambda i: lengths[i])
    # weights that are gathered for the first time in inference mode could never be trained with
    with torch.no_grad() if together else torch.inference_mode():
        while order:
            size = min(batch_size, len(order))
            while size > 1 and lengths[order[size - 1]] * size > max_places:
                size -= 1
            try:
                batch = collate([examples[i] for i in order[:size]]).to(device)
                output = model(batch)
            except torch.OutOfMemoryError:
                if size == 1 or together:
                    raise
                batch_size = size // 2  # from now on: those that follow are longer
                continue
            for row, i in enumerate(order[:size]):
                out[i] = _one(output, batch, row)
            order = order[size:]
            if progress:
                progress(size)
    if was_training:
        model.train()
    return [o for o in out if o is not None]


def _one(output: Output, batch: Any, row: int) -> Answers:
    real = batch.valid[row]

    def take(x: torch.Tensor) -> NDArray[np.float32]:
        return x[row][real].float().cpu().numpy()

    values = getattr(batch, "targets", None)  # batches of single utterances (of encoders) have none
    weights = output.weights
    if weights is None:
        weights = output.logits.new_ones(*output.logits.shape[:2], 1)
    experts = output.experts or {"model": output.logits}  # a model without experts is its own
    return Answers(
        logits=take(output.logits),
        experts={name: take(z) for name, z in experts.items()},
        weights=take(weights),
        labels=batch.labels[row][real].cpu().numpy(),
        uncertainty={m: take(x) for m, x in output.extras.get("uncertainty", {}).items()},
        attention={
            m: (take(x), output.extras["attention_places"][m][row][real].cpu().numpy())
            for m, x in output.extras.get("attention", {}).items()
        },
        targets=None if values is None else take(values),
        guides={name: take(x) for name, x in output.extras.get("guides", {}).items()},
    )
