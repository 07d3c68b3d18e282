"""Does a claim of the paper hold here? Paired tests, corrected for their number, and verdicts in words.

Whatever is chosen for a test (the best of several variants, the best single expert) is chosen on dev.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.evaluation.headline import CLASS_F1, DRAWS, GATE_WEIGHT, UNITS
from moodline.evaluation.metrics import f1_from_confusion
from moodline.evaluation.significance import paired_test, undecided
from moodline.evaluation.tasks import TASKS
from moodline.experiments.ablations.plan import BASE, Claim, ExperimentPlan
from moodline.experiments.ablations.run_metrics import RunNumbers

HOLDS, FAILS = "holds", "does not hold"
NOT_RUN, UNTESTED = "not run", "not testable here"


def judge(plan: ExperimentPlan, tested: Mapping[str, RunNumbers], draws: int = DRAWS) -> list[dict[str, Any]]:
    """A verdict for every claim of an experiment.

    Args:
        plan: of ``make_plan``.
        tested: run name to its numbers.
        draws: resampled test sets of each test.

    Returns:
        for each claim ``name, statement, source, verdict``; where it was tested, ``better`` and ``worse`` (name and
        value of the side that should be ahead and of the other), ``unit``, ``difference`` (better minus worse, so
        that of errors a negative one speaks for the claim), ``interval``, ``p`` and ``p_holm``, the p-value after
        Holm's correction over all claims tested; else ``reason``. With fewer than three seeds nothing is said to hold
        or not, since how much trainings differ by chance is not known.
    """
    found = []
    for name, claim in plan.experiment.claims.items():
        one: dict[str, Any] = {"name": name, "statement": claim.statement, "source": claim.source}
        try:
            one |= _test(plan, claim, tested, draws)
        except NotRun as reason:
            one |= {"verdict": NOT_RUN, "reason": str(reason)}
        except NotTestable as reason:
            one |= {"verdict": UNTESTED, "reason": str(reason)}
        found.append(one)
    with_p = [c for c in found if "p" in c]
    seeds = len(tested[BASE].predictions.seeds)
    for one, p in zip(with_p, holm([c["p"] for c in with_p]), strict=True):
        one["p_holm"] = round(p, 4)
        ahead = UNITS[one["unit"]].sign * one["difference"] > 0
        one["verdict"] = undecided(p, seeds) or (HOLDS if ahead else FAILS)
    return found


class NotTestable(Exception):
    """Why a claim cannot be tested with these runs."""


class NotRun(NotTestable):
    """A variant that it needs was not run."""


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p-values that keep the chance of any false verdict below the level."""
    order = np.argsort(ps, kind="stable")
    out, worst = [0.0] * len(ps), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(ps) - rank) * ps[i]))
        out[i] = worst
    return out


def _test(plan: ExperimentPlan, claim: Claim, tested: Mapping[str, RunNumbers], draws: int) -> dict[str, Any]:
    if claim.preferred:
        return _gate(plan, claim, tested[BASE], draws)
    if claim.worst:
        return _worst_class(plan, claim, tested[BASE], draws)
    better, worse = (_side(plan, names, tested) for names in (claim.better, claim.worse))
    measure = tested[BASE].measure
    found = measure.difference(worse["sums"], better["sums"], draws)
    shown = {
        side: {"name": x["name"], "value": measure.over_seeds(x["sums"])["mean"]}
        | ({"chosen_on_dev_from": x["from"]} if len(x["from"]) > 1 else {})
        for side, x in (("better", better), ("worse", worse))
    }
    return shown | {"unit": measure.unit.name} | found


def _side(plan: ExperimentPlan, names: Sequence[str], tested: Mapping[str, RunNumbers]) -> dict[str, Any]:
    """The one of several variants or experts that is best on dev."""
    planned = {v.name: v for v in plan.variants}
    candidates: list[dict[str, Any]] = []
    reasons: list[NotTestable] = []
    for name in names:
        variant, _, experts = name.partition(":")
        if variant not in planned:
            reasons.append(NotRun(f"{variant} was not run"))
        elif planned[variant].skipped:
            reasons.append(NotTestable(planned[variant].skipped))
        else:
            one = tested[planned[variant].run]
            voices: list[str | None] = list(one.predictions.experts) if experts else [None]
            if experts and len(voices) < 2:
                reasons.append(NotTestable("the model has one expert"))
                continue
            for voice in voices:
                sums = one.sums if voice is None else one.expert_sums(voice)
                label = variant if voice is None else f"{variant}, {voice} expert alone"
                candidates.append({"name": label, "sums": sums, "dev": float(np.mean(one.dev(voice)))})
    if not candidates:
        raise reasons[0]
    sign = tested[BASE].measure.unit.sign
    return max(candidates, key=lambda c: sign * c["dev"]) | {"from": [c["name"] for c in candidates]}


def _gate(plan: ExperimentPlan, claim: Claim, base: RunNumbers, draws: int) -> dict[str, Any]:
    """Is an expert's mean gate weight larger than that of the one with most weight on dev among the others?"""
    expert = _of_corpus(plan, claim.preferred)
    p = base.predictions
    names = list(p.weights)
    if len(names) < 2 or expert not in names:
        raise NotTestable("the model has one expert" if len(names) < 2 else f"the model has no {expert} expert")
    each = np.stack([*p.weights.values(), np.ones(p.predicted.shape)], axis=-1)  # [S, N, K + 1], with a count
    groups = range(int(p.clusters.max()) + 1)
    sums = np.stack([each[:, p.clusters == g].sum(1) for g in groups], axis=1)  # [S, G, K + 1]
    mean = sums.sum(1)[:, :-1].mean(0) / len(p.utterances)
    own = names.index(expert)
    on_dev = [dev["gate_weights"]["mean"] for dev in base.on_dev]
    other = max((k for k in range(len(names)) if k != own), key=lambda k: sum(w[names[k]] for w in on_dev))

    def weight(k: int) -> Any:
        return lambda total: total[..., k] / total[..., -1]

    found = paired_test((sums, sums), (weight(other), weight(own)), draws, same_seeds=True)
    return {
        "better": {"name": expert, "value": GATE_WEIGHT.written(mean[own])},
        "worse": {"name": names[other], "value": GATE_WEIGHT.written(mean[other])},
        "unit": GATE_WEIGHT.name,
    } | GATE_WEIGHT.outcome(found)


def _worst_class(plan: ExperimentPlan, claim: Claim, base: RunNumbers, draws: int) -> dict[str, Any]:
    """Is a class's F1 lower than that of the one lowest on dev among the others?"""
    labels = base.predictions.labels
    if reason := TASKS[base.task].no_classes:
        raise NotTestable(reason)
    label = _of_corpus(plan, claim.worst)
    if label not in labels:
        raise NotTestable(f"there is no class {label}")
    f1 = f1_from_confusion(base.sums.sum(1)).mean(0)
    own = labels.index(label)
    on_dev = [dev["per_class"] for dev in base.on_dev]
    other = min((c for c in range(len(labels)) if c != own), key=lambda c: sum(f[labels[c]]["f1"] for f in on_dev))

    def score(c: int) -> Any:
        def take(counts: NDArray[Any]) -> NDArray[Any]:
            return f1_from_confusion(counts)[..., c]

        return take

    found = paired_test((base.sums, base.sums), (score(own), score(other)), draws, same_seeds=True)
    return {
        "better": {"name": labels[other], "value": CLASS_F1.written(f1[other])},
        "worse": {"name": label, "value": CLASS_F1.written(f1[own])},
        "unit": CLASS_F1.name,
    } | CLASS_F1.outcome(found)


def _of_corpus(plan: ExperimentPlan, said: Mapping[str, str]) -> str:
    if plan.corpus not in said:
        raise NotTestable(f"the paper says it of {' and '.join(said)}")
    return said[plan.corpus]
