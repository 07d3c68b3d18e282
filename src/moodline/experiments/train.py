"""Training under the protocol: recipe → seeds → choice on dev. The test split is never read here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from moodline.core.errors import MoodlineError
from moodline.core.progress import ProgressCallback
from moodline.corpora.base import Corpus
from moodline.corpora.inspect import corpus_hash
from moodline.evaluation.results import training_seconds
from moodline.evaluation.tasks import task_of
from moodline.experiments.auxiliary_corpora import read_auxiliary, with_auxiliary
from moodline.experiments.folds import Fold, read_folds
from moodline.experiments.runs import Run, any_seed_started, begin_run, forget_run, seed_directory
from moodline.features.speaker_normalization import SpeakerNormalization
from moodline.models.registry import model_reads
from moodline.pipeline.checkpoint import build_model, save_checkpoint
from moodline.pipeline.encoders import encoder_for
from moodline.pipeline.examples import make_examples, target_of, training_view
from moodline.pipeline.features import FeatureMap, feature_size, gather_features
from moodline.pipeline.model_card import model_card
from moodline.pipeline.recipe import Recipe
from moodline.training.data import ConversationExample, collate
from moodline.training.inference import answer
from moodline.training.loop import FitResult, fit
from moodline.training.processes import processes


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    seeds: Sequence[int] = (0,),
    progress: ProgressCallback | None = None,
    quiet: bool = False,
) -> Run:
    """Train a recipe with several seeds, each chosen on dev; finished seeds are skipped, begun ones resumed.

    With ``folds``, each seed is trained on every fold.

    Args:
        recipe: what to train.
        data: the corpus directory; only its train and dev splits are used.
        out: the run's directory.
        seeds: one model for each.
        progress: told about encoding.
        quiet: show no bars over epochs, even on a terminal.

    Raises:
        MoodlineError: see the corpus readers, ``config`` and ``fit``.
    """
    here = processes()
    folds = read_folds(recipe, data)
    fingerprint = corpus_hash(folds[0].corpus)
    others = read_auxiliary(recipe.modalities.values(), data)
    folds = [dataclasses.replace(f, corpus=training_view(with_auxiliary(f.corpus, others))) for f in folds]
    if here.is_main_process:
        begin_run(recipe, fingerprint, out)
    here.wait_for_everyone()
    try:
        for seed in seeds:
            for fold in folds:
                directory = seed_directory(out, seed, fold.number)
                if not (directory / "config.json").is_file():
                    _train_seed(recipe, fold, directory, seed, progress, quiet)
                here.wait_for_everyone()
    except MoodlineError:
        if here.is_main_process and not any_seed_started(out):
            forget_run(out)
        raise
    return Run.load(out)


def _train_seed(
    recipe: Recipe, fold: Fold, directory: Path, seed: int, progress: ProgressCallback | None, quiet: bool
) -> None:
    corpus = fold.corpus
    features, encoders, normalizations = training_features(recipe, corpus, directory, seed, progress, quiet)
    model, result, dev_set = fit_model(recipe, corpus, features, directory, seed, quiet)
    if not processes().is_main_process:
        return
    answers = answer(model, dev_set, collate, lengths=[len(e) for e in dev_set])
    target = target_of(recipe, corpus)
    task = task_of(target)
    calibration = task.calibrate(answers)
    dev = task.numbers(answers, calibration)
    metrics = {"seed": seed, "best_epoch": result.best_epoch, "epochs": len(result.history), "dev": dev}
    metrics["seconds"] = training_seconds(directory)
    which = f"seed {seed}" if fold.number is None else f"fold {fold.number}, seed {seed}"
    save_checkpoint(
        directory,
        name=f"{recipe.name} ({which})",
        model=model,
        settings=recipe.model,
        dims={m: feature_size(f) for m, f in features.items()},
        target=target,
        modalities=recipe.modalities,
        calibration=calibration,
        metrics=metrics,
        card=model_card(recipe, corpus, metrics, calibration, which),
        encoders=encoders,
        normalizations=normalizations,
        languages=corpus.languages,
    )


def fit_model(
    recipe: Recipe, corpus: Corpus, features: Mapping[str, FeatureMap], directory: Path, seed: int, quiet: bool = False
) -> tuple[torch.nn.Module, FitResult, list[ConversationExample]]:
    """The conversation model, trained on features and left at its best dev epoch.

    Args:
        recipe: what to train.
        corpus: its training view.
        features: of ``training_features``.
        directory: of the seed; the training state goes to ``training`` in it.
        seed: of everything random.
        quiet: show no bar.

    Returns:
        The model, the course of its training, the dev examples.
    """
    dims = {m: feature_size(f) for m, f in features.items()}
    target = target_of(recipe, corpus)
    reads = model_reads(recipe.model["name"])
    train_set = make_examples(corpus.splits["train"], features, dims, target, reads)
    dev_set = make_examples(corpus.splits["dev"], features, dims, target, reads)
    torch.manual_seed(seed)
    model = build_model(recipe.model, dims, len(target), target.range, target.labels)
    model.fit_statistics(collate(train_set[i : i + 64]) for i in range(0, len(train_set), 64))
    result = fit(
        model,
        train_set,
        dev_set,
        collate,
        judge=task_of(target).judge(),
        config=dataclasses.replace(recipe.training, seed=seed),
        directory=directory / "training",
        title=f"{recipe.name} seed {seed}",
        quiet=quiet,
    )
    return model, result, dev_set


def training_features(
    recipe: Recipe,
    corpus: Corpus,
    directory: Path,
    seed: int,
    progress: ProgressCallback | None = None,
    quiet: bool = False,
) -> tuple[dict[str, FeatureMap], dict[str, str], dict[str, SpeakerNormalization]]:
    """Features of every modality for train and dev; fine-tunes encoders first if asked.

    Returns:
        Modality to features, normalised where the recipe says so; to the encoder's revision; to the statistics that
        normalising needs.
    """
    features: dict[str, FeatureMap] = {}
    revisions, normalizations = {}, {}
    for m, spec in sorted(recipe.modalities.items(), key=lambda pair: pair[1].finetune is not None):
        if spec.finetune is not None:
            from moodline.experiments.encoder_stage import finetune_encoder

            finetune_encoder(corpus, m, spec, directory, seed, quiet)
        encoder = encoder_for(m, spec, directory) if spec.encoder is not None else None
        features[m] = gather_features(corpus, m, spec, encoder, progress)
        if encoder is not None:
            revisions[m] = encoder.revision
        if spec.normalize == "speaker":
            found = SpeakerNormalization.fit(features[m], corpus.splits["train"], spec.shrink)
            across, rows = corpus.speakers == "corpus", features[m]
            features[m] = {k: v for c in corpus.splits.values() for k, v in found.apply(rows, c, across).items()}
            normalizations[m] = found
    return {m: features[m] for m in recipe.modalities}, revisions, normalizations
