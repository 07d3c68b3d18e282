"""The tensors between conversations and models.

Axes, named once and used everywhere:

    B  conversations in a batch          T  frames or tokens inside an utterance
    U  utterances of a conversation      D  feature size
    C  classes                           K  experts

A mask is True where the value is real. ``valid`` says where an utterance exists (the rest is padding);
``present`` says where a modality of an existing utterance exists (the rest is a missing modality).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Tensor

from moodline.core.errors import FeatureError
from moodline.core.labels import IGNORE


@dataclass(frozen=True)
class Batch:
    """Conversations of different lengths, padded to the longest.

    Args:
        features: modality to float [B, U, D]; anything at places that are not present.
        present: modality to bool [B, U]; True only where ``valid`` is True too.
        valid: bool [B, U].
        labels: int64 [B, U], ``IGNORE`` at padding and at unlabelled utterances; None at inference.
        speakers: int64 [B, U], the speaker's number within the conversation (0 for the first to speak);
            -1 where unknown; None where no model asks for it.
        targets: float [B, U], NaN at padding and where there is none; None for a model of classes.
        frames: modality to float [B, U, T, D], for models that read frame sequences.
        frames_valid: modality to bool [B, U, T].
        tokens: int64 [B, U, T], the words for a model with a language model of its own; they are its text modality.
        tokens_valid: bool [B, U, T].
        tokens_own: bool [B, U, T], True at the utterance's own words, not at its context.

    Raises:
        FeatureError: shapes contradict each other, or a present feature is NaN or infinite.
    """

    features: dict[str, Tensor]
    present: dict[str, Tensor]
    valid: Tensor
    labels: Tensor | None = None
    speakers: Tensor | None = None
    targets: Tensor | None = None
    frames: dict[str, Tensor] = field(default_factory=dict)
    frames_valid: dict[str, Tensor] = field(default_factory=dict)
    tokens: Tensor | None = None
    tokens_valid: Tensor | None = None
    tokens_own: Tensor | None = None

    def check(self) -> Batch:
        """Verify shapes, masks and finiteness; called once, where batches are made. Returns itself."""
        shape = self.valid.shape
        for name, x in self.features.items():
            mask = self.present.get(name)
            if mask is None or mask.shape != shape or x.shape[:2] != shape or x.dim() != 3:
                raise FeatureError(f"{name}: expected features [B, U, D] and present [B, U] for valid {tuple(shape)}")
            if bool((mask & ~self.valid).any()):
                raise FeatureError(f"{name}: present where no utterance is")
            if not bool(torch.isfinite(x[mask]).all()):
                raise FeatureError(f"{name}: features must be finite", "NaN or infinity", "Clean the features first.")
        for name, x in self.frames.items():
            mask = self.frames_valid.get(name)
            if x.dim() != 4 or mask is None or mask.shape != x.shape[:3] or x.shape[:2] != shape:
                raise FeatureError(f"{name}: expected frames [B, U, T, D] and frames_valid [B, U, T]")
            if not bool(torch.isfinite(x[mask]).all()):
                raise FeatureError(f"{name}: frames must be finite", "NaN or infinity", "Clean the features first.")
        if self.labels is not None and bool((self.labels[~self.valid] != IGNORE).any()):
            raise FeatureError("labels outside valid must be IGNORE")
        if self.targets is not None:
            if self.targets.shape != shape or bool((~torch.isnan(self.targets[~self.valid])).any()):
                raise FeatureError("targets must be [B, U], NaN outside valid", tuple(self.targets.shape))
            if bool(torch.isinf(self.targets).any()):
                raise FeatureError("targets must be finite, or NaN where there is none", "infinity")
        return self

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""

        def move(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.to(device)
            if isinstance(value, dict):
                return {k: v.to(device) for k, v in value.items()}
            return value

        return Batch(**{f.name: move(getattr(self, f.name)) for f in fields(self)})

    def count(self) -> int:
        """How many labelled (or, for a model that regresses, scored) utterances there are: a loss is divided by it."""
        if self.targets is not None:
            return int((~torch.isnan(self.targets)).sum())
        return int((self.labels != IGNORE).sum()) if self.labels is not None else 0


@dataclass(frozen=True)
class Output:
    """What a model says of a batch.

    Args:
        logits: [B, U, C], before the softmax; of a model that regresses [B, U, 1], the scores themselves, in the
            range of its ``config.value_range`` (a little beyond it where the network is not bounded).
        experts: expert name to the same; what each one would have said alone.
        weights: [B, U, K], the gate weights in the order of ``experts``; sums to 1 over real experts.
        extras: anything else a model's own loss or report needs.
    """

    logits: Tensor
    experts: dict[str, Tensor] = field(default_factory=dict)
    weights: Tensor | None = None
    extras: dict[str, Any] = field(default_factory=dict)
