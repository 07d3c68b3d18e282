"""What a model answers for one conversation, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answers:
    """What a model said of one example (a conversation of U utterances).

    Args:
        logits: float32 [U, C]; of a model of scores [U, 1], the scores.
        experts: expert name to float32 [U, C].
        weights: float32 [U, K] in the order of ``experts``.
        labels: int64 [U].
        uncertainty: modality to float32 [U], its σ; empty for a model that has none.
        attention: modality to weights float32 [U, N, P] of N reasoning steps and the utterances [U, N, P] they are on,
            −1 for none; empty for a model that does not reason.
        guides: name to float32 [U], how much each part inside a model counted (EGMF's α); empty for most models.
        targets: float32 [U], the true ones, NaN where there is none; None for a model of classes.
    """

    logits: NDArray[np.float32]
    experts: dict[str, NDArray[np.float32]]
    weights: NDArray[np.float32]
    labels: NDArray[np.int64]
    uncertainty: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    attention: dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]] = field(default_factory=dict)
    targets: NDArray[np.float32] | None = None
    guides: dict[str, NDArray[np.float32]] = field(default_factory=dict)
