"""Cross-validation end to end, on a made-up IEMOCAP of five sessions."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from moodline.core.errors import ConfigError, MoodlineError
from moodline.core.labels import IEMOCAP_6
from moodline.corpora.base import Corpus
from moodline.corpora.registry import read_corpus
from moodline.evaluation.compare import compare
from moodline.evaluation.metrics import classification_report
from moodline.evaluation.predictions import RegressionPredictions, read_any_predictions
from moodline.experiments import folds as folds_module
from moodline.experiments.encode import encode_corpus
from moodline.experiments.evaluate import evaluate, predict_split
from moodline.experiments.folds import check_folds, read_folds
from moodline.experiments.runs import Run, seed_directory
from moodline.experiments.train import train
from moodline.pipeline.recipe import Recipe, load_recipe
from moodline.report.results import draw_plots, markdown_table
from tests.corpora import tuples
from tests.corpora.helpers import dump
from tests.corpora.test_feature_pickles import NAMES
from tests.corpora.test_ravdess import clip
from tests.experiments.test_train_evaluate import check_result_file
from tests.tiny import LORA, SCORES, TEXT, call, weights_hash, write_recipe, write_scored

SESSIONS = 5
RECIPE: dict[str, Any] = {
    **TEXT,
    "description": "Tiny, one session left out.",
    "corpus": {"name": "iemocap"},
    "modalities": {"text": {"features": "text"}},
    "training": {**TEXT["training"], "epochs": 2},
    "folds": SESSIONS,
}


def recipe(folder: Path, **changes: Any) -> Recipe:
    return load_recipe(str(write_recipe(folder / "loso.yaml", {**RECIPE, **changes})))


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pickle of four dialogues a session; the features tell the labels."""
    lengths = {f"Ses0{n}{s}_impro0{k}": 2 + k for n in range(1, SESSIONS + 1) for s in "FM" for k in (1, 2)}
    elements = tuples.parts(lengths, 6)
    elements |= {"train": [k for k in lengths if k[4] != "5"], "test": [k for k in lengths if k[4] == "5"]}
    for key, rows in elements["text"].items():
        for row, label in zip(rows, elements["labels"][key], strict=True):
            row += np.eye(6, 4, dtype=np.float32)[label] * 4
    path = tmp_path_factory.mktemp("sessions") / "iemocap.pkl"
    return dump(path, tuples.make(NAMES, elements)).parent


@pytest.fixture(scope="module")
def run(sessions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds on five folds; evaluated."""
    folder = tmp_path_factory.mktemp("folds")
    evaluate(train(recipe(folder), sessions, folder / "run", range(2)), sessions)
    return folder / "run"


@pytest.mark.train
def test_every_utterance_is_tested_once_by_a_model_that_has_not_seen_it(sessions: Path, run: Path) -> None:
    results = check_result_file(run / "results.json")
    assert (results["folds"], results["tested"]) == (SESSIONS, 1)
    table = pq.read_table(run / "predictions.parquet").to_pylist()
    whole = read_corpus("iemocap", sessions)
    ids = sorted(u.id for conversations in whole.splits.values() for c in conversations for u in c)
    for seed, entry in enumerate(results["seeds"]):
        rows = [r for r in table if r["seed"] == seed]
        assert sorted(r["utterance"] for r in rows) == ids
        for fold in range(SESSIONS):
            corpus = read_corpus("iemocap", sessions, fold=fold)
            from moodline.pipeline.checkpoint import load_checkpoint

            checkpoint = load_checkpoint(seed_directory(run, seed, fold))
            answers = predict_split(checkpoint, corpus, corpus.splits["test"])
            said = [IEMOCAP_6.labels[y] for a in answers for y in a.logits.argmax(-1)]
            tested = [u.id for c in corpus.splits["test"] for u in c]
            assert [r["predicted"] for r in rows if r["utterance"] in set(tested)] == said
            alone = entry["folds"][fold]
            assert (alone["fold"], alone["test"]["utterances"]) == (fold, len(tested))
        truth = [IEMOCAP_6.index(r["label"]) for r in rows]
        predicted = [IEMOCAP_6.index(r["predicted"]) for r in rows]
        pooled = classification_report(np.array(truth), np.array(predicted), IEMOCAP_6.labels)
        assert {k: entry["test"][k] for k in pooled} == json.loads(json.dumps(pooled))
    assert compare(run, run, draws=50)["verdict"] == "not distinguishable"


def test_dev_numbers_are_those_of_training(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    for entry in results["seeds"]:
        stored = [
            json.loads((seed_directory(run, entry["seed"], k) / "metrics.json").read_text()) for k in range(SESSIONS)
        ]
        assert [f["dev"]["weighted_f1"] for f in entry["folds"]] == [m["dev"]["weighted_f1"] for m in stored]
        assert [f["best_epoch"] for f in entry["folds"]] == [m["best_epoch"] for m in stored]
        assert entry["dev"]["utterances"] == sum(m["dev"]["utterances"] for m in stored)


def test_resuming_gives_the_same(sessions: Path, run: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(run, tmp_path / "mine"))
    (mine / "results.json").unlink()
    shutil.rmtree(mine / "fold-3" / "seed-1")
    assert Run.load(mine).seeds == (0,)
    shutil.rmtree(mine / "fold-0" / "seed-0")
    with pytest.raises(ConfigError, match="no seed is finished in all folds"):
        Run.load(mine)
    train(recipe(tmp_path), sessions, mine, range(2))
    assert weights_hash(mine) == weights_hash(run)
    with pytest.raises(ConfigError, match="another recipe or other settings"):
        train(recipe(tmp_path, folds=0), sessions, mine)


def test_a_run_from_before_a_setting_existed_goes_on(sessions: Path, run: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(run, tmp_path / "mine"))
    old = yaml.safe_load((mine / "recipe.yaml").read_text())
    del old["modalities"]["text"]["normalize"], old["modalities"]["text"]["shrink"]
    (mine / "recipe.yaml").write_text(yaml.safe_dump(old))
    train(recipe(tmp_path), sessions, mine, range(2))


@pytest.mark.train
def test_plots_table_and_command_line(sessions: Path, run: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(run, tmp_path / "mine"))
    results = json.loads((mine / "results.json").read_text())
    draw_plots(mine, results)
    assert (mine / "plots" / "learning-curves.png").is_file()
    assert "| 2 × 5 folds |" in markdown_table([results])
    code, out, err = call("evaluate", mine, "--data", sessions)
    assert (code, err) == (0, "")
    assert "accuracy in each fold" in out
    code, out, err = call("train", tmp_path / "loso.yaml", "--data", sessions, "--out", mine)
    assert code, "there is no such recipe file"
    recipe(tmp_path)
    code, out, err = call("train", tmp_path / "loso.yaml", "--data", sessions, "--out", mine, "--seeds", 2)
    assert code == 0, err
    assert "fold" in out


def test_recipes_that_cannot_be_folded(sessions: Path, tmp_path: Path) -> None:
    for folds in (1, -2):
        with pytest.raises(ConfigError, match="folds must be 0, or 2 or more"):
            recipe(tmp_path, folds=folds)
    with pytest.raises(ConfigError, match="folds sets the corpus's option fold"):
        recipe(tmp_path, corpus={"name": "iemocap", "options": {"fold": 1}})
    with pytest.raises(ConfigError, match=r"mosi: this corpus has no folds.*iemocap, ravdess, house"):
        train(recipe(tmp_path, corpus={"name": "mosi"}), sessions, tmp_path / "run")
    with pytest.raises(ConfigError, match="fold must be 0 to 4"):
        train(recipe(tmp_path, folds=6), sessions, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"with 4 folds 14 of 70 never, 0 twice"):
        train(recipe(tmp_path, folds=4), sessions, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def check_read_once(tested: Recipe, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folds of a recipe come of one reading and are those that the corpus's reader gives one by one."""
    name, read = tested.corpus.name, list[dict[str, Any]]()

    def counting(name: str, data: Path, **options: Any) -> Corpus:
        read.append(options)
        return read_corpus(name, data, **options)

    with monkeypatch.context() as patched:
        patched.setattr(folds_module, "read_corpus", counting)
        folds = read_folds(tested, data)
    assert read == [{"fold": 0}]
    assert [f.number for f in folds] == list(range(tested.folds))
    for fold in folds:
        alone = read_corpus(name, data, fold=fold.number)
        assert fold.corpus.splits == alone.splits
        assert list(fold.corpus.splits) == list(alone.splits)
        assert fold.corpus.info["options"] == alone.info["options"]
        assert {n: set(rows) for n, rows in fold.corpus.features.items()} == {
            n: set(rows) for n, rows in alone.features.items()
        }
        assert all(
            np.array_equal(fold.corpus.features[n][i], x) for n, rows in alone.features.items() for i, x in rows.items()
        )
        same = ("name", "labels", "files", "speakers", "folds", "languages", "groups", "scale")
        assert {k: getattr(fold.corpus, k) for k in same} == {k: getattr(alone, k) for k in same}
        assert sorted(map(str, fold.corpus.defects)) == sorted(map(str, alone.defects))


def test_folds_are_read_once(sessions: Path, scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for actor in range(1, 25):
        clip(tmp_path / "ravdess", actor, emotion=actor % 8 + 1)
    check_read_once(recipe(tmp_path), sessions, monkeypatch)
    check_read_once(recipe(tmp_path, corpus={"name": "house"}, folds=3), scored, monkeypatch)
    check_read_once(recipe(tmp_path, corpus={"name": "ravdess"}, folds=6), tmp_path / "ravdess", monkeypatch)


@pytest.mark.train
@pytest.mark.corpus
@pytest.mark.parametrize(("name", "count"), [("ravdess", 6), ("iemocap", 5)])
def test_folds_of_real_corpora_are_read_once(
    name: str, count: int, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_read_once(recipe(tmp_path, corpus={"name": name}, folds=count), data, monkeypatch)


def test_folds_that_share_utterances_are_refused(sessions: Path) -> None:
    corpora = [read_corpus("iemocap", sessions, fold=k) for k in range(SESSIONS)]
    check_folds(corpora)
    with pytest.raises(ConfigError, match="test every utterance once"):
        check_folds([*corpora, corpora[0]])
    leaky: Corpus = dataclasses.replace(
        corpora[0], splits={**corpora[0].splits, "train": (*corpora[0].splits["train"], *corpora[0].splits["test"])}
    )
    with pytest.raises(AssertionError):
        check_folds([leaky, *corpora[1:]])


@pytest.mark.train
def test_encoding_uses_the_splits_of_the_fold(sessions: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no modality has an encoder"):
        encode_corpus(str(run / "fold-2" / "seed-0"), sessions)
    words = recipe(tmp_path, modalities={"text": {"encoder": {"name": "minilm"}}}, training={"epochs": 1})
    train(words, sessions, tmp_path / "words")
    corpus = encode_corpus(str(tmp_path / "words" / "fold-2" / "seed-0"), sessions)
    assert {c.id[:5] for c in corpus.splits["test"]} == {"Ses03"}
    with pytest.raises(MoodlineError, match="not inside a run"):
        encode_corpus(str(shutil.copytree(tmp_path / "words" / "fold-2" / "seed-0", tmp_path / "moved")), sessions)


def test_a_converted_corpus_learns_the_same_in_every_fold(sessions: Path, run: Path, tmp_path: Path) -> None:
    """As ``moodline train mister-e/iemocap-loso --data HOUSE``."""
    house = tmp_path / "iemocap-house"
    assert call("convert", sessions, house, "--corpus", "iemocap")[0] == 0
    recipe(tmp_path)
    code, _, err = call("train", tmp_path / "loso.yaml", "--data", house, "--out", tmp_path / "run", "-q")
    assert (code, err) == (0, "")
    for fold in range(SESSIONS):
        one, other = (seed_directory(r, 0, fold) / "model.safetensors" for r in (run, tmp_path / "run"))
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.train
def test_exported_features_keep_the_folds_unless_the_encoder_has_learned(sessions: Path, tmp_path: Path) -> None:
    """An encoder that was fine-tuned on one fold's train has seen what another one tests."""
    words = {"modalities": {"text": {"encoder": {"name": "minilm"}}}, "training": {"epochs": 1}}
    recipe(tmp_path, **words)
    out = tmp_path / "frozen"
    assert call("encode", tmp_path / "loso.yaml", sessions, out, "-q")[0] == 0
    assert call("encode", "iemocap", sessions, tmp_path / "named", "--text", "minilm", "-q")[0] == 0
    for fold in range(SESSIONS):
        splits = read_corpus("iemocap", sessions, fold=fold).splits
        for folder in (out, tmp_path / "named"):
            back = read_corpus("iemocap", folder, fold=fold)
            assert {s: [c.id for c in cs] for s, cs in back.splits.items()} == {
                s: [c.id for c in cs] for s, cs in splits.items()
            }
            assert len(back.features["text"]) == sum(len(c) for cs in splits.values() for c in cs)
    tuned = {"modalities": {"text": {**LORA["modalities"]["text"]}}, "training": {"epochs": 1}, "folds": 0}
    train(recipe(tmp_path, **tuned, corpus={"name": "iemocap", "options": {"fold": 2}}), sessions, tmp_path / "run")
    assert call("encode", tmp_path / "run" / "seed-0", sessions, tmp_path / "learned", "-q")[0] == 0
    assert not (tmp_path / "learned" / "folds.json").exists()
    assert {c.id[:5] for c in read_corpus("iemocap", tmp_path / "learned", fold=2).splits["test"]} == {"Ses03"}
    with pytest.raises(ConfigError, match="was written with fold=2"):
        read_corpus("iemocap", tmp_path / "learned", fold=1)


# -- scores ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scored(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny corpus of scores, its conversations in three folds."""
    folder = write_scored(house, tmp_path_factory.mktemp("scored") / "house")
    ids = [json.loads(row)["id"] for p in sorted(folder.glob("*.jsonl")) for row in p.read_text().splitlines()]
    (folder / "folds.json").write_text(json.dumps([ids[k::3] for k in range(3)]))
    return folder


@pytest.fixture(scope="module")
def score_run(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds on three folds of scores; evaluated."""
    folder = tmp_path_factory.mktemp("score-folds")
    path = write_recipe(folder / "folds.yaml", SCORES | {"folds": 3})
    evaluate(train(load_recipe(str(path)), scored, folder / "run", range(2)), scored)
    return folder / "run"


@pytest.mark.train
def test_scores_of_all_folds_are_scored_together(scored: Path, score_run: Path) -> None:
    results = check_result_file(score_run / "results.json")
    assert (results["folds"], results["task"]) == (3, "scores")
    said = read_any_predictions(score_run)
    assert isinstance(said, RegressionPredictions)
    whole = [u for cs in read_corpus("house", scored).splits.values() for c in cs for u in c if u.value is not None]
    assert sorted(said.utterances) == sorted(u.id for u in whole)
    errors = np.abs(said.predicted - said.truth)
    for s, entry in enumerate(results["seeds"]):
        assert entry["test"]["mae"] == pytest.approx(errors[s].mean(), abs=1e-4)
        counts = [f["test"]["utterances"] for f in entry["folds"]]
        assert (len(counts), sum(counts)) == (3, len(whole))
        assert np.average([f["test"]["mae"] for f in entry["folds"]], weights=counts) == pytest.approx(
            entry["test"]["mae"], abs=2e-4
        )
        places = [seed_directory(score_run, s, k) for k in range(3)]
        stored = [json.loads((p / "metrics.json").read_text())["dev"] for p in places]
        assert [f["dev"]["mae"] for f in entry["folds"]] == [d["mae"] for d in stored]
        widths = [json.loads((p / "calibration.json").read_text())["half_widths"]["0.8"] for p in places]
        assert len(set(widths)) > 1
        within = errors[s] <= np.repeat(widths, counts)  # each utterance by the width of its own fold
        assert entry["test"]["coverage"]["0.8"] == pytest.approx(100 * within.mean(), abs=0.01)
    assert compare(score_run, score_run, draws=50)["verdict"] == "not distinguishable"


def test_plots_table_and_command_line_of_scores(scored: Path, score_run: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(score_run, tmp_path / "mine"))
    results = json.loads((mine / "results.json").read_text())
    assert "| 2 × 3 folds |" in markdown_table([results])
    code, out, err = call("evaluate", mine, "--data", scored)
    assert (code, err) == (0, "")
    assert "test of 3 folds together" in out
    assert "error in each fold" in out
    assert {"learning-curves.png", "agreement.svg", "errors.png"} <= {p.name for p in (mine / "plots").iterdir()}
