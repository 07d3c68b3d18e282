"""``moodline check``: models beside a person's labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tiny import call

TURNS = [
    ("Ana", "I am so happy to see you, this is wonderful!", "joy"),
    ("Ben", "Leave me alone, I hate you!", "anger"),
    ("Ana", "The train leaves at nine.", "neutral"),
    ("Ben", "My grandmother died and I cannot stop crying.", "sad"),
    ("Ana", "What? You have got to be kidding me!", "surprised"),
]


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.txt"
    path.write_text("".join(f"{who}: {text}\n" for who, text, _ in TURNS), encoding="utf-8")
    return path


def labels(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_numbers_of_labelled_turns(talk: Path, tmp_path: Path) -> None:
    rows = "".join(f"{n};{emotion}\n" for n, (_, _, emotion) in enumerate(TURNS, 1))
    given = labels(tmp_path / "labels.csv", "Turn;Emotion\n" + rows)
    code, out, error = call("check", talk, given, "--json", "-o", tmp_path / "check.json")
    assert (code, error) == (0, "")
    found = json.loads(out)
    assert json.loads((tmp_path / "check.json").read_text()) == found
    (row,) = found["models"]
    assert (found["best"], row["turns"]) == ("meld-text", 5)
    low, high = row["accuracy_interval"]
    assert low < row["accuracy"] < high or row["accuracy"] == 100 == high
    assert sum(map(sum, row["confusion"])) == 5
    assert row["suggested"]["answered"] >= 60
    code, out, _ = call("check", talk, given)
    assert code == 0
    assert "Suits best: --model meld-text --abstain-below" in out
    assert "label at least 30" in " ".join(out.split())


def test_text_finds_its_turn_whatever_the_case(talk: Path, tmp_path: Path) -> None:
    given = labels(tmp_path / "labels.csv", 'text,emotion\n"leave me ALONE I hate you",anger\n')
    code, out, _ = call("check", talk, given, "--json")
    assert code == 0
    assert json.loads(out)["models"][0]["per_class"]["anger"]["support"] == 1


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("turn,feeling\n1,joy\n", "expected the columns emotion and one of id, turn, start, text"),
        ("turn,emotion\n9,joy\n", "no turn fits (found: turn '9')"),
        ("turn,emotion\n1,bored\n", "the model has no such emotion (found: 'bored')"),
        ("turn,emotion\n1,joy\n1,anger\n", "two labels for one turn (found: also line 2)"),
        ("turn,emotion\n1,\n", "no row has an emotion"),
    ],
)
def test_labels_that_do_not_fit(talk: Path, tmp_path: Path, text: str, rule: str) -> None:
    code, _, error = call("check", talk, labels(tmp_path / "labels.csv", text))
    assert code == 2
    assert rule in " ".join(error.split())
