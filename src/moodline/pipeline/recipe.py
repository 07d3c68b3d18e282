"""Recipes: YAML files read into typed objects, with every mistake reported at once.

A recipe names a corpus, what each modality's features are, a model with its settings, and how to train it.
``--set a.b=c`` changes one value. The resolved recipe is saved beside the results.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from moodline.core.conversation import MODALITIES
from moodline.core.errors import ConfigError, UnknownNameError
from moodline.core.settings import Settings, validated
from moodline.core.settings import parse as parse
from moodline.encoders.registry import encoder_modality
from moodline.encoders.settings import EncoderSpec, FinetuneConfig, check_together
from moodline.evaluation.tasks import TASKS, Classification, task_key
from moodline.models.registry import model_class
from moodline.training.settings import TrainConfig


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
    auxiliary: tuple[CorpusSpec, ...] = ()
    """Corpora that are learned along, each with a classifier of its own that is thrown away; looked for under the same
    data directory. Conversations that share dialogue with the recipe's dev or test split are left out."""


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
    normalize: Literal["none", "speaker"] = "none"
    """``speaker``: each utterance is seen relative to the others of its speaker."""
    shrink: float = 10.0
    """With ``speaker``: so many utterances' weight pull a speaker's mean and variance to the training set's."""

    def __post_init__(self) -> None:
        if not 0 <= self.shrink < math.inf:
            raise ConfigError(f"shrink must not be negative, got {self.shrink}")
        if (self.features is None) == (self.encoder is None):
            raise ConfigError("a modality needs either features or encoder, not both")
        if self.finetune is not None and self.encoder is None:
            raise ConfigError("finetune needs encoder")
        if self.finetune is not None and self.encoder is not None:
            check_together(self.encoder, self.finetune.model)


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
    task: Literal["classes", "scores", "classification", "regression"] = "classes"
    """What the model learns: the corpus's ``classes``, or its values (``scores``, the word of older files too).
    ``classification`` and ``regression`` mean the same."""
    folds: int = 0
    """Cross-validation: so many folds of the corpus's reader (its option ``fold``); 0 takes the corpus's own splits."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "task", task_key(self.task))
        problems = []
        if self.folds < 0 or self.folds == 1:
            problems.append(f"folds must be 0, or 2 or more, got {self.folds}")
        if self.folds and "fold" in self.corpus.options:
            problems.append("folds sets the corpus's option fold, leave that out")
        if not all(re.fullmatch(r"[^\\\x00-\x1f]+", p) and p not in (".", "..") for p in self.name.split("/")):
            problems.append(f"name must be words joined by '/', for it names folders, got {self.name!r}")
        unknown = [m for m in self.modalities if m not in MODALITIES]
        if unknown or not self.modalities:
            found = ", ".join(unknown) or "none"
            problems.append(f"modalities must be some of {', '.join(MODALITIES)}, got {found}")
        for m, spec in self.modalities.items():
            reads = encoder_modality(spec.encoder.name) if spec.encoder is not None else m
            if reads is not None and reads != m and m in MODALITIES:
                problems.append(f"modalities.{m}: the encoder {getattr(spec.encoder, 'name', '')} reads {reads}")
        encoder = self.modalities["text"].encoder if "text" in self.modalities else None
        tokens = encoder.name.partition(":")[2] if encoder is not None and encoder.name.startswith("tokens:") else None
        if tokens is not None and tokens != self.model.get("backbone"):
            problems.append(
                f"modalities.text: tokens are of {tokens}, the model's backbone is {self.model.get('backbone')}"
            )
        if not isinstance(self.model.get("name"), str):
            problems.append("model needs a name, e.g. mister-e")
        if problems:
            raise ConfigError("; ".join(problems))


def same_settings(written: Any, settings: Settings) -> bool:
    """Whether plain data, perhaps written before some setting existed, means these settings."""
    return validated(type(settings), written)[0] == settings


def model_problems(model: Any, modalities: Iterable[str], task: Any = "classes") -> list[str]:
    """What is wrong with a recipe's ``model``, before any data is there: an unknown name, unknown or wrong settings.

    Args:
        model: ``name`` and settings.
        modalities: the recipe's.
        task: the recipe's.
    """
    if not isinstance(model, dict) or not isinstance(model.get("name"), str):
        return []  # the recipe itself says so
    try:
        kind = model_class(model["name"]).Config
    except UnknownNameError as error:
        return [str(error)]
    learned = TASKS.get(str(task_key(task)), Classification)
    sizes: dict[str, Any] = {"dims": dict.fromkeys(modalities, 1), **learned.smallest}
    settings = {k: v for k, v in model.items() if k != "name"} | sizes
    return validated(kind, settings, "model")[1]


OTHER_RECIPES = ("spaces", "experiments", "finetuning")
"""Folders of ``recipes/`` for ``moodline search``, ``experiment`` and ``finetune``; the others are for ``train``."""


def recipe_names() -> list[str]:
    """The packaged recipes, e.g. ``mister-e/meld-minilm``."""
    root = Path(str(files("moodline") / "recipes"))
    names = (p.relative_to(root).with_suffix("") for p in root.rglob("*.yaml"))
    return sorted(name.as_posix() for name in names if name.parts[0] not in OTHER_RECIPES)


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
    if isinstance(data, dict):
        data.pop("sources", None)  # for people, see recipe_sources.py
    for text in overrides:
        set_value(data, text)
    if isinstance(data, dict) and isinstance(
        data.get("modalities"), dict
    ):  # --set modalities.speech=null leaves it out
        data["modalities"] = {m: spec for m, spec in data["modalities"].items() if spec is not None}
    _name_tokens(data)
    recipe, problems = validated(Recipe, data)
    if isinstance(data, dict):
        modalities = data.get("modalities")
        problems += model_problems(
            data.get("model"), modalities if isinstance(modalities, dict) else ("text",), data.get("task")
        )
    if recipe is None or problems:
        raise ConfigError(f"recipe {name}: {'; '.join(problems)}")
    return recipe


def _name_tokens(data: Any) -> None:
    """The text encoder ``tokens`` is the tokenizer of the model's own language model: say of which."""
    try:
        encoder, backbone = data["modalities"]["text"]["encoder"], data["model"]["backbone"]
        if encoder["name"] == "tokens":
            encoder["name"] = f"tokens:{backbone}"
    except (KeyError, TypeError):
        pass  # no such encoder or no such model; what else is wrong is said later


def read_yaml(path: Path) -> Any:
    """Plain data of a YAML file; a ConfigError with line and column if it is broken."""
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text", fix="Save the file as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: broken YAML", getattr(error, "problem", None)) from None
    except (ValueError, RecursionError) as error:  # a date that does not exist, brackets without end
        raise ConfigError(f"{path}: broken YAML", str(error)[:80]) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read", error.strerror or error) from None


def set_value(data: Any, text: str) -> None:
    """Change plain data in place by one ``KEY=VALUE``; the key leads through groups, the value is YAML.

    Raises:
        ConfigError: it is not of this form, or leads to something that is no group.
    """
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
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"--set {key}: the value is not valid YAML", value[:80]) from None


def to_plain(value: Any) -> Any:
    """A configuration object as plain data for YAML or JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value
