"""A search over a space with Optuna: each trial is a recipe, judged on dev by its task's headline metric.

The test split is taken out of the corpus before anything else happens. What is drawn next depends on the seed, the
number of trials that are done and their figures, so a search that was killed and started again draws the same.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.errors import ConfigError, MissingDependencyError, MoodlineError, StorageError
from moodline.core.files import write_bytes, write_json, write_text
from moodline.core.progress import ProgressCallback
from moodline.corpora.base import Corpus
from moodline.corpora.inspect import corpus_hash
from moodline.corpora.registry import read_corpus
from moodline.evaluation.tasks import TASKS
from moodline.experiments.auxiliary_corpora import read_auxiliary, with_auxiliary
from moodline.experiments.same_run import check_same_run
from moodline.experiments.search.records import best_record, records, write_records
from moodline.experiments.search.space import Axis, Space, with_values
from moodline.experiments.train import fit_model, training_features
from moodline.pipeline.examples import training_view
from moodline.pipeline.features import FeatureMap
from moodline.pipeline.recipe import Recipe, to_plain

SEED = 0
"""Of the sampler."""
JOURNAL, FACTS, LOCK = "study.journal", "search.json", "search.lock"

TrialReport = Callable[[dict[str, Any], dict[str, Any] | None], None]


def search(
    recipe: Recipe,
    data: Path,
    space: Space,
    out: Path,
    trials: int,
    seeds: int = 1,
    progress: ProgressCallback | None = None,
    quiet: bool = False,
    told: TrialReport | None = None,
) -> list[dict[str, Any]]:
    """Search until ``trials`` settings have been tried, those of an earlier call in the same folder included.

    Args:
        recipe: the base.
        data: the corpus directory; only its train and dev splits are used.
        space: what may change.
        out: the search's directory: the study, ``trials.jsonl``, ``trials.csv`` and ``best.yaml``.
        trials: in all.
        seeds: how many each setting is trained with; their mean counts.
        progress: told about encoding.
        quiet: show no bars.
        told: called after each trial with its record and the best one so far.

    Returns:
        The record of every trial, see ``records``.

    Raises:
        MissingDependencyError: Optuna is not installed.
        ConfigError: the space does not fit the recipe, or ``out`` holds another search.
        MoodlineError: see the corpus readers and ``fit``.
    """
    _optuna()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("moodline search runs in one process", fix="Start it without torchrun.")
    space.check(recipe)
    corpus = read_corpus(recipe.corpus.name, data, **recipe.corpus.options)
    fingerprint = corpus_hash(corpus)
    corpus = training_view(with_auxiliary(corpus, read_auxiliary(recipe.modalities.values(), data)))
    plain = {key: to_plain(axis) for key, axis in space.axes.items()}
    facts = {"recipe": to_plain(recipe), "space": plain, "seeds": seeds, "seed": SEED, "corpus_hash": fingerprint}
    with _locked(out):
        new = _is_new(out, recipe, facts)
        one = _Search(recipe, corpus, space, out, seeds, progress, quiet)
        try:
            one.run(trials, told)
        except MoodlineError as error:
            if new and not one.done() and not isinstance(error, StorageError):
                _forget(out)
            raise
        return one.records()


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise MissingDependencyError("optuna", "search", "moodline search") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _locked(out: Path) -> Any:
    """The folder, for this process alone; the system lets go of it when the process ends, however it ends."""
    from filelock import FileLock, Timeout

    try:
        out.mkdir(parents=True, exist_ok=True)
        return FileLock(out / LOCK, timeout=0).acquire()
    except Timeout:
        raise ConfigError(f"{out}: another search is at work there", fix="Choose another --out directory.") from None
    except OSError as error:
        raise StorageError.writing(out, error) from error


def _forget(out: Path) -> None:
    """Take away a search in which nothing was tried."""
    shutil.rmtree(out / "work", ignore_errors=True)
    for name in (FACTS, JOURNAL, LOCK):
        (out / name).unlink(missing_ok=True)
    with suppress(OSError):  # not empty: it was there before
        out.rmdir()


def _is_new(out: Path, recipe: Recipe, facts: dict[str, Any]) -> bool:
    """Note what is searched, or check that it is what was searched before."""
    path = out / FACTS
    if not (out / JOURNAL).exists():
        write_json(path, facts)
        return True
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise ConfigError(f"{path}: broken", fix="Search again into another --out directory.")
    check_same_run(out, before, facts, recipe, "search")
    return False


class _Search:
    """One search in its folder; the parts of ``search``."""

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        space: Space,
        out: Path,
        seeds: int,
        progress: ProgressCallback | None,
        quiet: bool,
    ) -> None:
        self.recipe, self.corpus, self.space, self.out = recipe, corpus, space, out
        self.seeds, self.progress, self.quiet = range(seeds), progress, quiet
        self.measure = TASKS[recipe.task].headline
        self.distributions = {key: distribution(axis) for key, axis in space.axes.items()}
        self.shared: dict[int, Mapping[str, FeatureMap]] = {}
        self.experiment = self._open()

    def _open(self) -> Any:
        """The study on disk; what a killed process left half done is put right, and its setting is up next."""
        optuna = _optuna()
        path = self.out / JOURNAL
        path.with_name(path.name + ".lock").unlink(missing_ok=True)  # ours is the only process
        if path.exists():
            whole = path.read_bytes().rpartition(b"\n")
            if whole[2]:
                write_bytes(path, whole[:2])
        backend = optuna.storages.journal.JournalFileBackend(str(path))
        study = optuna.create_study(
            study_name=self.recipe.name,
            storage=optuna.storages.JournalStorage(backend),
            direction="maximize" if self.measure.unit.sign > 0 else "minimize",
            load_if_exists=True,
        )
        for trial in study.get_trials(deepcopy=False):
            if trial.state.name == "RUNNING":
                study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
                if set(trial.params) == set(self.distributions):  # else it is drawn again, and comes out the same
                    study.enqueue_trial(trial.params, {"work": trial.user_attrs.get("work", trial.number)})
        return study

    def records(self) -> list[dict[str, Any]]:
        """Every trial that has ended; see ``records``."""
        decoded = {key: choices(axis) for key, axis in self.space.axes.items() if axis.values is not None}
        return records(self.experiment.get_trials(deepcopy=False), decoded, self.measure)

    def done(self) -> int:
        """How many settings have been tried, those that cannot be trained included."""
        return sum(r["state"] != "killed" for r in self.records())

    def run(self, trials: int, told: TrialReport | None) -> None:
        """Try settings until there are enough."""
        if self.done() < trials and not self.space.touches("modalities"):
            for seed in self.seeds:  # now, so that what is wrong with them is said before anything is drawn
                self._features(self.recipe, Path(), seed)
        while (done := self.done()) < trials:
            self._one(done)
            found = self.records()
            best = best_record(found, self.measure)
            write_records(self.out, found, list(self.space.axes), self.seeds)
            if best is not None:
                self._write_best(best, len(found))
            if told is not None:
                told(found[-1], best)
        with suppress(OSError):  # there is none, or it holds fine-tuned encoders for further trials
            (self.out / "work").rmdir()

    def _one(self, done: int) -> None:
        """Draw a setting, train it, note what came out."""
        optuna = _optuna()
        seed = int(np.random.SeedSequence([SEED, done]).generate_state(1)[0])
        self.experiment.sampler = optuna.samplers.TPESampler(seed=seed)
        trial = self.experiment.ask(self.distributions)
        work = self.out / "work" / f"{trial.user_attrs.get('work', trial.number):04d}"
        decoded = {key: choices(axis) for key, axis in self.space.axes.items() if axis.values is not None}
        values = {key: decoded[key][v] if key in decoded else v for key, v in trial.params.items()}
        same = next((r for r in self.records() if r["state"] == "done" and r["params"] == values), None)
        try:
            if same is not None:
                found = {key: same[key] for key in ("dev_seeds", "best_epochs")} | {"seconds": 0.0}
            else:
                found = self._train(with_values(self.recipe, values, "setting"), work)
        except MoodlineError as error:
            if type(error) not in (ConfigError, MoodlineError):  # the setting's fault: it does not fit, or diverges
                raise
            trial.set_user_attr("reason", str(error))
            self.experiment.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            trial.set_user_attr("found", found)
            self.experiment.tell(trial, float(np.mean(found["dev_seeds"])))
        shutil.rmtree(work, ignore_errors=True)

    def _train(self, recipe: Recipe, work: Path) -> dict[str, Any]:
        """Train a setting with every seed; seeds that an earlier process finished are not trained again."""
        rows = []
        for seed in self.seeds:
            path = work / f"seed-{seed}.json"
            if not path.is_file():
                begun = time.monotonic()
                directory = work / f"seed-{seed}"
                features = self._features(recipe, directory, seed)
                _, result, _ = fit_model(recipe, self.corpus, features, directory, seed, self.quiet)
                seconds = time.monotonic() - begun
                dev = round(self.measure.unit.factor * result.best_score, 4)
                row = {"dev": dev, "epoch": result.best_epoch, "seconds": seconds}
                write_json(path, row)
            rows.append(json.loads(path.read_text(encoding="utf-8")))
        return {
            "dev_seeds": [r["dev"] for r in rows],
            "best_epochs": [r["epoch"] for r in rows],
            "seconds": round(sum(r["seconds"] for r in rows), 1),
        }

    def _features(self, recipe: Recipe, directory: Path, seed: int) -> Mapping[str, FeatureMap]:
        """Features for a seed: the same for all trials, unless the search changes how they are made."""
        if self.space.touches("modalities"):
            return training_features(recipe, self.corpus, directory, seed, self.progress, self.quiet)[0]
        tuned = any(spec.finetune is not None for spec in recipe.modalities.values())
        key = seed if tuned else 0  # a fine-tuned encoder is another one for each seed
        if key not in self.shared:
            place = self.out / "work" / f"features-{key}"
            self.shared[key] = training_features(recipe, self.corpus, place, key, self.progress, self.quiet)[0]
        return self.shared[key]

    def _write_best(self, best: dict[str, Any], trials: int) -> None:
        """``best.yaml``, a recipe to train."""
        import yaml

        reached = f"{self.measure.name} {self.measure.unit.text(best['dev'])}"
        recipe = dataclasses.replace(
            with_values(self.recipe, best["params"], "best"),
            name=f"{self.recipe.name}-best",
            description=f"{self.recipe.description} Best of {trials} settings on dev ({reached}).",
        )
        write_text(self.out / "best.yaml", yaml.safe_dump(to_plain(recipe), sort_keys=False, allow_unicode=True))


def choices(axis: Axis) -> dict[Any, Any]:
    """Optuna's name of each value of an axis to the value; lists and mappings are named by their JSON."""
    return {v if isinstance(v, str | int | float | None) else json.dumps(v): v for v in axis.values or ()}


def distribution(axis: Axis) -> Any:
    """An axis as Optuna's distribution."""
    optuna = _optuna()
    if axis.values is not None:
        return optuna.distributions.CategoricalDistribution(list(choices(axis)))
    low, high = axis.bounds
    if axis.int:
        return optuna.distributions.IntDistribution(low, high, log=axis.log, step=int(axis.step or 1))
    return optuna.distributions.FloatDistribution(low, high, log=axis.log, step=axis.step)
