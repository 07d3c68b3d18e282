"""``moodline search``: judged on dev only, resumable, one line for every bad space, files that people can read."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from moodline.core.errors import ConfigError, FeatureError, MoodlineError, UnknownNameError
from moodline.experiments.search import run as search_run
from moodline.experiments.search.run import search
from moodline.experiments.search.space import Axis, Space, load_space, space_names, with_values
from moodline.experiments.train import train
from moodline.pipeline.recipe import Recipe, load_recipe, recipe_names
from moodline.report.search_plots import draw_search
from tests.tiny import LORA, TEXT, call, command, start, write_house, write_recipe

SPACE: dict[str, Any] = {
    "model.hidden": {"low": 4, "high": 8, "int": True, "step": 2},
    "model.kernels": {"values": [[1], [1, 3]]},
    "training.learning_rate": {"low": 1e-3, "high": 1e-1, "log": True},
}
ONE: dict[str, Any] = {
    **TEXT,
    "modalities": {"speech": {"features": "tones"}},
    "training": {**TEXT["training"], "epochs": 1},
}


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(str(write_recipe(tmp_path / "tiny.yaml", ONE)))


def space(folder: Path, data: Any = SPACE) -> Any:
    return load_space(str(write_recipe(folder / "space.yaml", data)))


def ended(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What was tried and came out, without times, numbers and what was killed."""
    return [(r["state"], r["dev_seeds"], r["best_epochs"], r["params"]) for r in found if r["state"] != "killed"]


def test_search_and_its_files(house: Path, recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told: list[tuple[dict[str, Any], dict[str, Any] | None]] = []
    found = search(recipe, house, space(tmp_path), out, 3, seeds=2, told=lambda r, b: told.append((r, b)))
    assert [r["number"] for r in found] == [0, 1, 2]
    assert [r for r, _ in told] == found
    assert [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()] == found
    for r in found:
        assert r["state"] == "done"
        assert r["dev"] == pytest.approx(sum(r["dev_seeds"]) / 2, abs=0.01)
        assert set(r["params"]) == set(SPACE)
        assert r["params"]["model.hidden"] in (4, 6, 8)
        assert r["params"]["model.kernels"] in ([1], [1, 3])
        assert 1e-3 <= r["params"]["training.learning_rate"] <= 1e-1
    rows = list(csv.DictReader((out / "trials.csv").read_text(encoding="utf-8").splitlines()))
    assert [(int(r["number"]), r["state"], float(r["dev"])) for r in rows] == [
        (r["number"], "done", r["dev"]) for r in found
    ]
    assert {"dev_seed_1", "best_epoch_seed_1", "seconds", "model.hidden"} <= set(rows[0])
    draw_search(out, found, {"training.learning_rate"})
    assert {p.name for p in (out / "plots").iterdir()} == {
        f"{n}.{s}" for n in ("course", "settings") for s in ("png", "svg")
    }
    assert not (out / "work").exists()

    best = max(found, key=lambda r: r["dev"])
    assert told[-1][1] == best
    chosen = load_recipe(str(out / "best.yaml"))
    assert (chosen.name, chosen.model["hidden"]) == ("tiny-best", best["params"]["model.hidden"])
    train(chosen, house, tmp_path / "run", range(2))
    dev = [json.loads((tmp_path / "run" / f"seed-{s}" / "metrics.json").read_text())["dev"] for s in (0, 1)]
    assert [d["weighted_f1"] for d in dev] == [round(x, 2) for x in best["dev_seeds"]]


def test_the_test_split_is_not_looked_at(house: Path, recipe: Recipe, tmp_path: Path) -> None:
    other = write_house(tmp_path / "other", test_seed=5)
    first = search(recipe, house, space(tmp_path), tmp_path / "a", 2)
    assert ended(search(recipe, other, space(tmp_path), tmp_path / "b", 2)) == ended(first)
    (other / "test.jsonl").unlink()
    for path in other.glob("features/*"):
        path.unlink()
    text = load_recipe(str(write_recipe(tmp_path / "text.yaml", {**TEXT, "training": ONE["training"]})))
    assert len(search(text, other, space(tmp_path), tmp_path / "c", 1)) == 1


def test_more_trials_go_on(house: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = search(recipe, house, space(tmp_path), tmp_path / "whole", 4)
    search(recipe, house, space(tmp_path), tmp_path / "parts", 2)
    assert ended(search(recipe, house, space(tmp_path), tmp_path / "parts", 4)) == ended(whole)
    monkeypatch.setattr(search_run, "fit_model", lambda *_: pytest.fail("there were enough"))
    assert ended(search(recipe, house, space(tmp_path), tmp_path / "parts", 3)) == ended(whole)


def test_interrupted_between_seeds(
    house: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting is tried again; the seed that was finished is not trained again; the end is the same."""
    whole = search(recipe, house, space(tmp_path), tmp_path / "whole", 3, seeds=2)
    calls: list[int] = []
    original = search_run.fit_model

    def counted(*arguments: Any) -> Any:
        calls.append(arguments[4])
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(search_run, "fit_model", counted)
    with pytest.raises(KeyboardInterrupt):
        search(recipe, house, space(tmp_path), tmp_path / "cut", 3, seeds=2)
    found = search(recipe, house, space(tmp_path), tmp_path / "cut", 3, seeds=2)
    assert [r["state"] for r in found] == ["done", "killed", "done", "done"]
    assert found[1]["params"] == found[2]["params"]
    assert ended(found) == ended(whole)
    assert calls == [0, 1, 0, 1, 1, 0, 1]


@pytest.mark.process
@pytest.mark.train
def test_killed_and_resumed(house: Path, tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "tiny.yaml", {**ONE, "training": {**ONE["training"], "epochs": 3}})
    wide = write_recipe(tmp_path / "space.yaml", SPACE)
    arguments = ("search", path, "--data", house, "--space", wide, "--trials", 4)
    out = tmp_path / "killed"
    with start(*arguments, "--out", out, "--quiet") as process:
        while not (out / "trials.jsonl").exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.communicate()
    with (out / "study.journal").open("ab") as journal:  # a line that the killed process did not finish
        journal.write(b'{"op_code": 4, "wor')
    (out / "study.journal.lock").symlink_to(out / "study.journal")  # and a lock that it left behind
    code, printed, error = command(*arguments, "--out", out)
    assert (code, error) == (0, "")
    assert "best of 4 settings on dev" in printed
    assert f"moodline train {out / 'best.yaml'} --data {house}" in printed.replace("\n", "")
    lines = [json.loads(line) for line in (out / "trials.jsonl").read_text().splitlines()]
    whole = search(load_recipe(str(path)), house, load_space(str(wide)), tmp_path / "whole", 4)
    assert ended(lines) == ended(whole)


def test_features_are_made_once(house: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    original = search_run.training_features

    def counted(*arguments: Any) -> Any:
        calls.append(arguments[2])
        return original(*arguments)

    monkeypatch.setattr(search_run, "training_features", counted)
    search(recipe, house, space(tmp_path), tmp_path / "once", 3, seeds=2)
    assert len(calls) == 1
    both = {**SPACE, "modalities.speech.features": {"values": ["tones", "waves"]}}
    search(recipe, house, space(tmp_path, both), tmp_path / "each", 2)
    assert len(calls) == 3


@pytest.mark.train
def test_stage_1_is_searched(house: Path, tmp_path: Path) -> None:
    data = json.loads(json.dumps(LORA))
    data["modalities"]["text"]["finetune"]["training"]["epochs"] = data["training"]["epochs"] = 1
    lora = load_recipe(str(write_recipe(tmp_path / "lora.yaml", data)))
    wide = space(tmp_path, {"modalities.text.finetune.model.rank": {"low": 1, "high": 3, "int": True}})
    found = search(lora, house, wide, tmp_path / "out", 2)
    assert [r["state"] for r in found] == ["done", "done"]
    best = load_recipe(str(tmp_path / "out" / "best.yaml")).modalities["text"].finetune
    assert best is not None
    assert best.model.rank in (1, 2, 3)
    fixed = search(lora, house, space(tmp_path), tmp_path / "fixed", 2)  # the encoder is fine-tuned once
    assert len(list((tmp_path / "fixed" / "work").glob("*/encoder-text/encoder.json"))) == 1
    assert all(r["state"] == "done" for r in fixed)


def test_a_setting_that_cannot_be_trained_is_noted(
    house: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = search_run.fit_model

    def fails_at_first(*arguments: Any) -> Any:
        if not (tmp_path / "out" / "trials.jsonl").exists():
            raise MoodlineError("training: the loss is not finite at step 3")
        return original(*arguments)

    monkeypatch.setattr(search_run, "fit_model", fails_at_first)
    found = search(recipe, house, space(tmp_path), tmp_path / "out", 2)
    assert [(r["state"], r["dev"] is None) for r in found] == [("failed", True), ("done", False)]
    assert "not finite" in found[0]["reason"]


def test_a_setting_drawn_twice_is_trained_once(
    house: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    original = search_run.fit_model
    monkeypatch.setattr(search_run, "fit_model", lambda *a: (calls.append(a[4]), original(*a))[1])
    found = search(recipe, house, space(tmp_path, {"model.hidden": {"values": [4, 8]}}), tmp_path / "out", 5)
    assert len(calls) == 2
    assert len({(r["params"]["model.hidden"], r["dev"]) for r in found}) == 2


def test_another_search_in_the_same_place_is_refused(house: Path, recipe: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    search(recipe, house, space(tmp_path), out, 1)
    facts = json.loads((out / "search.json").read_text())
    del facts["recipe"]["training"]["average"]  # as it was written before the setting existed
    (out / "search.json").write_text(json.dumps(facts))
    assert len(search(recipe, house, space(tmp_path), out, 1)) == 1
    other = load_recipe(str(tmp_path / "tiny.yaml"), ["model.gamma=1"])
    with pytest.raises(ConfigError, match="holds a search with another recipe"):
        search(other, house, space(tmp_path), out, 2)
    with pytest.raises(ConfigError, match="another space and another number of seeds"):
        search(recipe, house, space(tmp_path, {"model.hidden": {"values": [4, 8]}}), out, 2, seeds=2)
    with pytest.raises(ConfigError, match="holds a search with other corpus files"):
        search(recipe, write_house(tmp_path / "other", test_seed=5), space(tmp_path), out, 2)
    with search_run._locked(out), pytest.raises(ConfigError, match="another search is at work"):
        search(recipe, house, space(tmp_path), out, 2)
    (out / "search.json").write_text("{")
    with pytest.raises(ConfigError, match=r"search\.json: broken"):
        search(recipe, house, space(tmp_path), out, 2)


def test_what_is_wrong_with_the_corpus_is_said_and_leaves_nothing(house: Path, tmp_path: Path) -> None:
    wrong = {**ONE, "modalities": {"speech": {"features": "tones", "dim": 7}}}
    recipe = load_recipe(str(write_recipe(tmp_path / "tiny.yaml", wrong)))
    with pytest.raises(FeatureError, match="size 7"):
        search(recipe, house, space(tmp_path), tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"model.hiden": {"values": [8]}}, "unknown key model.hiden (did you mean hidden?)"),
        ({"training.epochz": {"values": [8]}}, "unknown key training.epochz (did you mean epochs?)"),
        ({"model.hidden": {"values": [8, "many"]}}, "model.hidden: input should be a valid integer"),
        ({"model.hidden": {"low": 4, "high": 9, "int": True}}, "hidden must be even and positive, got 5"),
        ({"training.epochs": {"low": 1, "high": 9}}, "(add int: true?)"),
        ({"training.epochs": {"values": [0, 1]}}, "epochs must be at least 1, got 0"),
        ({"training.seed": {"values": [1, 2]}}, "training.seed cannot be searched: --seeds says which are used"),
        ({"corpus.options.fold": {"values": [1]}}, "dev would not be the same for all trials"),
        ({"name": {"values": ["x"]}}, "name cannot be searched"),
        ({"modalities.text.finetune.auxiliary": {"values": [[]]}}, "corpora are read once; give it with --set"),
        ({"modalities.text.finetune.model.rank": {"values": [8]}}, "the recipe has no modalities.text.finetune.model"),
        ({"epochs": {"values": [1]}}, "the recipe has no such group"),
        ({"training.epochs": {"values": []}}, "values must be some, all different"),
        ({"training.epochs": {"values": [1, 1]}}, "values must be some, all different"),
        ({"training.epochs": {"values": [1], "low": 1}}, "either values, or low and high"),
        ({"training.epochs": {"low": 5, "high": 1}}, "low below high"),
        ({"training.epochs": {"low": 1}}, "expected values, or low and high"),
        ({"training.warmup": {"low": 0, "high": 1, "log": True}}, "log needs low above 0"),
        ({"training.warmup": {"low": 0, "high": 1, "step": 0}}, "step must be positive"),
        ({"training.epochs": {"low": 1.5, "high": 3, "int": True}}, "with int, low, high and step are whole numbers"),
        ({"training.epochs": {"valuess": [1]}}, "unknown key valuess (did you mean values?)"),
        ({"training.epochs": [1, 2]}, "training.epochs: expected a mapping"),
        ({"training.epochs": {"low": "few", "high": 3}}, "low: input should be a valid number"),
        ([], "expected a mapping from keys"),
        ({}, "expected a mapping from keys"),
        ({1: {"values": [1]}}, "expected a mapping from keys"),
        ("a: [", "broken YAML"),
    ],
)  # fmt: skip
def test_bad_spaces_are_one_line(house: Path, tmp_path: Path, data: Any, expected: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
    recipe = write_recipe(tmp_path / "tiny.yaml", ONE)
    out = tmp_path / "out"
    code, printed, error = call("search", recipe, "--data", house, "--space", path, "--trials", 1, "--out", out)
    assert (code, printed, out.exists()) == (2, "", False)
    assert error.startswith("moodline: ")
    assert error.count("\n") == 1
    assert expected in error
    assert "space.yaml" in error or "space space" in error


def test_all_mistakes_of_a_space_are_told_together(recipe: Recipe, tmp_path: Path) -> None:
    wide = space(
        tmp_path, {"model.hiden": {"values": [8]}, "training.epochs": {"values": [0]}, "name": {"values": ["x"]}}
    )
    with pytest.raises(ConfigError) as error:
        wide.check(recipe)
    for part in ("hiden", "name cannot", "epochs must be at least 1"):
        assert part in str(error.value)


def test_optuna_is_optional(house: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MoodlineError, match=r"moodline search needs the package optuna.*\[search\]"):
        search(recipe, house, space(tmp_path), tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()


def test_names() -> None:
    assert {"finetune-text", "mister-e", "mister-e-fusion", "sure", "training"} <= set(space_names())
    assert not any(name.startswith("spaces") for name in recipe_names())
    with pytest.raises(UnknownNameError, match=r"unknown space 'mistere'\. Did you mean mister-e"):
        load_space("mistere")
    with pytest.raises(ConfigError, match="no such space file"):
        load_space("nowhere.yaml")


FITS: dict[str, Callable[[Recipe], bool]] = {
    "mister-e": lambda r: r.model["name"] == "mister-e",
    "sure": lambda r: r.model["name"] == "sure",
    "training": lambda r: True,
    "mister-e-fusion": lambda r: r.model["name"] == "mister-e" and len(r.modalities) > 1,
    "finetune-text": lambda r: "text" in r.modalities and r.modalities["text"].finetune is not None,
}


@pytest.mark.train
@pytest.mark.parametrize("name", space_names())
def test_packaged_spaces_fit_the_recipes_they_are_for(name: str) -> None:
    wide = load_space(name)
    fitting = [r for r in map(load_recipe, recipe_names()) if FITS[name](r)]
    assert fitting
    for recipe in fitting:
        wide.check(recipe)
    for axis in wide.axes.values():
        search_run.distribution(axis)


def test_samples_of_an_axis_lie_in_it() -> None:
    assert Axis(low=1, high=3, int=True).samples() == [1, 2, 3]
    assert Axis(low=1, high=2, int=True).samples() == [1, 2]
    assert Axis(values=("a", None)).samples() == ["a", None]
    low, between, high = Axis(low=0.1, high=0.5).samples()
    assert low < between < high


def test_settings_that_go_with_classes_are_refused_for_a_regression(tmp_path: Path) -> None:
    """A recipe of values is checked as one of values, not as one of classes."""
    model = {"name": "sure", "hidden": 8, "expert_hidden": 8, "heads": 2}
    recipe = load_recipe(str(write_recipe(tmp_path / "values.yaml", TEXT | {"task": "scores", "model": model})))
    with pytest.raises(ConfigError, match="class_weights goes with classes"):
        Space("own", {"model.class_weights": Axis(values=(True,))}).check(recipe)
    changed = with_values(recipe, {"model.score_loss": "mse"}, "own")
    assert (changed.task, changed.model["score_loss"]) == ("scores", "mse")
