"""``moodline models``, ``encoders``, ``recipes`` and ``corpora``: what there is."""

from __future__ import annotations

import json
from typing import Any

from moodline.cli.console import print_json, print_table


def run_list(kind: str, json_: bool) -> None:
    """Print one listing, as a table or as a list of objects with ``name``."""
    rows = {"models": _models, "encoders": _encoders, "recipes": _recipes, "corpora": _corpora}[kind]()
    if json_:
        print_json(rows)
        return
    columns = list(rows[0]) if rows else ["name"]
    print_table(kind, columns, [[_cell(row.get(c)) for c in columns] for row in rows], whole=("name",))


def run_recipe(name: str, json_: bool) -> None:
    """Print one recipe: setting, value, and the source of the value where the recipe has one."""
    from moodline.pipeline.recipe_sources import recipe_sources

    found = recipe_sources(name)
    if json_:
        print_json({key: {"value": value, "source": source or None} for key, (value, source) in found.items()})
        return
    rows = [[key, _cell(value), source] for key, (value, source) in found.items()]
    print_table(name, ["setting", "value", "source"], rows, whole=("setting",))


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _models() -> list[dict[str, Any]]:
    from moodline.models.registry import MODELS, PRETRAINED, model_class, packaged_model, pretrained_directory

    rows: list[dict[str, Any]] = []
    for name in PRETRAINED:
        directory = pretrained_directory(name)
        assert directory is not None
        if not (directory / "config.json").is_file():
            continue
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        labels = json.loads((directory / "labels.json").read_text(encoding="utf-8"))
        size = sum(p.stat().st_size for p in directory.rglob("*") if p.is_file())
        rows.append(
            {
                "name": name,
                "kind": "pretrained",
                "reads": list(config["modalities"]),
                "labels": labels["labels"],
                "licence": packaged_model(name).licence,
                "description": f"{size / 1e6:.1f} MB; use: moodline analyze --model {name}",
            }
        )
    for name in MODELS:
        description = model_class(name).description
        rows.append({"name": name, "kind": "architecture", "reads": [], "labels": [], "description": description})
    return rows


def _encoders() -> list[dict[str, Any]]:
    from moodline.encoders.registry import ENCODERS

    return [{"name": name, **facts} for name, facts in ENCODERS.items()]


def _recipes() -> list[dict[str, Any]]:
    from moodline.experiments.finetuning.recipe import MODALITIES, packaged
    from moodline.pipeline.recipe import read_yaml, recipe_names, recipe_path

    rows = []
    for name in recipe_names():
        data = read_yaml(recipe_path(name))
        rows.append(
            {
                "name": name,
                "corpus": data["corpus"]["name"],
                "modalities": list(data["modalities"]),
                "model": data["model"]["name"],
                "description": data["description"],
            }
        )
    for modality in MODALITIES:
        for name, data in packaged(modality).items():
            row = {"name": name, "corpus": "any", "modalities": [modality], "model": f"finetune {modality}"}
            rows.append(row | {"description": data["description"]})
    return rows


def _corpora() -> list[dict[str, Any]]:
    from dataclasses import asdict

    from moodline.corpora.registry import READERS, describe

    return [{"name": name, **asdict(describe(name))} for name in READERS]
