"""Make published results again: train and test with the same seeds, and compare with the published figures.

    python scripts/reproduce_results.py [RECIPE ...] [--data DIR] [--list] [--publish]

Without names, every recipe that has a result file. It first says how long each took when it was made. The runs go to
``runs/again``; what was begun there goes on. Nothing in ``results/`` is changed unless ``--publish`` is given.

A row agrees if the means of weighted F1 (of scores the mean absolute error) differ by at most two standard errors of
such a difference, 2 · sd · √(2/n) for n seeds, and never less than 0.1 points (0.005 of an error). With the same
versions on the same kind of processor it is the same to the last digit.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from moodline.cli.console import print_table
from moodline.core.errors import MoodlineError, UnknownNameError
from moodline.evaluation.tasks import task_in
from moodline.experiments.evaluate import evaluate
from moodline.experiments.train import train
from moodline.pipeline.recipe import Recipe, load_recipe, read_yaml, recipe_names, to_plain
from moodline.report.results import check_publishable, collect_results, draw_plots, minutes_a_seed, publish_results

ROOT = Path(__file__).resolve().parents[1]
LEAST = {"weighted_f1": 0.1, "mae": 0.005}
NAMES = {"weighted_f1": "weighted F1", "mae": "error"}


def estimate(results: dict[str, Any]) -> float | None:
    """Seconds that all seeds and their evaluation took; None where nobody noted it."""
    noted = results["provenance"].get("seconds", {})
    known = [s for s in noted.get("training", ()) if s is not None]
    return sum(known) / len(known) * len(results["seeds"]) + noted["evaluation"] if known else None


def headline(results: dict[str, Any]) -> str:
    """The number that a row is judged by."""
    return task_in(results).headline.key


def print_plan(chosen: Sequence[dict[str, Any]]) -> None:
    """The rows with the times of the published runs, and the sum."""
    times = [estimate(r) for r in chosen]
    rows = [
        (r["recipe"], len(r["seeds"]), r["mean"][headline(r)], minutes_a_seed(r), minutes(t))
        for r, t in zip(chosen, times, strict=True)
    ]
    columns = ("recipe", "seeds", "weighted F1 (error)", "minutes a seed", "minutes in all")
    print_table("published, with the times of the machine that made it", columns, rows, right=columns[1:])
    known = [t for t in times if t is not None]
    told = f"{minutes(sum(known))} minutes" if known else "not recorded"
    rest = f", without {len(times) - len(known)} of {len(times)} rows that have none" if len(known) < len(times) else ""
    print(f"to be expected in all: {told}{rest if known else ''}", flush=True)


def minutes(seconds: float | None) -> str:
    """Minutes with one digit."""
    return "not recorded" if seconds is None else f"{seconds / 60:.1f}"


def tolerance(results: dict[str, Any]) -> float:
    """How far a mean may lie from the published one."""
    metric = headline(results)
    return max(LEAST[metric], 2 * float(results["sd"][metric]) * math.sqrt(2 / len(results["seeds"])))


def compare(published: dict[str, Any], again: dict[str, Any]) -> tuple[bool, str]:
    """Whether the figures agree, and that in words."""
    metric = headline(published)
    old, new = published["mean"][metric], again["mean"][metric]
    if again["seeds"] == published["seeds"]:
        return True, f"{NAMES[metric]} {new}: the same as published, to the last digit"
    allowed, digits = tolerance(published), 2 if metric == "weighted_f1" else 4
    agrees = abs(new - old) <= allowed + 1e-9
    words = "agrees with" if agrees else "DIFFERS FROM"
    note = ""
    if again["provenance"]["corpus_hash"] != published["provenance"]["corpus_hash"]:
        note = "; the corpus files are others than those of the published run"
    return agrees, f"{NAMES[metric]} {new} {words} the published {old} (tolerance {allowed:.{digits}f}){note}"


def changed(folder: Path, recipe: Recipe) -> list[str]:
    """Settings of the published recipe that the recipe of today has otherwise."""
    now = dict(_flat(to_plain(recipe)))
    then = dict(_flat(read_yaml(folder / "recipe.yaml"))) if (folder / "recipe.yaml").is_file() else {}
    return [k for k, v in then.items() if k in now and now[k] != v and k != "description"]


def _flat(plain: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(plain, dict):
        for key, value in plain.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, plain


def reproduce(published: dict[str, Any], options: argparse.Namespace) -> bool:
    """Make one row again; whether it agrees."""
    name, begun = published["recipe"], time.monotonic()
    folder = options.results / name
    recipe = load_recipe(name if name in recipe_names() else str(folder / "recipe.yaml"))
    for key in changed(folder, recipe):
        print(f"{name}: {key} has been changed since it was published")
    if options.publish:
        check_publishable(recipe, folder)  # before hours of training
    out = options.runs / name
    kept = (out / "results.json").is_file()
    own = options.data / published["corpus"]  # of a house corpus, as scripts/scored_reviews.py makes one
    data = own if recipe.corpus.name == "house" and own.is_dir() else options.data
    run = train(recipe, data, out, [s["seed"] for s in published["seeds"]])
    again = evaluate(run, data)
    agrees, words = compare(published, again)
    took = "made before" if kept else f"{minutes(time.monotonic() - begun)} minutes"
    print(f"{name}: {words}; {took}, in {out}", flush=True)
    if options.publish:
        draw_plots(out, again)
        publish_results(out, folder)
    return agrees


def main(arguments: Sequence[str] | None = None) -> int:
    """Plan, make again, compare; 1 if a row differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="*", help="a published recipe; default all of them")
    data = Path(os.environ.get("DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data, help="the folder of the corpora")
    parser.add_argument("--list", action="store_true", help="say what there is and how long it took, and stop")
    parser.add_argument("--publish", action="store_true", help="put the new files in the place of the published ones")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="the published ones")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "again", help="where the new runs go")
    options = parser.parse_args(arguments)
    try:
        found = {r["recipe"]: r for r in collect_results(options.results)}
        for name in options.recipe:
            if name not in found:
                raise UnknownNameError("published recipe", name, found, "See: make results LIST=1.")
        chosen = [found[name] for name in options.recipe or found]
        print_plan(chosen)
        if options.list:
            return 0
        agree = [reproduce(published, options) for published in chosen]
    except MoodlineError as error:
        print(f"reproduce_results: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{sum(agree)} of {len(agree)} rows agree with the published figures")
    return 0 if all(agree) else 1


if __name__ == "__main__":
    raise SystemExit(main())
