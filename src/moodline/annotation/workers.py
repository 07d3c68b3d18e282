"""Worker processes: each loads the models once and annotates one item after another."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from moodline.annotation.annotator import AnnotationSettings, Annotator
from moodline.annotation.folder import ResultFolder
from moodline.annotation.item import Item
from moodline.core.errors import MissingDependencyError, MoodlineError, StorageError

ATTEMPTS = 2
"""How often an item is given to a process before it fails, where the process dies over it."""


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    Args:
        item, key: which one.
        error: one line; None if its result is written.
        lasting: False where trying again may help.
        fatal: the run cannot go on, as with a full disk: the error is not the item's.
    """

    item: Item
    key: str
    error: str | None = None
    lasting: bool = True
    fatal: bool = False


def annotate_item(annotator: Annotator, folder: ResultFolder, item: Item, key: str) -> Outcome:
    """Annotate one item and write its result; what is wrong with it is in the outcome."""
    report = folder.report(key) if annotator.settings.reports else None
    try:
        folder.write(key, annotator.annotate(item, key, report))
    except (StorageError, MissingDependencyError) as error:
        return Outcome(item, key, str(error), lasting=False, fatal=True)
    except MoodlineError as error:
        return Outcome(item, key, str(error))
    except MemoryError:
        return Outcome(item, key, f"{item.path}: the memory is full. Take fewer workers.", lasting=False)
    return Outcome(item, key)


def in_this_process(
    settings: AnnotationSettings, folder: ResultFolder, work: Iterable[tuple[Item, str]]
) -> Iterator[Outcome]:
    """Annotate items one after another, without another process."""
    annotator = Annotator(settings)
    for item, key in work:
        yield annotate_item(annotator, folder, item, key)


@dataclass
class _Worker:
    """A process, the pipe to it, and what it is working on."""

    process: SpawnProcess
    pipe: Connection
    job: tuple[Item, str] | None = None
    attempt: int = 0


@dataclass
class Pool:
    """Processes that annotate items side by side; one that dies is replaced.

    Args:
        settings: see ``AnnotationSettings``.
        folder: where results go.
        workers: how many processes.
    """

    settings: AnnotationSettings
    folder: ResultFolder
    workers: int
    _running: list[_Worker] = field(default_factory=list)

    def run(self, work: Iterable[tuple[Item, str]]) -> Iterator[Outcome]:
        """Outcomes in the order in which items are finished.

        Args:
            work: items and their keys; taken one by one, when a process is free.
        """
        waiting = iter(work)
        again: list[tuple[tuple[Item, str], int]] = []  # what a dead process was working on
        try:
            while True:
                while (job := self._next(waiting, again)) is not None:
                    self._give(*job)
                busy = [w for w in self._running if w.job is not None]
                if not busy:
                    return
                ready = wait([w.pipe for w in busy] + [w.process.sentinel for w in busy])
                for worker in busy:
                    if worker.pipe in ready or worker.process.sentinel in ready:
                        yield from self._take(worker, again)
        finally:
            self._stop()

    def _next(
        self, waiting: Iterator[tuple[Item, str]], again: list[tuple[tuple[Item, str], int]]
    ) -> tuple[tuple[Item, str], int] | None:
        """The next item and its attempt; None if no process is free, or nothing is left."""
        if sum(w.job is not None for w in self._running) >= self.workers:
            return None
        if again:
            return again.pop()
        job = next(waiting, None)
        return None if job is None else (job, 1)

    def _give(self, job: tuple[Item, str], attempt: int) -> None:
        worker = next((w for w in self._running if w.job is None and w.process.is_alive()), None)
        if worker is None:
            worker = self._start()
        worker.job, worker.attempt = job, attempt
        with suppress(OSError):  # it has just died: its sentinel says so
            worker.pipe.send(job)

    def _take(self, worker: _Worker, again: list[tuple[tuple[Item, str], int]]) -> Iterator[Outcome]:
        """The outcome of a worker that has sent one, or has died."""
        assert worker.job is not None
        try:
            outcome = worker.pipe.recv() if worker.pipe.poll() else None
        except (EOFError, OSError):
            outcome = None
        if outcome is not None:
            worker.job = None
            yield outcome
            return
        worker.process.join()
        worker.pipe.close()
        self._running.remove(worker)
        item, key = worker.job
        if worker.attempt < ATTEMPTS:
            again.append((worker.job, worker.attempt + 1))
        else:
            code = worker.process.exitcode or 0
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            error = f"{item.path}: the process that read it ended {ATTEMPTS} times ({how}). Check memory and file."
            yield Outcome(item, key, error, lasting=False)

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(theirs, self.settings, self.folder.path), daemon=True, name="moodline-worker"
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._running.append(worker)
        return worker

    def _stop(self) -> None:
        """End all processes: at once those that work, the others when they see their pipe closed."""
        for worker in self._running:
            worker.pipe.close()
            if worker.job is not None:
                worker.process.terminate()
        for worker in self._running:
            worker.process.join(10)
            if worker.process.is_alive():
                worker.process.kill()
        self._running.clear()


def _work(pipe: Connection, settings: AnnotationSettings, path: Path) -> None:
    """What a worker process does until its pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all: the parent decides
    os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    annotator, folder = Annotator(settings), ResultFolder(path)
    with suppress(EOFError, OSError):  # the parent has ended
        while True:
            item, key = pipe.recv()
            pipe.send(annotate_item(annotator, folder, item, key))
