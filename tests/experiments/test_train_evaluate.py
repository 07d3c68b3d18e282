"""The protocol end to end on a tiny invented corpus: train, resume, evaluate once, publish, compare."""

from __future__ import annotations

import inspect
import json
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

import moodline
from moodline.cli.train import run_evaluate
from moodline.core import conversation
from moodline.core.errors import CheckpointError, ConfigError, FeatureError, LabelError, MoodlineError
from moodline.corpora.registry import read_corpus
from moodline.evaluation import calibration
from moodline.evaluation.compare import compare
from moodline.evaluation.results import read_results
from moodline.experiments import encoder_stage as stage1
from moodline.experiments import train as experiment
from moodline.experiments.evaluate import evaluate
from moodline.experiments.runs import Run
from moodline.experiments.train import train
from moodline.pipeline.checkpoint import load_checkpoint
from moodline.pipeline.recipe import Recipe, load_recipe
from moodline.pipeline.recognizer import Recognizer
from moodline.report.results import (
    collect_results,
    draw_plots,
    draw_published,
    insert_table,
    markdown_table,
    publish_results,
)
from moodline.training import inference, loop
from tests.tiny import FEATURES, LABELS, LORA, TEXT, call, command, start, weights_hash, write_house, write_recipe

SCHEMA = json.loads((Path(moodline.__file__).parent / "report" / "results.schema.json").read_text())


def recipe(folder: Path, data: dict[str, Any] = FEATURES, **changes: Any) -> Recipe:
    return load_recipe(str(write_recipe(folder / "tiny.yaml", {**data, **changes})))


@pytest.fixture(scope="module")
def run(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of the recipe with two modalities from feature files; not evaluated."""
    folder = tmp_path_factory.mktemp("features")
    train(recipe(folder), house, folder / "run", range(2))
    return folder / "run"


@pytest.fixture
def mine(run: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(run, tmp_path / "mine"))


def test_a_model_knows_the_languages_of_its_corpus(house: Path, tmp_path: Path) -> None:
    german = Path(shutil.copytree(house, tmp_path / "german"))
    (german / "corpus.json").write_text('{"languages": ["de"]}')
    train(recipe(tmp_path, training={**FEATURES["training"], "epochs": 1}), german, tmp_path / "run", range(1))
    assert load_checkpoint(tmp_path / "run" / "seed-0").languages == ("de",)


def check_result_file(path: Path) -> dict[str, Any]:
    """Against the schema, and against itself: means, spreads and counts follow from the seeds."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(data, SCHEMA)
    tests = [s["test"] for s in data["seeds"]]
    scores = "scale" in data
    for name in ("mae", "corr") if scores else ("weighted_f1", "accuracy", "macro_f1", "ece"):
        values = [t[name] for t in tests]
        assert data["mean"][name] == pytest.approx(np.mean(values), abs=0.0051)
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        assert data["sd"][name] == pytest.approx(spread, abs=0.0051)
    headline = "mae" if scores else "weighted_f1"
    low, high = data["interval"][headline]
    assert low <= data["mean"][headline] <= high
    for s in (*tests, *(s["dev"] for s in data["seeds"])):
        if scores:
            assert sorted(s["coverage"], key=float) == list(s["coverage"])
            assert sorted(s["coverage"].values()) == list(s["coverage"].values()), "wider intervals hold more"
        else:
            assert list(s["per_class"]) == data["labels"]
            assert np.sum(s["confusion"]) == s["utterances"] == sum(c["support"] for c in s["per_class"].values())
            assert np.shape(s["confusion"]) == (len(data["labels"]),) * 2
        assert set(s["experts"]) == set(data["mean"]["experts"]) == set(s["gate_weights"]["mean"])
        assert sum(s["gate_weights"]["mean"].values()) == pytest.approx(1, abs=1e-3)
    return data


def test_train_then_evaluate(house: Path, mine: Path) -> None:
    loaded = Run.load(mine)
    assert loaded.seeds == (0, 1)
    assert not (mine / "results.json").exists()
    results = evaluate(loaded, house)
    assert check_result_file(mine / "results.json") == results
    assert (results["recipe"], results["corpus"], results["chosen_on"], results["tested"]) == (
        "tiny",
        "house",
        "dev",
        1,
    )
    assert results["labels"] == list(LABELS)
    assert [s["seed"] for s in results["seeds"]] == [0, 1]
    assert set(results["mean"]["experts"]) == {"speech", "text", "fusion"}
    assert results["provenance"]["encoders"] == {}
    assert results["mean"]["weighted_f1"] > 60  # the corpus is easy; chance is below 40
    for s in results["seeds"]:
        stored = json.loads((mine / f"seed-{s['seed']}" / "metrics.json").read_text())
        assert s["dev"] == stored["dev"]
        history = json.loads((mine / f"seed-{s['seed']}" / "training" / "history.json").read_text())
        assert len(history) == s["epochs"]
        best = max(row["dev_weighted_f1"] for row in history)
        assert history[s["best_epoch"]]["dev_weighted_f1"] == best
        assert s["dev"]["weighted_f1"] == round(100 * best, 2)
    table = pq.read_table(mine / "predictions.parquet").to_pylist()
    lines = [json.loads(line) for line in (house / "test.jsonl").read_text().splitlines()]
    expected = [(c["id"], u["id"], u["emotion"]) for c in lines for u in c["utterances"]]
    for seed in (0, 1):
        rows = [r for r in table if r["seed"] == seed]
        assert [(r["conversation"], r["utterance"], r["label"]) for r in rows] == expected
        right = sum(r["label"] == r["predicted"] for r in rows)
        assert results["seeds"][seed]["test"]["accuracy"] == round(100 * right / len(rows), 2)
    assert compare(mine, mine, draws=50)["verdict"] == "not distinguishable"
    assert not list(mine.rglob("*.tmp"))
    # names of the file's own facts: those of version 0.1, so that its files are read, and the format's number
    told = pq.read_schema(mine / "predictions.parquet").metadata
    assert {k for k in told if k.startswith(b"moodline.")} == {
        b"moodline.format", b"moodline.experts", b"moodline.drawn", b"moodline.labels",
    }  # fmt: skip


def test_tested_once_unless_again(house: Path, mine: Path) -> None:
    first = evaluate(Run.load(mine), house)
    with pytest.raises(MoodlineError):
        evaluate(Run.load(mine), house / "absent", again=True)
    assert evaluate(Run.load(mine), house / "absent") == first  # the second time, nothing is read
    again = evaluate(Run.load(mine), house, again=True)
    assert (first["tested"], again["tested"]) == (1, 2)
    assert again["seeds"] == first["seeds"]
    assert read_results(mine)["tested"] == 2
    check_result_file(mine / "results.json")
    assert again["settings"]["model"]["name"] == Run.load(mine).recipe.model["name"]


@pytest.mark.train
def test_the_command_reports_a_stored_result(house: Path, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_evaluate(mine, house, again=False, publish=None, json_=False, quiet=False)
    first = capsys.readouterr().out
    run_evaluate(mine, house, again=False, publish=None, json_=False, quiet=False)
    second = capsys.readouterr().out
    date = read_results(mine)["provenance"]["date"]
    assert "stored result" not in first
    assert f"the stored result of {date}: nothing was tested now" in second
    path = mine / "recipe.yaml"
    path.write_text(path.read_text().replace("name: tiny", "name: renamed"))
    assert evaluate(Run.load(mine), house)["recipe"] == read_results(mine)["recipe"] == "renamed"
    check_result_file(mine / "results.json")


def test_a_further_seed_is_tested_and_counted(house: Path, mine: Path, tmp_path: Path) -> None:
    evaluate(Run.load(mine), house)
    before = weights_hash(mine)
    train(recipe(tmp_path), house, mine, range(3))
    (mine / "seed-2").rename(tmp_path / "third")
    assert weights_hash(mine) == before
    (tmp_path / "third").rename(mine / "seed-2")
    results = evaluate(Run.load(mine), house)
    assert ([s["seed"] for s in results["seeds"]], results["tested"]) == ([0, 1, 2], 2)


def test_finished_seeds_are_left_alone(house: Path, mine: Path, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in mine.rglob("*") if p.is_file()}
    train(recipe(tmp_path), house, mine, range(2))
    assert {p: p.stat().st_mtime_ns for p in mine.rglob("*") if p.is_file()} == before


def test_nothing_has_a_parameter_for_test_data() -> None:
    functions = [
        f for m in (loop, stage1, calibration, inference) for _, f in inspect.getmembers(m, inspect.isfunction)
    ]
    functions += [f for _, f in inspect.getmembers(loop._Run, inspect.isfunction)]
    assert loop.fit in functions
    for function in [*functions, experiment.train, experiment._train_seed, experiment.training_features]:
        assert not [p for p in inspect.signature(function).parameters if "test" in p], function.__qualname__


def test_the_test_split_changes_nothing_in_training(house: Path, run: Path, tmp_path: Path) -> None:
    """Other words, other labels, other features, other conversations in test: the same weights to the last bit."""
    other = write_house(tmp_path / "other", sizes=(12, 6, 9), test_seed=5)
    assert (other / "train.jsonl").read_bytes() == (house / "train.jsonl").read_bytes()
    assert (other / "test.jsonl").read_bytes() != (house / "test.jsonl").read_bytes()
    lines = (other / "test.jsonl").read_text().replace("joy", "anger").replace("bus", "boat")
    (other / "test.jsonl").write_text(lines)
    train(recipe(tmp_path), other, tmp_path / "run", range(2))
    assert weights_hash(tmp_path / "run") == weights_hash(run)
    with pytest.raises(ConfigError, match="not the corpus files that this run was trained on"):
        evaluate(Run.load(tmp_path / "run"), house)
    assert not (tmp_path / "run" / "results.json").exists()


def test_no_test_split_is_needed_to_train_and_its_absence_is_said(house: Path, run: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(house, tmp_path / "data"))
    (data / "test.jsonl").unlink()
    for name in ("tones", "waves"):
        (data / "features" / f"{name}.safetensors").unlink()
        (data / "features" / f"{name}.json").unlink()
    train(recipe(tmp_path, TEXT), data, tmp_path / "run")
    with pytest.raises(ConfigError, match="no labelled test split"):
        evaluate(Run.load(tmp_path / "run"), data)


def test_seeds_differ_and_repeat(house: Path, run: Path, tmp_path: Path) -> None:
    train(recipe(tmp_path), house, tmp_path / "again", [1])
    once, again = run / "seed-1" / "model.safetensors", tmp_path / "again" / "seed-1" / "model.safetensors"
    assert once.read_bytes() == again.read_bytes()
    assert once.read_bytes() != (run / "seed-0" / "model.safetensors").read_bytes()


def test_another_recipe_or_corpus_in_the_same_place_is_refused(house: Path, mine: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in mine.rglob("*") if p.is_file()}
    with pytest.raises(ConfigError, match="another recipe or other settings"):
        train(recipe(tmp_path, TEXT), house, mine, range(3))
    other = write_house(tmp_path / "other", test_seed=5)
    with pytest.raises(ConfigError, match="holds a run with other corpus files"):
        train(recipe(tmp_path), other, mine, range(3))
    assert {p: p.read_bytes() for p in mine.rglob("*") if p.is_file()} == before


def test_a_recipe_that_fails_leaves_nothing_and_can_be_corrected(house: Path, tmp_path: Path) -> None:
    wrong = recipe(tmp_path, modalities={"speech": {"features": "tones", "dim": 7}})
    with pytest.raises(FeatureError, match="expects features of size 7"):
        train(wrong, house, tmp_path / "run")
    with pytest.raises(ConfigError, match="brings no feature set 'bones'"):
        train(recipe(tmp_path, modalities={"speech": {"features": "bones"}}), house, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()  # a killed run has perhaps left this
    (tmp_path / "run" / "recipe.yaml").write_text("description: anoth")
    train(recipe(tmp_path, training={**TEXT["training"], "epochs": 1}), house, tmp_path / "run")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / "run.json").write_text("{"), "run.json: broken"),
        (lambda p: (p / "run.json").unlink(), "not a run"),
        (lambda p: (p / "recipe.yaml").write_text("x: 1"), "unknown key x"),
        (lambda p: (p / "results.json").write_text("{"), "broken JSON"),
        (lambda p: (p / "results.json").write_text('{"schema": 1}'), "not a whole result file"),
        (lambda p: (p / "results.json").write_text("[]"), "of schema 1"),
        (lambda p: (p / "seed-0" / "metrics.json").unlink(), "expected metrics.json"),
        (lambda p: (p / "seed-0" / "model.safetensors").write_bytes(b"\x80"), "truncated or not safetensors"),
        (lambda p: [shutil.rmtree(p / f"seed-{n}") for n in (0, 1)], "no seed is finished"),
    ],
)
def test_damaged_runs(house: Path, mine: Path, damage: Any, message: str) -> None:
    damage(mine)
    before = {p: p.read_bytes() for p in mine.rglob("*") if p.is_file()}
    with pytest.raises(MoodlineError, match=message):
        evaluate(Run.load(mine), house)
    assert {p: p.read_bytes() for p in mine.rglob("*") if p.is_file()} == before


def test_a_checkpoint_of_other_labels_is_not_evaluated(house: Path, mine: Path) -> None:
    path = mine / "seed-1" / "labels.json"
    path.write_text(json.dumps({"name": "tiny", "labels": ["neutral", "anger", "joy"]}))
    with pytest.raises(MoodlineError, match=r"seed-1: .*expected the labels neutral, joy, anger"):
        evaluate(Run.load(mine), house)


@pytest.mark.train
def test_plots_table_and_publishing(house: Path, mine: Path, tmp_path: Path) -> None:
    results = evaluate(Run.load(mine), house)
    draw_plots(mine, results)
    names = ("confusion", "gate-weights", "learning-curves", "per-class-f1")
    assert sorted(p.name for p in (mine / "plots").iterdir()) == [f"{n}.{s}" for n in names for s in ("png", "svg")]
    for path in (mine / "plots").iterdir():
        assert path.read_bytes().startswith((b"\x89PNG", b"<?xml"))
    target = tmp_path / "results" / "tiny"
    publish_results(mine, target)
    published = {p.name for p in target.iterdir()}
    assert published == {"results.json", "recipe.yaml"}
    draw_published(tmp_path / "results", tmp_path / "drawn")  # what the result file alone gives
    drawn = {p.name for p in (tmp_path / "drawn" / "tiny").iterdir()}
    assert drawn == {f"{n}.{s}" for n in names if n != "learning-curves" for s in ("png", "svg")}
    found = collect_results(tmp_path / "results")
    assert [{k: v for k, v in found[0].items() if k != "reads"}] == [results]
    assert found[0]["reads"] == "speech, text"
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- results: begin (made by `make docs`) -->\n<!-- results: end -->\nend\n")
    assert insert_table(page, markdown_table(found), check=True)
    assert insert_table(page, markdown_table(found))
    assert not insert_table(page, markdown_table(found), check=True)
    row = next(line for line in markdown_table(found).splitlines() if "`tiny`" in line)
    assert row in page.read_text()
    assert f"**{results['mean']['weighted_f1']:.1f} ± {results['sd']['weighted_f1']:.1f}**" in row
    assert page.read_text().endswith("\nend\n")
    shutil.rmtree(mine / "seed-0")  # old runs are tidied away; the plots that can be made are made
    draw_plots(mine, results)
    with pytest.raises(ConfigError, match="expected the markers"):
        insert_table(write_recipe(tmp_path / "x.md", {}), "")
    with pytest.raises(ConfigError, match="expected a Markdown file"):
        insert_table(tmp_path / "nowhere.md", "")
    with pytest.raises(ConfigError, match=r"no results\.json"):
        collect_results(tmp_path / "nowhere")


def test_committed_result_files_are_whole(root: Path) -> None:
    for path in sorted((root / "results").rglob("results.json")):
        data = check_result_file(path)
        assert path.parent.relative_to(root / "results").as_posix() == data["recipe"]
        assert (path.parent / "recipe.yaml").is_file()


@pytest.mark.train
def test_a_fine_tuned_encoder_end_to_end(house: Path, tmp_path: Path) -> None:
    run = train(recipe(tmp_path, LORA), house, tmp_path / "run")
    seed = tmp_path / "run" / "seed-0"
    assert (seed / "encoder-text" / "encoder.json").is_file()
    assert json.loads((seed / "config.json").read_text())["dims"] == {"text": 8}
    results = evaluate(run, house)
    check_result_file(tmp_path / "run" / "results.json")
    assert results["provenance"]["encoders"]["text"]["id"] == "finetuned-minilm"
    moved = Path(shutil.copytree(seed, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("training*")))
    test = [json.loads(line) for line in (house / "test.jsonl").read_text().splitlines()]
    recognizer = Recognizer.load(moved)
    said = {
        u.id: u.emotion
        for c in test
        for u in recognizer.recognize(conversation.Conversation.from_dict(c, "test").unlabelled()).utterances
    }
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    assert said == {r["utterance"]: r["predicted"] for r in rows}
    shutil.rmtree(moved / "encoder-text")
    with pytest.raises(MoodlineError, match="expected a fine-tuned encoder"):
        Recognizer.load(moved).recognize(conversation.Conversation.from_dict(test[0], "test").unlabelled())


@pytest.mark.process
@pytest.mark.train
def test_killed_at_random_moments_of_both_stages_and_resumed(house: Path, tmp_path: Path) -> None:
    """``moodline train`` is killed in stage 1 and in stage 2, then finishes with the weights of an unkilled run."""
    path = write_recipe(tmp_path / "tiny.yaml", LORA)
    train(load_recipe(str(path)), house, tmp_path / "whole")
    rng = random.Random()
    out = tmp_path / "killed"
    for stage in ("training-text", "training"):
        state = out / "seed-0" / stage / "state.pt"
        with start("train", path, "--data", house, "--out", out, "--quiet") as process:
            while not state.exists() and process.poll() is None:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.4))
            process.kill()
            process.communicate()
    code, _, error = command("train", path, "--data", house, "--out", out, "--quiet")
    assert (code, error) == (0, "")
    assert weights_hash(out) == weights_hash(tmp_path / "whole")


@pytest.mark.process
@pytest.mark.train
def test_two_processes_train_one_model(house: Path, tmp_path: Path) -> None:
    """With torchrun: both stages one after the other, one process writes, and what is written is whole."""
    path = write_recipe(tmp_path / "tiny.yaml", LORA)
    launch = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
    done = subprocess.run(
        [sys.executable, *launch, "-m", "moodline", "train", path, "--data", house, "--out", tmp_path / "run", "-q",
         "--set", "training.epochs=1", "--set", "modalities.text.finetune.training.epochs=1"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list((tmp_path / "run").rglob("events.out.tfevents.*"))) == 2  # one for each stage
    evaluate(Run.load(tmp_path / "run"), house)
    check_result_file(tmp_path / "run" / "results.json")


@pytest.mark.train
def test_the_command_line_runs_the_protocol(house: Path, mine: Path, tmp_path: Path) -> None:
    code, out, error = call("evaluate", mine, "--data", house, "--json", "--publish", tmp_path / "results")
    assert (code, error) == (0, "")
    jsonschema.validate(json.loads(out), SCHEMA)
    check_result_file(tmp_path / "results" / "tiny" / "results.json")
    code, out, error = call("compare", mine, mine, "--json")
    assert (code, error) == (0, "")
    assert json.loads(out)["verdict"] == "not distinguishable"
    code, out, error = call("results", tmp_path / "results")
    assert (code, error) == (0, "")
    assert re.search(r"\| `tiny` \| speech, text \| house \| \*\*\d", out)


def test_an_encoder_that_changed_since_training_is_refused(text_run: Path, house: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(text_run, tmp_path / "run"))
    path = run / "seed-0" / "config.json"
    config = json.loads(path.read_text())
    assert config["encoders"]["text"]
    config["encoders"]["text"] = "another"
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="trained with revision another of the text encoder minilm"):
        evaluate(Run.load(run), house, again=True)


def test_test_labels_define_no_class(house: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(house, tmp_path / "corpus"))
    (folder / "labels.json").unlink()
    text = (folder / "test.jsonl").read_text()
    (folder / "test.jsonl").write_text(text.replace('"joy"', '"weird"', 1))
    with pytest.raises(LabelError, match="weird"):
        read_corpus("house", folder)
