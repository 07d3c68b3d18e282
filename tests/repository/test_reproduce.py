"""``make results``: what was published is made again with the same seeds and compared; times are told before."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest

from moodline.evaluation import results as result_files
from moodline.evaluation.results import read_results, training_seconds
from moodline.experiments.evaluate import evaluate
from moodline.experiments.train import Run, train
from moodline.pipeline.recipe import load_recipe
from moodline.report.results import collect_results, draw_plots, markdown_table, publish_results
from tests.tiny import LORA, TEXT, load_script, write_recipe

ONE = {**TEXT, "modalities": {"speech": {"features": "tones"}}, "training": {**TEXT["training"], "epochs": 2}}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("reproduce_results")


@pytest.fixture(scope="module")
def made(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``run`` (seeds 0 and 2) and ``results/tiny``."""
    folder = tmp_path_factory.mktemp("made")
    run = train(load_recipe(str(write_recipe(folder / "tiny.yaml", ONE))), house, folder / "run", (0, 2))
    draw_plots(run.directory, evaluate(run, house))
    publish_results(run.directory, folder / "results" / "tiny")
    return folder


def change(folder: Path, **provenance: Any) -> Any:
    """The published file, to be changed by hand."""
    path = folder / "results" / "tiny" / "results.json"
    data = json.loads(path.read_text())
    data["provenance"] |= provenance
    return path, data


def schema() -> Any:
    folder = Path(result_files.__file__).parents[1] / "report"
    return json.loads((folder / "results.schema.json").read_text())


def test_times_are_recorded(made: Path, house: Path, tmp_path: Path) -> None:
    seconds = read_results(made / "run")["provenance"]["seconds"]
    for seed, noted in zip((0, 2), seconds["training"], strict=True):
        directory = made / "run" / f"seed-{seed}"
        history = json.loads((directory / "training" / "history.json").read_text())
        times = [row["seconds"] for row in history]
        assert times == sorted(times)
        assert noted == round(times[-1], 1) == training_seconds(directory)
        assert noted == json.loads((directory / "metrics.json").read_text())["seconds"]
    assert seconds["evaluation"] >= 0
    assert "seconds" not in read_results(made / "run")["seeds"][0]


@pytest.mark.train
def test_times_of_both_stages_are_added(house: Path, tmp_path: Path) -> None:
    data = json.loads(json.dumps(LORA))
    data["modalities"]["text"]["finetune"]["training"]["epochs"] = data["training"]["epochs"] = 1
    train(load_recipe(str(write_recipe(tmp_path / "tiny.yaml", data))), house, tmp_path / "run")
    seed = tmp_path / "run" / "seed-0"
    parts = [json.loads(p.read_text())[-1]["seconds"] for p in seed.glob("training*/history.json")]
    assert len(parts) == 2
    assert json.loads((seed / "metrics.json").read_text())["seconds"] == round(sum(parts), 1)


def test_files_without_times_stay_readable(made: Path, house: Path, tmp_path: Path) -> None:
    """Results of before, and runs of before: their checkpoints and histories say nothing of seconds."""
    copy = Path(shutil.copytree(made, tmp_path / "old"))
    path, data = change(copy)
    del data["provenance"]["seconds"]
    path.write_text(json.dumps(data))
    jsonschema.validate(data, schema())
    assert "| not recorded |" in markdown_table(collect_results(copy / "results"))
    for seed in ("seed-0", "seed-2"):
        metrics = copy / "run" / seed / "metrics.json"
        metrics.write_text(json.dumps({k: v for k, v in json.loads(metrics.read_text()).items() if k != "seconds"}))
        history = copy / "run" / seed / "training" / "history.json"
        history.write_text(json.dumps([{"epoch": 0, "loss_total": 1.0, "dev_weighted_f1": 0.5}]))
        assert training_seconds(copy / "run" / seed) is None
    again = evaluate(Run.load(copy / "run"), house, again=True)
    jsonschema.validate(again, schema())
    assert again["provenance"]["seconds"]["training"] == [None, None]
    assert "| not recorded |" in markdown_table([again])


def test_made_again_it_is_the_same(
    script: ModuleType, made: Path, house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {p: p.read_bytes() for p in made.rglob("*") if p.is_file()}
    arguments = ["--results", str(made / "results"), "--runs", str(tmp_path / "again"), "--data", str(house)]
    assert script.main([*arguments, "--list"]) == 0
    told = capsys.readouterr().out
    assert "tiny" in told
    assert "to be expected in all: 0." in told
    assert not (tmp_path / "again").exists()
    assert script.main([*arguments, "tiny"]) == 0
    told = capsys.readouterr().out
    assert "the same as published, to the last digit" in told
    assert "1 of 1 rows agree" in told
    assert read_results(tmp_path / "again" / "tiny")["seeds"] == read_results(made / "run")["seeds"]
    assert {p: p.read_bytes() for p in made.rglob("*") if p.is_file()} == before
    assert script.main(arguments) == 0
    assert "made before" in capsys.readouterr().out


def test_another_outcome_is_told(
    script: ModuleType, made: Path, house: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(made, tmp_path / "other"))
    path, data = change(copy, corpus_hash="0" * 64)
    data["mean"]["weighted_f1"] -= 40
    data["sd"]["weighted_f1"] = 1.5
    data["seeds"][0]["best_epoch"] += 1
    path.write_text(json.dumps(data))
    recipe = copy / "results" / "tiny" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("hidden: 8", "hidden: 6"))
    arguments = ["--results", str(copy / "results"), "--runs", str(tmp_path / "again"), "--data", str(house)]
    assert script.main(arguments) == 1
    told = capsys.readouterr().out
    assert "DIFFERS FROM the published" in told
    assert "(tolerance 3.00)" in told
    assert "the corpus files are others" in told
    assert "0 of 1 rows agree" in told
    assert script.main([*arguments, "--publish"]) == 1
    assert read_results(copy / "results" / "tiny")["provenance"]["corpus_hash"] != "0" * 64
    assert script.main([*arguments, "tini"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_tolerance_and_agreement(script: ModuleType) -> None:
    def of(mean: float, sd: float, seeds: int, epoch: int = 0) -> dict[str, Any]:
        rows = [{"seed": n, "best_epoch": epoch} for n in range(seeds)]
        facts = {"corpus_hash": "x", "seconds": {"training": [60.0, None, 120.0], "evaluation": 30.0}}
        return {"mean": {"weighted_f1": mean}, "sd": {"weighted_f1": sd}, "seeds": rows, "provenance": facts}

    assert script.tolerance(of(50.0, 1.0, 2)) == pytest.approx(2.0)
    assert script.tolerance(of(50.0, 0.0, 1)) == script.LEAST["weighted_f1"]
    assert script.compare(of(50.0, 1.0, 2), of(52.0, 1.0, 2, epoch=1))[0]
    assert not script.compare(of(50.0, 1.0, 2), of(52.1, 1.0, 2, epoch=1))[0]
    assert script.estimate(of(50.0, 1.0, 3)) == pytest.approx(300.0)
    assert script.minutes(90.0) == "1.5"


def test_changed_settings_are_named(script: ModuleType, tmp_path: Path) -> None:
    recipe = load_recipe(str(write_recipe(tmp_path / "recipe.yaml", {**ONE, "name": "tiny"})))
    assert script.changed(tmp_path, recipe) == []
    write_recipe(tmp_path / "recipe.yaml", {**ONE, "gone": 1, "model": {**ONE["model"], "hidden": 6}})
    assert script.changed(tmp_path, recipe) == ["model.hidden"]


def test_make_passes_rows_on(root: Path) -> None:
    if shutil.which("make") is None:
        pytest.skip("no make")
    outside = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    command = ["make", "-n", "--no-print-directory", "results", "ROWS=a/b c/d", "LIST=1", f"VENV={sys.prefix}"]
    command += ["-o", f"{sys.prefix}/.installed"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True, env=outside)
    assert done.stdout.rstrip().endswith("scripts/reproduce_results.py a/b c/d --list")
