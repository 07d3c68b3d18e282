"""Answers in the format that a request asks for; the writers are those of ``moodline analyze``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, get_args

from starlette.responses import Response

from moodline.core.errors import MoodlineError
from moodline.core.prediction import Prediction
from moodline.report.write import prediction_bytes
from moodline.service.errors import ServiceError
from moodline.service.schemas import Format

MEDIA_TYPES: dict[str, str] = {
    "json": "application/json",
    "srt": "application/x-subrip",
    "vtt": "text/vtt; charset=utf-8",
    "rttm": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "text": "text/plain; charset=utf-8",
}
"""Format to the media type of its answer."""

FORMATS: tuple[str, ...] = get_args(Format)

CONTENT: dict[str, Any] = {
    media.partition(";")[0]: {"schema": {"type": "string"}} for name, media in MEDIA_TYPES.items() if name != "json"
}
"""OpenAPI's description of the formats that are no JSON."""


def named(prediction: Prediction, name: str | None) -> Prediction:
    """The prediction with the recording's name as the client gave it, and not its path on the service's disk."""
    return replace(prediction, media=None if name is None else PurePosixPath(name))  # type: ignore[arg-type]


def encoded(prediction: Prediction, format_: str) -> bytes:
    """The answer's bytes.

    Args:
        prediction: what is answered.
        format_: one of ``FORMATS``.

    Raises:
        ServiceError: 422, the format does not hold such an answer, as subtitles without times.
    """
    if format_ == "json":
        return json.dumps(prediction.to_dict(), ensure_ascii=False).encode("utf-8", "replace")
    try:
        return prediction_bytes([prediction], f".{format_}")
    except MoodlineError as error:
        raise ServiceError(422, error.rule, error.found, "Ask for json, csv or html.", "format") from None


def response(content: bytes, format_: str, name: str = "answer") -> Response:
    """The response; HTML may run only what it brings, and is no part of the service's own pages."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    if format_ == "html":
        headers["Content-Security-Policy"] = "sandbox allow-scripts allow-downloads"
    return Response(content, media_type=MEDIA_TYPES[format_], headers=headers)
