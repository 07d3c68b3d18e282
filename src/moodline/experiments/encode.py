"""A corpus encoded on its own, with the encoders of a recipe or of a trained model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from moodline.core.errors import ConfigError
from moodline.core.progress import ProgressCallback
from moodline.corpora.base import Corpus
from moodline.corpora.registry import read_corpus
from moodline.experiments.runs import Run
from moodline.pipeline.encoders import encoder_for
from moodline.pipeline.features import gather_features
from moodline.pipeline.recipe import load_recipe


def encode_corpus(source: str, data: Path, progress: ProgressCallback | None = None) -> Corpus:
    """A corpus with the features that the encoders of a recipe or of a trained model give.

    Args:
        source: a recipe's name or file, or a checkpoint directory inside a run: its fine-tuned encoders are used, and
            the splits of its fold.
        data: the corpus directory.
        progress: told about encoding.

    Raises:
        ConfigError: nothing in the recipe is encoded, or its encoder must be fine-tuned first.
    """
    directory = Path(source)
    trained = (directory / "config.json").is_file()
    fold = _fold_of(directory) if trained else None
    run = directory.parent if fold is None else directory.parent.parent
    if trained and not (run / "recipe.yaml").is_file():
        raise ConfigError(
            f"{directory}: not inside a run, so its corpus is unknown", fix="Give RUN/seed-N of moodline train."
        )
    recipe = Run.load(run).recipe if trained else load_recipe(source)
    specs = {m: spec for m, spec in recipe.modalities.items() if spec.encoder is not None}
    if not specs:
        raise ConfigError(f"{recipe.name}: no modality has an encoder, there is nothing to encode")
    if not trained and any(spec.finetune for spec in specs.values()):
        raise ConfigError(f"{recipe.name}: its encoder is fine-tuned", fix="Train it first, then give RUN/seed-N.")
    options = recipe.corpus.options if fold is None else {**recipe.corpus.options, "fold": fold}
    corpus = read_corpus(recipe.corpus.name, data, **options)
    features = dict(corpus.features)
    for m, spec in specs.items():
        encoder = encoder_for(m, spec, directory if trained else None)
        features[m] = dict(gather_features(corpus, m, spec, encoder, progress))
    learned = any(spec.finetune for spec in specs.values())  # on this fold's train, which other folds test
    return dataclasses.replace(corpus, features=features, folds=() if learned else corpus.folds)


def _fold_of(directory: Path) -> int | None:
    """The fold that a checkpoint's place in its run says: the encoders in it have seen that fold's training split."""
    name, _, number = directory.absolute().parent.name.partition("-")
    return int(number) if name == "fold" and number.isdecimal() else None
