"""A run on another corpus: labels mapped, the rest left out, nothing trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moodline.core.errors import ConfigError, LabelError
from moodline.core.labels import EMORYNLP_7, IEMOCAP_6, MELD_7, SENTIMENT_2, LabelSet
from moodline.experiments.runs import Run
from moodline.experiments.train import train
from moodline.experiments.transfer import common_labels, transfer
from moodline.pipeline.recipe import load_recipe
from tests.corpora.test_goemotions import write as write_goemotions
from tests.tiny import SAYINGS, TEXT, call, write_house, write_recipe

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of the tiny recipe of words."""
    folder = tmp_path_factory.mktemp("transfer")
    recipe = load_recipe(str(write_recipe(folder / "tiny.yaml", TEXT)))
    train(recipe, write_house(folder / "house"), folder / "run", range(2))
    return folder / "run"


@pytest.fixture
def comments(tmp_path: Path) -> Path:
    """Comments in the words that the tiny corpus has, and some of an emotion that it lacks."""
    numbers = {"neutral": 4, "joy": 3, "anger": 0}
    rows = [f"{text}\t{n}\t{label}{k}" for label, n in numbers.items() for k, text in enumerate(SAYINGS[label])]
    return write_goemotions(tmp_path / "go", test="\n".join([*rows, "I miss her.\t5\tx", "Both.\t0,3\ty"]) + "\n")


def test_words_that_mean_the_same_are_recognized_elsewhere(run: Path, comments: Path) -> None:
    found = transfer(Run.load(run), "goemotions", comments)
    assert found == json.loads((run / "transfer-goemotions.json").read_text())
    assert (found["labels"], found["utterances"], found["left_out"]) == (["neutral", "joy", "anger"], 12, 2)
    assert found["accuracy"]["mean"] > 60
    assert len(found["accuracy"]["seeds"]) == 2
    assert found["constant"] == pytest.approx(16.67, abs=0.01)
    code, out, error = call("evaluate", run, "--on", "goemotions", "--data", comments)
    assert (code, error) == (0, "")
    assert "trained on house, tested on goemotions" in " ".join(out.split())


def test_common_labels() -> None:
    assert common_labels(MELD_7, EMORYNLP_7) == ("neutral", "fear", "sadness", "joy", "anger")
    assert common_labels(IEMOCAP_6, MELD_7) == ("joy", "sadness", "neutral", "anger")
    with pytest.raises(LabelError, match="have nothing in common"):
        common_labels(MELD_7, SENTIMENT_2)
    with pytest.raises(LabelError):
        common_labels(MELD_7, LabelSet("x", ("joy", "bored")))


def test_wrong_requests(run: Path, comments: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--on takes another corpus than the run's own, house"):
        transfer(Run.load(run), "house", comments)
    code, _, error = call("evaluate", run, "--on", "imocap", "--data", tmp_path)
    assert code == 2
    assert "unknown corpus 'imocap'" in error
