"""Where the values of a paper's recipe come from: a block ``sources`` beside them, setting to a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from moodline.core.errors import ConfigError, UnknownNameError
from moodline.pipeline.recipe import read_yaml, recipe_names, recipe_path

PARTS = ("modalities", "model", "training")
"""The parts of a recipe whose values have sources."""


def recipe_values(data: Mapping[str, Any]) -> dict[str, Any]:
    """Setting, e.g. ``model.hidden``, to its value, of all that stands in a recipe's ``PARTS`` but the model's name."""

    def leaves(at: str, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from leaves(f"{at}.{key}", inner)
        elif at != "model.name":
            yield at, value

    return {key: value for part in PARTS for key, value in leaves(part, data.get(part, {}))}


def recipe_sources(name: str) -> dict[str, tuple[Any, str]]:
    """The values of a packaged recipe and where each comes from.

    Args:
        name: of ``moodline recipes``.

    Returns:
        Setting to its value and the source: the paper's section, the released code, or ours with the reason; empty
        where the recipe, being our own, says none.

    Raises:
        UnknownNameError: no such recipe.
        ConfigError: a source names a setting that the recipe does not have.
    """
    if name not in recipe_names():
        raise UnknownNameError("recipe", name, recipe_names(), "See: moodline recipes.")
    data = read_yaml(recipe_path(name))
    values, sources = recipe_values(data), data.get("sources", {})
    if strange := sorted(set(sources) - set(values)):
        raise ConfigError(f"recipe {name}: sources names a setting that is not there", strange[0], "Remove the line.")
    return {key: (value, str(sources.get(key, ""))) for key, value in values.items()}
