"""What every request passes first: its id, the key, sizes, room in the queue, time limits, figures.

All of this happens before a body is read, so that a refused upload costs nothing.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from moodline.service.auth import Keys
from moodline.service.errors import ServiceError, busy, defect, error_response
from moodline.service.metrics import Metrics

OPEN = ("/health", "/ready", "/openapi.json")
"""Addresses that need no key."""
STALLED = 60.0
"""Seconds in which nothing arrives of a body, until the request ends."""
LONGEST_WAIT = 60.0
"""Seconds that a request may have to wait for its turn; where it would be longer, the queue is full."""
DRAINED = 64_000_000
"""Bytes of a refused upload that are read and thrown away, so that the client sees the answer."""
DRAIN_SECONDS = 5.0
LOCAL = re.compile(r"(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?", re.IGNORECASE)
"""Hosts that a page in a browser cannot pretend to be."""


@dataclass
class Entrance:
    """What a route takes.

    Args:
        content: the media type of its bodies.
        most_bytes: of a body.
        slots: requests at a time.
        delay: gives the seconds until so many requests should be answered.
        check: raises where a body of this size cannot be taken now.
        inside: requests at present.
    """

    content: str
    most_bytes: int
    slots: int
    delay: Callable[[int], float]
    check: Callable[[int], None] = lambda size: None
    inside: int = field(default=0)


class Gate:
    """The outermost layer of the application.

    Args:
        app: what is behind it.
        keys: see ``Keys``.
        entrances: path to what its POST takes.
        metrics: where requests are counted.
        local: only hosts in ``LOCAL``.
    """

    def __init__(self, app: ASGIApp, keys: Keys, entrances: dict[str, Entrance], metrics: Metrics, local: bool) -> None:
        self._app, self._keys, self._entrances, self._metrics, self._local = app, keys, entrances, metrics, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Passage(self, scope, receive, send).run()

    def check(self, scope: Scope, headers: Headers) -> Entrance | None:
        """Raise unless the request may go on; the entrance that it takes a slot of, if it has one."""
        if self._local and not LOCAL.fullmatch(headers.get("host", "")):
            raise ServiceError(421, "this service answers requests for localhost only", headers.get("host"))
        if scope["path"] not in OPEN:
            scope["state"]["owner"] = self._keys.owner(headers.get("authorization"))
        entrance = self._entrances.get(scope["path"]) if scope["method"] == "POST" else None
        if entrance is None:
            return None
        content = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content != entrance.content:
            raise ServiceError(
                415,
                f"the body must be {entrance.content}",
                content or "no Content-Type",
                "Set the header Content-Type.",
            )
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > entrance.most_bytes:
            raise too_large(entrance.most_bytes, int(length))
        delay = entrance.delay(entrance.inside + 1)
        if entrance.inside >= entrance.slots or (entrance.inside and delay > LONGEST_WAIT):
            raise busy(delay)
        entrance.check(int(length) if length.isdigit() else 0)
        return entrance


class _Passage:
    """One request on its way."""

    def __init__(self, gate: Gate, scope: Scope, receive: Receive, send: Send) -> None:
        self.gate, self.scope, self._receive, self._send = gate, scope, receive, send
        self.headers = Headers(scope=scope)
        given = self.headers.get("x-request-id", "")
        self.id = given if re.fullmatch(r"[\w.-]{8,64}", given, re.ASCII) else secrets.token_hex(8)
        scope["state"] = {**scope.get("state", {}), "request_id": self.id}
        self.begun, self.status, self.read, self.whole = time.monotonic(), 0, 0, False
        self.limit: int | None = None

    async def run(self) -> None:
        gate, entrance = self.gate, None
        try:
            try:
                entrance = gate.check(self.scope, self.headers)
            except ServiceError as error:
                await self._drain()
                await error_response(error, self.id)(self.scope, self._receive, self.send)
                return
            if entrance is not None:
                entrance.inside += 1
                self.limit = entrance.most_bytes
            await self._pass()
        finally:
            if entrance is not None:
                entrance.inside -= 1
            self._count()

    async def _pass(self) -> None:
        try:
            await self.gate._app(self.scope, self.receive, self.send)
        except Exception:
            error = defect(self.id)
            if not self.status:
                await error_response(error, self.id)(self.scope, self._receive, self.send)

    async def receive(self) -> Message:
        """The next piece of the body; after the last one, the end of the connection."""
        if self.whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), STALLED)
        except TimeoutError:
            raise ServiceError(408, f"nothing arrived for {STALLED:.0f} s", fix="Send it again.") from None
        self.read += len(message.get("body", b""))
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        if self.limit is not None and self.read > self.limit:
            await self._drain()
            raise too_large(self.limit, self.read)
        return message

    async def send(self, message: Message) -> None:
        """A piece of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.id
        await self._send(message)

    async def _drain(self) -> None:
        """Throw a body away; a client that asked beforehand (Expect: 100-continue) does not send it."""
        if self.headers.get("expect") or (
            "content-length" not in self.headers and "transfer-encoding" not in self.headers
        ):
            return
        read = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while read <= DRAINED and not self.whole:
                    message = await self._receive()
                    read += len(message.get("body", b""))
                    self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        except TimeoutError:
            return

    def _count(self) -> None:
        route = getattr(self.scope.get("route"), "path", "")
        route = route or (self.scope["path"] if self.scope["path"] in self.gate._entrances else "other")
        method = self.scope["method"] if self.scope["method"] in METHODS else "other"
        metrics = self.gate._metrics
        metrics.requests.labels(route, method, str(self.status or 499)).inc()
        metrics.seconds.labels(route).observe(time.monotonic() - self.begun)


METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH")


def too_large(limit: int, size: int) -> ServiceError:
    """413."""
    return ServiceError(
        413, f"a body has at most {limit} bytes", f"{size} or more", "Send less, or ask the operator for --max-upload."
    )
