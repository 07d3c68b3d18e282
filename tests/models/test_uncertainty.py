"""σ from the model to the files: a small SURE trained on words, and what it says of a conversation."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from moodline.core.conversation import Conversation, Utterance
from moodline.core.prediction import Prediction
from moodline.experiments.train import train
from moodline.pipeline.recipe import load_recipe
from moodline.pipeline.recognizer import Recognizer
from moodline.report.html.data import page_data
from moodline.report.mood_plot import attention_matrices
from moodline.report.write import write_prediction
from tests.tiny import TEXT, write_house, write_recipe

SURE: dict[str, Any] = {
    **TEXT,
    "model": {"name": "sure", "hidden": 16, "expert_hidden": 8, "feed_forward": 16, "heads": 2, "dropout": 0.1},
    "training": {**TEXT["training"], "epochs": 2},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("sure")
    recipe = load_recipe(str(write_recipe(home / "sure.yaml", SURE)))
    return train(recipe, write_house(home / "corpus"), home / "run", quiet=True).directory


@pytest.fixture(scope="module")
def prediction(run: Path) -> Prediction:
    turns = (Utterance("a", "Ada", text="hooray, we won"), Utterance("b", "Ben", text="the bus leaves at nine"))
    return Recognizer.load(run / "seed-0").recognize(Conversation("talk", turns))


def test_every_utterance_has_a_sigma_of_what_it_was_read_from(prediction: Prediction) -> None:
    for u in prediction.utterances:
        assert list(u.uncertainty) == ["text"]
        assert 0 < u.uncertainty["text"] < 60
        assert u.to_dict()["uncertainty"] == {"text": round(u.uncertainty["text"], 4)}


def test_files_and_report_tell_it(prediction: Prediction, tmp_path: Path) -> None:
    write_prediction([prediction], tmp_path / "a.csv")
    rows = list(csv.DictReader((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()))
    assert [float(r["uncertainty_text"]) for r in rows] == [
        round(u.uncertainty["text"], 4) for u in prediction.utterances
    ]
    (talk,) = page_data([prediction], [None], [None])["conversations"]
    assert [t["o"] for t in talk["turns"]] == [
        [["text", round(u.uncertainty["text"], 4)]] for u in prediction.utterances
    ]


def test_every_step_of_reasoning_tells_where_it_looked(prediction: Prediction) -> None:
    for u in prediction.utterances:
        (steps,) = u.attention.values()
        assert len(steps) == 2
        for step in steps:
            assert {i for i, _ in step} <= {"a", "b"}
            assert sum(w for _, w in step) == pytest.approx(1.0, abs=0.02)
            assert [w for _, w in step] == sorted((w for _, w in step), reverse=True)
        told = u.to_dict()["attention"]["text"][-1]
        assert [(x["id"], x["weight"]) for x in told] == [(i, round(w, 4)) for i, w in steps[-1]]
    (talk,) = page_data([prediction], [None], [None])["conversations"]
    for turn, u in zip(talk["turns"], prediction.utterances, strict=True):
        ((name, turns),) = turn["l"]
        assert name == "text"
        assert turns == [["ab".index(i), round(w, 4)] for i, w in u.attention["text"][-1]]


def test_a_model_without_sigma_says_nothing_of_it(prediction: Prediction, tmp_path: Path) -> None:
    silent = dataclasses.replace(
        prediction,
        utterances=tuple(dataclasses.replace(u, uncertainty={}, attention={}) for u in prediction.utterances),
    )
    assert not {"uncertainty", "attention"} & set(silent.utterances[0].to_dict())
    write_prediction([silent], tmp_path / "a.csv")
    assert "uncertainty" not in (tmp_path / "a.csv").read_text(encoding="utf-8")
    assert not {"o", "l"} & set(page_data([silent], [None], [None])["conversations"][0]["turns"][0])


def test_the_training_log_tells_how_evenly_the_experts_are_used(run: Path) -> None:
    history = json.loads((run / "seed-0" / "training" / "history.json").read_text(encoding="utf-8"))
    assert len(history) == 2
    for epoch in history:
        assert 0 <= epoch["entropy_text"] <= 1.0001
        assert epoch["loss_total"] == pytest.approx(
            epoch["loss_nll"] + epoch["loss_kl"] + epoch["loss_balance"], rel=1e-4
        )


def test_the_picture_shows_each_step_of_reasoning(prediction: Prediction, tmp_path: Path) -> None:
    matrices = attention_matrices(prediction.utterances)
    assert list(matrices) == ["text"]
    assert len(matrices["text"]) == 2
    for step, matrix in enumerate(matrices["text"]):
        assert matrix.shape == (2, 2)
        for row, u in enumerate(prediction.utterances):
            seen = {"ab"[c]: w for c, w in enumerate(matrix[row]) if w == w}
            assert seen == dict(u.attention["text"][step])
    write_prediction([prediction], tmp_path / "mood.svg")
    picture = (tmp_path / "mood.svg").read_text(encoding="utf-8")
    assert picture.count("<image") >= 3  # the scores and a matrix a step
    write_prediction([prediction], tmp_path / "mood.png")
    silent = dataclasses.replace(
        prediction, utterances=tuple(dataclasses.replace(u, attention={}) for u in prediction.utterances)
    )
    write_prediction([silent], tmp_path / "silent.png")
    heights = [int.from_bytes((tmp_path / n).read_bytes()[20:24], "big") for n in ("mood.png", "silent.png")]
    assert heights[0] > heights[1] + 200  # a row of matrices more
