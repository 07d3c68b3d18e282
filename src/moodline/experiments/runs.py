"""Run directories: what ``train`` fills and ``evaluate`` reads."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodline.core.errors import ConfigError, StorageError
from moodline.core.files import write_json, write_text
from moodline.experiments.same_run import check_same_run
from moodline.pipeline.recipe import Recipe, parse, read_yaml, to_plain


@dataclass(frozen=True)
class Run:
    """A run's directory, read back.

    Args:
        directory: holds ``recipe.yaml``, ``run.json`` and a checkpoint for each seed in ``seed-N``, with folds in
            ``fold-K/seed-N``.
        recipe: as resolved when the run began.
        seeds: the seeds that are finished, in every fold.
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
        begun = {int(p.name[5:]) for p in _seed_directories(directory)}
        places = {seed: seed_directories(directory, seed, recipe.folds) for seed in begun}
        done = sorted(seed for seed in begun if all((p / "config.json").is_file() for p in places[seed]))
        if not done:
            where = " in all folds" if recipe.folds else ""
            raise ConfigError(
                f"{directory}: no seed is finished{where}", fix="Run the same moodline train command again; it resumes."
            )
        return cls(directory, recipe, tuple(done), _trained_on(directory))


def seed_directory(run: Path, seed: int, fold: int | None = None) -> Path:
    """Where the checkpoint of a seed is, in a run with folds that of one fold."""
    return (run if fold is None else run / f"fold-{fold}") / f"seed-{seed}"


def seed_directories(run: Path, seed: int, folds: int) -> list[Path]:
    """All checkpoint directories of a seed; ``folds`` is the recipe's."""
    return [seed_directory(run, seed, fold) for fold in (range(folds) if folds else (None,))]


def any_seed_started(run: Path) -> bool:
    """Whether some seed has been begun."""
    return bool(_seed_directories(run))


def _seed_directories(run: Path) -> list[Path]:
    return [p for pattern in ("seed-*", "fold-*/seed-*") for p in run.glob(pattern) if p.name[5:].isdecimal()]


def _trained_on(run: Path) -> str:
    """The hash of the corpus files that a run was begun with."""
    try:
        return str(json.loads((run / "run.json").read_text(encoding="utf-8"))["corpus_hash"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{run / 'run.json'}: broken", fix="Train again into another --out directory.") from None


def begin_run(recipe: Recipe, fingerprint: str, out: Path) -> None:
    """Make a run's directory, or check that the one that is there is of the same recipe and corpus files.

    Raises:
        ConfigError: it is of others.
        StorageError: it cannot be written.
    """
    import yaml

    text = yaml.safe_dump(to_plain(recipe), sort_keys=False, allow_unicode=True)
    if any_seed_started(out):
        recorded = {"recipe": _recipe_of(out), "corpus_hash": _trained_on(out)}
        check_same_run(out, recorded, {"corpus_hash": fingerprint}, recipe)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.writing(out, error) from error
    write_text(out / "recipe.yaml", text)
    write_json(out / "run.json", {"recipe": recipe.name, "corpus_hash": fingerprint})


def _recipe_of(run: Path) -> Any:
    """The recipe that a run was begun with, as plain data; None if it cannot be read."""
    try:
        return read_yaml(run / "recipe.yaml")
    except ConfigError:
        return None


def forget_run(out: Path) -> None:
    """Take away a run in which nothing was trained."""
    for name in ("recipe.yaml", "run.json"):
        (out / name).unlink(missing_ok=True)
    with suppress(OSError):  # not empty: it was there before
        out.rmdir()
