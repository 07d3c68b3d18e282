"""Annotation on a Ray cluster, through Ray Data: actors that load the models once and annotate batches of items.

Which items are left is decided by ``run.annotate``, as for processes of one machine: the result files, named by their
keys, are the checkpoint. So Ray's own checkpoints, which need a sink that Ray writes, are not used. All machines must
see the inputs and the results under the same paths.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from moodline.annotation.annotator import AnnotationSettings, Annotator
from moodline.annotation.folder import ResultFolder
from moodline.annotation.item import Item
from moodline.annotation.workers import Outcome, annotate_item
from moodline.core.errors import MissingDependencyError


class RayAnnotator:
    """What each actor runs.

    Args:
        settings: see ``AnnotationSettings``.
        path: the folder of results.
    """

    def __init__(self, settings: AnnotationSettings, path: str) -> None:
        self._annotator, self._folder = Annotator(settings), ResultFolder(Path(path))

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Annotate a batch; rows ``task`` in, rows ``outcome`` out, both JSON."""
        outcomes = []
        for task in batch["task"]:
            item, key = _item(json.loads(str(task)))
            found = annotate_item(self._annotator, self._folder, item, key)
            facts = {"error": found.error, "lasting": found.lasting, "fatal": found.fatal}
            outcomes.append(json.dumps({"task": json.loads(str(task)), **facts}))
        return {"outcome": outcomes}


def run_on_ray(
    settings: AnnotationSettings,
    folder: ResultFolder,
    work: Iterable[tuple[Item, str]],
    workers: int | None,
    address: str | None,
) -> Iterator[Outcome]:
    """Annotate items on a Ray cluster; outcomes come as they are finished.

    Args:
        settings, folder: see ``Pool``.
        work: items and their keys.
        workers: actors; None for one for each core of the cluster.
        address: of the cluster; None for one that is started on this machine.

    Raises:
        MissingDependencyError: Ray is not installed.
    """
    try:
        import ray
    except ImportError:
        raise MissingDependencyError("ray", "ray", "--engine ray") from None
    tasks = [{"task": json.dumps(_task(item, key))} for item, key in work]
    if not tasks:
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing goes to the network unless asked
    begun = not ray.is_initialized()
    if begun:
        ray.init(
            address, include_dashboard=False, configure_logging=True, logging_level=logging.ERROR, log_to_driver=False
        )
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        count = min(len(tasks), workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
        data = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
            RayAnnotator,
            fn_constructor_args=(settings, str(folder.path.absolute())),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=count),
            num_cpus=settings.threads,
        )
        for row in data.iter_rows():
            found = json.loads(row["outcome"])
            item, key = _item(found["task"])
            yield Outcome(item, key, found["error"], found["lasting"], found["fatal"])
    finally:
        if begun:
            ray.shutdown()


def _task(item: Item, key: str) -> dict[str, Any]:
    """An item as plain data, with paths that do not depend on the folder that a machine works in."""
    paths = [None if p is None else str(p.absolute()) for p in (item.recording, item.transcript)]
    turns = [dict(turn) for turn in item.turns]
    return {"id": item.id, "paths": paths, "turns": turns, "about": dict(item.about), "key": key}


def _item(task: dict[str, Any]) -> tuple[Item, str]:
    recording, transcript = (None if p is None else Path(p) for p in task["paths"])
    return Item(task["id"], recording, transcript, tuple(task["turns"]), task["about"]), task["key"]
