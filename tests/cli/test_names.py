"""``moodline analyze --names``: speakers get their names in every output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tiny import call

TALK = "Ana: I am so happy to see you!\nBen: Leave me alone.\nAna: What is wrong?\n"


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text(TALK, encoding="utf-8")
    return path


def test_names_replace_those_of_the_transcript(talk: Path) -> None:
    code, out, error = call("analyze", talk, "--names", "Ana=Dr. Ana Lopez", "--json")
    assert (code, error) == (0, "")
    assert [u["speaker"] for u in json.loads(out)["utterances"]] == ["Dr. Ana Lopez", "Ben", "Dr. Ana Lopez"]


@pytest.mark.parametrize(
    ("names", "rule"),
    [
        ("Ana", "--names takes SPEAKER=NAME (found: 'Ana')"),
        ("Ana=", "--names takes SPEAKER=NAME"),
        ("Ana=A,Ana=B", "--names names each speaker once"),
        ("Carl=C", "--names: there is no speaker 'Carl' (found: speakers: Ana, Ben)"),
    ],
)
def test_names_that_fit_nobody(talk: Path, names: str, rule: str) -> None:
    code, _, error = call("analyze", talk, "--names", names)
    assert code == 2
    assert rule in " ".join(error.split())
