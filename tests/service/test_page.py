"""Every command of docs/how-to/serve.md that asks the service, and its Python, against a real server."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.repository.test_docs import ROOT, blocks
from tests.service.clips import clip
from tests.service.conftest import KEYS
from tests.service.servers import Server
from tests.service.test_recordings import ended, files, send, until

pytestmark = pytest.mark.process
PAGE = ROOT / "docs" / "how-to" / "serve.md"
LINES = [
    line for code in blocks(PAGE, "sh") for line in code.replace("\\\n", " ").splitlines() if line.startswith("curl ")
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the page names."""
    for name in ("call.wav", "call.mp4"):
        shutil.copy(clip(), tmp_path / name)
    (tmp_path / "call.srt").write_text("1\n00:00:00,000 --> 00:00:05,000\nAda: Good morning.\n")
    return tmp_path


def test_the_page_shows_every_route(client: httpx.Client) -> None:
    shown = {re.sub(r"job-…", "{id}", re.findall(r"localhost:8000(/[^\s'?]*)", line)[0]) for line in LINES}
    assert shown == set(client.get("/openapi.json").json()["paths"])


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_each_command_is_answered(client: httpx.Client, server: Server, folder: Path, line: str) -> None:
    id_ = ""
    if "job-…" in line:
        id_ = send(client, clip().read_bytes(), wait=False).json()["id"]
        assert ended(client, id_)["state"] == "done"
        line = line.replace("job-…", id_)
    words = shlex.split(line.replace("localhost:8000", server.url), comments=True)
    own = [] if "Authorization" in line else ["-H", f"Authorization: Bearer {KEYS[0]}"]
    words = [word.replace("$MOODLINE_API_KEY", KEYS[0]) for word in words]
    command = [words[0], "-sS", "--fail", *own, *words[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    for made in {id_, *re.findall(r"job-\w+", done.stdout.decode("utf-8", "replace"))} - {""}:
        client.delete(f"/v1/jobs/{made}")  # other tests look for what stays
    until(lambda: files(server) == [])
    assert done.returncode == 0, done.stderr.decode()
    if "-o" in words:
        assert (folder / words[words.index("-o") + 1]).read_bytes().startswith(b"<!doctype html>")


def test_its_python_prints_a_line_for_each_turn(server: Server, folder: Path) -> None:
    (code,) = blocks(PAGE, "python")
    code = code.replace("http://localhost:8000", server.url).replace('api_key="none"', f'api_key="{KEYS[0]}"')
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 14
    assert re.match(r"S1 \w+ 0\.\d+ Do you hear me\?", done.stdout)
