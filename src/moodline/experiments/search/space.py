"""What a search may change: dotted keys of a recipe and the values that each may take.

training.learning_rate: {low: 1.0e-4, high: 1.0e-3, log: true}
model.hidden: {values: [128, 256]}
training.batch_size: {low: 8, high: 32, int: true, step: 8}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from moodline.core.errors import ConfigError, UnknownNameError
from moodline.core.settings import Settings
from moodline.pipeline.recipe import Recipe, model_problems, parse, read_yaml, to_plain

FIXED = {
    "name": "it is the recipe's",
    "description": "it is the recipe's",
    "corpus": "dev would not be the same for all trials",
    "training.seed": "--seeds says which are used",
}
"""What a search must not touch, and why."""


@dataclass(frozen=True)
class Axis(Settings):
    """What one setting may be: some values, or a range."""

    values: tuple[Any, ...] | None = None
    """One of these."""
    low: float | None = None
    """At least this."""
    high: float | None = None
    """At most this."""
    log: bool = False
    """Draw the logarithm evenly."""
    int: bool = False
    """Whole numbers."""
    step: float | None = None
    """Only ``low``, ``low + step`` and so on."""

    def __post_init__(self) -> None:
        low, high, step = self.low, self.high, self.step
        if self.values is not None:
            if low is not None or high is not None or step is not None or self.log or self.int:
                raise ConfigError("either values, or low and high, not both")
            if not self.values or len({json.dumps(v, default=str) for v in self.values}) < len(self.values):
                raise ConfigError("values must be some, all different")
            return
        if low is None or high is None or not -math.inf < low < high < math.inf:
            raise ConfigError("expected values, or low and high with low below high")
        problems = []
        if self.log and (low <= 0 or step is not None):
            problems.append("log needs low above 0, and no step")
        if step is not None and not 0 < step < math.inf:
            problems.append("step must be positive")
        if self.int and not all(x is None or float(x).is_integer() for x in (low, high, step)):
            problems.append("with int, low, high and step are whole numbers")
        if problems:
            raise ConfigError("; ".join(problems))

    @property
    def bounds(self) -> tuple[float, float]:
        """Both ends of a range, whole numbers where ``int`` is set."""
        assert self.low is not None
        assert self.high is not None
        return (int(self.low), int(self.high)) if self.int else (self.low, self.high)

    def samples(self) -> list[Any]:
        """Values to try a recipe with before anything is trained: all of them, or the ends and something between."""
        if self.values is not None:
            return [list(v) if isinstance(v, tuple) else v for v in self.values]
        low, high = self.bounds
        between = low + (self.step or (1 if self.int else (high - low) * 0.37))
        return [low, *([between] if between < high else []), high]


@dataclass(frozen=True)
class Space:
    """All that a search may change.

    Args:
        name: for messages.
        axes: dotted key of a recipe to what it may be.
    """

    name: str
    axes: dict[str, Axis]

    def touches(self, group: str) -> bool:
        """Whether any key stands in a group of settings, e.g. ``"modalities"``."""
        return any(key.split(".")[0] == group for key in self.axes)

    def check(self, recipe: Recipe) -> None:
        """Try every value in a recipe.

        Raises:
            ConfigError: one line with every key that the recipe does not know, must not be searched, or has no such
                values.
        """
        problems = []
        plain = to_plain(recipe)
        for key, axis in self.axes.items():
            reason = next((why for fixed, why in FIXED.items() if (key + ".").startswith(fixed + ".")), None)
            if ".finetune.auxiliary" in key:
                reason = "corpora are read once; give it with --set"
            group = _group(plain, key)
            if reason is not None:
                problems.append(f"{key} cannot be searched: {reason}")
            elif not isinstance(group, dict):
                problems.append(f"{key}: the recipe has no {key.rpartition('.')[0] or 'such group'}")
            else:
                problems += _wrong_values(recipe, key, axis)
        if problems:
            raise ConfigError(f"space {self.name}: {'; '.join(problems)}")


def _wrong_values(recipe: Recipe, key: str, axis: Axis) -> list[str]:
    for value in axis.samples():
        try:
            with_values(recipe, {key: value}, "")
        except ConfigError as error:
            hint = " (add int: true?)" if axis.values is None and not axis.int and "integer" in str(error) else ""
            said = str(error).removeprefix(": ")
            return [f"{said if key in said else f'{key}: {said}'}{hint}"]
    return []


def _group(plain: dict[str, Any], key: str) -> Any:
    """The group of settings that a key stands in, or None."""
    group: Any = plain
    for part in key.split(".")[:-1]:
        group = group.get(part) if isinstance(group, dict) else None
    return group if "." in key else None


def with_values(recipe: Recipe, values: Mapping[str, Any], where: str) -> Recipe:
    """A recipe with other settings.

    Args:
        recipe: the base.
        values: dotted key to value.
        where: for messages.

    Raises:
        ConfigError: they do not fit, alone or together.
    """
    plain = to_plain(recipe)
    for key, value in values.items():
        _group(plain, key)[key.rpartition(".")[2]] = value
    changed = parse(Recipe, plain, where)
    wrong = model_problems(changed.model, changed.modalities, changed.task)
    if wrong:
        raise ConfigError(f"{where}: {'; '.join(wrong)}")
    return changed


def space_names() -> list[str]:
    """The packaged spaces, e.g. ``mister-e``."""
    return sorted(p.stem for p in _folder().glob("*.yaml"))


def load_space(name: str) -> Space:
    """Read a packaged space by name or a YAML file by path.

    Raises:
        UnknownNameError: no such space.
        ConfigError: not a mapping from keys to values or ranges; all mistakes in one message.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if name not in space_names():
            raise UnknownNameError("space", name, space_names(), "Or give a path to a YAML file.")
        path = _folder() / f"{name}.yaml"
    elif not path.is_file():
        raise ConfigError(f"{name}: no such space file", fix=f"Give a path, or one of: {', '.join(space_names())}.")
    data = read_yaml(path)
    if not isinstance(data, dict) or not data or not all(isinstance(key, str) for key in data):
        raise ConfigError(
            f"space {name}: expected a mapping from keys of a recipe to what they may be", type(data).__name__
        )
    axes, problems = {}, []
    for key, value in data.items():
        try:
            axes[key] = parse(Axis, value, key)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(f"space {name}: {'; '.join(problems)}")
    return Space(path.stem, axes)


def _folder() -> Path:
    return Path(str(files("moodline") / "recipes" / "spaces"))
