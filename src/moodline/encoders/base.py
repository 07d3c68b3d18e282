"""What every encoder offers, and two small things that all of them need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from moodline.nn.pretrained import files_revision as files_revision


class Encoder(Protocol):
    """From inputs to arrays; the same input gives the same array in any company (to 1e-5)."""

    @property
    def id(self) -> str:
        """The name it was loaded by."""

    @property
    def revision(self) -> str:
        """A hash of the weights' files, or the hub's commit."""

    @property
    def modality(self) -> str:
        """``"text"``, ``"speech"`` or ``"visual"``."""

    @property
    def dim(self) -> int:
        """D, the size of a vector."""

    @property
    def kind(self) -> Literal["utterance", "frames", "tokens"]:
        """Whether an input gives a vector [D], a sequence [T, D], or a sequence of tokens (``model_tokens.py``)."""

    @property
    def settings(self) -> dict[str, Any]:
        """Everything else that results depend on; plain JSON values, for a feature store's key."""

    def encode(self, inputs: Sequence[Any]) -> list[np.ndarray]:
        """Encode inputs (see ``encoders.inputs``).

        Returns:
            float32 [D] or [T, D], one per input, in order; int64 [T, 2] for tokens.
        """


@runtime_checkable
class Selective(Protocol):
    """An encoder that may find nothing in what it was given, such as a face in a video."""

    def finds(self, array: np.ndarray) -> bool:
        """Whether a result of ``encode`` holds something; if not, its utterance lacks the modality."""


@runtime_checkable
class Limited(Protocol):
    """An encoder that reads inputs up to a certain length."""

    def cuts(self, inputs: Sequence[Any]) -> list[bool]:
        """Whether the end of each input is beyond what is read."""


def detected_by(encoder: Encoder, features: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Features without those in which the encoder found nothing."""
    if not isinstance(encoder, Selective):
        return features
    return {i: array for i, array in features.items() if encoder.finds(array)}


def truncated_by(encoder: Encoder, inputs: Mapping[str, Any]) -> list[str]:
    """Those of the inputs whose end an encoder does not read."""
    if not isinstance(encoder, Limited):
        return []
    return [i for i, cut in zip(inputs, encoder.cuts(list(inputs.values())), strict=True) if cut]


def length_batches(lengths: Sequence[int], batch_size: int, budget: int) -> Iterator[list[int]]:
    """Batches of indices, the longest first, so that little is padded and memory runs out at once or not at all.

    Args:
        lengths: one per input.
        batch_size: most inputs in a batch.
        budget: most padded length (inputs × the longest) of a batch; a single longer input still gets one.
    """
    batch: list[int] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda n: (-lengths[n], n)):
        if batch and (len(batch) == batch_size or (len(batch) + 1) * longest > budget):
            yield batch
            batch = []
        if not batch:
            longest = max(1, lengths[index])
        batch.append(index)
    if batch:
        yield batch
