"""The OpenAPI description, by thousands of requests made of it: no 5xx, and nothing that is not described.

Every client of the other tests compares each answer with the description, too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.service.conftest import KEYS
from tests.service.servers import Server, running
from tests.service.test_recordings import files

pytestmark = pytest.mark.process


def test_every_route_is_described_with_its_errors(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    assert set(description["paths"]) == {
        "/health",
        "/ready",
        "/metrics",
        "/v1/models",
        "/v1/conversations",
        "/v1/recordings",
        "/v1/jobs/{id}",
        "/v1/audio/transcriptions",
    }
    for path, methods in description["paths"].items():
        for operation in methods.values():
            answers = operation["responses"]
            assert all("X-Request-ID" in answer["headers"] for answer in answers.values())
            for status, answer in answers.items():
                if status[0] in "45":
                    schema = answer["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (path, status)
    for name, schema in description["components"]["schemas"].items():
        if schema["type"] == "object" and not name.startswith("Body_"):
            assert schema["additionalProperties"] is False, name


def test_addresses_and_methods_that_are_not_there(client: httpx.Client) -> None:
    assert client.get("/v2/models").json()["error"]["rule"] == "no such address"
    answer = client.put("/v1/jobs/job-1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET")


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["coverage", "fuzzing,stateful"])
def test_no_request_makes_a_5xx(tmp_path: Path, phase: str) -> None:
    """All checks but that any content of the right form is accepted: files must be recordings, turns have words."""
    with running(tmp_path, "--api-key", KEYS[0]) as server:
        fuzz(server, phase)
        with server.client(KEYS[0]) as client:
            assert client.get("/ready").status_code == 200
            figures = client.get("/metrics").text
            assert 'status="5' not in figures
        assert not [name for name in files(server) if name.startswith("uploads")]


def fuzz(server: Server, phase: str) -> None:
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--phases", phase,
        "--header", f"Authorization: Bearer {KEYS[0]}", "--exclude-checks", "positive_data_acceptance",
        "--max-examples", "100", "--seed", "1", "--warnings", "off", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
