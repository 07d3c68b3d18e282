"""``experiment.json``: everything that an experiment found, made from the result files and predictions of its runs.

The page, the plots and the tables in the docs are made from this file alone; ``files.py`` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moodline.core.errors import ConfigError
from moodline.evaluation.headline import DRAWS
from moodline.evaluation.metrics import mean_and_sd
from moodline.evaluation.significance import MIN_SEEDS
from moodline.experiments.ablations.claims import judge
from moodline.experiments.ablations.expert_analysis import case, gate, target, voices
from moodline.experiments.ablations.files import SCHEMA
from moodline.experiments.ablations.plan import BASE, ExperimentPlan, Planned
from moodline.experiments.ablations.run_metrics import RunNumbers, load_tested
from moodline.experiments.ablations.runner import run_directory
from moodline.pipeline.recipe import to_plain

METHOD = (
    "Paired test: the variance over {draws} draws of test {units}, the same for both sides, plus that of the seeds' "
    "differences; two-sided p of Student's t; for the claims Holm's correction over all claims tested "
    "on this corpus, verdicts at 0.05. Everything that is chosen is chosen on dev."
)
NO_VERDICTS = " With fewer than {few} seeds the intervals hold little or nothing of the chance in training: no verdict."


def analyse(plan: ExperimentPlan, out: Path, seeds: Sequence[int], draws: int = DRAWS) -> dict[str, Any]:
    """The content of ``experiment.json``.

    Args:
        plan: of ``make_plan``; its runs are trained and tested.
        out: the experiment's directory.
        seeds: those that count.
        draws: resampled test sets of each test.

    Raises:
        ConfigError: a run is missing, of another recipe, or without predictions.
    """
    tested = {name: load_tested(run_directory(out, name), seeds) for name in plan.runs}
    base = tested[BASE]
    for name, run in tested.items():
        if run.predictions.utterances != base.predictions.utterances:
            raise ConfigError(f"{run_directory(out, name)}: tested on other utterances than the base recipe")
    against = {n: base.measure.difference(base.sums, run.sums, draws) for n, run in tested.items() if n != BASE}
    sweeps = {
        name: {"title": s.title, "symbol": s.symbol, "source": s.source, "setting": s.setting}
        for name, s in plan.experiment.sweeps.items()
        if any(v.group == name for v in plan.variants)
    }
    return {
        "schema": SCHEMA,
        "experiment": plan.name,
        "title": plan.experiment.title,
        "page": plan.experiment.page,
        "corpus": plan.corpus,
        "base": plan.base,
        "modalities": list(plan.runs[BASE].modalities),
        "model": to_plain(plan.runs[BASE].model),
        "experts": list(base.predictions.experts),
        "test": {"conversations": len(set(base.predictions.conversations)), "utterances": len(base.predictions.truth)},
        "seeds": list(seeds),
        "chosen_on": "dev",
        "tested": {name: run.results["tested"] for name, run in tested.items()},
        "method": _method(base, draws),
        "sweeps": sweeps,
        "variants": [_variant(v, tested, against) for v in plan.variants],
        "voices": voices(base, draws),
        "gate": gate(base),
        **target(base),
        "case": case(base),
        "claims": judge(plan, tested, draws),
        "provenance": base.results["provenance"],
    }


def _method(base: RunNumbers, draws: int) -> str:
    text = METHOD.format(draws=draws, units=base.predictions.units)
    return text + (NO_VERDICTS.format(few=MIN_SEEDS) if len(base.predictions.seeds) < MIN_SEEDS else "")


def _variant(v: Planned, tested: dict[str, RunNumbers], against: dict[str, dict[str, Any]]) -> dict[str, Any]:
    head = {"name": v.name, "group": v.group, "title": v.title, "value": v.value}
    if v.skipped:
        return head | {"skipped": v.skipped}
    run = tested[v.run]
    dev = mean_and_sd(run.dev(), run.measure.unit.digits)
    numbers = {"run": v.run, "dev": dev, "test": run.measure.over_seeds(run.sums)}
    return head | numbers | ({"versus_base": against[v.run]} if v.run in against else {})
