"""The OpenAPI description: what the framework knows of the routes, with keys and headers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from moodline.service.gate import OPEN

REQUEST_ID = {
    "schema": {"type": "string"},
    "description": "The request's id, also in errors; a client may send its own.",
}
LOCATION = {"schema": {"type": "string"}, "description": "Where to ask for the job."}
RETRY = {"schema": {"type": "integer"}, "description": "Seconds."}


def describe(app: FastAPI, keys: bool) -> None:
    """Let ``app`` answer /openapi.json with the whole description.

    Args:
        app: with all its routes.
        keys: requests must carry one.
    """

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _description(app, keys)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _description(app: FastAPI, keys: bool) -> dict[str, Any]:
    made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    if keys:
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, methods in made["paths"].items():
        for operation in methods.values():
            if keys and path not in OPEN:
                operation["security"] = [{"key": []}]
            for status, answer in operation["responses"].items():
                headers = answer.setdefault("headers", {})
                headers["X-Request-ID"] = REQUEST_ID
                if status == "202":
                    headers |= {"Location": LOCATION, "Retry-After": RETRY}
    return made
