"""Recordings and jobs, against servers in processes of their own, some of which are killed."""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from moodline import Recognizer
from moodline.core.cache import temporary_recordings
from tests.service.clips import clip, wav
from tests.service.conftest import KEYS
from tests.service.servers import Server, launch, running

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this file's own: others' tests leave jobs behind, and here the folder is looked into."""
    with running(tmp_path_factory.mktemp("serve"), MOODLINE_API_KEY=" ".join(KEYS)) as server:
        yield server


def files(server: Server) -> list[str]:
    """All that lies in the server's folder, but the store itself."""
    folder = server.log.parent / "jobs"
    found = [Path(where) / name for where, _, names in os.walk(folder) for name in names]  # folders may go meanwhile
    return sorted(
        str(p.relative_to(folder)) for p in found if p.name != ".lock" and not p.name.startswith("jobs.sqlite")
    )


def until(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def send(client: httpx.Client, content: bytes, name: str = "call.wav", **query: Any) -> httpx.Response:
    return client.post("/v1/recordings", params=query, files={"file": (name, content)})


def ended(client: httpx.Client, id_: str, seconds: float = 120) -> dict[str, Any]:
    """The job when it has ended."""
    until(lambda: client.get(f"/v1/jobs/{id_}").json()["state"] in ("done", "failed", "cancelled"), seconds)
    return client.get(f"/v1/jobs/{id_}").json()


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    with temporary_recordings():
        prediction = Recognizer.load("words-first", threads=1).listen(clip())
    return prediction.to_dict() | {"media": "call.wav", "conversation": "call"}


def test_a_short_recording_is_answered_at_once(client: httpx.Client, server: Server, expected: dict[str, Any]) -> None:
    answer = send(client, clip().read_bytes())
    assert answer.status_code == 200
    assert answer.json() == expected
    assert files(server) == []


@pytest.mark.parametrize("format_", ["srt", "vtt", "rttm", "csv", "html"])
def test_jobs_have_every_format_too(client: httpx.Client, server: Server, format_: str) -> None:
    at_once = send(client, clip().read_bytes(), format=format_)
    accepted = send(client, clip().read_bytes(), wait=False)
    assert accepted.status_code == 202
    job = accepted.json()
    assert accepted.headers["location"] == f"/v1/jobs/{job['id']}"
    assert client.get(f"/v1/jobs/{job['id']}", params={"format": format_}).status_code in (200, 409)
    assert ended(client, job["id"])["state"] == "done"
    answer = client.get(f"/v1/jobs/{job['id']}", params={"format": format_})
    assert answer.content == at_once.content
    assert str(server.log.parent).encode() not in answer.content
    assert not [name for name in files(server) if "answer" not in name], "the recording stays"
    client.delete(f"/v1/jobs/{job['id']}")


def test_a_long_recording_is_a_job_with_progress(tmp_path: Path, expected: dict[str, Any]) -> None:
    with running(tmp_path, "--short", "10s", "--workers", "1") as server, server.client() as client:
        accepted = send(client, clip().read_bytes())
        assert accepted.status_code == 202
        others = [send(client, clip().read_bytes()).json() for _ in range(2)]
        assert [job["state"] for job in others] == ["queued", "queued"]
        assert others[1]["position"] == others[0]["position"] + 1
        stages = set()
        while (job := client.get(accepted.headers["location"]).json())["state"] in ("queued", "running"):
            if job["progress"]:
                stages.add(job["progress"]["stage"])
                assert 0 <= job["progress"]["done"] <= job["progress"]["total"]
            time.sleep(0.01)
        assert job["result"] == expected
        assert "recognizing words" in stages
        assert job["created"] <= job["started"] <= job["ended"] < job["expires"]


def test_a_transcript_comes_along(client: httpx.Client) -> None:
    srt = "1\n00:00:00,000 --> 00:00:05,000\nAda: Good morning.\n\n2\n00:00:06,000 --> 00:00:12,000\nBen: Get out!\n"
    srt += "\n3\n00:00:13,000 --> 00:00:14,000\n[door slams]\n"
    upload = {"file": ("call.wav", clip().read_bytes()), "transcript": ("call.srt", srt.encode())}
    answer = client.post("/v1/recordings", files=upload, data={"speakers": "2", "abstain_below": "0"})
    assert answer.status_code == 200
    assert [(u["speaker"], u["text"]) for u in answer.json()["utterances"]] == [
        ("Ada", "Good morning."),
        ("Ben", "Get out!"),
    ]
    assert [event["text"] for event in answer.json()["events"]] == ["[door slams]"]
    assert not any(u["abstained"] for u in answer.json()["utterances"])


def test_a_transcript_names_no_file_of_the_server(client: httpx.Client, tmp_path: Path) -> None:
    """Each turn of a house file may name its sound; an uploaded one may not."""
    (tmp_path / "secret.wav").write_bytes(clip().read_bytes())
    rows = [{"id": "u0", "speaker": "A", "start": 0, "end": 5, "text": "Good morning."}]
    answers = []
    for more in ({}, {"audio": str(tmp_path / "secret.wav")}, {"audio": "/nowhere.wav"}):
        talk = {"id": "call", "utterances": [rows[0] | more]}
        upload = {"file": ("call.wav", clip().read_bytes()), "transcript": ("call.json", json.dumps(talk).encode())}
        answers.append(client.post("/v1/recordings", files=upload).json())
    assert answers[0] == answers[1] == answers[2]


def silence() -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 1e-3, 16_000 * 3).astype(np.float32)
    soundfile.write(out, noise, 16_000, format="WAV")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "data", "status", "words"),
    [
        (b"these are only words", {}, 415, "call.wav: neither sound nor film"),
        (b"", {}, 415, "call.wav"),
        (silence(), {}, 422, "call.wav: nobody speaks in this recording"),
        (None, {"speakers": "0"}, 422, "speakers"),
        (None, {"channels": "both"}, 422, "channels"),
        (None, {"channels": "split"}, 422, "needs several channels"),
        (None, {"model": "voice"}, 422, "unknown model 'voice'"),
        (None, {"track": "7"}, 415, "track 7"),
        (None, {"speaker": "2"}, 422, "Did you mean speakers?"),
        (None, {"speakers": ["2", "3"]}, 422, "the field speakers more than once"),
    ],
)
def test_wrong_recordings_are_one_error_object(
    client: httpx.Client, server: Server, content: bytes | None, data: Any, status: int, words: str
) -> None:
    upload = {"file": ("call.wav", clip().read_bytes() if content is None else content)}
    answer = client.post("/v1/recordings", files=upload, data=data)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert str(server.log.parent) not in answer.text
    assert files(server) == []


@pytest.mark.parametrize("name", ["answer", "work", "recording", "jobs.sqlite", "../../../escape.wav", "a\tb.wav"])
def test_any_name_of_a_file(client: httpx.Client, server: Server, name: str) -> None:
    for wait in (True, False):
        answer = send(client, clip().read_bytes(), name, wait=wait)
        job = answer.json()
        result = job if wait else ended(client, job["id"])["result"]
        assert len(result["utterances"]) == 14
        assert "/" not in result["media"]
        if not wait:
            client.delete(f"/v1/jobs/{job['id']}")
    assert files(server) == []


def test_what_is_no_form_is_refused(client: httpx.Client) -> None:
    assert send(client, clip().read_bytes(), fromat="srt").json()["error"]["fix"] == "Did you mean format?"
    assert client.post("/v1/recordings", content=b"x", headers={"Content-Type": "audio/wav"}).status_code == 415
    assert client.post("/v1/recordings", files={"sound": ("a.wav", b"x")}).status_code == 422
    headers = {"Content-Type": "multipart/form-data"}
    assert client.post("/v1/recordings", content=b"x", headers=headers).status_code == 400


def test_a_bad_job_fails_with_its_reason(client: httpx.Client) -> None:
    job = ended(client, send(client, silence(), wait=False).json()["id"])
    assert job["state"] == "failed"
    assert job["error"]["rule"] == "call.wav: nobody speaks in this recording"
    assert client.get(f"/v1/jobs/{job['id']}?format=srt").status_code == 409


def test_jobs_of_others_are_not_there(server: Server, client: httpx.Client) -> None:
    id_ = send(client, clip().read_bytes(), wait=False).json()["id"]
    with server.client(KEYS[1]) as other, server.client() as nobody:
        for path in (f"/v1/jobs/{id_}", f"/v1/jobs/{id_}?format=json", "/v1/jobs/job-0"):
            assert other.get(path).status_code == 404
            assert nobody.get(path).status_code == 401
        assert other.delete(f"/v1/jobs/{id_}").status_code == 404
    assert ended(client, id_)["state"] == "done"
    client.delete(f"/v1/jobs/{id_}")


def test_cancelled_twice_and_nothing_stays(client: httpx.Client, server: Server) -> None:
    content = wav(110)
    for pause in (0.0, 0.5, 2.0):
        id_ = send(client, content, "private name.wav", wait=False).json()["id"]
        time.sleep(pause)
        assert [client.delete(f"/v1/jobs/{id_}").status_code for _ in range(2)] == [204, 204]
        job = client.get(f"/v1/jobs/{id_}").json()
        assert (job["state"], job["name"], job["result"]) == ("cancelled", "", None)
        assert client.get(f"/v1/jobs/{id_}?format=json").status_code == 409
    until(lambda: files(server) == [])
    store = b"".join(
        p.read_bytes() for p in (server.log.parent / "jobs").glob("jobs.sqlite*") if p.suffix != ".sqlite-wal"
    )
    assert b"private name" not in store


def test_an_upload_that_breaks_off_leaves_nothing(client: httpx.Client, server: Server) -> None:
    content = wav(110)
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/recordings HTTP/1.1\r\nHost: {host}\r\nAuthorization: {client.headers['authorization']}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(content) + 500}\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    ).encode()
    before = open_files(server)
    for share in (0, 1000, len(content) // 2, len(content)):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head + content[:share])
    with socket.create_connection((host, int(port))) as connection:  # complete, but nobody waits for the answer
        body = content + b"\r\n--b--\r\n"
        connection.sendall(head.replace(str(len(content) + 500).encode(), str(len(body) + head_length(head)).encode()))
        connection.sendall(body)
        until(lambda: 'inside{route="/v1/recordings"} 1.0' in client.get("/metrics").text)
    until(lambda: 'inside{route="/v1/recordings"} 0.0' in client.get("/metrics").text)
    until(lambda: files(server) == [])
    until(lambda: open_files(server) <= before)


def head_length(head: bytes) -> int:
    """Bytes of the body that stand in ``head`` already."""
    return len(head.partition(b"\r\n\r\n")[2])


def open_files(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def test_a_client_that_does_not_read_holds_nothing_up(client: httpx.Client, server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    id_ = send(client, clip().read_bytes(), wait=False).json()["id"]
    assert ended(client, id_)["state"] == "done"
    request = (
        f"GET /v1/jobs/{id_}?format=html HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: {client.headers['authorization']}\r\n\r\n"
    ).encode()
    connections = []
    for _ in range(20):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect((host, int(port)))
        connection.sendall(request * 20)
        connections.append(connection)
    assert send(client, clip().read_bytes()).status_code == 200
    assert client.get("/ready").status_code == 200
    for connection in connections:
        connection.close()
    client.delete(f"/v1/jobs/{id_}")


def test_nothing_is_kept_longer_than_asked(tmp_path: Path) -> None:
    with running(tmp_path, "--keep", "2s", "--workers", "1") as server, server.client() as client:
        good = send(client, clip().read_bytes(), wait=False).json()["id"]
        bad = send(client, silence(), wait=False).json()["id"]
        assert ended(client, good)["state"] == "done"
        until(lambda: client.get(f"/v1/jobs/{good}").status_code == 404, 10)
        until(lambda: client.get(f"/v1/jobs/{bad}").status_code == 404, 10)
        until(lambda: files(server) == [], 10)
        stored = b"".join(p.read_bytes() for p in (tmp_path / "jobs").glob("jobs.sqlite*"))
        assert good.encode() not in stored
        assert b"call.wav" not in stored
        assert server.end() == 0


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "1"), pytest.raises(AssertionError, match="another server uses these jobs"):
        launch(tmp_path)


def test_large_uploads_and_full_queues(tmp_path: Path) -> None:
    options = ("--workers", "1", "--queue", "2", "--max-jobs", "2", "--max-upload", "2")
    with (
        running(tmp_path, *options) as server,
        server.client() as client,
        ThreadPoolExecutor(8) as pool,
    ):
        answer = send(client, wav(110))
        assert answer.status_code == 413
        assert "at most 2000000 bytes" in answer.json()["error"]["rule"]
        answers = list(pool.map(lambda n: send(client, clip().read_bytes()), range(8)))
        assert {a.status_code for a in answers} == {200, 429}
        jobs = [send(client, clip().read_bytes(), wait=False) for _ in range(6)]
        assert {a.status_code for a in jobs} == {202, 429}
        assert all(int(a.headers["retry-after"]) >= 1 for a in jobs)
        for accepted in jobs:
            if accepted.status_code == 202:
                assert ended(client, accepted.json()["id"])["state"] == "done"


def test_a_job_goes_on_after_the_end(tmp_path: Path, expected: dict[str, Any]) -> None:
    """SIGTERM puts a running job back; the next server has its answer."""
    with running(tmp_path, "--workers", "1", "--short", "1s") as server, server.client() as client:
        ids = [send(client, clip().read_bytes()).json()["id"] for _ in range(3)]
        until(lambda: client.get(f"/v1/jobs/{ids[0]}").json()["state"] == "running")
        assert server.end() == 0
    with running(tmp_path, "--workers", "1") as server, server.client() as client:
        assert [ended(client, id_)["result"] for id_ in ids] == [expected] * 3


def test_the_end_waits_for_clients_but_not_for_ever(tmp_path: Path) -> None:
    with running(tmp_path, "--workers", "1") as server, server.client() as client, ThreadPoolExecutor(1) as pool:
        short = pool.submit(send, client, clip().read_bytes())
        with server.client() as other:
            until(lambda: 'inside{route="/v1/recordings"} 1.0' in other.get("/metrics").text)
        assert server.end() == 0
        assert short.result().status_code == 200
    with (
        running(tmp_path, "--workers", "1", "--grace", "1s") as server,
        server.client() as client,
        server.client() as other,
        ThreadPoolExecutor(1) as pool,
    ):
        pool.submit(send, client, wav(115))
        until(lambda: 'inside{route="/v1/recordings"} 1.0' in other.get("/metrics").text)
        assert server.end(30) == 0
    with running(tmp_path, "--workers", "1") as server:
        assert files(server) == []


def test_killed_and_restarted_no_job_is_lost(tmp_path: Path, expected: dict[str, Any]) -> None:
    killed_again_and_again(tmp_path, expected, jobs=3, kills=2)


@pytest.mark.slow
def test_killed_twenty_times_no_job_is_lost(tmp_path: Path, expected: dict[str, Any]) -> None:
    killed_again_and_again(tmp_path, expected, jobs=20, kills=20)


def killed_again_and_again(tmp_path: Path, expected: dict[str, Any], jobs: int, kills: int) -> None:
    """Jobs arrive while the server is killed at random moments; in the end each accepted one has its answer."""
    draw, accepted = random.Random(kills), list[str]()
    content = clip().read_bytes()

    def feed(server: Server) -> None:
        with server.client() as client:
            try:
                while len(accepted) < jobs:
                    answer = send(client, content, wait=False)
                    accepted.append(answer.json()["id"])
            except httpx.TransportError:
                pass  # killed

    for _ in range(kills):
        with running(tmp_path, "--workers", "2") as server, ThreadPoolExecutor(1) as pool:
            feeding = pool.submit(feed, server)
            time.sleep(draw.uniform(0.1, 3))
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()
            feeding.result()
    with running(tmp_path, "--workers", "2") as server, server.client() as client:
        feed(server)
        assert len(accepted) == jobs
        results = [ended(client, id_, 300)["result"] for id_ in accepted]
        assert results == [expected] * jobs
        names = [name for name in files(server) if not re.match(r"jobs/job-\w+/answer/", name)]
        assert names == []
