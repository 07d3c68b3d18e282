"""The service's folder: uploads that are under way, jobs with their recordings and answers, the store.

jobs.sqlite      what jobs there are
uploads/         uploads and short recordings at work; emptied at every start
jobs/ID/         a job: its recording and transcript, work/ while it is read, then only answer/
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from moodline.core.cache import folder_size
from moodline.core.errors import ConfigError, MoodlineError
from moodline.core.files import make_folder, replacing_folder, write_bytes, writing
from moodline.core.prediction import Prediction
from moodline.service.errors import ServiceError
from moodline.service.formats import FORMATS, encoded
from moodline.service.jobs import ENDED, JobStore

SPARE = 200_000_000
"""Bytes that stay free on the disk."""
ANSWER = "answer"


class Rooms:
    """The folder of one server.

    Args:
        folder: made if it is not there, for its owner only.
        keep: seconds that a job is kept after it has ended.

    Raises:
        ConfigError: another server uses it; see ``JobStore``.
        StorageError: the disk refuses.
    """

    def __init__(self, folder: Path, keep: float) -> None:
        self.folder, self._keep = folder, keep
        make_folder(folder)
        with suppress(OSError):  # a disk without modes
            folder.chmod(0o700)
        self._lock = FileLock(folder / ".lock")
        with writing(folder):
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                raise ConfigError(
                    f"{folder}: another server uses these jobs", fix="End it, or give another folder: --jobs."
                ) from None
        self.uploads, self._jobs = folder / "uploads", folder / "jobs"
        self.store = JobStore(folder)
        self.recover()

    def close(self) -> None:
        """Let another server have the folder."""
        self.store.close()
        self._lock.release()

    def recover(self) -> None:
        """Make the folder what it should be after the server before has ended at any moment."""
        shutil.rmtree(self.uploads, ignore_errors=True)
        make_folder(self.uploads)
        make_folder(self._jobs)
        for path in self._jobs.rglob(".*.tmp"):  # half a file that was being written
            path.unlink(missing_ok=True) if path.is_file() else shutil.rmtree(path, ignore_errors=True)
        self.store.recover(lambda id_: folder_size(self.job(id_)))
        jobs = self.store.ids()
        for path in self._jobs.iterdir():
            row = self.store.get(path.name) if path.name in jobs else None
            if row is None or row.state == "cancelled":
                shutil.rmtree(path, ignore_errors=True)
            elif row.state in ENDED:
                self.tidy(path.name)

    def check_space(self, size: int) -> None:
        """Raise unless the disk has room for an upload and what is decoded of it.

        Raises:
            ServiceError: 507.
        """
        free = shutil.disk_usage(self.folder).free
        if free < 2 * size + SPARE:
            raise ServiceError(
                507, "the service's disk is full", f"{free // 1_000_000} MB free", "Try again later, or send less."
            )

    def job(self, id_: str) -> Path:
        """The folder of a job."""
        return self._jobs / id_

    def accept(self, id_: str, draft: Path, owner: str, seconds: float | None, wish: dict[str, Any]) -> None:
        """Make a job of an upload: first its files, then its row; both are on the disk when this returns.

        Args:
            id_: of ``JobStore.new_id``.
            draft: the folder of the upload; it is gone afterwards.
            owner: whose it is.
            seconds: of sound.
            wish: see ``Wish``.
        """
        with replacing_folder(self.job(id_)) as folder:
            for path in draft.iterdir():
                shutil.move(path, folder / path.name)
        shutil.rmtree(draft, ignore_errors=True)
        try:
            self.store.add(id_, owner, wish["name"], seconds, wish)
        except BaseException:
            self.remove(id_)
            raise

    def write_answers(self, id_: str, prediction: Prediction) -> None:
        """Write a job's answer in every format that holds it."""
        folder = self.job(id_) / ANSWER
        shutil.rmtree(folder, ignore_errors=True)
        with replacing_folder(folder) as draft:
            for name in FORMATS:
                with suppress(MoodlineError):  # of subtitles without a turn that has times
                    write_bytes(draft / name, [encoded(prediction, name)])

    def answer(self, id_: str, format_: str) -> bytes | None:
        """A job's answer; None if it is gone, or the format does not hold it."""
        try:
            return (self.job(id_) / ANSWER / format_).read_bytes()
        except OSError:
            return None

    def tidy(self, id_: str) -> None:
        """Remove all of a job but its answer: the recording, the transcript, what was decoded."""
        for path in self.job(id_).glob("*"):
            if path.name != ANSWER:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def remove(self, id_: str) -> None:
        """Remove all files of a job."""
        shutil.rmtree(self.job(id_), ignore_errors=True)

    def remove_expired(self, also: Callable[[str], None] = lambda id_: None) -> int:
        """Remove the jobs that ended longer ago than they are kept; how many."""
        ids = self.store.expired(time.time() - self._keep)
        for id_ in ids:
            self.remove(id_)
            also(id_)
        if ids:
            self.store.remove(ids)
        return len(ids)
