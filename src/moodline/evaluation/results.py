"""Result files: what an experiment found, with where it comes from. Every table and plot is made from these."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from moodline import __version__
from moodline.core.answers import Answers
from moodline.core.errors import ConfigError
from moodline.evaluation.resampling import ResamplingUnits
from moodline.evaluation.task import Task

SCHEMA = 1
REQUIRED = ("recipe", "corpus", "labels", "chosen_on", "tested", "seeds", "mean", "sd", "interval", "provenance")


def summarize(
    recipe: str,
    corpus: str,
    task: Task,
    seeds: list[dict[str, Any]],
    predictions: Sequence[Sequence[Answers]],
    units: ResamplingUnits,
) -> dict[str, Any]:
    """The content of ``results.json``.

    Args:
        recipe, corpus: names.
        task: with the label set, or the scale of the values.
        seeds: for each seed ``{"seed", "best_epoch", "dev", "test"}``.
        predictions: for each seed its answers on test, conversations in the same order.
        units: what the interval draws.
    """
    return {"schema": SCHEMA, "recipe": recipe, "corpus": corpus} | task.summary(seeds, predictions, units)


def provenance(corpus_hash: str, encoders: dict[str, dict[str, str]], seconds: dict[str, Any]) -> dict[str, Any]:
    """Versions and hashes that a result depends on.

    Args:
        corpus_hash: of the files that were read.
        encoders: modality to ``{"id", "revision"}``.
        seconds: ``training``, of each seed, None where nobody noted it; ``evaluation``, of all of them.
    """
    libraries = {}
    for name in ("torch", "transformers", "numpy", "scikit-learn", "accelerate", "peft", "safetensors"):
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "moodline": __version__,
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "libraries": libraries,
        "corpus_hash": corpus_hash,
        "encoders": encoders,
        "seconds": seconds,
    }


def _commit() -> str | None:
    """The commit of the source tree that is running, or None for an installed package."""
    here = Path(__file__).resolve().parent
    if not (here.parents[2] / ".git").exists():
        return None
    done = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no", "."],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout.strip() + ("+changes" if changed.stdout.strip() else "")) or None


def training_seconds(directory: Path) -> float | None:
    """Seconds that a seed's training took, fine-tuning included, without encoding; None if nothing noted it.

    Args:
        directory: the seed's, with ``training*/history.json``.
    """
    seconds = []
    for path in directory.glob("training*/history.json"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            seconds.append(float(json.loads(path.read_text(encoding="utf-8"))[-1]["seconds"]))
    return round(sum(seconds), 1) if seconds else None


def read_results(path: Path) -> dict[str, Any]:
    """Read a ``results.json``, or the one in a run directory.

    Raises:
        ConfigError: there is none, or it is not a result file of this schema.
    """
    path = path / "results.json" if path.is_dir() else path
    if not path.is_file():
        raise ConfigError(f"{path}: no results there", fix="Run: moodline evaluate RUN.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: broken JSON", error, "Remove it and evaluate again.") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ConfigError(f"{path}: expected a result file of schema {SCHEMA}")
    missing = [k for k in REQUIRED if k not in data]
    if missing:
        raise ConfigError(f"{path}: not a whole result file", f"no {missing[0]}", "Evaluate again.")
    return data
