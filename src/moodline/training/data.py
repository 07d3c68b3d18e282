"""Conversations with their features as examples, and examples as batches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moodline.core.batch import Batch
from moodline.core.conversation import Conversation
from moodline.core.errors import FeatureError
from moodline.core.labels import IGNORE, Target
from moodline.evaluation.tasks import task_of

Sequences = tuple[NDArray[Any], ...]
"""[T, D] for each utterance, of different lengths."""


@dataclass(frozen=True)
class ConversationExample:
    """One conversation with its feature vectors.

    Args:
        id: the conversation's id.
        utterances: the utterances' ids.
        features: modality to float32 [U, D]; rows that are not present are zero and never read.
        present: modality to bool [U].
        labels: int64 [U], ``IGNORE`` where unlabelled.
        speakers: int64 [U], in the order of first speaking; -1 where unknown.
        targets: float32 [U], NaN where there is none; None for a model of classes.
        frames: modality to float32 [T, D] for each utterance, T = 0 where it is not present; for a model that reads
            frames, instead of ``features``.
        tokens: int64 [T, 2] for each utterance, see ``encoders.model_tokens``; for a model that reads tokens.
    """

    id: str
    utterances: tuple[str, ...]
    features: dict[str, NDArray[np.float32]]
    present: dict[str, NDArray[np.bool_]]
    labels: NDArray[np.int64]
    speakers: NDArray[np.int64]
    targets: NDArray[np.float32] | None = None
    frames: dict[str, Sequences] = field(default_factory=dict)
    tokens: Sequences | None = None

    def __len__(self) -> int:
        return len(self.utterances)


def make_example(
    conversation: Conversation,
    features: Mapping[str, Mapping[str, Any]],
    dims: Mapping[str, int],
    target: Target | None,
    reads: Mapping[str, str] | None = None,
) -> ConversationExample:
    """Join a conversation with its features.

    Args:
        conversation: the utterances.
        features: modality to a mapping from utterance id to a vector [D] or frames [T, D] (frames are averaged);
            an utterance that is not in the mapping lacks the modality.
        dims: modality to D.
        target: the label set, or the scale of the scores; None at inference.
        reads: modality to "vector" (the default), "frames" (which are kept) or "tokens"; a model's own.

    Raises:
        FeatureError: a vector or a frame has another size, or is NaN or infinite.
        LabelError: an emotion is not in the label set, or a score not in its range.
    """
    ids = tuple(u.id for u in conversation)
    values: dict[str, NDArray[np.float32]] = {}
    frames: dict[str, Sequences] = {}
    tokens: Sequences | None = None
    present: dict[str, NDArray[np.bool_]] = {}
    for m, size in dims.items():
        how = (reads or {}).get(m, "vector")
        if how == "vector":
            values[m], present[m] = _vectors(ids, features[m], size, m)
            continue
        found = _sequences(ids, features[m], size, m, np.int64 if how == "tokens" else np.float32)
        present[m] = np.array([len(x) > 0 for x in found], bool)
        if how == "tokens":
            tokens = found
        else:
            frames[m] = found
    numbers: dict[str, int] = {}
    speakers = [-1 if u.speaker is None else numbers.setdefault(u.speaker, len(numbers)) for u in conversation]
    unknown = np.full(len(ids), IGNORE, np.int64)
    labels, targets = (unknown, None) if target is None else task_of(target).targets(conversation)
    who = np.array(speakers, np.int64)
    return ConversationExample(conversation.id, ids, values, present, labels, who, targets, frames, tokens)


def _vectors(
    ids: Sequence[str], known: Mapping[str, Any], size: int, modality: str
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """One vector an utterance [U, D], frames averaged; where there is one [U]."""
    rows = np.zeros((len(ids), size), np.float32)
    where = np.zeros(len(ids), bool)
    for u, key in enumerate(ids):
        if key not in known:
            continue
        vector = np.asarray(known[key], np.float32)
        vector = vector.mean(0) if vector.ndim == 2 else vector
        if vector.shape != (size,):
            raise FeatureError(f"{modality} of {key}: expected {size} values", f"shape {vector.shape}")
        rows[u], where[u] = vector, True
    bad = ~np.isfinite(rows).all(1)
    if bad.any():
        key = ids[int(bad.argmax())]
        raise FeatureError(f"{modality} of {key}: features must be finite", "NaN or infinity", "Clean or drop them.")
    return rows, where


def _sequences(ids: Sequence[str], known: Mapping[str, Any], size: int, modality: str, kind: type) -> Sequences:
    """A sequence [T, D] an utterance, a vector being one of length 1; of length 0 where the modality is missing."""
    out = []
    for key in ids:
        rows: NDArray[Any] = np.asarray(known.get(key, np.zeros((0, size))), kind)
        rows = rows[None] if rows.ndim == 1 else rows
        if rows.ndim != 2 or rows.shape[1] != size:
            raise FeatureError(f"{modality} of {key}: expected frames of {size} values", f"shape {rows.shape}")
        bad = ~np.isfinite(rows).all(1)
        if bad.any():
            where = f"NaN or infinity in frame {int(bad.argmax())} of {len(rows)}"
            raise FeatureError(f"{modality} of {key}: frames must be finite", where, "Clean or drop them.")
        out.append(rows)
    return tuple(out)


def collate(examples: Sequence[ConversationExample]) -> Batch:
    """Pad conversations to the longest and stack them into a checked ``Batch``."""
    longest = max(len(e) for e in examples)
    values = [e.targets for e in examples if e.targets is not None]

    def stack(arrays: Iterable[NDArray[Any]], fill: float) -> Tensor:
        padded = []
        for a in arrays:
            width = [(0, longest - len(a))] + [(0, 0)] * (a.ndim - 1)
            padded.append(np.pad(a, width, constant_values=fill))
        return torch.from_numpy(np.stack(padded))

    frames = {m: _ragged([e.frames[m] for e in examples], longest) for m in examples[0].frames}
    words = _ragged([e.tokens or () for e in examples], longest) if examples[0].tokens is not None else None
    return Batch(
        features={m: stack((e.features[m] for e in examples), 0) for m in examples[0].features},
        present={m: stack((e.present[m] for e in examples), False) for m in examples[0].present},
        valid=stack((np.ones(len(e), bool) for e in examples), False),
        labels=stack((e.labels for e in examples), IGNORE),
        speakers=stack((e.speakers for e in examples), -1),
        targets=stack(values, np.nan) if values else None,
        frames={m: values for m, (values, _) in frames.items()},
        frames_valid={m: real for m, (_, real) in frames.items()},
        tokens=None if words is None else words[0][..., 0].contiguous(),
        tokens_valid=None if words is None else words[1],
        tokens_own=None if words is None else words[0][..., 1] == 1,
    ).check()


def _ragged(rows: Sequence[Sequences], longest: int) -> tuple[Tensor, Tensor]:
    """Sequences [T, D] by conversation and utterance → padded [B, U, T, D], and where they are real [B, U, T]."""
    first = rows[0][0]
    most = max(1, *(len(x) for row in rows for x in row))
    out = np.zeros((len(rows), longest, most, first.shape[1]), first.dtype)
    real = np.zeros(out.shape[:3], bool)
    for b, row in enumerate(rows):
        for u, x in enumerate(row):
            out[b, u, : len(x)], real[b, u, : len(x)] = x, True
    return torch.from_numpy(out), torch.from_numpy(real)


def epoch_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of one epoch, a function of seed and epoch alone.

    Examples are shuffled, then sorted by length inside windows of 16 batches, so that little is padded, and the
    batches are shuffled again.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    window = batch_size * 16
    batches = []
    for start in range(0, len(order), window):
        part = order[start : start + window]
        part = part[np.argsort(np.asarray(lengths)[part], kind="stable")]
        batches += [part[i : i + batch_size].tolist() for i in range(0, len(part), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]
