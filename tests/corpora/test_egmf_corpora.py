"""EGMF on the layouts that it is for: Chinese clips with frames of real sizes, scores and classes, with a tiny random
language model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from moodline.corpora.registry import read_corpus
from moodline.evaluation.predictions import RegressionPredictions, read_any_predictions
from moodline.experiments.evaluate import evaluate
from moodline.experiments.train import train
from moodline.pipeline.recipe import load_recipe
from tests.corpora.test_mmsa import whole
from tests.models.helpers import tiny_backbone

SMALL = [
    "model.dtype=float32", "model.hidden=16", "model.heads=2", "model.frame_hidden={speech: 4, visual: 4}",
    "training.epochs=1", "training.precision=fp32", "training.batch_size=2",
]  # fmt: skip


@pytest.mark.train
@pytest.mark.parametrize("task", ["scores", "classes"])
def test_sims_in_chinese(task: str, tmp_path: Path) -> None:
    """The recipe ``egmf/simsv2`` from a pickle to results, for its scores and for Chinese names of classes."""
    import pickle

    data = tmp_path / "SIMSv2"
    data.mkdir()
    (data / "ch-simsv2s.pkl").write_bytes(pickle.dumps(whole("simsv2")))
    own = [*SMALL, f"model.backbone={tiny_backbone(chinese=True)}", f"task={task}"]
    own += ["corpus.options={labels: sentiment-2-zh}"] if task == "classes" else []
    recipe = load_recipe("egmf/simsv2", own)
    corpus = read_corpus("simsv2", data)
    assert {n: next(iter(f.values())).ndim for n, f in corpus.features.items()} == dict.fromkeys(corpus.features, 2)
    run = train(recipe, data, tmp_path / "run")
    results = evaluate(run, data)
    said = read_any_predictions(run.directory)
    if task == "classes":
        assert results["labels"] == ["消极", "积极"]
    else:
        assert isinstance(said, RegressionPredictions)
        assert np.abs(said.predicted).max() <= 1
