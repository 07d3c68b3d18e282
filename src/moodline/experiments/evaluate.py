"""Evaluation under the protocol: the test split, once for each run → ``results.json``."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation
from moodline.core.device import default_device
from moodline.core.errors import ConfigError
from moodline.core.files import write_json
from moodline.core.labels import check_same_target
from moodline.core.progress import ProgressCallback
from moodline.corpora.base import Corpus
from moodline.corpora.inspect import corpus_hash
from moodline.encoders.base import Encoder
from moodline.evaluation.predictions import write_predictions
from moodline.evaluation.resampling import ResamplingUnits
from moodline.evaluation.results import provenance, read_results, summarize
from moodline.evaluation.tasks import any_target, task_of
from moodline.experiments.folds import Fold, Tested, join, read_folds
from moodline.experiments.runs import Run, seed_directory
from moodline.pipeline.checkpoint import Checkpoint, load_checkpoint, read_part
from moodline.pipeline.encoders import load_encoders
from moodline.pipeline.examples import make_examples, target_of
from moodline.pipeline.features import gather_features
from moodline.pipeline.recipe import Recipe
from moodline.pipeline.recipe_changes import changed_settings, recipe_settings, settings_hash
from moodline.training.data import collate
from moodline.training.inference import answer


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
        return _renamed(run, before, path)
    folds = read_folds(run.recipe, data)
    corpus = folds[0].corpus
    if corpus_hash(corpus) != run.corpus_hash:
        raise ConfigError(
            f"{data}: not the corpus files that this run was trained on", fix="Give the same --data, or train again."
        )
    test = [c for fold in folds for c in fold.corpus.splits.get("test", ())]
    target = target_of(run.recipe, corpus)
    task = task_of(target)
    if not any_target(task, test):
        raise ConfigError(
            f"{corpus.name}: there is no {task.annotated} test split in {data}", fix="Give one to evaluate on."
        )
    seeds, predictions, seconds, begun = [], [], [], time.monotonic()
    revisions: dict[tuple[str, str], list[str]] = {}
    for seed in run.seeds:
        tested = [_test(run, fold, seed, progress) for fold in folds]
        entry, answers = join(tested, task)
        seeds.append(entry)
        predictions.append(answers)
        known = [t.seconds for t in tested if t.seconds is not None]
        seconds.append(round(sum(known), 1) if len(known) == len(tested) else None)
        for m, (name, revision) in (pair for t in tested for pair in t.encoders.items()):
            revisions.setdefault((m, name), []).append(revision)  # a fine-tuned one has several
    units = ResamplingUnits.of(test, corpus.groups)
    results = summarize(run.recipe.name, corpus.name, task, seeds, predictions, units)
    if run.recipe.folds:
        results["folds"] = run.recipe.folds
    results |= _settings(run.recipe)
    results["tested"] = (before["tested"] if before else 0) + 1
    results["provenance"] = provenance(
        run.corpus_hash,
        {m: {"id": i, "revision": ", ".join(dict.fromkeys(r))} for (m, i), r in revisions.items()},
        {"training": seconds, "evaluation": round(time.monotonic() - begun, 1)},
    )
    write_predictions(run.directory, task, run.seeds, test, predictions, corpus.groups)
    write_json(path, results)
    return results


def _settings(recipe: Recipe) -> dict[str, Any]:
    """What a result file holds of its recipe's settings."""
    return {
        "settings": recipe_settings(recipe),
        "settings_hash": settings_hash(recipe),
        "changes": changed_settings(recipe),
    }


def _renamed(run: Run, results: dict[str, Any], path: Path) -> dict[str, Any]:
    """The stored results under the name that the run's recipe has now; nothing else changes."""
    if results["recipe"] != run.recipe.name:
        results = results | {"recipe": run.recipe.name} | _settings(run.recipe)
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
    dims = checkpoint.config["dims"]
    examples = make_examples(conversations, features, dims, checkpoint.target, checkpoint.reads)
    return answer(checkpoint.model, examples, collate, lengths=[len(e) for e in examples])


def checkpoint_encoders(checkpoint: Checkpoint) -> dict[str, Encoder]:
    """The encoder of each modality of a checkpoint that has one."""
    return load_encoders(checkpoint.modalities, checkpoint.directory, checkpoint.config.get("encoders", {}))
