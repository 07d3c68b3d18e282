"""α of EGMF's experts, from the model to files and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from moodline.core.conversation import Conversation, Utterance
from moodline.evaluation.predictions import read_guides
from moodline.experiments.evaluate import evaluate
from moodline.experiments.runs import Run
from moodline.experiments.train import train
from moodline.pipeline.recipe import load_recipe
from moodline.pipeline.recognizer import Recognizer
from moodline.report.html.data import page_data
from moodline.report.results import draw_plots
from moodline.report.write import prediction_rows
from tests.models.helpers import tiny_backbone
from tests.tiny import TEXT

EGMF: dict[str, Any] = {
    **TEXT,
    "modalities": {"text": {"encoder": {"name": "tokens"}}},
    "model": {"name": "egmf", "hidden": 16, "heads": 2, "wording": "en-short", "prompt_words": True},
    "training": {**TEXT["training"], "epochs": 1},
}


@pytest.fixture(scope="module")
def run(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of EGMF with a tiny random language model, trained and tested."""
    folder = tmp_path_factory.mktemp("egmf")
    recipe = {**EGMF, "model": {**EGMF["model"], "backbone": tiny_backbone()}}
    (folder / "tiny-egmf.yaml").write_text(yaml.safe_dump(recipe))
    done = train(load_recipe(str(folder / "tiny-egmf.yaml")), house, folder / "run")
    draw_plots(done.directory, evaluate(done, house))
    return done


@pytest.mark.train
def test_predictions_and_plots_have_them(run: Run) -> None:
    truth, guides = read_guides(run.directory)
    assert list(guides) == ["fine", "semantic", "global"]
    assert all(len(alpha) == len(truth) for alpha in guides.values())
    assert np.allclose(sum(guides.values()), 1, atol=1e-5)
    assert (run.directory / "plots" / "guides.png").stat().st_size > 10_000
    assert (run.directory / "plots" / "guides.svg").is_file()


def test_answers_have_them(run: Run) -> None:
    prediction = Recognizer.load(run.directory / "seed-0").recognize(
        Conversation("c", (Utterance("u", "Ada", text="how dare you"), Utterance("v", "Ben", text="hooray, we won")))
    )
    shares = prediction.utterances[0].guides
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    assert prediction.utterances[0].to_dict()["guides"] == {e: round(a, 4) for e, a in shares.items()}
    assert prediction_rows([prediction])[0]["guide_fine"] == round(shares["fine"], 4)
    (talk,) = page_data([prediction], [None], [None])["conversations"]
    assert talk["turns"][0]["g"] == [[e, round(a, 4)] for e, a in shares.items()]


def test_a_run_is_resumed_from_small_files(run: Run) -> None:
    state = run.directory / "seed-0" / "training" / "state.pt"
    assert state.stat().st_size < 2_000_000 < Path(tiny_backbone(), "model.safetensors").stat().st_size
