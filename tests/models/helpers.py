"""Random batches for model tests."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from moodline.batch import Batch
from moodline.labels import IGNORE


def random_batch(
    dims: dict[str, int],
    lengths: list[int],
    classes: int = 4,
    seed: int = 0,
    missing: float = 0.0,
    scores: tuple[float, float] | None = None,
) -> Batch:
    """Conversations of the given lengths; a share of (utterance, modality) pairs is missing.

    Args:
        dims, lengths, seed, missing: see above.
        classes: how many classes the labels are of.
        scores: give scores of this range in place of labels.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths))
    valid = torch.arange(shape[1])[None] < torch.tensor(lengths)[:, None]
    present = {m: valid & (torch.rand(shape, generator=generator) >= missing) for m in dims}
    features = {m: torch.randn(*shape, d, generator=generator) for m, d in dims.items()}
    labels = torch.randint(0, classes, shape, generator=generator)
    batch = Batch(features, present, valid, torch.where(valid, labels, torch.tensor(IGNORE)))
    if scores is not None:
        drawn = scores[0] + (scores[1] - scores[0]) * torch.rand(shape, generator=generator)
        nothing = torch.full(shape, IGNORE)
        batch = dataclasses.replace(batch, labels=nothing, scores=drawn.masked_fill(~valid, float("nan")))
    return batch.check()


def select(batch: Batch, *index: Any) -> Batch:
    """The batch of some conversations and places of another: every field indexed alike."""

    def cut(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value[index]
        return {k: v[index] for k, v in value.items()} if isinstance(value, dict) else value

    fields = (f.name for f in dataclasses.fields(batch))
    return Batch(**{name: cut(getattr(batch, name)) for name in fields}).check()


def one(batch: Batch, row: int) -> Batch:
    """One conversation of a batch, without padding."""
    return select(batch, slice(row, row + 1), slice(0, int(batch.valid[row].sum())))
