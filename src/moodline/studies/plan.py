"""What an experiment consists of: its YAML file as typed objects, and the runs that it means for one base recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from moodline.config import Recipe, load_recipe, parse, read_yaml, to_plain
from moodline.errors import ConfigError, UnknownNameError
from moodline.settings import Settings

BASE = "base"
"""The name of the variant that changes nothing."""


@dataclass(frozen=True)
class Sweep(Settings):
    """One setting with several values; each is a variant ``SWEEP-VALUE``."""

    title: str
    """What is varied, in words."""
    symbol: str
    """Its letter, for tables and axes."""
    source: str
    """Where the paper shows it."""
    setting: str
    """The setting, e.g. ``model.gamma``."""
    values: tuple[float, ...]
    """Its values."""
    several_experts: bool = False
    """It means nothing for a model with one expert."""


@dataclass(frozen=True)
class Variant(Settings):
    """The base recipe with other settings."""

    title: str
    """What is different, in words."""
    source: str
    """Where the paper shows it."""
    set: dict[str, Any]
    """Setting to value, as for ``--set``."""
    several_experts: bool = False
    """It means nothing for a model with one expert."""


@dataclass(frozen=True)
class Claim(Settings):
    """Something the paper says, and which numbers it is about: scores, gate weights, or the worst class."""

    statement: str
    """The claim, one sentence."""
    source: str
    """Where the paper says it."""
    better: tuple[str, ...] = ()
    """Variants; of several, the best on dev is taken. ``VARIANT:experts`` stands for each of its experts alone."""
    worse: tuple[str, ...] = ()
    """The same, for the other side."""
    preferred: dict[str, str] = field(default_factory=dict)
    """Corpus to the expert with the largest mean gate weight."""
    worst: dict[str, str] = field(default_factory=dict)
    """Corpus to the class with the lowest F1."""

    def __post_init__(self) -> None:
        kinds = [bool(self.better and self.worse), bool(self.preferred), bool(self.worst)]
        if sum(kinds) != 1 or bool(self.better) != bool(self.worse):
            raise ConfigError("a claim needs better and worse, or preferred, or worst")


@dataclass(frozen=True)
class Study(Settings):
    """An experiment."""

    title: str
    """Its name in words."""
    description: str
    """One or two sentences for ``moodline experiment --list``."""
    page: str
    """How the names of its pages in the docs begin; the corpus follows."""
    bases: dict[str, str]
    """Corpus to the recipe that is varied."""
    sweeps: dict[str, Sweep] = field(default_factory=dict)
    """Settings with several values, by name."""
    variants: dict[str, Variant] = field(default_factory=dict)
    """Other variants, by name."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """What is tested in the end, by name."""

    def __post_init__(self) -> None:
        known = {BASE, *self.variants, *(f"{s}-{v:g}" for s, sweep in self.sweeps.items() for v in sweep.values)}
        for name, claim in self.claims.items():
            unknown = sorted({v.partition(":")[0] for v in (*claim.better, *claim.worse)} - known)
            if unknown:
                raise ConfigError(f"claims.{name}: unknown variant {', '.join(unknown)}")


@dataclass(frozen=True)
class Planned:
    """A variant as it is run.

    Args:
        name: e.g. ``gamma-0``.
        group: the sweep's name, or ``structure``, or ``base``.
        title: what is different from the base.
        value: of the sweep's setting, else None.
        recipe: with everything set; None if it is skipped.
        run: the variant whose run this is; another one's where both have the same settings.
        skipped: why it is not run; empty if it is.
    """

    name: str
    group: str
    title: str
    value: float | None
    recipe: Recipe | None
    run: str
    skipped: str = ""


@dataclass(frozen=True)
class Plan:
    """What is to be run.

    Args:
        name: of the experiment.
        study: its description.
        corpus: whose bases and claims are meant.
        base: name of the base recipe.
        variants: all of them, the base first.
    """

    name: str
    study: Study
    corpus: str
    base: str
    variants: tuple[Planned, ...]

    @property
    def runs(self) -> dict[str, Recipe]:
        """What must be trained: name to recipe, no setting twice."""
        return {v.name: v.recipe for v in self.variants if v.recipe is not None and v.run == v.name}

    @property
    def slug(self) -> str:
        """The experiment's name for folders."""
        return self.name.replace("/", "-")


def study_names() -> list[str]:
    """The packaged experiments, e.g. ``mister-e/ablations``."""
    root = Path(str(files("moodline") / "studies"))
    return sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml"))


def load_study(name: str) -> Study:
    """Read a packaged experiment by name or a YAML file by path.

    Raises:
        UnknownNameError: no such experiment.
        ConfigError: broken YAML, unknown keys, wrong values.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        return parse(Study, read_yaml(Path(name)), name)
    if name not in study_names():
        raise UnknownNameError("experiment", name, study_names(), "See: moodline experiment --list.")
    return parse(Study, read_yaml(Path(str(files("moodline") / "studies")) / f"{name}.yaml"), f"experiment {name}")


def make_plan(name: str, corpus: str | None = None, base: str | None = None, only: Sequence[str] = ()) -> Plan:
    """Resolve an experiment for one corpus.

    Args:
        name: of the experiment, or a YAML file.
        corpus: a key of its ``bases``; may be left out where ``base`` says it.
        base: another base recipe, by name or file.
        only: names or groups of variants; the base is always among them.

    Raises:
        ConfigError: no base for the corpus, an unknown variant, or a recipe that does not validate.
    """
    study = load_study(name)
    if base is None:
        if corpus is None:
            raise ConfigError("an experiment needs a corpus", fix=f"--corpus with one of: {', '.join(study.bases)}.")
        if corpus not in study.bases:
            raise ConfigError(
                f"{name}: no base recipe for corpus '{corpus}'",
                f"there are: {', '.join(study.bases)}",
                "Name one of these, or give --base RECIPE.",
            )
        base = study.bases[corpus]
    recipe = load_recipe(base)
    if corpus not in (None, recipe.corpus.name):
        raise ConfigError(f"{base}: a recipe for {recipe.corpus.name}, not for {corpus}")
    if recipe.task != "classes":
        raise ConfigError(
            f"{base}: experiments judge by weighted F1, this recipe learns scores", fix="Give another base."
        )
    wanted = list(_wanted(study, only))
    found: list[Planned] = []
    for variant, group, title, value, settings, several in wanted:
        reason = _reason(recipe, settings, several)
        if reason:
            found.append(Planned(variant, group, title, value, None, variant, reason))
            continue
        changed = load_recipe(base, [f"{key}={json.dumps(v)}" for key, v in settings.items()])
        same = (p.run for p in found if p.recipe is not None and to_plain(p.recipe) == to_plain(changed))
        found.append(Planned(variant, group, title, value, changed, next(same, variant)))
    stem = Path(name).stem if Path(name).suffix in (".yaml", ".yml") else name
    return Plan(stem, study, recipe.corpus.name, recipe.name, tuple(found))


def _reason(recipe: Recipe, settings: Mapping[str, Any], several: bool) -> str:
    """Why a variant of this recipe cannot be run; empty if it can."""
    if several and len(recipe.modalities) < 2:
        return f"needs several experts; {recipe.name} has one modality and so one expert"
    if all(settings.get(f"modalities.{m}", m) is None for m in recipe.modalities):
        return f"{recipe.name} has no modality beside {' and '.join(recipe.modalities)}"
    return ""


def _wanted(study: Study, only: Sequence[str]) -> Iterator[tuple[str, str, str, float | None, dict[str, Any], bool]]:
    """The variants asked for: name, group, title, value, settings, whether they need several experts."""
    everything: list[tuple[str, str, str, float | None, dict[str, Any], bool]] = [
        (BASE, BASE, "base recipe", None, {}, False)
    ]
    for name, sweep in study.sweeps.items():
        for v in sweep.values:
            title = f"{sweep.symbol} = {v:g}"
            everything.append((f"{name}-{v:g}", name, title, v, {sweep.setting: v}, sweep.several_experts))
    for name, one in study.variants.items():
        everything.append((name, "structure", one.title, None, one.set, one.several_experts))
    known = {word for row in everything for word in row[:2]}
    for word in only:
        if word not in known:
            raise UnknownNameError("variant", word, sorted(known), "Give names or groups of variants to --only.")
    for row in everything:
        if not only or row[0] == BASE or {row[0], row[1]} & set(only):
            yield row
