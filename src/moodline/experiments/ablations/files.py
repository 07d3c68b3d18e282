"""Reading ``experiment.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moodline.core.errors import ConfigError
from moodline.evaluation.tasks import TASKS, task_in

SCHEMA = 1
FILE = "experiment.json"
REQUIRED = ("experiment", "page", "corpus", "base", "labels", "seeds", "variants", "claims", "provenance")


def result_name(corpus: str, task: str) -> str:
    """The name of an experiment's folder and page among those of its kind: the corpus, and a regression's task."""
    return corpus + TASKS[task].folder_suffix


def read_experiment(path: Path) -> dict[str, Any]:
    """Read an ``experiment.json``, or the one in a directory.

    Raises:
        ConfigError: there is none, or it is not an experiment file of this schema.
    """
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise ConfigError(f"{path}: no experiment there", fix="Run: moodline experiment NAME --data DIR.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: broken JSON", error, "Remove it and run the experiment again.") from None
    right = isinstance(data, dict) and data.get("schema") == SCHEMA and str(data.get("task", "classes")) in TASKS
    if not right or {*REQUIRED, *task_in(data).needs} - set(data):
        raise ConfigError(f"{path}: expected an experiment file of schema {SCHEMA}")
    return dict(data)


def find_experiments(directory: Path) -> list[tuple[Path, dict[str, Any]]]:
    """All experiments under a folder: the folder of each and its content, by path.

    Raises:
        ConfigError: there is no such folder, or a file is broken.
    """
    if not directory.is_dir():
        raise ConfigError(f"{directory}: no such folder", fix="Name the one that experiments are published in.")
    return [(path.parent, read_experiment(path)) for path in sorted(directory.rglob(FILE))]
