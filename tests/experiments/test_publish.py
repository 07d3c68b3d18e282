"""Publishing: settings in every result, and no packaged name for other settings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from moodline.core.errors import ConfigError
from moodline.pipeline.recipe import load_recipe, to_plain
from moodline.pipeline.recipe_changes import changed_settings, recipe_settings, recipe_title, settings_hash
from moodline.report.results import check_publishable, markdown_table, publish_results, title

ROOT = Path(__file__).resolve().parents[2]
NAME = "mister-e/meld-minilm"
CHANGED = load_recipe(NAME, ["model.gamma=0.5", "training.epochs=7", "model.hidden=64"])


def test_changes_are_the_settings_that_differ() -> None:
    recipe = load_recipe(NAME)
    assert changed_settings(recipe) == []
    assert changed_settings(CHANGED) == ["model.gamma", "model.hidden", "training.epochs"]
    assert recipe_title(NAME, changed_settings(CHANGED)) == "mister-e/meld-minilm + 3 changes"
    assert changed_settings(replace(CHANGED, name="mine")) == []
    assert settings_hash(recipe) != settings_hash(CHANGED) == settings_hash(replace(CHANGED, name="mine"))


def test_a_default_that_is_written_down_is_no_change() -> None:
    assert "model.beta" not in to_plain(load_recipe(NAME))
    recipe = load_recipe(NAME, ["model.tau=1.0"])
    assert changed_settings(recipe) == []
    assert settings_hash(recipe) == settings_hash(load_recipe(NAME))
    assert recipe_settings(recipe)["model"]["tau"] == 1.0


def test_a_changed_recipe_is_not_published_under_the_packaged_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"meld-minilm \+ 3 changes \(model.gamma, model.hidden.*name=NAME"):
        check_publishable(CHANGED, tmp_path / NAME)
    check_publishable(load_recipe(NAME), tmp_path / NAME)
    check_publishable(load_recipe(NAME), ROOT / "results" / NAME)  # written before some settings existed


def test_other_settings_are_not_overwritten(tmp_path: Path) -> None:
    run, target = tmp_path / "run", tmp_path / "results" / "mine"
    run.mkdir()
    (run / "recipe.yaml").write_text(json.dumps(to_plain(replace(CHANGED, name="mine"))))
    (run / "results.json").write_text("{}")
    publish_results(run, target)
    check_publishable(replace(CHANGED, name="mine"), target)
    with pytest.raises(ConfigError, match="holds the results of other settings"):
        check_publishable(replace(load_recipe(NAME), name="mine"), target)


def test_tables_name_the_changes() -> None:
    results = json.loads((ROOT / "results" / NAME / "results.json").read_text(encoding="utf-8"))
    assert title(results) == NAME
    results["changes"] = ["model.gamma"]
    assert title(results) == f"{NAME} + 1 change"
    assert f"| `{NAME}` + 1 change |  | meld |" in markdown_table([results])
