"""The application: every part of the service put together."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import get_args

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from moodline import __version__
from moodline.core.errors import MoodlineError
from moodline.service import conversations, openai, recordings, status
from moodline.service.auth import Keys
from moodline.service.batching import Batcher
from moodline.service.description import describe
from moodline.service.errors import (
    LOG,
    defect,
    error_response,
    on_http_error,
    on_invalid,
    on_moodline_error,
    request_id_of,
)
from moodline.service.gate import Entrance, Gate
from moodline.service.metrics import Metrics
from moodline.service.models import ServedModels
from moodline.service.readers import Readers
from moodline.service.recordings import Jobs
from moodline.service.rooms import Rooms
from moodline.service.schemas import State
from moodline.service.settings import ServiceSettings

MOST_JSON = 2_000_000
"""Bytes of a conversation."""
UPLOADS = 16
"""Recordings for each worker that may arrive, wait or be read at a time; jobs are counted apart."""
STOP_SECONDS = 10.0
"""What a thread gets to end in; a job that it computes then goes on after the next start."""


class Service:
    """The service: models, threads, figures and the application that answers.

    Args:
        settings: see ``ServiceSettings``.

    Raises:
        UnknownNameError, CheckpointError: see ``ServedModels``.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings, self.ending = settings, False
        self.models = ServedModels(settings)
        self.metrics = Metrics(self._gauges)
        self.batcher = Batcher(self.models, settings.workers, settings.queue, settings.exact, self._computed)
        self.entrances = {
            "/v1/conversations": Entrance("application/json", MOST_JSON, settings.queue, self.batcher.delay)
        }
        self.rooms: Rooms | None = None
        self.readers: Readers | None = None
        if settings.recordings:
            self._open_rooms()
        self.app = self._application()
        self._stopped = threading.Event()

    def _open_rooms(self) -> None:
        """What recordings need: a folder of their own, also for uploads under way, and threads."""
        settings = self.settings
        rooms = self.rooms = Rooms(settings.folder, settings.keep)
        tempfile.tempdir = str(rooms.uploads)
        places = min(settings.queue, UPLOADS * settings.workers)
        readers = self.readers = Readers(
            self.models,
            rooms,
            settings.workers,
            places,
            self.metrics.sound.inc,
            lambda state: self.metrics.ended.labels(state).inc(),
        )
        for path in ("/v1/recordings", "/v1/audio/transcriptions"):
            self.entrances[path] = Entrance(
                "multipart/form-data", settings.upload, places, readers.delay, rooms.check_space
            )

    @contextmanager
    def running(self) -> Iterator[Service]:
        """The threads run inside this block; models are loaded when it begins."""
        try:
            self.batcher.start(self.models.choose(None, "conversations"))
            if self.readers is not None:
                self.readers.start(self.models.choose(None, "recordings"))
                threading.Thread(target=self._clean, name="cleaner", daemon=True).start()
            yield self
        finally:
            self.end()
            self._stopped.set()
            self.batcher.stop()
            if self.readers is not None and self.rooms is not None and self.readers.stop(STOP_SECONDS):
                self.rooms.close()

    def end(self) -> None:
        """Take no more work: a signal has come."""
        self.ending = True
        if self.readers is not None:
            self.readers.end()

    def unable(self) -> str | None:
        """Why the service takes no work now; None if it does."""
        if self.ending:
            return "the service is ending"
        if not self.batcher.alive or (self.readers is not None and not self.readers.alive):
            return "a thread that computes has ended"
        return None

    def _application(self) -> FastAPI:
        app = FastAPI(
            title="Moodline",
            version=__version__,
            summary="Which emotion each utterance of a conversation carries, how sure that is, and who decided.",
            docs_url=None,  # its page loads scripts from the network
            redoc_url=None,
        )
        app.include_router(conversations.router(self.models, self.batcher))
        if self.rooms is not None and self.readers is not None:
            jobs = Jobs(self.rooms, self.readers, self.settings)
            app.include_router(recordings.router(self.models, self.rooms, self.readers, jobs, self.settings.short))
            app.include_router(openai.router(self.models, self.rooms, self.readers, self.settings.short))
        app.include_router(status.router(self.models, self.metrics, self.unable))
        app.add_exception_handler(HTTPException, on_http_error)
        app.add_exception_handler(RequestValidationError, on_invalid)
        app.add_exception_handler(MoodlineError, on_moodline_error)
        app.add_exception_handler(Exception, _on_defect)
        settings = self.settings
        describe(app, bool(settings.keys))
        app.add_middleware(
            Gate,
            keys=Keys(settings.keys),
            entrances=self.entrances,
            metrics=self.metrics,
            local=settings.loopback and not settings.keys,
        )
        return app

    def _clean(self) -> None:
        """Remove what has been kept long enough, until the service ends."""
        assert self.rooms is not None
        while not self._stopped.wait(min(30.0, self.settings.keep / 4)):
            try:
                self.rooms.remove_expired()
            except (OSError, sqlite3.Error):
                LOG.exception("old jobs could not be removed; it is tried again")

    def _computed(self, conversations: int, turns: int) -> None:
        self.metrics.batches.observe(conversations)
        self.metrics.turns.inc(turns)

    def _gauges(self) -> Iterable[tuple[str, str, str, dict[str, float]]]:
        yield "moodline_waiting_conversations", "Not taken up yet.", "", {"": float(self.batcher.waiting)}
        if self.readers is not None and self.rooms is not None:
            yield (
                "moodline_waiting_recordings",
                "Not taken up yet; without jobs.",
                "",
                {"": float(self.readers.waiting)},
            )
            counts = dict.fromkeys(get_args(State), 0.0) | self.rooms.store.counts()
            yield "moodline_jobs", "Jobs that are kept, by state.", "state", counts
        inside = {path: float(entrance.inside) for path, entrance in self.entrances.items()}
        yield "moodline_requests_inside", "Requests at present.", "route", inside
        yield "moodline_ready", "1 if work is taken.", "", {"": float(self.unable() is None)}


async def _on_defect(request: Request, error: Exception) -> Response:
    request_id = request_id_of(request)
    return error_response(defect(request_id), request_id)
