"""A corpus with the embeddings of chosen encoders as its features: what stage 2 is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from moodline.core.device import default_device
from moodline.core.errors import ConfigError
from moodline.core.progress import ProgressCallback
from moodline.corpora.base import Corpus
from moodline.corpora.registry import read_corpus
from moodline.encoders.base import Encoder
from moodline.encoders.load import load_encoder
from moodline.encoders.registry import ENCODERS, FORMS, encoder_modality
from moodline.encoders.settings import EncoderSpec
from moodline.experiments.finetuning.run import tuned_encoder
from moodline.pipeline.features import FeatureMap, gather_features
from moodline.pipeline.recipe import ModalitySpec
from moodline.training.processes import processes


def encode_with(
    name: str,
    data: Path,
    sources: Mapping[str, str],
    seed: int = 0,
    device: str = "auto",
    progress: ProgressCallback | None = None,
) -> Corpus:
    """Read a corpus and encode all of its splits.

    With several processes each encodes its share of the conversations; the main one then has them all.

    Args:
        name: a name of ``moodline corpora``.
        data: the corpus directory.
        sources: modality to a run of ``moodline finetune``, or to the name of an encoder, e.g. ``is10``.
        seed: of the runs.
        device: see ``default_device``; with several processes each takes its own.
        progress: told about encoding.

    Returns:
        The corpus; its features named by modality are the embeddings.

    Raises:
        ConfigError: no such run or encoder.
        FeatureError: no utterance has the modality.
    """
    corpus = read_corpus(name, data)
    here = processes()
    place = str(here.device) if here.num_processes > 1 and device == "auto" else default_device(device)
    features = dict(corpus.features)
    for modality, source in sources.items():
        encoder, spec = _load(modality, source, seed, place)
        parts = [_share(corpus, n, here.num_processes) for n in range(here.num_processes)]
        own = gather_features(parts[here.process_index], modality, spec, encoder, progress)
        here.wait_for_everyone()
        found: dict[str, np.ndarray] = {}
        for n, part in enumerate(parts if here.is_main_process else ()):
            rows: FeatureMap = own if n == here.process_index else gather_features(part, modality, spec, encoder)
            found.update(rows)
        features[modality] = found
    learned = not all(map(_comes_with_weights, sources.values()))  # perhaps on what some of the folds test
    return replace(corpus, features=features, folds=() if learned else corpus.folds)


def _comes_with_weights(source: str) -> bool:
    """Whether this is an encoder's name, not a run."""
    return source in ENCODERS or source.startswith(tuple(f"{form}:" for form in FORMS))


def _load(modality: str, source: str, seed: int, device: str) -> tuple[Encoder, ModalitySpec]:
    """An encoder and how its inputs are made."""
    source = source.removeprefix("finetuned:")
    if source.startswith("tokens:"):
        raise ConfigError(f"--{modality} {source}: tokens are words for a language model, no features to export")
    if _comes_with_weights(source):
        if encoder_modality(source) != modality:
            raise ConfigError(f"--{modality} {source}: this encoder reads {encoder_modality(source)}")
        spec = EncoderSpec(source)
        return load_encoder(spec, device=device), ModalitySpec(encoder=spec)
    from moodline.encoders.finetuning import load_finetuned

    tuned = load_finetuned(tuned_encoder(Path(source), modality, seed), device)  # type: ignore[arg-type]
    if tuned.modality != modality:
        raise ConfigError(f"--{modality} {source}: this encoder reads {tuned.modality}")
    return tuned, ModalitySpec(encoder=tuned.spec)


def _share(corpus: Corpus, number: int, of: int) -> Corpus:
    """Every ``of``-th conversation of each split, from ``number`` on."""
    return replace(corpus, splits={name: split[number::of] for name, split in corpus.splits.items()})
