"""Connections that stall are ended: those that send nothing, and those that do not read their answer."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

STALLED = 60.0
"""Seconds in which nothing arrives or nothing is taken."""


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 with time limits, where uvicorn has none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that never asks anything ends as one that has asked enough."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """The head of a request has to be complete in time; a body is the gate's to watch."""
        super().data_received(data)
        if not self._asked() and not self.transport.is_closing():
            self._expect_head()

    def _asked(self) -> bool:
        """True once the head of a request is complete."""
        cycle: object = self.cycle  # None before
        return cycle is not None

    def _expect_head(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(STALLED, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Close; at once if the client does not take what is still to be sent."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(STALLED, self.transport.abort)

    def pause_writing(self) -> None:
        """The client reads too slowly; it has some time to go on."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(STALLED, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read on."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
