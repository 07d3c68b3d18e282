"""From a recipe and a corpus to examples: the features of every modality, taken from files or encoded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from moodline.cache import cache_directory
from moodline.config import ModalitySpec, Recipe
from moodline.conversation import Conversation
from moodline.corpora.base import Corpus
from moodline.device import own_device
from moodline.encoders import EncoderSpec, load_encoder
from moodline.encoders.base import Encoder, found_by
from moodline.encoders.inputs import content_hash, conversation_inputs
from moodline.errors import CheckpointError, ConfigError, FeatureError
from moodline.features import encode_to_store
from moodline.labels import Target
from moodline.training.data import ConversationExample, make_example

FeatureMap = Mapping[str, np.ndarray]
ProgressCallback = Callable[[str, int, int], None]
"""Called with what is going on, how many are done, and how many there are."""


def training_view(corpus: Corpus) -> Corpus:
    """The corpus without its test split: what training gets to see, features included.

    Raises:
        ConfigError: there is no train or no dev split.
    """
    splits = {s: corpus.splits.get(s, ()) for s in ("train", "dev")}
    empty = [s for s, conversations in splits.items() if not conversations]
    if empty:
        raise ConfigError(
            f"{corpus.name}: training needs the splits train and dev",
            f"no {' and no '.join(empty)}",
            "Give all splits.",
        )
    hidden = {u.id for c in corpus.splits.get("test", ()) for u in c}
    features = {name: {k: v for k, v in rows.items() if k not in hidden} for name, rows in corpus.features.items()}
    return replace(corpus, splits=splits, features=features)


def target_of(recipe: Recipe, corpus: Corpus) -> Target:
    """What a recipe's models learn of a corpus: its classes, or its scores.

    Raises:
        ConfigError: the corpus has no scores.
    """
    if recipe.task == "classes":
        return corpus.labels
    scored = any(u.score is not None for split in corpus.splits.values() for c in split for u in c)
    if corpus.scale is None or not scored:
        raise ConfigError(
            f"{recipe.name}: its task is scores, and the files of {corpus.name} bring none",
            fix="Give files with scores (MMSA pickles have some), or train a recipe of the task classes.",
        )
    return corpus.scale


def default_device(wish: str = "auto") -> str:
    """The device to run on: ``own_device`` unless the caller wishes for another.

    Raises:
        ConfigError: torch has no such device here.
    """
    import torch

    if wish == "auto":
        return own_device()
    try:
        torch.empty(1, device=wish)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"device '{wish}' cannot be used here ({str(error).splitlines()[0][:80]})", fix="Use cpu."
        ) from None
    return wish


def encoder_for(modality: str, spec: ModalitySpec, base: Path | None, device: str = "auto") -> Encoder:
    """The encoder of a modality: fine-tuned, from ``base/encoder-<modality>``, or as its name says."""
    device = default_device(device)
    assert spec.encoder is not None
    if spec.finetune is not None:
        from moodline.encoders.finetune import load_finetuned

        if base is None:
            raise ConfigError(f"{modality}: a fine-tuned encoder needs the directory that holds it")
        return load_finetuned(base / f"encoder-{modality}", device=device)
    return load_encoder(spec.encoder, device=device)


def load_encoders(
    modalities: Mapping[str, ModalitySpec], base: Path, revisions: Mapping[str, str], device: str = "auto"
) -> dict[str, Encoder]:
    """The encoders of a saved model, the same that it was trained with.

    Args:
        modalities: of the checkpoint.
        base: its directory.
        revisions: modality to the encoder's revision in training; one that is not named is not checked.
        device: see ``default_device``.

    Raises:
        CheckpointError: an encoder has changed since.
    """
    found = {m: encoder_for(m, spec, base, device) for m, spec in modalities.items() if spec.encoder is not None}
    for m, encoder in found.items():
        if revisions.get(m, encoder.revision) != encoder.revision:
            raise CheckpointError(
                f"{base.name}: the model was trained with revision {revisions[m]} of the {m} encoder {encoder.id}",
                encoder.revision,
                "Use the same weights of the encoder, or train again.",
            )
    return found


def encoder_inputs(conversation: Conversation, modality: str, spec: EncoderSpec) -> list[tuple[str, Any]]:
    """What the encoder reads for each utterance that has the modality: (utterance id, input)."""
    inputs = conversation_inputs(conversation, modality, spec)
    return [(u.id, x) for u, x in zip(conversation, inputs, strict=True) if x is not None]


def encode_conversation(
    conversation: Conversation,
    modality: str,
    spec: ModalitySpec,
    encoder: Encoder,
    known: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Features of one conversation, without a store: what the recognizer does.

    Args:
        conversation: the utterances.
        modality: speech, text or visual.
        spec: with ``encoder``.
        encoder: of ``encoder_for``.
        known: features by the content hash of what was encoded before, added to here; while a conversation goes on,
            only its new turns are then encoded. Recordings are always read anew, for they may change.
    """
    assert spec.encoder is not None
    inputs = dict(encoder_inputs(conversation, modality, spec.encoder))
    if known is None or modality != "text":
        found = dict(zip(inputs, encoder.encode(list(inputs.values())), strict=True)) if inputs else {}
        return dict(found_by(encoder, found))
    keys = {i: content_hash(x) for i, x in inputs.items()}
    new = {keys[i]: x for i, x in inputs.items() if keys[i] not in known}
    if new:
        known.update(zip(new, encoder.encode(list(new.values())), strict=True))
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
        found = found_by(encoder, _encode(corpus, modality, spec.encoder, encoder, progress))
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
    from moodline.encoders.finetune import FinetunedEncoder

    inputs = [pair for split in corpus.splits.values() for c in split for pair in encoder_inputs(c, modality, spec)]
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
        encoder.encode if isinstance(encoder, FinetunedEncoder) else _remembering(encoder),
        kind=encoder.kind,
        content_hash=content_hash,
        progress=(lambda done, total: progress(title, done, total)) if progress else None,
    )


_KNOWN: dict[str, dict[str, np.ndarray]] = {}
KNOWN = 50_000
"""Vectors kept in memory for other splits of the same corpus: folds share most of their utterances."""


def _remembering(encoder: Encoder) -> Callable[[list[Any]], list[np.ndarray]]:
    """``encoder.encode``, but what was encoded before in this process is not encoded again."""
    if encoder.kind != "utterance":
        return encoder.encode
    known = _KNOWN.setdefault(json.dumps([encoder.id, encoder.revision, encoder.settings], sort_keys=True), {})

    def encode(inputs: list[Any]) -> list[np.ndarray]:
        keys = [content_hash(x) for x in inputs]
        if len(known) > KNOWN:
            known.clear()
        new = {key: x for key, x in zip(keys, inputs, strict=True) if key not in known}
        if new:
            known.update(zip(new, encoder.encode(list(new.values())), strict=True))
        return [known[key] for key in keys]

    return encode


def feature_size(features: FeatureMap) -> int:
    """D of a feature mapping."""
    return int(features[next(iter(features))].shape[-1])


def make_examples(
    conversations: Iterable[Conversation],
    features: Mapping[str, FeatureMap],
    dims: Mapping[str, int],
    target: Target | None,
    reads: Mapping[str, str] | None = None,
) -> list[ConversationExample]:
    """Examples of many conversations; see ``training.data.make_example``. ``reads`` is the model's."""
    return [make_example(c, features, dims, target, reads) for c in conversations]


def coverage(conversations: Sequence[Conversation], features: FeatureMap) -> float:
    """Share of utterances that have a modality."""
    ids = [u.id for c in conversations for u in c]
    return sum(i in features for i in ids) / max(len(ids), 1)
