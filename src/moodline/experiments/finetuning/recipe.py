"""Encoder recipes: an encoder and how it is fine-tuned, whatever the corpus.

The packaged ones stand in ``text.yaml`` and ``speech.yaml``, one file for each modality: settings that all share, and
under each name what is its own. Nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from moodline.core.errors import ConfigError, UnknownNameError
from moodline.core.settings import Settings
from moodline.encoders.registry import encoder_modality
from moodline.encoders.settings import EncoderSpec, check_together
from moodline.pipeline.recipe import CorpusSpec, FinetuneSpec, load_recipe, parse, read_yaml, recipe_names, set_value

Modality = Literal["text", "speech"]
MODALITIES: tuple[Modality, ...] = ("text", "speech")
FOLDER = Path(str(files("moodline") / "recipes" / "finetuning"))


@dataclass(frozen=True)
class EncoderRecipe(Settings):
    """What ``moodline finetune`` does."""

    name: str
    """Its name, e.g. ``llama-3.1-8b``; runs go to ``runs/NAME-CORPUS``."""
    description: str
    """One sentence."""
    modality: Modality
    """What the encoder reads."""
    encoder: EncoderSpec
    """Which encoder."""
    finetune: FinetuneSpec
    """How it learns."""
    corpus: CorpusSpec | None = None
    """The data; None takes what lies in the data directory."""

    def __post_init__(self) -> None:
        reads = encoder_modality(self.encoder.name)
        if reads not in (None, self.modality):
            raise ConfigError(f"modality is {self.modality}, but the encoder {self.encoder.name} reads {reads}")
        check_together(self.encoder, self.finetune.model)


def packaged(modality: Modality) -> dict[str, dict[str, Any]]:
    """The packaged encoder recipes of a modality: name to plain data."""
    return deepcopy(_read(FOLDER / f"{modality}.yaml"))


@cache
def _read(path: Path) -> dict[str, dict[str, Any]]:
    data = read_yaml(path)
    own = {"modality": data["modality"]}
    return {name: merged(data["shared"], entry) | own | {"name": name} for name, entry in data["encoders"].items()}


def merged(base: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings, those of ``other`` over those of ``base``."""
    out = dict(base)
    for key, value in other.items():
        inner = out.get(key)
        out[key] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return out


def load_encoder_recipe(modality: Modality, name: str, overrides: Sequence[str] = ()) -> EncoderRecipe:
    """Read an encoder recipe.

    Args:
        modality: text or speech.
        name: a packaged encoder recipe; or a recipe of ``moodline recipes`` that fine-tunes this modality's encoder; or
            a YAML file of either kind.
        overrides: ``"finetune.training.epochs=5"``-like settings; values are YAML.

    Raises:
        UnknownNameError: no such recipe.
        ConfigError: broken YAML, unknown keys, wrong values, or a recipe that fine-tunes nothing.
    """
    known = packaged(modality)
    path = Path(name)
    if name in known:
        data = known[name]
    elif path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ConfigError(f"{name}: no such recipe file", fix="Give a path to a YAML file.")
        data = read_yaml(path)
        if isinstance(data, dict) and "modalities" in data:
            data = _part(name, modality)
        elif isinstance(data, dict):
            data = {"name": path.stem, "modality": modality} | data
    elif name in recipe_names():
        data = _part(name, modality)
    else:
        raise UnknownNameError(f"{modality} encoder recipe", name, [*known, *recipe_names()], "See: moodline recipes.")
    for text in overrides:
        set_value(data, text)
    recipe = parse(EncoderRecipe, data, f"recipe {name}")
    if recipe.modality != modality:
        raise ConfigError(f"recipe {name} is for {recipe.modality}", fix=f"Run: moodline finetune {recipe.modality}.")
    return recipe


def _part(name: str, modality: Modality) -> dict[str, Any]:
    """What a whole recipe says of stage 1."""
    from moodline.pipeline.recipe import to_plain

    recipe = load_recipe(name)
    spec = recipe.modalities.get(modality)
    if spec is None or spec.encoder is None or spec.finetune is None:
        raise ConfigError(f"{name}: it fine-tunes no {modality} encoder", fix="Give a recipe with finetune.")
    return {
        "name": f"{recipe.name}-{modality}",
        "description": recipe.description,
        "modality": modality,
        "encoder": to_plain(spec.encoder),
        "finetune": to_plain(spec.finetune),
        "corpus": to_plain(recipe.corpus),
    }
