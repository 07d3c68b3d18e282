"""``POST /v1/recordings`` and ``/v1/jobs/{id}``: short recordings are answered, long ones become jobs."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse

from moodline.core.errors import UnknownNameError
from moodline.core.prediction import Prediction
from moodline.service.errors import ServiceError, busy
from moodline.service.fields import refuse_unknown_fields
from moodline.service.formats import CONTENT, encoded, response
from moodline.service.jobs import JobRow, JobStore
from moodline.service.models import Served, ServedModels
from moodline.service.readers import Readers
from moodline.service.rooms import Rooms
from moodline.service.schemas import Answer, Format, Job, errors
from moodline.service.settings import ServiceSettings
from moodline.service.uploads import save
from moodline.service.waiting import unless_gone
from moodline.service.wish import Wish

POLL = 2
"""Seconds after which it is worth asking for a job again."""

ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {"model": Answer, "description": "The emotions, in the format asked for.", "content": CONTENT},
    202: {"model": Job, "description": "A job: ask for it at the address in Location."},
}


def choose(models: ServedModels, name: str | None) -> Served:
    """The model that a request names for its recording.

    Raises:
        ServiceError: 422, there is none of that name.
    """
    try:
        return models.choose(name, "recordings")
    except UnknownNameError as error:
        raise ServiceError(422, error.rule, fix=error.fix, param="model") from None


class Jobs:
    """Jobs as clients see them.

    Args:
        rooms: where they are kept.
        readers: who is at work on them.
        settings: how long they are kept, how many may wait.
    """

    def __init__(self, rooms: Rooms, readers: Readers, settings: ServiceSettings) -> None:
        self._rooms, self._readers, self._settings = rooms, readers, settings

    def check_room(self) -> None:
        """Raise if too many jobs wait.

        Raises:
            ServiceError: 429.
        """
        if self._rooms.store.counts().get("queued", 0) >= self._settings.jobs:
            raise busy(60, "too many jobs wait")

    def get(self, id_: str, owner: str) -> JobRow:
        """A job of an owner.

        Raises:
            ServiceError: 404, it has none of that name.
        """
        row = self._rooms.store.get(id_, owner)
        if row is None:
            raise ServiceError(
                404, "no such job, or not with this key", id_, "Jobs are removed after a while (--keep)."
            )
        return row

    def shown(self, row: JobRow) -> dict[str, Any]:
        """A job as an object; with its answer, if it is done."""
        progress = self._readers.progress(row.id) if row.state == "running" else None
        result = self._rooms.answer(row.id, "json") if row.state == "done" else None
        return {
            "id": row.id,
            "object": "job",
            "state": row.state,
            "name": row.name,
            "seconds": row.seconds,
            "created": row.created,
            "started": row.started,
            "ended": row.ended,
            "expires": None if row.ended is None else row.ended + self._settings.keep,
            "position": self._rooms.store.before(row) if row.state == "queued" else None,
            "progress": None if progress is None else dict(zip(("stage", "done", "total"), progress, strict=True)),
            "error": row.error,
            "result": None if result is None else json.loads(result),
        }

    def content(self, row: JobRow, format_: str) -> bytes:
        """The answer of a job.

        Raises:
            ServiceError: 409, it is not done; 422, the format does not hold its answer.
        """
        if row.state != "done":
            waits = row.state in ("queued", "running")
            fix = "Ask again." if waits else "Send the recording again."
            raise ServiceError(409, "the job is not done", row.state, fix, retry=POLL if waits else None)
        content = self._rooms.answer(row.id, format_)
        if content is None:
            raise ServiceError(422, f"{format_} does not hold this answer", fix="Ask for json.", param="format")
        return content

    def cancel(self, row: JobRow) -> None:
        """End a job and remove all of it but its id."""
        self._rooms.store.cancel(row.id)
        self._readers.cancel(row.id)


def router(models: ServedModels, rooms: Rooms, readers: Readers, jobs: Jobs, short: float) -> APIRouter:
    """The routes.

    Args:
        models, rooms, readers, jobs: the parts of the service.
        short: seconds of sound up to which a recording is answered at once.
    """
    routes = APIRouter(dependencies=refuse_unknown_fields)

    @routes.post(
        "/v1/recordings",
        response_model=None,
        responses={**ANSWERED, **errors(400, 401, 408, 413, 415, 422, 429, 507)},
        summary="The emotions in a recording",
    )
    async def recordings(
        request: Request,
        file: Annotated[UploadFile, File(description="Sound or film.")],
        transcript: Annotated[UploadFile | None, File(description="What is said; any kind that analyze reads.")] = None,
        model: Annotated[str | None, Form(min_length=1, max_length=200)] = None,
        speakers: Annotated[int | None, Form(ge=1, le=100)] = None,
        channels: Annotated[Literal["mix", "split"], Form()] = "mix",
        track: Annotated[int | None, Form(ge=1, le=1000)] = None,
        abstain_below: Annotated[float | None, Form(ge=0, le=1)] = None,
        format: Format = "json",
        wait: Annotated[bool, Query(description="False: a job, however short the recording is.")] = True,
    ) -> Response:
        served = choose(models, model)
        wish = Wish(served.id, "", speakers=speakers, channels=channels, track=track, abstain_below=abstain_below)
        folder, wish, seconds = await asyncio.to_thread(save, rooms, wish, file, transcript)
        if wait and seconds is not None and seconds <= short:

            def finish(prediction: Prediction) -> bytes:
                return encoded(prediction, format)

            content = await unless_gone(request, readers.read(served, wish, folder, seconds, finish, True))
            return response(content, format)
        shown = await asyncio.to_thread(_accept, rooms, jobs, folder, wish, seconds, request.state.owner)
        readers.job_added()
        headers = {"Location": f"/v1/jobs/{shown['id']}", "Retry-After": str(POLL)}
        return JSONResponse(shown, 202, headers)

    @routes.get(
        "/v1/jobs/{id}",
        response_model=None,
        responses={
            200: {"model": Job | Answer, "description": "The job; with format, its answer.", "content": CONTENT},
            **errors(401, 404, 409, 422),
        },
        summary="How far a job is, and its answer",
    )
    def job(request: Request, id: str, format: Format | None = None) -> Response:
        row = jobs.get(id, request.state.owner)
        if format is None:
            return JSONResponse(jobs.shown(row), headers={"Cache-Control": "no-store"})
        return response(jobs.content(row, format), format)

    @routes.delete(
        "/v1/jobs/{id}", status_code=204, response_model=None, responses=errors(401, 404, 422),
        summary="Cancel a job, or remove its answer; twice is fine",
    )  # fmt: skip
    def delete(request: Request, id: str) -> Response:
        jobs.cancel(jobs.get(id, request.state.owner))
        return Response(status_code=204)

    return routes


def _accept(rooms: Rooms, jobs: Jobs, folder: Path, wish: Wish, seconds: float | None, owner: str) -> dict[str, Any]:
    """Make a job of an upload; it is on the disk when this returns."""
    try:
        jobs.check_room()
        id_ = JobStore.new_id()
        rooms.accept(id_, folder, owner, seconds, wish.to_dict())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return jobs.shown(jobs.get(id_, owner))
