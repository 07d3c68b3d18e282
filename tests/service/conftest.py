"""One server for the tests that need nothing special of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.service.servers import Server, running

KEYS = ("first-key-of-the-tests", "second-key-of-the-tests")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two keys."""
    with running(tmp_path_factory.mktemp("serve"), MOODLINE_API_KEY=" ".join(KEYS)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    """A client with the first key."""
    with server.client(KEYS[0]) as client:
        yield client
