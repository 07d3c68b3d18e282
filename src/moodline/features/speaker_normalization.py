"""Features relative to who speaks: what a voice is always like is taken out, how it departs from that stays.

In the set at hand, the feature vector x of an utterance of speaker s becomes (x - m) / √v. The set is the conversation;
in a corpus whose names are the same people throughout (``Corpus.speakers``), as actors, it is the split. Mean m and
variance v are those of the speaker's n utterances in that set, shrunk towards mean μ and variance σ² of the training
set as if w utterances had shown these:

    m = (n · mean + w · μ) / (n + w)        v = (n · variance + w · σ²) / (n + w)

So one utterance alone becomes √(w / (w + 1)) · (x - μ) / σ, almost what standardising with the training set gives, and
a few angry turns do not make anger this speaker's zero. Where nobody knows who speaks, it is (x - μ) / σ.

This is transductive: an answer depends on the other utterances of the set, of which a recording has many without
anyone's help. No label is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.core.conversation import Conversation
from moodline.core.errors import CheckpointError, FeatureError
from moodline.core.files import replacing_path

FILE = "normalization.safetensors"
CONSTANT = 1e-12
"""A variance below this share of 1 + μ² is none: the feature is only centred."""


@dataclass(frozen=True)
class SpeakerNormalization:
    """What the training set is like, and how far a speaker may depart from it.

    Args:
        mean: μ, float64 [D].
        variance: σ², float64 [D].
        shrink: w, as many utterances' weight for the training set; at least 0.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    shrink: float

    @classmethod
    def fit(
        cls, features: Mapping[str, NDArray[Any]], conversations: Iterable[Conversation], shrink: float
    ) -> SpeakerNormalization:
        """The statistics of all training utterances that have the modality.

        Raises:
            FeatureError: none has it.
        """
        rows = [_vector(features[u.id]) for c in conversations for u in c if u.id in features]
        if not rows:
            raise FeatureError("normalize: no training utterance has this modality", fix="Leave the modality out.")
        x = np.stack(rows)
        return cls(x.mean(0), x.var(0), shrink)

    def apply(
        self, features: Mapping[str, NDArray[Any]], conversations: Iterable[Conversation], across: bool = False
    ) -> dict[str, NDArray[np.float32]]:
        """Normalise some conversations.

        Args:
            features: utterance id to a vector [D] or frames [T, D], which are averaged; others than theirs are
                not read.
            conversations: each a set of its own.
            across: all of them are one set, in which a name is one person.

        Returns:
            Utterance id to float32 [D], for the utterances that have the modality.

        Raises:
            FeatureError: a vector has another size.
        """
        groups: dict[tuple[int, str | None], list[str]] = {}
        for number, conversation in enumerate(conversations):
            for utterance in (u for u in conversation if u.id in features):
                groups.setdefault((0 if across else number, utterance.speaker), []).append(utterance.id)
        out: dict[str, NDArray[np.float32]] = {}
        for (_, speaker), ids in groups.items():
            rows = [_vector(features[i]) for i in ids]
            for key, row in zip(ids, rows, strict=True):
                if row.shape != self.mean.shape:
                    raise FeatureError(f"{key}: expected {len(self.mean)} values", f"shape {row.shape}")
            x = np.stack(rows)
            if speaker is None:
                mean, variance = self.mean, self.variance
            else:
                mean, variance = self._shrunk(x.mean(0), x.var(0), len(ids))
            scale = np.sqrt(np.where(variance > CONSTANT * (1 + self.mean**2), variance, 1.0))
            out |= zip(ids, ((x - mean) / scale).astype(np.float32), strict=True)
        return out

    def _shrunk(
        self, mean: NDArray[np.float64], variance: NDArray[np.float64], count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        own = count / (count + self.shrink)
        return own * mean + (1 - own) * self.mean, own * variance + (1 - own) * self.variance


def _vector(value: NDArray[Any]) -> NDArray[np.float64]:
    array = np.asarray(value, np.float64)
    return array.mean(0) if array.ndim == 2 else array


def save_normalizations(directory: Path, found: Mapping[str, SpeakerNormalization]) -> None:
    """Write the statistics of all modalities that have some; nothing if none has."""
    from safetensors.numpy import save_file

    arrays = {f"{m}.{name}": getattr(n, name) for m, n in found.items() for name in ("mean", "variance")}
    if arrays:
        with replacing_path(directory / FILE) as path:
            save_file(arrays, path)


def load_normalizations(
    directory: Path, shrink: Mapping[str, float], dims: Mapping[str, int]
) -> dict[str, SpeakerNormalization]:
    """Read them back.

    Args:
        directory: of a checkpoint.
        shrink: w of each modality that is normalised.
        dims: modality to D.

    Raises:
        CheckpointError: the file is missing or broken, or does not fit.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not shrink:
        return {}
    try:
        arrays = load_file(directory / FILE)
        found = {m: (arrays[f"{m}.mean"], arrays[f"{m}.variance"]) for m in shrink}
    except (SafetensorError, OSError, KeyError) as error:
        raise CheckpointError(
            f"{directory / FILE}: the training set's statistics are missing or broken",
            f"{type(error).__name__}: {error}"[:80],
            "Get a complete copy of the model.",
        ) from None
    for m, (mean, variance) in found.items():
        good = mean.shape == variance.shape == (dims[m],) and np.isfinite(mean).all() and np.isfinite(variance).all()
        if not good or (variance < 0).any():
            raise CheckpointError(
                f"{directory / FILE}: {m} needs {dims[m]} finite means and variances",
                f"shapes {mean.shape} and {variance.shape}",
                "Get a complete copy of the model.",
            )
    return {m: SpeakerNormalization(mean, variance, shrink[m]) for m, (mean, variance) in found.items()}
