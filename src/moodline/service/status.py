"""``/health``, ``/ready``, ``/metrics`` and ``/v1/models``."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from moodline import __version__
from moodline.service.errors import ServiceError
from moodline.service.fields import refuse_unknown_fields
from moodline.service.metrics import Metrics
from moodline.service.models import ServedModels
from moodline.service.schemas import Health, Model, Models, Ready, errors


def router(models: ServedModels, metrics: Metrics, unable: Callable[[], str | None]) -> APIRouter:
    """The routes.

    Args:
        models: what is served.
        metrics: the figures.
        unable: why the service takes no work now; None if it does.
    """
    routes = APIRouter(dependencies=refuse_unknown_fields)

    @routes.get("/health", response_model=Health, responses=errors(), summary="The process answers")
    async def health() -> Health:
        return Health(status="ok", version=__version__)

    @routes.get("/ready", response_model=Ready, responses=errors(), summary="The service takes work")
    async def ready() -> Ready:
        if (reason := unable()) is not None:
            raise ServiceError(503, reason, fix="Ask another instance, or try again later.", retry=5)
        return Ready(status="ready", models=[m.id for m in models.all()])

    @routes.get("/metrics", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **errors(401)},
                response_class=Response, summary="Figures for Prometheus")  # fmt: skip
    def figures() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @routes.get(
        "/v1/models", response_model=Models, responses=errors(401), summary="Models: labels, languages, licence"
    )
    async def listing() -> Models:
        rows = [
            Model(
                id=m.id,
                object="model",
                created=models.created,
                owned_by="moodline",
                labels=list(m.checkpoint.target.labels),
                languages=list(m.checkpoint.languages),
                licence=m.licence,
                reads=list(m.checkpoint.modalities),
                default_for=list(m.default_for),
            )
            for m in models.all()
        ]
        return Models(object="list", data=rows)

    return routes
