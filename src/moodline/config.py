"""Recipes: YAML files read into typed objects, with every mistake reported at once.

A recipe names a corpus, what each modality's features are, a model with its settings, and how to train it.
``--set a.b=c`` changes one value. The resolved recipe is saved beside the results.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from moodline.conversation import MODALITIES
from moodline.encoders import EncoderSpec
from moodline.encoders.settings import FinetuneConfig
from moodline.errors import ConfigError, UnknownNameError
from moodline.settings import Settings
from moodline.training.settings import TrainConfig

T = TypeVar("T")


@dataclass(frozen=True)
class CorpusSpec(Settings):
    """Which corpus, read how."""

    name: str
    """A name of ``moodline corpora``."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of its reader, e.g. ``{"xxx_as_happy": true}``."""


@dataclass(frozen=True)
class FinetuneSpec(Settings):
    """Stage 1: the encoder is first fine-tuned on single utterances."""

    model: FinetuneConfig = field(default_factory=FinetuneConfig)
    """What is trained, and how much of it."""
    training: TrainConfig = field(default_factory=lambda: TrainConfig(epochs=5, batch_size=16, learning_rate=1e-4))
    """How; its seed is the run's."""


@dataclass(frozen=True)
class ModalitySpec(Settings):
    """Where one modality's features come from: the corpus's own files, or an encoder."""

    features: str | None = None
    """A feature set that the corpus brings, e.g. ``audio`` arrays."""
    dim: int | None = None
    """If given, the features must have this size."""
    encoder: EncoderSpec | None = None
    """An encoder that reads the utterances' text or audio."""
    finetune: FinetuneSpec | None = None
    """Fine-tune that encoder first."""

    def __post_init__(self) -> None:
        if (self.features is None) == (self.encoder is None):
            raise ConfigError("a modality needs either features or encoder, not both")
        if self.finetune is not None and self.encoder is None:
            raise ConfigError("finetune needs encoder")


@dataclass(frozen=True)
class Recipe(Settings):
    """One experiment."""

    name: str
    """Its name, e.g. ``mister-e/meld-minilm``; results go to ``results/NAME``."""
    description: str
    """One or two sentences for ``moodline recipes``."""
    corpus: CorpusSpec
    """The data."""
    modalities: dict[str, ModalitySpec]
    """Modality (speech, text, visual) to its features."""
    model: dict[str, Any]
    """``name`` of a model and its settings; sizes are set from the data."""
    training: TrainConfig = field(default_factory=TrainConfig)
    """How the model is trained; its seed is the run's."""
    dev_figure: str = ""
    """Where the choices in this recipe come from."""

    def __post_init__(self) -> None:
        unknown = [m for m in self.modalities if m not in MODALITIES]
        if unknown or not self.modalities:
            raise ConfigError(f"modalities must be some of {', '.join(MODALITIES)}, got {', '.join(unknown) or 'none'}")
        if not isinstance(self.model.get("name"), str):
            raise ConfigError("model needs a name, e.g. mister-e")


def parse(kind: type[T], data: Any, where: str) -> T:
    """Build a configuration object from plain data.

    Args:
        kind: a dataclass.
        data: what YAML or JSON gave.
        where: named in errors.

    Raises:
        ConfigError: one line with all unknown keys and wrong values.
    """
    from pydantic import TypeAdapter, ValidationError

    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a mapping", type(data).__name__)
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        problems = [_problem(kind, e) for e in error.errors(include_url=False)]
        raise ConfigError(f"{where}: {'; '.join(problems)}") from None


def _problem(kind: type, error: Any) -> str:
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "unexpected_keyword_argument":
        known = _fields_at(kind, error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        return f"unknown key {path}" + (f" (did you mean {near[0]}?)" if near else f" (known: {', '.join(known)})")
    if error["type"] in ("missing", "missing_argument"):
        return f"{path} is missing"
    if error["type"] == "value_error":
        return f"{path}: {error['ctx']['error']}" if path else str(error["ctx"]["error"])
    return f"{path}: {error['msg'].lower()} (found: {str(error['input'])[:60]!r})"


def _fields_at(kind: Any, path: Sequence[str | int]) -> list[str]:
    """Names of the fields of the dataclass that ``path`` leads to."""
    for part in path:
        hints = get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
        kind = hints.get(str(part), kind)
        inner = [a for a in (kind, *get_args(kind)) if dataclasses.is_dataclass(a)]
        kind = inner[0] if inner else kind
    return [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []


def recipe_names() -> list[str]:
    """The packaged recipes, e.g. ``mister-e/meld-minilm``."""
    root = Path(str(files("moodline") / "recipes"))
    return sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml"))


def recipe_path(name: str) -> Path:
    """The file of a packaged recipe."""
    return Path(str(files("moodline") / "recipes")) / f"{name}.yaml"


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a packaged recipe by name or a YAML file by path.

    Args:
        name: a name of ``recipe_names()`` or a path that ends in .yaml.
        overrides: ``"training.epochs=5"``-like settings; values are YAML.

    Raises:
        UnknownNameError: no such recipe.
        ConfigError: broken YAML, unknown keys, wrong values.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ConfigError(
                f"{name}: no such recipe file", fix="Give a path to a YAML file or a name of: moodline recipes."
            )
        data = read_yaml(path)
        if isinstance(data, dict):
            data.setdefault("name", path.stem)
    else:
        if name not in recipe_names():
            raise UnknownNameError("recipe", name, recipe_names(), "See: moodline recipes.")
        data = read_yaml(recipe_path(name))
        data["name"] = name
    for text in overrides:
        _override(data, text)
    return parse(Recipe, data, f"recipe {name}")


def read_yaml(path: Path) -> Any:
    """Plain data of a YAML file; a ConfigError with line and column if it is broken."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text", fix="Save the file as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: broken YAML", getattr(error, "problem", None)) from None


def _override(data: Any, text: str) -> None:
    import yaml

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError("--set expects KEY=VALUE", text, "For example: --set training.epochs=20.")
    *parents, last = key.split(".")
    for parent in parents:
        if not isinstance(data, dict):
            break
        if data.get(parent) is None:
            data[parent] = {}
        data = data[parent]
    if not isinstance(data, dict):
        raise ConfigError(f"--set {key}: {'.'.join(parents)} is not a group of settings")
    try:
        data[last] = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: the value is not valid YAML", value) from None


def to_plain(value: Any) -> Any:
    """A configuration object as plain data for YAML or JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value
