"""The features of every modality: from the corpus's own files, or encoded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from moodline.core.cache import cache_directory
from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError, FeatureError
from moodline.core.progress import ProgressCallback
from moodline.corpora.base import Corpus
from moodline.encoders.base import Encoder, detected_by
from moodline.encoders.inputs import content_hash, conversation_inputs
from moodline.encoders.long_text import encode_whole
from moodline.encoders.settings import EncoderSpec
from moodline.features import encode_to_store
from moodline.pipeline.recipe import ModalitySpec

FeatureMap = Mapping[str, np.ndarray]


def encoder_inputs(conversation: Conversation, modality: str, spec: EncoderSpec) -> dict[str, Any]:
    """Utterance id to what the encoder reads, for each utterance that has the modality, in order."""
    inputs = conversation_inputs(conversation, modality, spec)
    return {u.id: x for u, x in zip(conversation, inputs, strict=True) if x is not None}


def encode_inputs(
    inputs: Mapping[str, Any], modality: str, encoder: Encoder, known: dict[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Features of one conversation, without a store: the way that the recognizer encodes.

    Args:
        inputs: utterance id to input, see ``encoder_inputs``.
        modality: speech, text or visual.
        encoder: see ``encoder_for``.
        known: content hash to features that were encoded before; new ones are added. While a conversation goes on,
            only its new turns are then encoded. Recordings are always read again, for they may change.

    Returns:
        Utterance id to features, float32 [D] or [T, D], without the utterances in which the encoder detects nothing.
        A turn of text that is longer than the encoder reads is encoded in parts (``encode_whole``).
    """
    if known is None or modality != "text":
        found = dict(zip(inputs, encoder.encode(list(inputs.values())), strict=True)) if inputs else {}
        return dict(detected_by(encoder, found))
    keys = {i: content_hash(x) for i, x in inputs.items()}
    new = {keys[i]: x for i, x in inputs.items() if keys[i] not in known}
    if new:
        known.update(zip(new, encode_whole(encoder, list(new.values())), strict=True))
    return {i: known[key] for i, key in keys.items()}


def gather_features(
    corpus: Corpus,
    modality: str,
    spec: ModalitySpec,
    encoder: Encoder | None,
    progress: ProgressCallback | None = None,
) -> FeatureMap:
    """Features of all utterances of a corpus, from its own files or through the feature store.

    Args:
        corpus: only the splits in it are encoded.
        modality: speech, text or visual.
        spec: where the features come from.
        encoder: of ``encoder_for``; None where the corpus brings the features.
        progress: see ``ProgressCallback``.

    Raises:
        ConfigError: the corpus has no such feature set.
        FeatureError: no utterance has the modality, or the size is not ``spec.dim``.
    """
    if spec.features is not None:
        if spec.features not in corpus.features:
            have = ", ".join(sorted(corpus.features)) or "none"
            raise ConfigError(
                f"{modality}: {corpus.name} brings no feature set '{spec.features}'",
                f"feature sets: {have}",
                "Name one of these, or give an encoder.",
            )
        found: FeatureMap = corpus.features[spec.features]
    else:
        assert encoder is not None
        assert spec.encoder is not None
        found = detected_by(encoder, _encode(corpus, modality, spec.encoder, encoder, progress))
    if not len(found):
        raise FeatureError(f"{modality}: no utterance of {corpus.name} has it", fix="Leave this modality out.")
    size = feature_size(found)
    if spec.dim is not None and size != spec.dim:
        raise FeatureError(
            f"{modality}: the recipe expects features of size {spec.dim}", size, "Set dim, or give others."
        )
    return found


def _encode(
    corpus: Corpus, modality: str, spec: EncoderSpec, encoder: Encoder, progress: ProgressCallback | None
) -> FeatureMap:
    from moodline.encoders.finetuning import FinetunedEncoder

    inputs = [
        pair
        for conversations in corpus.splits.values()
        for c in conversations
        for pair in encoder_inputs(c, modality, spec).items()
    ]
    if not inputs:
        return {}
    if encoder.kind == "tokens":  # quicker made than read
        return dict(zip((i for i, _ in inputs), encoder.encode([x for _, x in inputs]), strict=True))
    if isinstance(encoder, FinetunedEncoder):
        encoder.keep_frozen(cache_directory() / "frozen")
    title = f"encoding {modality} with {spec.name}"
    return encode_to_store(
        cache_directory() / "features",
        {
            "corpus": corpus.name,
            "modality": modality,
            "encoder": encoder.id,
            "revision": encoder.revision,
            "settings": encoder.settings,
        },
        inputs,
        encoder.encode if isinstance(encoder, FinetunedEncoder) else _cached(encoder),
        kind=encoder.kind,
        content_hash=content_hash,
        progress=(lambda done, total: progress(title, done, total)) if progress else None,
    )


_VECTORS: dict[str, dict[str, np.ndarray]] = {}


MAX_CACHED_VECTORS = 50_000
"""Vectors kept in memory for other splits of the same corpus: folds share most of their utterances."""


def _cached(encoder: Encoder) -> Callable[[list[Any]], list[np.ndarray]]:
    """``encoder.encode``, but what was encoded before in this process is not encoded again."""
    if encoder.kind != "utterance":
        return encoder.encode
    known = _VECTORS.setdefault(json.dumps([encoder.id, encoder.revision, encoder.settings], sort_keys=True), {})

    def encode(inputs: list[Any]) -> list[np.ndarray]:
        keys = [content_hash(x) for x in inputs]
        if len(known) > MAX_CACHED_VECTORS:
            known.clear()
        new = {key: x for key, x in zip(keys, inputs, strict=True) if key not in known}
        if new:
            known.update(zip(new, encode_whole(encoder, list(new.values())), strict=True))
        return [known[key] for key in keys]

    return encode


def feature_size(features: FeatureMap) -> int:
    """D of a feature mapping."""
    return int(features[next(iter(features))].shape[-1])
