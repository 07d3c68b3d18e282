"""A recipe against the packaged one of its name: which settings differ, and a hash of all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from moodline.core.hashing import json_hash
from moodline.models.registry import model_class
from moodline.pipeline.recipe import Recipe, load_recipe, recipe_names, to_plain


def recipe_settings(recipe: Recipe) -> dict[str, Any]:
    """All settings of a recipe as plain data, those of the model with their defaults; without name and description."""
    plain = {k: v for k, v in to_plain(recipe).items() if k not in ("name", "description")}
    kind: Any = model_class(recipe.model["name"]).Config
    defaults = {
        f.name: to_plain(f.default)
        for f in dataclasses.fields(kind)
        if f.default is not dataclasses.MISSING and f.name not in ("classes", "labels", "value_range")
    }
    plain["model"] = defaults | plain["model"]
    return plain


def settings_hash(recipe: Recipe) -> str:
    """SHA-256 of ``recipe_settings``, independent of the order of keys."""
    return json_hash(recipe_settings(recipe), sort_keys=True)


def changed_settings(recipe: Recipe) -> list[str]:
    """The dotted keys whose values differ from the packaged recipe of the same name; none if no such recipe exists."""
    if recipe.name not in recipe_names():
        return []
    ours, packaged = (dict(_leaves(recipe_settings(r))) for r in (recipe, load_recipe(recipe.name)))
    absent = object()
    return sorted(k for k in {*ours, *packaged} if ours.get(k, absent) != packaged.get(k, absent))


def recipe_title(name: str, changes: list[str]) -> str:
    """``mister-e/meld-minilm + 3 changes``; the name alone where nothing differs from the packaged recipe."""
    return f"{name} + {len(changes)} change{'s' if len(changes) > 1 else ''}" if changes else name


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; a mapping without entries is a value."""
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _leaves(part, f"{key}.{name}" if key else name)
    else:
        yield key, value
