"""Runs, results, predictions and feature stores written before the move are read and give the same numbers."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodline.corpora.registry import read_corpus
from moodline.evaluation.calibration import softmax
from moodline.evaluation.compare import compare
from moodline.evaluation.predictions import Predictions, RegressionPredictions, read_any_predictions
from moodline.experiments.evaluate import evaluate, predict_split
from moodline.experiments.runs import Run
from moodline.experiments.train import train
from moodline.features import FeatureStore
from moodline.pipeline.checkpoint import load_checkpoint
from moodline.pipeline.recipe import load_recipe
from moodline.report.results import collect_results, markdown_table
from tests.tiny import weights_hash

OLD = Path(__file__).parent / "before_move"
WRITTEN_BEFORE = "fa44215665470422343fdfe719fab0b2230250bf3cea2e2869ca9d700af7c0e0"
"""Hash of all files below ``OLD`` but the pages."""
DATA = {"classes": "corpus", "scores": "corpus-scores", "finetuned": "corpus"}
runs = pytest.mark.parametrize("name", DATA)


def same(before: Any, now: Any, where: str = "") -> None:
    """All that was stored is there with the same numbers, up to one unit of their last digit; more may be there."""
    if isinstance(before, dict):
        for key, value in before.items():
            if key not in ("provenance", "tested"):
                assert key in now, f"{where}.{key}"
                same(value, now[key], f"{where}.{key}")
    elif isinstance(before, list):
        assert len(before) == len(now), where
        for n, (a, b) in enumerate(zip(before, now, strict=True)):
            same(a, b, f"{where}[{n}]")
    elif isinstance(before, float):
        assert now == pytest.approx(before, abs=1.1e-4 if abs(before) <= 1 else 1.1e-2), where
    else:
        assert before == now, where


@runs
def test_checkpoints_answer_as_their_predictions_say(name: str) -> None:
    stored = read_any_predictions(OLD / name)
    corpus = read_corpus("house", OLD / DATA[name])
    for n, seed in enumerate(stored.seeds):
        checkpoint = load_checkpoint(OLD / name / f"seed-{seed}")
        answers = predict_split(checkpoint, corpus, corpus.splits["test"])
        logits = np.concatenate([a.logits for a in answers]).astype(np.float64)
        if isinstance(stored, RegressionPredictions):
            annotated = ~np.isnan(np.concatenate([a.targets for a in answers if a.targets is not None]))
            np.testing.assert_allclose(logits[annotated, 0], stored.predicted[n], atol=1e-4)
        else:
            assert stored.probabilities is not None
            np.testing.assert_allclose(softmax(logits), stored.probabilities[n], atol=1e-4)
            assert np.array_equal(logits.argmax(1), stored.predicted[n])


@runs
def test_a_second_evaluation_gives_the_stored_results(name: str, tmp_path: Path) -> None:
    shutil.copytree(OLD / name, tmp_path / "run")
    stored = json.loads((OLD / name / "results.json").read_text())
    run = Run.load(tmp_path / "run")
    same(stored, evaluate(run, OLD / DATA[name]))
    again = evaluate(run, OLD / DATA[name], again=True)
    assert again["tested"] == 2
    same(stored, again)
    assert type(read_any_predictions(tmp_path / "run")) is type(read_any_predictions(OLD / name))


@runs
def test_training_goes_on_in_an_old_run_and_leaves_finished_seeds(name: str, tmp_path: Path) -> None:
    shutil.copytree(OLD / name, tmp_path / "run")
    run = Run.load(tmp_path / "run")
    assert run.recipe == load_recipe(str(OLD / name / "recipe.yaml"))
    before = weights_hash(tmp_path / "run")
    assert train(run.recipe, OLD / DATA[name], tmp_path / "run", run.seeds, quiet=True).seeds == run.seeds
    assert weights_hash(tmp_path / "run") == before


@pytest.mark.train
@runs
def test_training_gives_the_numbers_of_before(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(str(OLD / name / "recipe.yaml"))
    train(recipe, OLD / DATA[name], tmp_path / "run", (0,), quiet=True)
    before, now = (json.loads((d / "seed-0" / "metrics.json").read_text()) for d in (OLD / name, tmp_path / "run"))
    same({k: v for k, v in before.items() if k != "seconds"}, now)


def test_tables_and_comparisons_of_old_runs() -> None:
    found = collect_results(OLD)
    assert {r["recipe"] for r in found} == set(DATA)
    table = markdown_table(found)
    for results in found:
        scores = results["recipe"] == "scores"
        assert format(results["mean"]["mae" if scores else "weighted_f1"], ".3f" if scores else ".1f") in table
    assert compare(OLD / "classes", OLD / "finetuned")["second"]["weighted_f1"] == 79.27
    stored = read_any_predictions(OLD / "classes")
    assert isinstance(stored, Predictions)
    assert stored.expert_probabilities.keys() == {"speech", "text", "fusion"}


def test_a_feature_store_of_before() -> None:
    store = FeatureStore.open(OLD / "store")
    store.verify()
    assert (store.ids, store.dim, store.kind) == (("u0", "u1", "u2"), 3, "frames")
    np.testing.assert_array_equal(store["u2"], np.sin(np.arange(9, dtype=np.float32)).reshape(3, 3))


def test_the_files_are_those_of_before() -> None:
    """They would prove nothing if today's code had written them."""
    assert b"score:speech:joy" in (OLD / "classes" / "predictions.parquet").read_bytes()
    digest = hashlib.sha256()
    for path in sorted(OLD.rglob("*")):
        if path.is_file() and path.suffix != ".md":
            digest.update(str(path.relative_to(OLD)).encode() + path.read_bytes())
    assert digest.hexdigest() == WRITTEN_BEFORE
