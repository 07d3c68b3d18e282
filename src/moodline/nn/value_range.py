"""Scores inside a network: whatever a corpus's range, a network counts from −3 to 3, so that learning rates, weights
of losses and gates mean the same for every corpus."""

from __future__ import annotations

import torch
from torch import Tensor

from moodline.core.batch import Batch
from moodline.core.labels import IGNORE

HALF = 3.0
"""Half the width of the network's own range."""


def to_range(z: Tensor, scores: tuple[float, float]) -> Tensor:
    """The network's numbers as scores of a range (low, high); what lies beyond ±3 lies beyond the range."""
    low, high = scores
    return (low + high) / 2 + z * ((high - low) / (2 * HALF))


def from_range(scores: Tensor, range_: tuple[float, float]) -> Tensor:
    """Scores of a range (low, high) as the network's numbers."""
    low, high = range_
    return (scores - (low + high) / 2) * (2 * HALF / (high - low))


def score_problems(classes: int, scores: tuple[float, float] | None) -> list[str]:
    """What is wrong with a model's ``classes`` and ``scores``."""
    if scores is None:
        return []
    problems = []
    if classes != 1:
        problems.append(f"with scores there is one number to answer, so classes must be 1, got {classes}")
    if not -float("inf") < scores[0] < scores[1] < float("inf"):
        problems.append(f"scores must be a range (low, high), got {scores}")
    return problems


def truth(batch: Batch, scores: tuple[float, float] | None) -> tuple[Tensor, Tensor]:
    """What a batch's utterances should be answered.

    Args:
        batch: with labels, or with scores.
        scores: the range of the scores; None for classes.

    Returns:
        Where there is an utterance with a label or score, bool [B, U], and the N classes (int64) or scores (float, the
        network's numbers) there.
    """
    if scores is None:
        assert batch.labels is not None
        real = batch.valid & (batch.labels != IGNORE)
        return real, batch.labels[real]
    assert batch.scores is not None
    real = batch.valid & ~torch.isnan(batch.scores)
    return real, from_range(batch.scores[real], scores)
