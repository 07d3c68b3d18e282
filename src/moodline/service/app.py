"""The application: every part of the service put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from moodline import __version__
from moodline.core.errors import MoodlineError
from moodline.service import conversations, status
from moodline.service.auth import Keys
from moodline.service.batching import Batcher
from moodline.service.errors import defect, error_response, on_http_error, on_invalid, on_moodline_error, request_id_of
from moodline.service.gate import Entrance, Gate
from moodline.service.metrics import Metrics
from moodline.service.models import ServedModels
from moodline.service.settings import ServiceSettings

MOST_JSON = 8_000_000
"""Bytes of a conversation."""


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
            "/v1/conversations": Entrance("application/json", MOST_JSON, settings.queue, lambda: self.batcher.delay)
        }
        self.app = self._application()

    @contextmanager
    def running(self) -> Iterator[Service]:
        """The threads run inside this block; models are loaded when it begins."""
        self.batcher.start(self.models.choose(None, "conversations"))
        try:
            yield self
        finally:
            self.end()
            self.batcher.stop()

    def end(self) -> None:
        """Take no more work: a signal has come."""
        self.ending = True

    def unable(self) -> str | None:
        """Why the service takes no work now; None if it does."""
        if self.ending:
            return "the service is ending"
        if not self.batcher.alive:
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
        app.include_router(status.router(self.models, self.metrics, self.unable))
        app.add_exception_handler(HTTPException, on_http_error)
        app.add_exception_handler(RequestValidationError, on_invalid)
        app.add_exception_handler(MoodlineError, on_moodline_error)
        app.add_exception_handler(Exception, _on_defect)
        settings = self.settings
        app.add_middleware(
            Gate,
            keys=Keys(settings.keys),
            entrances=self.entrances,
            metrics=self.metrics,
            local=settings.loopback and not settings.keys,
        )
        return app

    def _computed(self, conversations: int, turns: int) -> None:
        self.metrics.batches.observe(conversations)
        self.metrics.turns.inc(turns)

    def _gauges(self) -> Iterable[tuple[str, str, str, dict[str, float]]]:
        yield "moodline_waiting_conversations", "Not taken up yet.", "", {"": float(self.batcher.waiting)}
        inside = {path: float(entrance.inside) for path, entrance in self.entrances.items()}
        yield "moodline_requests_inside", "Requests at present.", "route", inside
        yield "moodline_ready", "1 if work is taken.", "", {"": float(self.unable() is None)}


async def _on_defect(request: Request, error: Exception) -> Response:
    request_id = request_id_of(request)
    return error_response(defect(request_id), request_id)
