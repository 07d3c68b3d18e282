"""How a model is trained, as it stands in a recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from moodline.core.errors import ConfigError
from moodline.core.settings import Settings


@dataclass(frozen=True)
class TrainConfig(Settings):
    """How a model is trained."""

    epochs: int = 100
    """At most this many passes over the training set."""
    batch_size: int = 8
    """Examples (conversations, or utterances in stage 1) in a batch, per process."""
    accumulate: int = 1
    """Batches whose gradients are added before a step."""
    learning_rate: float = 1e-4
    """Peak learning rate."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """``adam`` is the paper's."""
    beta2: float = 0.999
    """Decay of the optimizer's mean of squared gradients."""
    weight_decay: float = 0.0
    """Decoupled with ``adamw``, L2 with ``adam``."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """Course of the learning rate after warm-up, down to zero at the last epoch."""
    warmup: float = 0.0
    """Share of all steps in which the learning rate rises linearly from zero."""
    clip_norm: float = 1.0
    """Gradients are clipped to this norm."""
    average: float = 0.0
    """Decay of a running mean of the weights, which is judged on dev and kept in their place; 0 keeps none. 0.99 looks
    back over some hundred steps."""
    patience: int = 10
    """Stop after this many epochs without a better dev number (weighted F1; the error of scores); 0 never does."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """``bf16`` computes in bfloat16 where it is safe; weights stay fp32."""
    seed: int = 0
    """The one seed of everything random."""
    checkpoint_seconds: float = 60.0
    """A resumable checkpoint at least this often, and after every epoch."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least {low}, got {getattr(self, name)}"
            for name, low in (("epochs", 1), ("batch_size", 1), ("accumulate", 1), ("patience", 0), ("seed", 0))
            if getattr(self, name) < low
        ]
        for name in ("learning_rate", "clip_norm"):
            if not 0 < getattr(self, name) < math.inf:
                problems.append(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.weight_decay < math.inf:
            problems.append(f"weight_decay must not be negative, got {self.weight_decay}")
        if not 0 < self.beta2 < 1:
            problems.append(f"beta2 must lie in (0, 1), got {self.beta2}")
        if not 0 <= self.average < 1:
            problems.append(f"average must lie in [0, 1), got {self.average}")
        if not 0 <= self.warmup <= 1:
            problems.append(f"warmup is a share of all steps, in [0, 1], got {self.warmup}")
        if not self.checkpoint_seconds >= 0:
            problems.append(f"checkpoint_seconds must not be negative, got {self.checkpoint_seconds}")
        if problems:
            raise ConfigError("training: " + "; ".join(problems))
