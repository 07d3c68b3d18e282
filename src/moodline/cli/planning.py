"""``moodline finetune --dry-run``: what it would take, printed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moodline.cli.console import print_json, print_table, stdout

if TYPE_CHECKING:
    from moodline.experiments.finetuning.plan import FinetunePlan
    from moodline.experiments.finetuning.timing import Sample

GIB = 2**30


def run_dry(
    modality: Literal["text", "speech"],
    recipe: str,
    data: Path,
    corpus: str | None,
    settings: list[str],
    json_: bool,
) -> None:
    """FinetunePlan, take a few steps where the weights are here, and print."""
    from moodline.experiments.finetuning.plan import make_plan
    from moodline.experiments.finetuning.recipe import load_encoder_recipe
    from moodline.experiments.finetuning.run import device_memory, device_name, read_for, slow_precision
    from moodline.experiments.finetuning.timing import measure, weights_available
    from moodline.training.processes import processes

    loaded, read = read_for(load_encoder_recipe(modality, recipe, settings), data, corpus)
    plan = make_plan(loaded, read, processes().num_processes)
    memory = device_memory()
    fits = plan.options[0].cost.memory <= memory
    sample = measure(loaded, replace(read, auxiliary=())) if weights_available(loaded.encoder) and fits else None
    told = _told(plan, read.name, memory, sample)
    if json_:
        print_json(told)
        return
    if sample is not None and (slow := slow_precision(loaded)):
        print(f"Note: {slow}", file=sys.stderr)
    _print(told, device_name(), "does not fit" if not fits else "the weights are not on this machine")


def _told(plan: FinetunePlan, corpus: str, memory: float, sample: Sample | None) -> dict[str, Any]:
    """The plan as plain data."""
    from moodline.experiments.finetuning.plan import CHIPS

    first = plan.options[0].cost
    epochs = plan.recipe.finetune.training.epochs
    return {
        "recipe": plan.recipe.name,
        "corpus": corpus,
        "parameters": {"total": first.total, "trainable": first.trainable},
        "utterances": {"train": len(plan.train.each), "dev": len(plan.dev.each)},
        plan.train.unit.replace(" ", "_"): round(sum(plan.train.each)),
        "guessed": plan.train.guessed,
        "steps": {"epoch": plan.steps, "most": plan.steps * epochs},
        "epochs": epochs,
        "memory": [
            {"settings": list(o.settings), "gib": round(o.cost.memory / GIB, 1), "fits": o.cost.memory <= memory}
            for o in plan.options
        ],
        "device_gib": round(memory / GIB, 1),
        "estimated_hours_an_epoch": {chip: round(plan.hours(chip), 3) for chip in CHIPS},
        "measured": sample
        and {
            "seconds_an_epoch": _significant(sample.seconds),
            "seconds_once": _significant(sample.once),
            "device": sample.device,
            "peak_gib": sample.memory and round(sample.memory / GIB, 1),
        },
    }


def _significant(seconds: float) -> float:
    """Three digits, however short: rounded to a tenth, what a fast machine needs would be nothing."""
    return float(f"{seconds:.3g}")


def _print(told: dict[str, Any], device: str, why: str) -> None:
    unit = "tokens" if "tokens" in told else "seconds_of_sound"
    measured = told["measured"]
    if measured:
        seconds = measured["seconds_an_epoch"]
        time = (
            f"{_span(seconds)} an epoch, at most {_span(seconds * told['epochs'])} (measured on {measured['device']})"
        )
        if measured["seconds_once"]:
            time += f", and {_span(measured['seconds_once'])} once for the frozen blocks"
    else:
        time = f"not measured: {why}"
    chips = ", ".join(f"{_span(3600 * h)} on one {chip}" for chip, h in told["estimated_hours_an_epoch"].items())
    rows = [
        ("parameters", f"{told['parameters']['total']:,}, of which {told['parameters']['trainable']:,} learn"),
        ("utterances", f"{told['utterances']['train']:,} to learn from, {told['utterances']['dev']:,} to choose by"),
        (
            unit.replace("_", " "),
            f"{told[unit]:,} an epoch" + (" (guessed from characters)" if told["guessed"] else ""),
        ),
        ("steps", f"{told['steps']['epoch']:,} an epoch, at most {told['steps']['most']:,}"),
        ("time", time),
        ("time, estimated", f"an epoch {chips}"),
    ]
    print_table(f"{told['recipe']} on {told['corpus']}: nothing was trained", ("", ""), rows)
    options = [
        (" ".join(f"--set {s}" for s in o["settings"]) or "as it is", f"{o['gib']:.1f}", "yes" if o["fits"] else "no")
        for o in told["memory"]
    ]
    title = f"memory, estimated for the longest batch; {device} has {told['device_gib']:.1f} GiB"
    print_table(title, ("settings", "GiB", "fits"), options, right=("GiB",))
    fitting = next((o for o in told["memory"] if o["fits"]), None)
    if fitting is None:
        stdout().print("no setting is likely to fit here")


def _span(seconds: float) -> str:
    """A duration for people."""
    if seconds < 1:
        return "less than 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
