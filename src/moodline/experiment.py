"""Experiments under the protocol: recipe → seeds → choice on dev → test once → ``results.json``.

``train`` reads the training and dev splits only. ``evaluate`` touches the test split, once for each run.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

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
    training_view,
)
from moodline.cards import model_card
from moodline.checkpoint import Checkpoint, build_model, load_checkpoint, read_part, save_checkpoint
from moodline.config import Recipe, load_recipe, parse, read_yaml, to_plain
from moodline.conversation import Conversation
from moodline.corpora import read_corpus
from moodline.corpora.base import Corpus
from moodline.corpora.inspect import corpus_hash
from moodline.encoders.base import Encoder
from moodline.errors import ConfigError, MoodlineError, StorageError
from moodline.labels import IGNORE
from moodline.predictions import write_predictions
from moodline.results import provenance, read_results, score, summarize, training_seconds, write_json, write_text
from moodline.training.calibration import calibrate
from moodline.training.data import ConversationExample, collate
from moodline.training.inference import Answers, answer
from moodline.training.loop import FitResult, fit
from moodline.training.processes import processes


@dataclass(frozen=True)
class Run:
    """A run's directory, read back.

    Args:
        directory: holds ``recipe.yaml``, ``run.json`` and a checkpoint for each seed in ``seed-N``.
        recipe: as resolved when the run began.
        seeds: the seeds that are finished.
        corpus_hash: of the files it was trained on.
    """

    directory: Path
    recipe: Recipe
    seeds: tuple[int, ...]
    corpus_hash: str

    @classmethod
    def load(cls, directory: Path) -> Run:
        """Read a run.

        Raises:
            ConfigError: not a run directory, or no seed is finished.
        """
        if not (directory / "recipe.yaml").is_file() or not (directory / "run.json").is_file():
            raise ConfigError(
                f"{directory}: not a run (expected recipe.yaml and run.json)",
                fix="Give the --out directory of moodline train.",
            )
        recipe = parse(Recipe, read_yaml(directory / "recipe.yaml"), str(directory / "recipe.yaml"))
        done = sorted(int(p.name[5:]) for p in _seed_directories(directory) if (p / "config.json").is_file())
        if not done:
            raise ConfigError(
                f"{directory}: no seed is finished", fix="Run the same moodline train command again; it resumes."
            )
        return cls(directory, recipe, tuple(done), _trained_on(directory))


def _seed_directories(run: Path) -> list[Path]:
    return [p for p in run.glob("seed-*") if p.name[5:].isdecimal()]


def _trained_on(run: Path) -> str:
    """The hash of the corpus files that a run was begun with."""
    try:
        return str(json.loads((run / "run.json").read_text(encoding="utf-8"))["corpus_hash"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{run / 'run.json'}: broken", fix="Train again into another --out directory.") from None


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    seeds: Sequence[int] = (0,),
    progress: ProgressCallback | None = None,
    quiet: bool = False,
) -> Run:
    """Train a recipe with several seeds, each chosen on dev; finished seeds are skipped, begun ones resumed.

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
    corpus = read_corpus(recipe.corpus.name, data, **recipe.corpus.options)
    fingerprint = corpus_hash(corpus)
    corpus = training_view(with_auxiliary(recipe, corpus, data))
    if here.is_main_process:
        begin_run(recipe, fingerprint, data, out)
    here.wait_for_everyone()
    try:
        for seed in seeds:
            if not (out / f"seed-{seed}" / "config.json").is_file():
                _train_seed(recipe, corpus, out / f"seed-{seed}", seed, progress, quiet)
            here.wait_for_everyone()
    except MoodlineError:
        if here.is_main_process and not _seed_directories(out):
            forget_run(out)
        raise
    return Run.load(out)


def begin_run(recipe: Recipe, fingerprint: str, data: Path, out: Path) -> None:
    """Make a run's directory, or check that the one that is there is of the same recipe and corpus files.

    Raises:
        ConfigError: it is of others.
        StorageError: it cannot be written.
    """
    import yaml

    text = yaml.safe_dump(to_plain(recipe), sort_keys=False, allow_unicode=True)
    if _seed_directories(out):  # something has been trained
        if not (out / "recipe.yaml").is_file() or (out / "recipe.yaml").read_bytes() != text.encode():
            raise ConfigError(
                f"{out}: holds a run of another recipe or other settings", fix="Choose another --out directory."
            )
        if _trained_on(out) != fingerprint:
            raise ConfigError(
                f"{data}: not the corpus files that the run in {out} was begun with",
                fix="Give the same --data, or choose another --out directory.",
            )
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.writing(out, error) from error
    write_text(out / "recipe.yaml", text)
    write_json(out / "run.json", {"recipe": recipe.name, "corpus_hash": fingerprint})


def forget_run(out: Path) -> None:
    """Take away a run in which nothing was trained."""
    for name in ("recipe.yaml", "run.json"):
        (out / name).unlink(missing_ok=True)
    with suppress(OSError):  # not empty: it was there before
        out.rmdir()


def _train_seed(
    recipe: Recipe, corpus: Corpus, directory: Path, seed: int, progress: ProgressCallback | None, quiet: bool
) -> None:
    features, encoders = training_features(recipe, corpus, directory, seed, progress, quiet)
    model, result, dev_set = fit_model(recipe, corpus, features, directory, seed, quiet)
    if not processes().is_main_process:
        return
    answers = answer(model, dev_set, collate, lengths=[len(e) for e in dev_set])
    calibration = calibrate_on(answers)
    dev = score(answers, corpus.labels, calibration)
    metrics = {"seed": seed, "best_epoch": result.best_epoch, "epochs": len(result.history), "dev": dev}
    metrics["seconds"] = training_seconds(directory)
    save_checkpoint(
        directory,
        name=f"{recipe.name} (seed {seed})",
        model=model,
        settings=recipe.model,
        dims={m: feature_size(f) for m, f in features.items()},
        labels=corpus.labels,
        modalities=recipe.modalities,
        calibration=calibration,
        metrics=metrics,
        card=model_card(recipe, corpus, metrics, calibration),
        encoders=encoders,
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
    train_set = make_examples(corpus.splits["train"], features, dims, corpus.labels)
    dev_set = make_examples(corpus.splits["dev"], features, dims, corpus.labels)
    torch.manual_seed(seed)
    model = build_model(recipe.model, dims, len(corpus.labels))
    model.fit_statistics(collate(train_set[i : i + 64]) for i in range(0, len(train_set), 64))  # type: ignore[operator]
    result = fit(
        model,
        train_set,
        dev_set,
        collate,
        classes=len(corpus.labels),
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
) -> tuple[dict[str, FeatureMap], dict[str, str]]:
    """Features of every modality for train and dev, and the encoders' revisions; fine-tunes encoders first if asked."""
    features, revisions = {}, {}
    for m, spec in sorted(recipe.modalities.items(), key=lambda pair: pair[1].finetune is not None):
        if spec.finetune is not None:
            from moodline.stage1 import finetune_encoder

            finetune_encoder(corpus, m, spec, directory, seed, quiet)
        encoder = encoder_for(m, spec, directory) if spec.encoder is not None else None
        features[m] = gather_features(corpus, m, spec, encoder, progress)
        if encoder is not None:
            revisions[m] = encoder.revision
    return {m: features[m] for m in recipe.modalities}, revisions


def calibrate_on(answers: Sequence[Answers]) -> dict[str, Any]:
    """Temperatures fitted on the labelled utterances of the dev answers."""
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
    """A checkpoint's answers for conversations of a corpus; ``encoders`` default to ``checkpoint_encoders``."""
    encoders = checkpoint_encoders(checkpoint) if encoders is None else encoders
    part = dataclasses.replace(corpus, splits={"chosen": tuple(conversations)})
    features = {
        m: gather_features(part, m, spec, encoders.get(m), progress) for m, spec in checkpoint.modalities.items()
    }
    examples = make_examples(conversations, features, checkpoint.config["dims"], corpus.labels)
    return answer(checkpoint.model, examples, collate, lengths=[len(e) for e in examples])


def evaluate(run: Run, data: Path, progress: ProgressCallback | None = None, again: bool = False) -> dict[str, Any]:
    """Test every seed of a run, once, and write ``results.json``, predictions and plots.

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
    corpus = read_corpus(run.recipe.corpus.name, data, **run.recipe.corpus.options)
    if corpus_hash(corpus) != run.corpus_hash:
        raise ConfigError(
            f"{data}: not the corpus files that this run was trained on", fix="Give the same --data, or train again."
        )
    test = corpus.splits.get("test", ())
    if not any(u.emotion is not None for c in test for u in c):
        raise ConfigError(f"{corpus.name}: there is no labelled test split in {data}", fix="Give one to evaluate on.")
    seeds, predictions, seconds, begun = [], [], [], time.monotonic()
    revisions: dict[tuple[str, str], list[str]] = {}
    for seed in run.seeds:
        checkpoint = load_checkpoint(run.directory / f"seed-{seed}", default_device())
        corpus.labels.check_same(checkpoint.labels.labels, f"seed {seed}")
        own = checkpoint_encoders(checkpoint)
        answers = predict_split(checkpoint, corpus, test, progress, own)
        metrics = read_part(checkpoint.directory, "metrics.json")
        seconds.append(metrics.pop("seconds", None))  # not there in older runs
        seeds.append({**metrics, "test": score(answers, corpus.labels, checkpoint.calibration)})
        predictions.append(answers)
        for m, encoder in own.items():  # a fine-tuned one has a revision for each seed
            revisions[m, encoder.id] = [*revisions.get((m, encoder.id), ()), encoder.revision]
    results = summarize(run.recipe.name, corpus.name, corpus.labels, seeds, predictions)
    results["tested"] = (before["tested"] if before else 0) + 1
    results["provenance"] = provenance(
        run.corpus_hash,
        {m: {"id": i, "revision": ", ".join(dict.fromkeys(r))} for (m, i), r in revisions.items()},
        {"training": seconds, "evaluation": round(time.monotonic() - begun, 1)},
    )
    write_predictions(run.directory, corpus.labels, run.seeds, test, predictions)
    write_json(path, results)
    return results


def encode_corpus(source: str, data: Path, progress: ProgressCallback | None = None) -> Corpus:
    """A corpus with the features that the encoders of a recipe or of a trained model give.

    Args:
        source: a recipe's name or file, or a checkpoint directory inside a run (its fine-tuned encoders are used).
        data: the corpus directory.
        progress: told about encoding.

    Raises:
        ConfigError: nothing in the recipe is encoded, or its encoder must be fine-tuned first.
    """
    directory = Path(source)
    trained = (directory / "config.json").is_file()
    if trained and not (directory.parent / "recipe.yaml").is_file():
        raise ConfigError(
            f"{directory}: not inside a run, so its corpus is unknown", fix="Give RUN/seed-N of moodline train."
        )
    recipe = Run.load(directory.parent).recipe if trained else load_recipe(source)
    specs = {m: spec for m, spec in recipe.modalities.items() if spec.encoder is not None}
    if not specs:
        raise ConfigError(f"{recipe.name}: no modality has an encoder, there is nothing to encode")
    if not trained and any(spec.finetune for spec in specs.values()):
        raise ConfigError(f"{recipe.name}: its encoder is fine-tuned", fix="Train it first, then give RUN/seed-N.")
    corpus = read_corpus(recipe.corpus.name, data, **recipe.corpus.options)
    features = dict(corpus.features)
    for m, spec in specs.items():
        encoder = encoder_for(m, spec, directory if trained else None)
        features[m] = dict(gather_features(corpus, m, spec, encoder, progress))
    return dataclasses.replace(corpus, features=features)
