"""A real server in a process of its own, and a client that compares every answer with the OpenAPI description."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jsonschema

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120.0


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    description: dict[str, Any] = field(default_factory=dict)

    def client(self, key: str | None = None, **settings: Any) -> httpx.Client:
        """A client whose every answer must be what OpenAPI says."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        hooks = {"response": [self.compare]}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, event_hooks=hooks, **settings)

    def compare(self, response: httpx.Response) -> None:
        """Raise unless status, media type and body are described."""
        path = response.request.url.path
        if path == "/openapi.json":
            return
        if not self.description:
            self.description = httpx.get(f"{self.url}/openapi.json").json()
        described = next((d for p, d in self.description["paths"].items() if _matches(p, path)), None)
        method = response.request.method.lower()
        if described is None or method not in described:
            assert response.status_code in (404, 405)
            return
        answers = described[method]["responses"]
        assert str(response.status_code) in answers, f"{method} {path}: {response.status_code} is not described"
        if response.status_code == 204:
            return
        kinds = answers[str(response.status_code)]["content"]
        media = response.headers["content-type"].partition(";")[0]
        assert media in kinds, f"{method} {path}: {media} is not described"
        response.read()
        if media == "application/json":
            schema = kinds[media]["schema"] | {"components": self.description["components"]}
            jsonschema.validate(response.json(), schema)

    def end(self, seconds: float = 60) -> int:
        """Ask it to end, as an operating system does; its exit code."""
        self.process.terminate()
        return self.process.wait(seconds)


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path) is not None


def launch(folder: Path, *options: str, **environment: str) -> Server:
    """Start a server on a free port and wait until it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    command = [sys.executable, "-m", "moodline", "serve", "--port", "0", "--jobs", str(folder / "jobs"), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    with log.open("wb") as errors:
        process = subprocess.Popen(command, stderr=errors, env=environment)
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if ready := re.search(r"^moodline: ready at (\S+)$", log.read_text(), re.M):
            return Server(process, ready[1], log)
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


@contextmanager
def running(folder: Path, *options: str, **environment: str) -> Iterator[Server]:
    """A server for the duration of a block."""
    server = launch(folder, *options, **environment)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()
