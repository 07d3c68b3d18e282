"""The Dockerfile, as far as that goes without a daemon: what it copies is there, who runs it, what it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from moodline.cli.app import app
from tests.service.servers import Server

ROOT = Path(__file__).resolve().parents[2]
LINES = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE))
STEPS = [line.split(None, 1) for line in LINES.splitlines() if line.strip()]


def given(name: str) -> list[str]:
    """What follows an instruction, each time that it stands there."""
    return [rest for instruction, rest in STEPS if instruction == name]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for rest in given("COPY"):
        if rest.startswith("--from=build"):
            continue
        for source in rest.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source in kept, source


def test_it_does_not_run_as_root_and_keeps_jobs_in_a_volume() -> None:
    last = max(n for n, (instruction, _) in enumerate(STEPS) if instruction == "FROM")
    stage = dict(STEPS[last:])
    assert int(stage["USER"]) >= 10_000
    assert f"--uid {stage['USER']} " in stage["RUN"]
    assert f"XDG_STATE_HOME={stage['VOLUME']}" in stage["ENV"]


def test_it_starts_with_options_that_there_are() -> None:
    name, command, *options = json.loads(given("ENTRYPOINT")[0])
    assert (name, command) == ("moodline", "serve")
    context = typer.main.get_command(app).commands[command].make_context(command, options)  # type: ignore[attr-defined]
    assert (context.params["host"], context.params["port"]) == ("0.0.0.0", 8000)
    (pinned,) = re.findall(r"^torch==\S+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned


@pytest.mark.process
def test_the_health_check_sees_the_server(server: Server) -> None:
    words = given("HEALTHCHECK")[0].partition("CMD ")[2]
    _, flag, code = json.loads(words)
    for url, expected in ((server.url, 0), ("http://127.0.0.1:1", 1)):
        command = [sys.executable, flag, code.replace("http://127.0.0.1:8000", url)]
        assert subprocess.run(command, capture_output=True, check=False).returncode == expected
