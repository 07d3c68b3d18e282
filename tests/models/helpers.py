"""Random batches for model tests."""

from __future__ import annotations

import torch

from moodline.batch import Batch
from moodline.labels import IGNORE


def random_batch(
    dims: dict[str, int], lengths: list[int], classes: int = 4, seed: int = 0, missing: float = 0.0
) -> Batch:
    """Conversations of the given lengths; a share of (utterance, modality) pairs is missing."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(lengths), max(lengths))
    valid = torch.arange(shape[1])[None] < torch.tensor(lengths)[:, None]
    present = {m: valid & (torch.rand(shape, generator=generator) >= missing) for m in dims}
    features = {m: torch.randn(*shape, d, generator=generator) for m, d in dims.items()}
    labels = torch.randint(0, classes, shape, generator=generator)
    return Batch(features, present, valid, torch.where(valid, labels, torch.tensor(IGNORE))).check()


def one(batch: Batch, row: int) -> Batch:
    """One conversation of a batch, without padding."""
    u = int(batch.valid[row].sum())
    assert batch.labels is not None
    cut = (slice(row, row + 1), slice(0, u))
    return Batch(
        {m: x[cut] for m, x in batch.features.items()},
        {m: x[cut] for m, x in batch.present.items()},
        batch.valid[cut],
        batch.labels[cut],
    ).check()
