"""Conversations, status and the gate, against a server in a process of its own."""

from __future__ import annotations

import json
import random
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from moodline import Conversation, Recognizer, Utterance
from moodline.report.write import prediction_bytes
from tests.service.servers import Server, running

pytestmark = pytest.mark.process
WORDS = [
    "we",
    "won",
    "the",
    "cup",
    "I",
    "lost",
    "my",
    "keys",
    "again",
    "get",
    "out",
    "of",
    "house",
    "is",
    "that",
    "a",
    "rat",
    "what",
    "wonderful",
    "news",
]


def talk(seed: int, turns: int = 6, timed: bool = False) -> dict[str, Any]:
    draw = random.Random(seed)
    rows = []
    for n in range(turns):
        row: dict[str, Any] = {"id": f"t{n}", "speaker": "AB"[n % 2], "text": " ".join(draw.choices(WORDS, k=7))}
        rows.append(row | ({"start": float(n), "end": n + 0.9} if timed else {}))
    return {"id": f"talk-{seed}", "turns": rows}


def expected(recognizer: Recognizer, given: dict[str, Any]) -> Any:
    recognizer.forget()
    return recognizer.recognize(Conversation(given["id"], tuple(Utterance(**row) for row in given["turns"])))


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.load("meld-text", threads=1)


def test_answers_are_those_of_the_recognizer(client: httpx.Client, recognizer: Recognizer) -> None:
    answer = client.post("/v1/conversations", json=talk(1))
    assert answer.status_code == 200
    assert answer.json() == expected(recognizer, talk(1)).to_dict()


@pytest.mark.parametrize("format_", ["json", "srt", "vtt", "rttm", "csv", "html"])
def test_every_format_is_what_analyze_writes(client: httpx.Client, recognizer: Recognizer, format_: str) -> None:
    given = talk(2, timed=True)
    answer = client.post("/v1/conversations", params={"format": format_}, json=given)
    assert answer.status_code == 200
    prediction = expected(recognizer, given)
    if format_ == "json":
        assert answer.json() == prediction.to_dict()
    else:
        assert answer.content == prediction_bytes([prediction], f".{format_}")


def test_answers_do_not_depend_on_the_company(client: httpx.Client, recognizer: Recognizer) -> None:
    """Sixty-four clients at once: the same bytes as alone, and some were computed together."""
    alone = {seed: json.dumps(expected(recognizer, talk(seed)).to_dict()) for seed in range(16)}
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda n: client.post("/v1/conversations", json=talk(n % 16)), range(128)))
    assert [a.status_code for a in answers] == [200] * 128
    assert all(json.dumps(a.json()) == alone[n % 16] for n, a in enumerate(answers))
    figures = client.get("/metrics").text
    assert "moodline_batch_conversations_count" in figures
    batches = float(re.findall(r"^moodline_batch_conversations_count (\S+)", figures, re.M)[0])
    together = float(re.findall(r"^moodline_batch_conversations_sum (\S+)", figures, re.M)[0])
    assert together > batches


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"turns": []}, "turns", "at least 1 item"),
        ({"turns": [{"text": 5}]}, "turns.0.text", "valid string"),
        ({"turns": [{"text": "Hi.", "spaker": "A"}]}, "turns.0.spaker", "not permitted"),
        ({"turns": [{"text": "Hi.", "start": float("nan")}]}, "turns.0.start", "finite number"),
        ({"turns": [{"text": "\ud800"}]}, "turns.0.text", "valid string"),
        ({"model": "meld-texd"}, "model", "unknown model 'meld-texd'"),
        ({"turns": [{"text": "  "}]}, None, "text is empty"),
        ({"turns": [{"text": "A", "start": 2, "end": 1}]}, None, "end must not be before start"),
        ({"turns": [{"id": "x", "text": "A"}, {"id": "x", "text": "B"}]}, None, "ids must be unique"),
        ({"turns": [{"speaker": "A"}]}, None, "no utterance has what the model"),
    ],
)
def test_wrong_content_is_one_error_object(client: httpx.Client, change: Any, param: str | None, words: str) -> None:
    content = json.dumps(talk(3) | change)
    answer = client.post("/v1/conversations", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert words in error["rule"]
    assert error["param"] == param
    assert error["request_id"] == answer.headers["x-request-id"]
    assert set(error) == {"message", "type", "param", "code", "rule", "value", "fix", "request_id"}


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, "1" * 5000, "null"])
def test_what_is_no_json_is_refused(client: httpx.Client, content: str) -> None:
    answer = client.post("/v1/conversations", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


def test_subtitles_need_times(client: httpx.Client) -> None:
    answer = client.post("/v1/conversations?format=srt", json=talk(4))
    assert answer.status_code == 422
    assert "subtitles need turns with a start" in answer.json()["error"]["rule"]


def test_other_content_types_and_large_bodies(client: httpx.Client) -> None:
    answer = client.post("/v1/conversations", content=b"{}", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 415
    large = {"turns": [{"text": "x" * 3_000_000}]}
    assert client.post("/v1/conversations", json=large).status_code == 413

    def pieces() -> Any:
        for _ in range(10):
            yield b" " * 1_000_000

    headers = {"Content-Type": "application/json"}
    answer = client.post("/v1/conversations", content=pieces(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["rule"] == "a body has at most 2000000 bytes"


def test_keys(server: Server) -> None:
    for key in (None, "third-key-of-nobody"):
        with server.client(key) as stranger:
            for path in ("/v1/models", "/metrics"):
                answer = stranger.get(path)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
            assert stranger.post("/v1/conversations", json=talk(1)).status_code == 401
            assert stranger.get("/health").json()["status"] == "ok"
            assert stranger.get("/ready").json() == {"status": "ready", "models": ["meld-text", "words-first"]}


def test_models_with_labels_languages_and_licence(client: httpx.Client) -> None:
    first, second = client.get("/v1/models").json()["data"]
    assert (first["id"], first["default_for"]) == ("meld-text", ["conversations"])
    assert "joy" in first["labels"]
    assert first["languages"] == ["en"]
    assert (second["id"], second["reads"]) == ("words-first", ["speech", "text"])
    assert "not for commercial use" in second["licence"]


def test_request_ids_come_back(client: httpx.Client) -> None:
    answer = client.get("/health", headers={"X-Request-ID": "order-4711"})
    assert answer.headers["x-request-id"] == "order-4711"
    assert client.get("/health", headers={"X-Request-ID": "a b, and more"}).headers["x-request-id"] != "a b, and more"


def test_a_client_that_goes_away_costs_nothing(server: Server, client: httpx.Client) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps(talk(9, 400)).encode()
    head = (
        f"POST /v1/conversations HTTP/1.1\r\nHost: {host}\r\nAuthorization: {client.headers['authorization']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    for sent in (head, head + body[:50], head + body):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(sent)
    until = time.monotonic() + 60
    while 'requests_inside{route="/v1/conversations"} 0.0' not in client.get("/metrics").text:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    with (
        running(tmp_path, "--queue", "2", "--workers", "1", "--no-recordings") as small,
        small.client() as client,
        ThreadPoolExecutor(16) as pool,
    ):
        answers = list(pool.map(lambda n: client.post("/v1/conversations", json=talk(n, 60)), range(16)))
        statuses = {a.status_code for a in answers}
        assert statuses == {200, 429}
        refused = next(a for a in answers if a.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert client.get("/health", headers={"Host": "moodline.example"}).status_code == 421
        assert client.post("/v1/recordings", files={"file": ("a.wav", b"")}).status_code == 404
        assert [m["id"] for m in client.get("/v1/models").json()["data"]] == ["meld-text"]


def test_the_end_is_graceful(tmp_path: Path) -> None:
    """What was asked before the signal is answered; the process ends with code 0."""
    with (
        running(tmp_path, "--workers", "1", "--no-recordings") as server,
        server.client() as client,
        ThreadPoolExecutor(4) as pool,
    ):
        running_ = [pool.submit(client.post, "/v1/conversations", json=talk(n, 200)) for n in range(4)]
        while 'inside{route="/v1/conversations"} 4.0' not in client.get("/metrics").text:
            time.sleep(0.01)
        assert server.end() == 0
        assert [answer.result().status_code for answer in running_] == [200] * 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--host", "0.0.0.0"], "others can reach 0.0.0.0, so requests must carry a key"),
        (["--host", "192.0.2.1", "--open"], "cannot listen on 192.0.2.1:8000"),
        (["--api-key", "short"], "at least 8 printable characters"),
        (["--keep", "soon"], "a duration is a number with s, m, h or d (found: soon)"),
        (["--keep", "0"], "--keep must be at least one second"),
        (["--model", "meld-texd"], "unknown model 'meld-texd'"),
    ],
)
def test_wrong_options_are_one_line(options: list[str], words: str) -> None:
    command = [sys.executable, "-m", "moodline", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
