"""The server's process: its socket, its signals, its end."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn

from moodline.core.errors import ConfigError
from moodline.service.app import Service
from moodline.service.protocol import ImpatientProtocol
from moodline.service.settings import ServiceSettings

M_ARENA_MAX = -8
"""The number of this setting in glibc's malloc.h."""


class _Server(uvicorn.Server):
    """uvicorn's server; a signal ends it with exit code 0, and the service learns of it at once."""

    def __init__(self, config: uvicorn.Config, on_end: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_end = on_end

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals while the server runs, and do not raise them again."""
        handlers: dict[int, Any] = {s: signal.signal(s, self.handle_exit) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the end; a second Ctrl-C does not wait."""
        super().handle_exit(sig, frame)
        self._on_end()


def bind(settings: ServiceSettings) -> socket.socket:
    """The socket that the service listens on.

    Raises:
        ConfigError: the address is in use, or is none of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port}", reason, "Choose another --host or --port."
        ) from None
    return listener


def url_of(settings: ServiceSettings, listener: socket.socket) -> str:
    """The address for clients."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listener.getsockname()[1]}"


def _share_memory() -> None:
    """Let all threads share two heaps: glibc gives each thread its own, which each grow to what networks need."""
    with contextlib.suppress(OSError, AttributeError):  # another libc
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def serve(settings: ServiceSettings, on_ready: Callable[[str], None]) -> None:
    """Run the service until a signal ends it: running requests are answered, jobs go on after the next start.

    Args:
        settings: see ``ServiceSettings``.
        on_ready: called with the address when models are loaded and requests are taken.

    Raises:
        ConfigError: the address cannot be used, or another server uses the folder of jobs.
        UnknownNameError, CheckpointError: see ``ServedModels``.
    """
    _share_memory()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with contextlib.closing(bind(settings)) as listener:
        service = Service(settings)
        config = uvicorn.Config(
            service.app,
            http=ImpatientProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=round(settings.grace),
        )
        with service.running():
            server = _Server(config, service.end)
            listener.listen(config.backlog)
            on_ready(url_of(settings, listener))
            server.run(sockets=[listener])
        if service.readers is not None and service.readers.computing:
            logging.shutdown()
            os._exit(0)  # a network still runs in a thread: its job is safe in the store
