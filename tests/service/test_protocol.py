"""Clients that stall: a real uvicorn in a thread, with short limits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from moodline.service import gate, protocol
from moodline.service.auth import Keys
from moodline.service.errors import on_http_error
from moodline.service.gate import Entrance, Gate
from moodline.service.metrics import Metrics
from moodline.service.protocol import ImpatientProtocol


def app() -> FastAPI:
    made = FastAPI()

    @made.get("/large")
    async def large() -> Response:
        return Response(b"x" * 50_000_000)

    @made.post("/body")
    async def body(request: Request) -> Response:
        return Response(str(len(await request.body())))

    made.add_exception_handler(HTTPException, on_http_error)
    entrances = {"/body": Entrance("text/plain", 1000, 2, lambda count: 1.0)}
    made.add_middleware(Gate, keys=Keys(()), entrances=entrances, metrics=Metrics(lambda: ()), local=False)
    return made


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[uvicorn.Server]:
    monkeypatch.setattr(protocol, "STALLED", 0.5)
    monkeypatch.setattr(gate, "STALLED", 0.5)
    config = uvicorn.Config(
        app(), port=0, http=ImpatientProtocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=1
    )
    made = uvicorn.Server(config)
    thread = threading.Thread(target=made.run)
    thread.start()
    while not made.started:
        time.sleep(0.01)
    yield made
    made.should_exit = True
    thread.join()


def connect(server: uvicorn.Server, *options: Any) -> socket.socket:
    connection = socket.socket()
    for option in options:
        connection.setsockopt(*option)
    connection.connect(server.servers[0].sockets[0].getsockname())
    connection.settimeout(20)
    return connection


def all_gone(server: uvicorn.Server) -> None:
    end = time.monotonic() + 20
    while server.server_state.connections or server.server_state.tasks:
        assert time.monotonic() < end, "a connection stays"
        time.sleep(0.05)


@pytest.mark.parametrize("sent", [b"", b"GET /large HT", b"GET /large HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_does_not_come(server: uvicorn.Server, sent: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(sent)
        assert connection.recv(10) == b""
        all_gone(server)


def test_an_answer_that_is_not_read(server: uvicorn.Server) -> None:
    with connect(server, (socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        all_gone(server)


def test_a_body_that_stops(server: uvicorn.Server) -> None:
    with connect(server) as connection:
        connection.sendall(
            b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nabc"
        )
        answer = connection.recv(10_000)
        while b"}}" not in answer:
            answer += connection.recv(10_000)
        assert b" 408 " in answer.partition(b"\r\n")[0]
        assert b"nothing arrived for" in answer
    all_gone(server)


def test_a_body_that_goes_on_slowly_is_read(server: uvicorn.Server) -> None:
    with connect(server) as connection:
        connection.sendall(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n")
        for letter in b"abcde":
            time.sleep(0.2)
            connection.sendall(bytes([letter]))
        answer = connection.recv(10_000)
        while not answer.endswith(b"\r\n\r\n5"):
            answer += connection.recv(10_000)
    all_gone(server)
