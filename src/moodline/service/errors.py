"""Errors of the service: one object with the rule, the value, the fix and the request's id."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from moodline.core.errors import MoodlineError, StorageError

LOG = logging.getLogger("moodline.service")
LONGEST_VALUE = 120
"""Characters of a wrong value that an error repeats."""
TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
"""Status to ``type``; others below 500 are ``invalid_request_error``."""
RULES = {
    404: ("no such address", "See /openapi.json for those that exist."),
    405: ("this address does not take this method", "See /openapi.json for those that it takes."),
    400: ("the request's body cannot be read", "Send it as /openapi.json describes."),
}
"""Status to rule and fix, where the framework refuses a request."""


class ServiceError(HTTPException):
    """A request that is refused.

    Args:
        status: of HTTP.
        rule: what is expected.
        value: what broke the rule; None if that does not help.
        fix: what the client can do.
        param: the field that is wrong; None if there is none.
        retry: seconds until it is worth trying again; None if it is not.
    """

    def __init__(
        self,
        status: int,
        rule: str,
        value: object = None,
        fix: str = "",
        param: str | None = None,
        retry: int | None = None,
    ) -> None:
        headers = {} if retry is None else {"Retry-After": str(retry)}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(status, rule, headers)
        self.rule, self.fix, self.param = rule, fix, param
        self.value = None if value is None else shortened(value)


def busy(seconds: float, rule: str = "too many requests wait") -> ServiceError:
    """429: the queue is full; ``seconds`` until there should be room."""
    retry = max(1, min(600, round(seconds + 0.5)))
    return ServiceError(429, rule, fix=f"Try again in {retry} s, as Retry-After says.", retry=retry)


def shortened(value: object) -> str:
    """A value for a message, at most ``LONGEST_VALUE`` characters."""
    text = value if isinstance(value, str) else str(value)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


def of_moodline(error: MoodlineError, status: int = 422, hide: str = "", shown: str = "") -> ServiceError:
    """The error of a request for an error of Moodline's.

    Args:
        error: what was raised.
        status: 422 where the content is wrong; a full disk is 507.
        hide: the path of a file of the service.
        shown: what stands in its place: the name that the client gave the file.
    """
    if isinstance(error, StorageError):
        LOG.error("%s", error)
        return ServiceError(507, "the service's disk refuses to write", fix="Try again later, or tell its operator.")
    value = None if error.found is None else str(error.found)
    rule, fix = error.rule, error.fix
    if hide:
        rule, fix = rule.replace(hide, shown), fix.replace(hide, shown)
        value = None if value is None else value.replace(hide, shown)
    return ServiceError(status, " ".join(rule.split()), value, " ".join(fix.split()))


def error_body(error: ServiceError, request_id: str) -> dict[str, Any]:
    """The object that a client gets; ``message``, ``type``, ``param`` and ``code`` are what OpenAI's clients read."""
    status = error.status_code
    message = error.rule if error.value is None else f"{error.rule} (found: {error.value})"
    return {
        "error": {
            "message": f"{message.rstrip('.')}. {error.fix}".strip(),
            "type": TYPES.get(status, "invalid_request_error" if status < 500 else "server_error"),
            "param": error.param,
            "code": str(status),
            "rule": error.rule,
            "value": error.value,
            "fix": error.fix,
            "request_id": request_id,
        }
    }


def error_response(error: ServiceError, request_id: str) -> Response:
    """The response of an error."""
    body = json.dumps(error_body(error, request_id)).encode()
    return Response(body, error.status_code, dict(error.headers or {}), "application/json")


def request_id_of(request: Request) -> str:
    """The id that the gate gave the request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


async def on_http_error(request: Request, error: Exception) -> Response:
    """Errors of the service, and those of the framework in the same form."""
    if not isinstance(error, ServiceError):
        assert isinstance(error, HTTPException)
        rule, fix = RULES.get(error.status_code, (str(error.detail), ""))
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_methods(request)) or headers.get("Allow", "")
        error = ServiceError(error.status_code, rule, fix=fix)
        error.headers = {**(error.headers or {}), **headers}
    return error_response(error, request_id_of(request))


def _methods(request: Request) -> list[str]:
    """What the request's address takes; each method is a route of its own."""
    for template, operations in request.app.openapi()["paths"].items():
        if compile_path(template)[0].match(request.url.path):
            return sorted(map(str.upper, operations))
    return []


async def on_invalid(request: Request, error: Exception) -> Response:
    """A request that does not have the form that OpenAPI describes: the first mistake, and how many more."""
    assert isinstance(error, RequestValidationError)
    mistakes = error.errors()
    first = mistakes[0]
    param = ".".join(str(x) for x in first["loc"][1:]) or str(first["loc"][0])
    text = first["msg"] if "UploadFile" not in first["msg"] else "must be a file"
    rule = f"{param}: {text[0].lower()}{text[1:]}"
    value = None if first["type"] in ("missing", "json_invalid") else first.get("input")
    more = f" ({len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    shown = None if value is None else json.dumps(value, default=str, ensure_ascii=False)
    found = ServiceError(422, rule + more, shown, "Send what /openapi.json describes.", param)
    return error_response(found, request_id_of(request))


async def on_moodline_error(request: Request, error: Exception) -> Response:
    """Wrong content."""
    assert isinstance(error, MoodlineError)
    return error_response(of_moodline(error), request_id_of(request))


def defect(request_id: str) -> ServiceError:
    """500: a defect of Moodline; the log has the rest under the request's id."""
    LOG.exception("request %s failed", request_id)
    return ServiceError(500, "the service failed at this request", fix="Report it with the request id.")
