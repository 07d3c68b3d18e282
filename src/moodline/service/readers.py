"""Threads that read recordings: short ones whose client waits, and jobs from the store."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from moodline.core.cache import recordings_in
from moodline.core.errors import MoodlineError, StorageError
from moodline.core.prediction import Prediction
from moodline.media.audio import RATE
from moodline.service.errors import LOG, busy, of_moodline
from moodline.service.jobs import JobRow
from moodline.service.models import Lane, Served, ServedModels
from moodline.service.rooms import Rooms
from moodline.service.wish import Wish

WORK = "work"
"""The folder of what is decoded and recognized, in that of a request."""
PAUSE = 10.0
"""Seconds until something is tried again that the disk refused."""


class Stopped(Exception):
    """Work that is not to go on: its client has gone, the job is cancelled, or the service ends."""


@dataclass(frozen=True)
class Reading:
    """A recording whose client waits.

    Args:
        served, wish, folder: what is to be read; the folder is removed afterwards.
        seconds: of sound; None if the recording does not say.
        short: not one that takes turns with jobs.
        finish: makes the answer of the prediction, while the decoded sound is still there.
        loop, answer: who waits.
    """

    served: Served
    wish: Wish
    folder: Path
    seconds: float | None
    short: bool
    finish: Callable[[Prediction], Any]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]


class Readers:
    """Threads that read recordings. The last one of several leaves long ones to the others.

    Args:
        models: what is served.
        rooms: the folders and the store.
        workers: how many threads.
        most: recordings whose clients may wait.
        observe: called with the seconds of a recording that was read.
        ended: called with the state that a job ended in.
    """

    def __init__(
        self,
        models: ServedModels,
        rooms: Rooms,
        workers: int,
        most: int,
        observe: Callable[[float], None] = lambda seconds: None,
        ended: Callable[[str], None] = lambda state: None,
    ) -> None:
        self._models, self._rooms, self._most = models, rooms, most
        self._observe, self._ended = observe, ended
        self._lanes = [models.recognizers() for _ in range(workers)]
        self._short: deque[Reading] = deque()
        self._long: deque[Reading] = deque()
        self._changed = threading.Condition()
        self._jobs_wait, self._ending, self._stopping = True, False, False
        self._progress: dict[str, tuple[str, int, int]] = {}
        self._cancelled: set[str] = set()
        self._seconds = 3.0
        """A moving mean of the seconds that a short recording takes."""
        self._threads = [
            threading.Thread(target=self._run, args=(n, lane), name=f"recordings-{n}", daemon=True)
            for n, lane in enumerate(self._lanes)
        ]

    def start(self, warm: Served) -> None:
        """Load the models and start the threads.

        Raises:
            MissingDependencyError: a package that reads recordings is missing.
        """
        with recordings_in(self._rooms.uploads), tempfile.TemporaryDirectory() as folder:
            sound = Path(folder) / "warm.wav"
            soundfile.write(sound, np.random.default_rng(0).normal(0, 0.01, RATE), RATE)
            for lane in self._lanes:
                lane.transcriber()
                lane.diarizer()
                lane.warm(warm, sound)
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Begin no more jobs, and put those back that run; clients that wait are still answered."""
        self._ending = True

    def stop(self, seconds: float) -> bool:
        """End the threads; False if one still computes after some seconds."""
        self._ending = self._stopping = True
        with self._changed:
            self._changed.notify_all()
        until = time.monotonic() + seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
        return not self.computing

    @property
    def alive(self) -> bool:
        """True if every thread is at work."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def computing(self) -> bool:
        """True if a thread still runs after ``stop``."""
        return any(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """Recordings that no thread has taken yet and whose clients wait."""
        return len(self._short) + len(self._long)

    def delay(self, count: int) -> float:
        """Seconds until so many recordings should be answered."""
        return self._seconds * count / len(self._lanes)

    def progress(self, id_: str) -> tuple[str, int, int] | None:
        """How far a running job is: stage, done, total; None if it has not begun one."""
        return self._progress.get(id_)

    def job_added(self) -> None:
        """A job waits in the store."""
        with self._changed:
            self._jobs_wait = True
            self._changed.notify_all()

    def cancel(self, id_: str) -> None:
        """End the work on a job, which is cancelled in the store already."""
        self._cancelled.add(id_)
        if id_ not in self._progress:  # nobody is at work on it
            self._cancelled.discard(id_)
            self._rooms.remove(id_)

    async def read(
        self,
        served: Served,
        wish: Wish,
        folder: Path,
        seconds: float | None,
        finish: Callable[[Prediction], Any],
        short: bool,
    ) -> Any:
        """What ``finish`` makes of a recording's prediction. The folder is removed, whatever happens.

        Raises:
            ServiceError: 429, too many wait.
            MoodlineError: see ``Wish.read``.
        """
        loop = asyncio.get_running_loop()
        item = Reading(served, wish, folder, seconds, short, finish, loop, loop.create_future())
        with self._changed:
            full = self.waiting >= self._most
            if not full:
                (self._short if short else self._long).append(item)
                self._changed.notify_all()
        if full:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise busy(self.delay(self.waiting + 1))
        return await item.answer

    # -- the threads ------------------------------------------------------------------------------------------------

    def _run(self, n: int, lane: Lane) -> None:
        only_short, turn = n > 0 and n == len(self._lanes) - 1, 0
        while not self._stopping:
            turn += 1
            try:
                item = self._next(only_short, turn)
                if isinstance(item, Reading):
                    self._read(lane, item)
                elif item is not None:
                    self._job(lane, item)
            except Exception:  # of the store: its disk
                LOG.exception("a recording could not be taken up or ended")
                self._wait(PAUSE)

    def _next(self, only_short: bool, turn: int) -> Reading | JobRow | None:
        """What this thread does next; None after a while without anything.

        Jobs and long recordings take turns, and where there is one thread short ones do too.
        """
        if only_short:
            order = ["short"]
        elif len(self._lanes) > 1:
            order = [*(["job", "long"] if turn % 2 else ["long", "job"]), "short"]
        else:
            kinds = ["short", "job", "long"]
            order = kinds[turn % 3 :] + kinds[: turn % 3]
        for kind in order:
            found = self._take_job() if kind == "job" else self._pop(self._short if kind == "short" else self._long)
            if found is not None:
                return found
        with self._changed:
            jobs = self._jobs_wait and not self._ending
            if not (self._short or self._stopping or ((self._long or jobs) and not only_short)):
                self._changed.wait(1.0)
        return None

    def _pop(self, queue: deque[Reading]) -> Reading | None:
        with self._changed:
            return queue.popleft() if queue else None

    def _take_job(self) -> JobRow | None:
        if self._ending or not self._jobs_wait:
            return None
        self._jobs_wait = False
        job = self._rooms.store.take()
        if job is not None:
            self._jobs_wait = True
            self._progress[job.id] = ("beginning", 0, 1)
        return job

    def _read(self, lane: Lane, item: Reading) -> None:
        begun = time.monotonic()

        def progress(title: str, done: int, total: int) -> None:
            if item.answer.done():  # the client has gone
                raise Stopped

        outcome: Any
        try:
            progress("beginning", 0, 1)
            with recordings_in(item.folder / WORK):
                outcome = item.finish(item.wish.read(lane, item.served, item.folder, progress))
            self._observe(item.seconds or 0.0)
        except MoodlineError as error:
            outcome = of_moodline(error, hide=str(item.folder / item.wish.recording), shown=item.wish.name)
        except Exception as error:
            outcome = error
        finally:
            shutil.rmtree(item.folder, ignore_errors=True)
        if item.short:
            self._seconds += 0.2 * (time.monotonic() - begun - self._seconds)
        with suppress(RuntimeError):  # the loop has ended
            item.loop.call_soon_threadsafe(_give, item.answer, outcome)

    def _job(self, lane: Lane, job: JobRow) -> None:
        folder = self._rooms.job(job.id)

        def progress(title: str, done: int, total: int) -> None:
            self._progress[job.id] = (title, done, total)
            if self._ending or job.id in self._cancelled:
                raise Stopped

        state, error = "done", None
        try:
            wish = Wish(**job.wish)
            served = self._models.choose(wish.model, "recordings")
            with recordings_in(folder / WORK):
                self._rooms.write_answers(job.id, wish.read(lane, served, folder, progress))
        except Stopped:
            state = "queued"
        except StorageError as refused:
            LOG.error("job %s: %s", job.id, refused)
            state = "queued"
            self._wait(PAUSE)
        except MoodlineError as wrong:
            detail = of_moodline(wrong, hide=str(folder / str(job.wish.get("recording"))), shown=job.name)
            state, error = "failed", {"rule": detail.rule, "value": detail.value, "fix": detail.fix}
        except Exception:
            LOG.exception("job %s failed", job.id)
            state, error = "failed", {"rule": "the service failed at this recording", "value": None, "fix": ""}
        self._ends(job, state, error)

    def _ends(self, job: JobRow, state: str, error: dict[str, Any] | None) -> None:
        """Write what became of a job; as often as the disk needs."""
        while True:
            try:
                if state == "queued":
                    self._rooms.store.put_back(job.id)
                elif self._rooms.store.end(job.id, state, error):
                    self._rooms.tidy(job.id)
                    self._ended(state)
                    self._observe(job.seconds or 0.0)
                break
            except sqlite3.Error as refused:
                LOG.error("job %s: %s", job.id, refused)
                if not self._wait(PAUSE):
                    break
        self._progress.pop(job.id, None)
        row = self._rooms.store.get(job.id)
        if row is None or row.state == "cancelled":
            self._rooms.remove(job.id)
        self._cancelled.discard(job.id)

    def _wait(self, seconds: float) -> bool:
        """Wait; False if the service ends."""
        until = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < until:
            time.sleep(0.1)
        return not self._stopping


def _give(answer: asyncio.Future[Any], outcome: Any) -> None:
    if answer.done():  # the client has gone
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
