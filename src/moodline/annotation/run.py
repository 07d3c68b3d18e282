"""``annotate``: everything that has no result yet gets one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from moodline.annotation.annotator import AnnotationSettings
from moodline.annotation.folder import ResultFolder, Shard
from moodline.annotation.inputs import find_items
from moodline.annotation.item import Item
from moodline.annotation.keys import KeyMaker, content_hashes, stamp
from moodline.annotation.workers import Outcome, Pool, in_this_process
from moodline.core.errors import ConfigError, MoodlineError
from moodline.core.progress import ProgressCallback

Engine = Literal["local", "ray"]

WORKER_MEMORY = 1.5e9
"""Bytes of memory that a worker may need, for the number of workers that is taken by default."""


@dataclass
class Summary:
    """What a run did.

    Args:
        items: how many there are in this shard.
        done: items that had a result before.
        new: items that got one.
        failed: items without one; ``failed.jsonl`` names them.
        notes: what the user should know.
    """

    items: int = 0
    done: int = 0
    new: int = 0
    failed: int = 0
    notes: list[str] = field(default_factory=list)


def default_workers() -> int:
    """One for each core that this process may use, as far as the memory holds them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return cores
    return max(1, min(cores, int(memory / WORKER_MEMORY)))


def annotate(
    inputs: Sequence[str | Path],
    out: Path,
    settings: AnnotationSettings | None = None,
    *,
    workers: int | None = None,
    shard: Shard | None = None,
    retry_failed: bool = False,
    engine: Engine = "local",
    address: str | None = None,
    progress: ProgressCallback | None = None,
) -> Summary:
    """Annotate all inputs that have no result in ``out`` yet; run it again after a crash, or when there are more.

    A result is one whole file that is named by what it depends on (see ``keys.KeyMaker``), so a run that is killed
    loses at most the items in work, and a changed file, model or setting gives a new result.

    Args:
        inputs: see ``find_items``.
        out: the folder of the results, made if it is not there; several machines may share it.
        settings: None for the defaults.
        workers: processes; None for ``default_workers``. One works in this process.
        shard: the part of the items that this run does; None for all.
        retry_failed: also try items again that failed for a lasting reason.
        engine: "local" for processes of this machine, "ray" for a Ray cluster.
        address: of the Ray cluster; None for the one of this machine.
        progress: see ``ProgressCallback``.

    Raises:
        ConfigError: an input is wrong, or settings contradict each other.
        StorageError: the disk is full; what was finished is kept.
        MissingDependencyError: a package is missing.
    """
    settings, shard = settings or AnnotationSettings(), shard or Shard()
    if workers is not None and workers < 1:
        raise ConfigError("--workers must be at least 1", workers)
    if address is not None and engine != "ray":
        raise ConfigError("--address goes with --engine ray", address, "Leave it out, or add --engine ray.")
    items = shard.of(find_items(inputs, out))
    folder = ResultFolder(out)
    run = _Run(settings, shard, folder, retry_failed, Summary(len(items)), progress)
    work = run.work(items)
    if engine == "ray":
        from moodline.annotation.ray_engine import run_on_ray

        outcomes = run_on_ray(settings, folder, work, workers, address)
    else:
        count = min(workers or default_workers(), max(1, len(items)))
        outcomes = in_this_process(settings, folder, work) if count == 1 else Pool(settings, folder, count).run(work)
    try:
        run.follow(outcomes)
    finally:
        run.finish()
    return run.summary


@dataclass
class _Run:
    """The state of one run."""

    settings: AnnotationSettings
    shard: Shard
    folder: ResultFolder
    retry_failed: bool
    summary: Summary
    progress: ProgressCallback | None
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    twins: dict[str, list[Item]] = field(default_factory=dict)

    def work(self, items: Sequence[Item]) -> Iterator[tuple[Item, str]]:
        """Items that have no result yet, and their keys; the others are counted."""
        maker = KeyMaker(self.settings.model, self.settings.of_key())
        known, failures = self.folder.inputs(), self.folder.failures()
        self.rows = {item.id: known[item.id] for item in items if item.id in known}  # kept if this run is stopped
        for item in items:
            key = self._key(item, maker, known.get(item.id, {}))
            if key is None:
                continue
            if self.folder.done(key, self.settings.reports):
                self.folder.succeed(item.id)
                self.summary.done += 1
                self._step()
                continue
            failure = failures.get(item.id)
            if failure and failure["key"] == key and failure["lasting"] and not self.retry_failed:
                self.summary.failed += 1
                self._step()
            elif key in self.started:  # the same content under another name: one result for both
                self.twins.setdefault(key, []).append(item)
            else:
                self.started.add(key)
                yield item, key

    def _key(self, item: Item, maker: KeyMaker, known: dict[str, Any]) -> str | None:
        """The item's key; None if its files cannot be read, which is its failure."""
        mark = stamp(item)
        try:
            same = bool(mark) and known.get("stamp") == mark and known.get("path") == str(item.path)
            hashes = known["hashes"] if same else content_hashes(item)
        except MoodlineError as error:
            self.folder.fail(item, None, str(error), lasting=False)
            self.summary.failed += 1
            self._step()
            return None
        key = maker.key(item, hashes)
        self.rows[item.id] = {
            "id": item.id,
            "path": str(item.path),
            "transcript": None if item.recording is None or item.transcript is None else str(item.transcript),
            "key": key,
            "hashes": hashes,
            "stamp": mark,
            "about": dict(item.about),
        }
        return key

    def follow(self, outcomes: Iterator[Outcome]) -> None:
        """Count outcomes as they come; stops where the run cannot go on."""
        for outcome in outcomes:
            if outcome.fatal:
                raise MoodlineError(str(outcome.error))
            for item in (outcome.item, *self.twins.pop(outcome.key, ())):
                self._count(item, outcome)
        for key, items in self.twins.items():  # listed after their twin was finished
            done = self.folder.done(key, self.settings.reports)
            failure = next((f for f in self.folder.failures().values() if f["key"] == key), None)
            error = None if done else str(failure["error"]) if failure else "not annotated"
            for item in items:
                self._count(item, Outcome(item, key, error))

    def _count(self, item: Item, outcome: Outcome) -> None:
        if outcome.error is None:
            self.folder.succeed(item.id)
            self.summary.new += 1
        else:
            self.folder.fail(item, outcome.key, outcome.error, outcome.lasting)
            self.summary.failed += 1
        self._step()

    def _step(self) -> None:
        if self.progress is not None:
            finished = self.summary.done + self.summary.new + self.summary.failed
            self.progress("annotating", finished, self.summary.items)

    def finish(self) -> None:
        """Write what is known of the inputs and failures; also when the run was stopped."""
        self.folder.write_inputs(self.shard, (row for _, row in sorted(self.rows.items())))
        self.folder.write_failures()
