"""What an experiment consists of: its YAML file as typed objects, and the runs that it means for one base recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from moodline.core.errors import ConfigError, UnknownNameError
from moodline.core.settings import Settings
from moodline.experiments.ablations.files import result_name
from moodline.pipeline.recipe import Recipe, load_recipe, parse, read_yaml, to_plain

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
    classes_only: bool = False
    """It means nothing for a recipe of scores."""


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
    classes_only: bool = False
    """It means nothing for a recipe of scores."""


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
class Experiment(Settings):
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
class ExperimentPlan:
    """What is to be run.

    Args:
        name: of the experiment.
        experiment: its description.
        corpus: whose bases and claims are meant.
        base: name of the base recipe.
        variants: all of them, the base first.
    """

    name: str
    experiment: Experiment
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

    @property
    def task(self) -> str:
        """What the base recipe learns, and with it every variant."""
        return self.runs[BASE].task

    @property
    def place(self) -> str:
        """Where it stands among those of its name, see ``result_name``."""
        return result_name(self.corpus, self.task)


def experiment_names() -> list[str]:
    """The packaged experiments, e.g. ``mister-e/ablations``."""
    root = Path(str(files("moodline") / "recipes" / "experiments"))
    return sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml"))


def load_experiment(name: str) -> Experiment:
    """Read a packaged experiment by name or a YAML file by path.

    Raises:
        UnknownNameError: no such experiment.
        ConfigError: broken YAML, unknown keys, wrong values.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        return parse(Experiment, read_yaml(Path(name)), name)
    if name not in experiment_names():
        raise UnknownNameError("experiment", name, experiment_names(), "See: moodline experiment --list.")
    return parse(
        Experiment,
        read_yaml(Path(str(files("moodline") / "recipes" / "experiments")) / f"{name}.yaml"),
        f"experiment {name}",
    )


def make_plan(
    name: str, corpus: str | None = None, base: str | None = None, only: Sequence[str] = ()
) -> ExperimentPlan:
    """Resolve an experiment for one corpus.

    Args:
        name: of the experiment, or a YAML file.
        corpus: a key of its ``bases``; may be left out where ``base`` says it.
        base: another base recipe, by name or file.
        only: names or groups of variants; the base is always among them.

    Raises:
        ConfigError: no base for the corpus, an unknown variant, or a recipe that does not validate.
    """
    experiment = load_experiment(name)
    if base is None:
        if corpus is None:
            raise ConfigError(
                "an experiment needs a corpus", fix=f"--corpus with one of: {', '.join(experiment.bases)}."
            )
        if corpus not in experiment.bases:
            raise ConfigError(
                f"{name}: no base recipe for corpus '{corpus}'",
                f"there are: {', '.join(experiment.bases)}",
                "Name one of these, or give --base RECIPE.",
            )
        base = experiment.bases[corpus]
    recipe = load_recipe(base)
    if corpus not in (None, recipe.corpus.name):
        raise ConfigError(f"{base}: a recipe for {recipe.corpus.name}, not for {corpus}")
    found: list[Planned] = []
    for w in _wanted(experiment, only):
        reason = _reason(recipe, w)
        if reason:
            found.append(Planned(w.name, w.group, w.title, w.value, None, w.name, reason))
            continue
        changed = load_recipe(base, [f"{key}={json.dumps(v)}" for key, v in w.set.items()])
        same = (p.run for p in found if p.recipe is not None and to_plain(p.recipe) == to_plain(changed))
        found.append(Planned(w.name, w.group, w.title, w.value, changed, next(same, w.name)))
    stem = Path(name).stem if Path(name).suffix in (".yaml", ".yml") else name
    return ExperimentPlan(stem, experiment, recipe.corpus.name, recipe.name, tuple(found))


@dataclass(frozen=True)
class _Wanted:
    """A variant before it is known whether this base can have it; see ``Planned``, ``Sweep`` and ``Variant``."""

    name: str
    group: str
    title: str
    value: float | None = None
    set: Mapping[str, Any] = field(default_factory=dict)
    several_experts: bool = False
    classes_only: bool = False


def _reason(recipe: Recipe, wanted: _Wanted) -> str:
    """Why a variant of this recipe cannot be run; empty if it can."""
    if wanted.classes_only and recipe.task != "classes":
        return f"goes with classes; {recipe.name} learns {recipe.task}"
    if wanted.several_experts and len(recipe.modalities) < 2:
        return f"needs several experts; {recipe.name} has one modality and so one expert"
    if all(wanted.set.get(f"modalities.{m}", m) is None for m in recipe.modalities):
        return f"{recipe.name} has no modality beside {' and '.join(recipe.modalities)}"
    return ""


def _wanted(experiment: Experiment, only: Sequence[str]) -> Iterator[_Wanted]:
    """The variants asked for."""
    everything = [_Wanted(BASE, BASE, "base recipe")]
    for name, s in experiment.sweeps.items():
        for v in s.values:
            title = f"{s.symbol} = {v:g}"
            w = _Wanted(f"{name}-{v:g}", name, title, v, {s.setting: v}, s.several_experts, s.classes_only)
            everything.append(w)
    for name, one in experiment.variants.items():
        w = _Wanted(name, "structure", one.title, None, one.set, one.several_experts, one.classes_only)
        everything.append(w)
    known = {word for w in everything for word in (w.name, w.group)}
    for word in only:
        if word not in known:
            raise UnknownNameError("variant", word, sorted(known), "Give names or groups of variants to --only.")
    for w in everything:
        if not only or w.name == BASE or {w.name, w.group} & set(only):
            yield w
