"""What voice and words say by themselves is shown where they contradict each other, and only there."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.table import prediction_table
from moodline.report.write import write_prediction

LABELS = ("neutral", "joy", "anger")


def turn(voice: dict[str, float], words: dict[str, float], has: tuple[str, ...] = ("speech", "text")) -> Prediction:
    u = UtterancePrediction(
        "u0", "S1", 0.0, 1.0, "Fine.", {"neutral": 0.6, "anger": 0.3, "joy": 0.1}, False,
        {"speech": voice, "text": words}, {"speech": 0.4, "text": 0.6}, has,
    )  # fmt: skip
    return Prediction("call", "m", "0", LABELS, (u,), licence="CC0", limits="Learnt from a test.")


ANGRY, FLAT, CALM = (
    {"neutral": 0.1, "joy": 0.1, "anger": 0.8},
    {"neutral": 0.6, "joy": 0.2, "anger": 0.2},
    {"neutral": 0.9, "joy": 0.05, "anger": 0.05},
)


@pytest.mark.parametrize(
    ("voice", "words", "has", "shown"),
    [
        (ANGRY, CALM, ("speech", "text"), {"voice": "anger", "words": "neutral"}),
        (ANGRY, ANGRY, ("speech", "text"), {}),
        (FLAT, ANGRY, ("speech", "text"), {}),
        ({"neutral": 0.3, "joy": 0.3, "anger": 0.4}, CALM, ("speech", "text"), {}),
        (ANGRY, CALM, ("speech",), {}),
    ],
)
def test_only_a_voice_that_shows_something_contradicts(
    voice: dict[str, float], words: dict[str, float], has: tuple[str, ...], shown: dict[str, str]
) -> None:
    (u,) = turn(voice, words, has).utterances
    assert u.contradiction == shown
    assert u.to_dict().get("contradiction", {}) == shown


def test_table_json_csv_and_report_show_it_with_licence_and_limits(tmp_path: Path) -> None:
    p = turn(ANGRY, CALM)
    out = io.StringIO()
    Console(file=out, width=100).print(prediction_table(p))
    assert "voice: anger" in out.getvalue()
    assert "words: neutral" in out.getvalue()
    assert "Learnt from a test. Licence: CC0." in out.getvalue()
    for name in ("a.json", "a.csv", "a.html"):
        write_prediction([p], tmp_path / name)
    stored = json.loads((tmp_path / "a.json").read_text())
    assert (stored["licence"], stored["limits"]) == ("CC0", "Learnt from a test.")
    header, row = (tmp_path / "a.csv").read_text().splitlines()
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert (cells["voice"], cells["words"]) == ("anger", "neutral")
    page = (tmp_path / "a.html").read_text()
    assert "voice: anger" in page
    assert "Learnt from a test. Licence: CC0." in page
