"""Experiments under the protocol: recipe → seeds → choice on dev → test once → ``results.json``.

``train`` reads the training and dev splits only. ``evaluate`` touches the test split, once for each run.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moodline.atomic import write_json
from moodline.auxiliary import with_auxiliary
from moodline.build import (
    FeatureMap,
    ProgressCallback,
    default_device,
    encoder_for,
    feature_size,
    gather_features,
    load_encoders,
    make_examples,
    target_of,
    training_view,
)
from moodline.cards import model_card
from moodline.checkpoint import Checkpoint, build_model, load_checkpoint, read_part, save_checkpoint
from moodline.config import Recipe, load_recipe
from moodline.conversation import Conversation
from moodline.corpora import read_corpus
from moodline.corpora.base import Corpus
from moodline.corpora.inspect import corpus_hash
from moodline.drawn import Drawn
from moodline.encoders.base import Encoder
from moodline.errors import ConfigError, MoodlineError
from moodline.folds import Fold, Tested, join, read_folds
from moodline.labels import IGNORE, ScoreScale, check_same_target, label_names, score_range
from moodline.normalization import SpeakerNormalization
from moodline.predictions import write_predictions
from moodline.registry import model_reads
from moodline.results import provenance, read_results, score, summarize, training_seconds
from moodline.runs import Run, anything_trained, begin_run, forget_run, seed_directory
from moodline.training.calibration import calibrate, calibrate_scores
from moodline.training.data import ConversationExample, collate
from moodline.training.inference import Answers, answer
from moodline.training.judge import judge_of, scored
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
    folds = [dataclasses.replace(f, corpus=training_view(with_auxiliary(recipe, f.corpus, data))) for f in folds]
    if here.is_main_process:
        begin_run(recipe, fingerprint, data, out)
    here.wait_for_everyone()
    try:
        for seed in seeds:
            for fold in folds:
                directory = seed_directory(out, seed, fold.number)
                if not (directory / "config.json").is_file():
                    _train_seed(recipe, fold, directory, seed, progress, quiet)
                here.wait_for_everyone()
    except MoodlineError:
        if here.is_main_process and not anything_trained(out):
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
    calibration = calibrate_on(answers)
    target = target_of(recipe, corpus)
    dev = score(answers, target, calibration)
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
    model = build_model(recipe.model, dims, len(target), score_range(target), label_names(target))
    model.fit_statistics(collate(train_set[i : i + 64]) for i in range(0, len(train_set), 64))  # type: ignore[operator]
    result = fit(
        model,
        train_set,
        dev_set,
        collate,
        judge=judge_of(target),
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
            from moodline.stage1 import finetune_encoder

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


def calibrate_on(answers: Sequence[Answers]) -> dict[str, Any]:
    """What is fitted on the labelled or scored utterances of the dev answers, see ``training/calibration.py``."""
    if answers[0].scores is not None:
        return calibrate_scores(*scored(answers))
    labels = np.concatenate([a.labels for a in answers])
    real = labels != IGNORE
    experts = {n: np.concatenate([a.experts[n] for a in answers])[real] for n in answers[0].experts}
    return calibrate(np.concatenate([a.logits for a in answers])[real], experts, labels[real])


def checkpoint_encoders(checkpoint: Checkpoint) -> dict[str, Encoder]:
    """The encoder of each modality of a checkpoint that has one."""
    return load_encoders(checkpoint.modalities, checkpoint.directory, checkpoint.config.get("encoders", {}))


def predict_split(
    checkpoint: Checkpoint,
    corpus: Corpus,
    conversations: Sequence[Conversation],
    progress: ProgressCallback | None = None,
    encoders: Mapping[str, Encoder] | None = None,
) -> list[Answers]:
    """A checkpoint's answers for conversations of a corpus; ``encoders`` default to ``checkpoint_encoders``.

    A model that normalises by speaker takes all of ``conversations`` for one set, if the corpus's speakers last.
    """
    encoders = checkpoint_encoders(checkpoint) if encoders is None else encoders
    part = dataclasses.replace(corpus, splits={"chosen": tuple(conversations)})
    features = {
        m: gather_features(part, m, spec, encoders.get(m), progress) for m, spec in checkpoint.modalities.items()
    }
    across = corpus.speakers == "corpus"
    features |= {m: n.apply(features[m], conversations, across) for m, n in checkpoint.normalizations.items()}
    target = checkpoint.target if isinstance(checkpoint.target, ScoreScale) else corpus.labels
    examples = make_examples(conversations, features, checkpoint.config["dims"], target, checkpoint.reads)
    return answer(checkpoint.model, examples, collate, lengths=[len(e) for e in examples])


def evaluate(run: Run, data: Path, progress: ProgressCallback | None = None, again: bool = False) -> dict[str, Any]:
    """Test every seed of a run, once, and write ``results.json`` and predictions; with folds, those of all folds.

    A second call gives the stored results unless ``again`` is set; the file counts how often it was tested.

    Args:
        run: of ``train``.
        data: the corpus directory.
        progress: told about encoding.
        again: test once more.

    Raises:
        ConfigError: the corpus is not the one the run was trained on, or has no test split.
    """
    path = run.directory / "results.json"
    before = read_results(path) if path.is_file() else None
    if before and not again and tuple(s["seed"] for s in before["seeds"]) == run.seeds:
        return before
    folds = read_folds(run.recipe, data)
    corpus = folds[0].corpus
    if corpus_hash(corpus) != run.corpus_hash:
        raise ConfigError(
            f"{data}: not the corpus files that this run was trained on", fix="Give the same --data, or train again."
        )
    test = [c for fold in folds for c in fold.corpus.splits.get("test", ())]
    target = target_of(run.recipe, corpus)
    kind = "scored" if isinstance(target, ScoreScale) else "labelled"
    if not any((u.score if kind == "scored" else u.emotion) is not None for c in test for u in c):
        raise ConfigError(f"{corpus.name}: there is no {kind} test split in {data}", fix="Give one to evaluate on.")
    seeds, predictions, seconds, begun = [], [], [], time.monotonic()
    revisions: dict[tuple[str, str], list[str]] = {}
    for seed in run.seeds:
        tested = [_test(run, fold, seed, progress) for fold in folds]
        entry, answers = join(tested, target)
        seeds.append(entry)
        predictions.append(answers)
        known = [t.seconds for t in tested if t.seconds is not None]
        seconds.append(round(sum(known), 1) if len(known) == len(tested) else None)
        for m, (name, revision) in (pair for t in tested for pair in t.encoders.items()):
            revisions.setdefault((m, name), []).append(revision)  # a fine-tuned one has several
    drawn = Drawn.of(test, corpus.groups)
    results = summarize(run.recipe.name, corpus.name, target, seeds, predictions, drawn)
    if run.recipe.folds:
        results["folds"] = run.recipe.folds
    results["tested"] = (before["tested"] if before else 0) + 1
    results["provenance"] = provenance(
        run.corpus_hash,
        {m: {"id": i, "revision": ", ".join(dict.fromkeys(r))} for (m, i), r in revisions.items()},
        {"training": seconds, "evaluation": round(time.monotonic() - begun, 1)},
    )
    write_predictions(run.directory, target, run.seeds, test, predictions, corpus.groups)
    write_json(path, results)
    return results


def _test(run: Run, fold: Fold, seed: int, progress: ProgressCallback | None) -> Tested:
    """A checkpoint's answers for its fold's test split, and for dev where several folds are put together."""
    checkpoint = load_checkpoint(seed_directory(run.directory, seed, fold.number), default_device())
    corpus = fold.corpus
    check_same_target(target_of(run.recipe, corpus), checkpoint.target, f"seed {seed}")
    encoders = checkpoint_encoders(checkpoint)
    metrics = read_part(checkpoint.directory, "metrics.json")
    return Tested(
        fold=fold.number,
        seconds=metrics.pop("seconds", None),  # not there in older runs
        metrics=metrics,
        calibration=checkpoint.calibration,
        test=predict_split(checkpoint, corpus, corpus.splits["test"], progress, encoders),
        dev=[] if fold.number is None else predict_split(checkpoint, corpus, corpus.splits["dev"], progress, encoders),
        encoders={m: (encoder.id, encoder.revision) for m, encoder in encoders.items()},
    )


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
