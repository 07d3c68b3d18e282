"""Every value of a paper's recipe has a source, and a command prints it."""

from __future__ import annotations

import json

import pytest

from moodline.core.errors import UnknownNameError
from moodline.pipeline.recipe import load_recipe, recipe_names
from moodline.pipeline.recipe_sources import recipe_sources
from tests.tiny import call

PAPERS = [name for name in recipe_names() if name.endswith("-paper")]


@pytest.mark.parametrize("name", PAPERS)
def test_every_value_has_a_source(name: str) -> None:
    found = recipe_sources(name)
    assert len(found) > 15
    for key, (_, source) in found.items():
        assert source, f"{key} has no source"
        kinds = ("paper", "released code", "ours", "the paper's number is lost", "corpus")
        assert source.startswith(kinds), f"{key}: {source}"
        if "lost" in source and not source.startswith("released"):
            assert "ours:" in source, f"{key}: whose value is it?"
    assert load_recipe(name).name == name


def test_the_command_prints_values_with_their_sources() -> None:
    code, out, error = call("recipes", "sure/meld-paper", "--json")
    assert (code, error) == (0, "")
    assert json.loads(out)["training.batch_size"] == {"value": 32, "source": "paper: 32"}
    code, out, _ = call("recipes", "mister-e/meld-paper")
    assert code == 0
    assert "model.kl_weight" in out
    assert call("recipes", "mister-e/none")[0] == 2


def test_a_recipe_of_our_own_has_none() -> None:
    assert all(source == "" for _, source in recipe_sources("mister-e/emorynlp-minilm").values())
    with pytest.raises(UnknownNameError):
        recipe_sources("none")
