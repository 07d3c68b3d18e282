"""The measures of scripts/measure_listening.py, by hand-made cases; and the tables in the docs."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.tiny import load_script

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def measures() -> ModuleType:
    return load_script("measure_listening")


def plain_edits(a: list[str], b: list[str]) -> int:
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    table[:, 0], table[0] = range(len(a) + 1), range(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = table[i - 1, j - 1] + (a[i - 1] != b[j - 1])
            table[i, j] = min(same, table[i - 1, j] + 1, table[i, j - 1] + 1)
    return int(table[-1, -1])


def test_edits(measures: ModuleType) -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        a, b = ([str(x) for x in random.integers(0, 4, random.integers(0, 12))] for _ in range(2))
        assert measures.edits(a, b) == plain_edits(a, b)
    assert measures.words("Don't stop – it’s 5 o'clock!") == ["dont", "stop", "its", "5", "oclock"]


def test_diarization_error(measures: ModuleType) -> None:
    truth = [("A", 0.0, 4.0, "x"), ("B", 4.0, 10.0, "y")]
    error, pairs = measures.diarization_error(truth, [("2", 0.0, 4.0, ""), ("1", 4.0, 10.0, "")])
    assert (error, pairs) == (0.0, {"A": "2", "B": "1"})
    assert measures.diarization_error(truth, [("1", 0.0, 10.0, "")])[0] == pytest.approx(0.4)  # 4 s confused
    assert measures.diarization_error(truth, [("1", 0.0, 4.0, "")])[0] == pytest.approx(0.6)  # 6 s missed
    both = [*truth, ("A", 8.0, 10.0, "")]
    assert measures.diarization_error(both, truth)[0] == pytest.approx(2 / 12)  # missed overlap
    late = [("A", 0.2, 4.0, ""), ("B", 4.0, 10.2, "")]
    assert measures.diarization_error(truth, late)[0] == pytest.approx(0.4 / 10)
    assert measures.diarization_error(truth, late, 0.25)[0] == 0.0


def test_scores_of_words_by_speaker(measures: ModuleType) -> None:
    truth = [("A", 0.0, 2.0, "one two three"), ("B", 3.0, 5.0, "four five")]
    found = [("S1", 0.0, 2.0, "one two"), ("S2", 2.5, 5.0, "three four five")]
    row = measures.scores(truth, found)
    assert (row["words"], row["edits"], row["edits_by_speaker"]) == (5, 0, 2)
    assert (row["speakers"], row["speakers_found"]) == (2, 2)


def test_tables_are_the_files(measures: ModuleType) -> None:
    assert not measures.insert(ROOT / "docs" / "listening.md", check=True), (
        "run: python scripts/measure_listening.py --docs docs/listening.md"
    )


def test_what_was_promised_holds() -> None:
    rows = json.loads((ROOT / "results" / "listening" / "synthesised.json").read_text())["conversations"]
    assert len(rows) >= 10
    words = sum(r["found"]["words"] for r in rows)
    assert sum(r["found"]["edits"] for r in rows) / words < 0.1
    seconds = sum(r["found"]["seconds"] for r in rows)
    assert sum(r["found"]["der"] * r["found"]["seconds"] for r in rows) / seconds < 0.15
    for row in json.loads((ROOT / "results" / "listening" / "language.json").read_text())["recordings"]:
        assert row["foreign"] == (row["language"] != "en"), row["id"]
