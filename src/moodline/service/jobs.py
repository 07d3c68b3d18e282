"""Jobs in SQLite: an accepted job is on the disk before the client learns of it, and outlives the server."""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodline.core.errors import ConfigError
from moodline.core.files import make_folder

VERSION = 1
"""Of the tables."""
ATTEMPTS = 20
"""How often a job is begun where the server dies over it and nothing of it gets further; then it fails."""
DEATHS = 3
"""So many deaths of the server over a job put it behind those with fewer."""
ENDED = ("done", "failed", "cancelled")

_ORDER = f"attempts / {DEATHS}, number"
_TABLES = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT UNIQUE NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    name TEXT NOT NULL,
    seconds REAL,
    wish TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    error TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number);
"""


@dataclass(frozen=True)
class JobRow:
    """A job as it is kept.

    Args:
        number: counts up in the order of acceptance.
        id: its name for clients.
        owner: the hash of the key that made it.
        state: queued, running, done, failed or cancelled.
        name: of the recording, as the client gave it; empty once the job is cancelled.
        seconds: of sound; None if the recording does not say.
        wish: how it is to be read, see ``recordings.Wish``.
        created, started, ended: seconds since 1970.
        attempts: how often it was begun since it last got further.
        size: bytes of its files when the server last started.
        error: rule, value and fix, where it failed.
    """

    number: int
    id: str
    owner: str
    state: str
    name: str
    seconds: float | None
    wish: dict[str, Any]
    created: float
    started: float | None
    ended: float | None
    attempts: int
    size: int
    error: dict[str, Any] | None


class JobStore:
    """The jobs of one folder; methods may be called by any thread.

    Args:
        folder: made if it is not there.

    Raises:
        ConfigError: its jobs are of another version of Moodline, or broken.
        StorageError: the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self._lock = threading.RLock()
        file = folder / "jobs.sqlite"
        try:
            self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=30)
            self._db.row_factory = sqlite3.Row
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
                self._db.execute(f"PRAGMA {pragma}")
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version not in (0, VERSION):
                raise ConfigError(f"{file}: jobs of another version", version, "Give another folder: --jobs.")
            self._db.executescript(_TABLES)
            self._db.execute(f"PRAGMA user_version={VERSION}")
        except sqlite3.Error as error:
            raise ConfigError(f"{file}: the jobs cannot be read", error, "Give another folder: --jobs.") from None

    def close(self) -> None:
        """Write everything into the one file and close it."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        """One transaction; it is on the disk when the block ends."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @staticmethod
    def new_id() -> str:
        """A name that nobody guesses."""
        return f"job-{secrets.token_hex(12)}"

    def add(self, id_: str, owner: str, name: str, seconds: float | None, wish: dict[str, Any]) -> None:
        """Accept a job; its files are on the disk already. It is there for good when this returns."""
        with self._change() as db:
            db.execute(
                "INSERT INTO jobs (id, owner, state, name, seconds, wish, created) VALUES (?, ?, 'queued', ?, ?, ?, ?)",
                (id_, owner, name, seconds, json.dumps(wish), time.time()),
            )

    def get(self, id_: str, owner: str | None = None) -> JobRow | None:
        """A job; None if there is none, or it is of another owner. ``owner`` None: of whoever it is."""
        with self._lock:
            row = self._db.execute("SELECT * FROM jobs WHERE id = ?", (id_,)).fetchone()
        found = None if row is None else _job(row)
        return found if found is not None and owner in (None, found.owner) else None

    def take(self) -> JobRow | None:
        """The job that has waited longest, now running; None if none waits.

        One over which the server has died a few times goes behind the others, so that these are read.
        """
        with self._change() as db:
            row = db.execute(f"SELECT id FROM jobs WHERE state = 'queued' ORDER BY {_ORDER} LIMIT 1").fetchone()
            if row is None:
                return None
            db.execute(
                "UPDATE jobs SET state = 'running', started = ?, attempts = attempts + 1 WHERE id = ?",
                (time.time(), row["id"]),
            )
        return self.get(row["id"])

    def end(self, id_: str, state: str, error: dict[str, Any] | None = None) -> bool:
        """A running job is done or has failed; False if it was cancelled meanwhile."""
        with self._change() as db:
            changed = db.execute(
                "UPDATE jobs SET state = ?, ended = ?, error = ? WHERE id = ? AND state = 'running'",
                (state, time.time(), None if error is None else json.dumps(error), id_),
            )
            return changed.rowcount == 1

    def put_back(self, id_: str) -> None:
        """A running job was interrupted in order: it waits again, in its old place."""
        with self._change() as db:
            db.execute(
                "UPDATE jobs SET state = 'queued', started = NULL, attempts = attempts - 1 "
                "WHERE id = ? AND state = 'running'",
                (id_,),
            )

    def cancel(self, id_: str) -> None:
        """End a job whatever it is at; its name is forgotten. Twice is the same as once."""
        with self._change() as db:
            db.execute(
                "UPDATE jobs SET state = 'cancelled', name = '', wish = '{}', error = NULL, ended = ? "
                "WHERE id = ? AND state != 'cancelled'",
                (time.time(), id_),
            )

    def recover(self, size: Callable[[str], int] = lambda id_: 0) -> None:
        """After a start: what was running when the server ended waits again.

        Args:
            size: gives the bytes of a job's files; where they have grown, the job got further.
        """
        died = {"rule": f"the service ended {ATTEMPTS} times while it read this recording", "value": None, "fix": ""}
        with self._change() as db:
            for row in db.execute("SELECT id, size, attempts FROM jobs WHERE state = 'running'").fetchall():
                now = size(row["id"])
                attempts = 0 if now > row["size"] else row["attempts"]
                state, ended, error = "queued", None, None
                if attempts >= ATTEMPTS:
                    state, ended, error = "failed", time.time(), json.dumps(died)
                db.execute(
                    "UPDATE jobs SET state = ?, started = NULL, ended = ?, error = ?, attempts = ?, size = ? "
                    "WHERE id = ?",
                    (state, ended, error, attempts, now, row["id"]),
                )

    def expired(self, before: float) -> list[str]:
        """Jobs that ended before this time, seconds since 1970."""
        marks = ", ".join("?" * len(ENDED))
        with self._lock:
            rows = self._db.execute(
                f"SELECT id FROM jobs WHERE state IN ({marks}) AND ended < ?", (*ENDED, before)
            ).fetchall()
        return [row["id"] for row in rows]

    def remove(self, ids: list[str]) -> None:
        """Forget jobs; nothing of them stays in the file, nor in its log."""
        with self._change() as db:
            db.executemany("DELETE FROM jobs WHERE id = ?", [(id_,) for id_ in ids])
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def ids(self) -> set[str]:
        """All jobs."""
        with self._lock:
            return {row["id"] for row in self._db.execute("SELECT id FROM jobs")}

    def counts(self) -> dict[str, int]:
        """State to the number of jobs."""
        with self._lock:
            rows = self._db.execute("SELECT state, COUNT(*) AS n FROM jobs GROUP BY state").fetchall()
        return {row["state"]: row["n"] for row in rows}

    def before(self, job: JobRow) -> int:
        """Jobs that wait in front of this one."""
        with self._lock:
            (n,) = self._db.execute(
                f"SELECT COUNT(*) FROM jobs WHERE state = 'queued' AND ({_ORDER}) < (?, ?)",
                (job.attempts // DEATHS, job.number),
            ).fetchone()
        return int(n)


def _job(row: sqlite3.Row) -> JobRow:
    values = {k: row[k] for k in row.keys()}  # noqa: SIM118  (a Row iterates over values)
    values["wish"] = json.loads(values["wish"])
    values["error"] = None if values["error"] is None else json.loads(values["error"])
    return JobRow(**values)
