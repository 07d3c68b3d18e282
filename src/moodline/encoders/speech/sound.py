"""Clips as padded samples, for all speech encoders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moodline.core.errors import MediaError
from moodline.media.audio import RATE, AudioClip

FRAME = 320
"""Samples in the unit (20 ms) that lengths of clips are counted in."""

BUDGET = 12_000
"""Padded 20 ms frames of one forward pass: four minutes."""


def clip_samples(item: Any, max_seconds: float, shortest: int = 1) -> NDArray[np.float32]:
    """The samples of a clip.

    Args:
        item: an ``AudioClip``, or mono samples [N] at 16 kHz.
        max_seconds: what comes later is cut off.
        shortest: fewer samples are filled up with silence at the end.

    Raises:
        MediaError: a file that cannot be read; samples that are not mono, empty or not finite.
    """
    samples = item.load(RATE) if isinstance(item, AudioClip) else np.asarray(item, dtype=np.float32)
    if samples.ndim != 1 or not samples.size:
        raise MediaError("speech: expected mono samples [N] at 16 kHz, N ≥ 1", f"shape {samples.shape}")
    if not np.isfinite(samples).all():
        raise MediaError("speech: samples must be finite", "NaN or infinity")
    samples = samples[: max(1, int(max_seconds * RATE))]
    return np.pad(samples, (0, max(0, shortest - len(samples))))


def clip_seconds(item: Any) -> float:
    """How long a clip lasts, without reading its samples."""
    return item.seconds() if isinstance(item, AudioClip) else len(item) / RATE


def clip_length(item: Any, max_seconds: float) -> int:
    """How many 20 ms frames a clip lasts, without reading its samples."""
    return max(1, int(min(clip_seconds(item), max_seconds) * RATE) // FRAME)


def pad_samples(clips: Sequence[NDArray[np.float32]]) -> dict[str, Tensor]:
    """Pad on the right: samples float32 [B, N], lengths int64 [B]."""
    lengths = torch.tensor([len(c) for c in clips])
    samples = torch.zeros(len(clips), int(lengths.max()))
    for row, clip in enumerate(clips):
        samples[row, : len(clip)] = torch.from_numpy(np.ascontiguousarray(clip))
    return {"samples": samples, "lengths": lengths}
