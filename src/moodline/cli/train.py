"""``moodline train``, ``evaluate``, ``compare`` and ``results``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from moodline.cli.console import print_json, print_table, stdout
from moodline.core.errors import MoodlineError
from moodline.core.progress import progress_bar


def run_train(recipe: str, data: Path, out: Path | None, seeds: int, settings: list[str], quiet: bool) -> None:
    """Train and print each seed's dev numbers."""
    from moodline.evaluation.tasks import TASKS
    from moodline.experiments.runs import seed_directories
    from moodline.experiments.train import train
    from moodline.pipeline.checkpoint import read_part
    from moodline.pipeline.recipe import load_recipe

    loaded = load_recipe(recipe, settings)
    directory = out or Path("runs") / loaded.name
    with progress_bar(quiet) as progress:
        run = train(loaded, data, directory, range(seeds), progress, quiet)
    if quiet or os.environ.get("RANK", "0") != "0":  # with several processes, one of them talks
        return
    shown = TASKS[loaded.task].dev
    rows = []
    for seed in run.seeds:
        for number, place in enumerate(seed_directories(directory, seed, loaded.folds)):
            metrics = read_part(place, "metrics.json")
            which = (seed, number) if loaded.folds else (seed,)
            rows.append((*which, metrics["best_epoch"], *(metrics["dev"][k] for k in shown)))
    columns = ("seed", "fold") if loaded.folds else ("seed",)
    print_table(f"{loaded.name}: dev", (*columns, "epoch", *shown.values()), rows)
    stdout().print(f"models: {directory}   next: moodline evaluate {directory} --data {data}")


def run_evaluate(run: Path, data: Path, again: bool, publish: Path | None, json_: bool, quiet: bool) -> None:
    """Test, draw, print."""
    from moodline.experiments.evaluate import evaluate
    from moodline.experiments.runs import Run
    from moodline.report.results import check_publishable, draw_plots, publish_results

    loaded = Run.load(run)
    if publish is not None:
        check_publishable(loaded.recipe, publish / loaded.recipe.name)
    tested = _times_tested(run)
    with progress_bar(quiet or json_) as progress:
        results = evaluate(loaded, data, progress, again)
    draw_plots(run, results)
    if publish is not None:
        publish_results(run, publish / loaded.recipe.name)
    if json_:
        print_json(results)
    elif not quiet:
        _print_results(results)
        if results["tested"] == tested:
            date = results["provenance"]["date"]
            stdout().print(f"the stored result of {date}: nothing was tested now; to test once more: --again")
        stdout().print(f"written: {run / 'results.json'}, {run / 'plots'}")


def run_transfer(run: Path, corpus: str, data: Path, json_: bool, quiet: bool) -> None:
    """Test on another corpus, print."""
    from moodline.experiments.runs import Run
    from moodline.experiments.transfer import transfer

    with progress_bar(quiet or json_) as progress:
        found = transfer(Run.load(run), corpus, data, progress)
    if json_:
        print_json(found)
    elif not quiet:
        rows = [
            [key, f"{found[key]['mean']:.2f} ± {found[key]['sd']:.2f}"]
            for key in ("weighted_f1", "accuracy", "macro_f1", "ece")
        ]
        rows += [["always the commonest", f"{found['constant']:.2f}"], ["utterances", str(found["utterances"])]]
        rows += [["left out, no common label", str(found["left_out"])], ["labels", ", ".join(found["labels"])]]
        print_table(f"{found['recipe']}, trained on {found['trained_on']}, tested on {corpus}", ["", ""], rows)
        stdout().print(f"written: {run / f'transfer-{corpus}.json'}")


def _times_tested(run: Path) -> int:
    """How often a run was tested so far."""
    from moodline.evaluation.results import read_results

    return int(read_results(run)["tested"]) if (run / "results.json").is_file() else 0


def _title(results: dict[str, Any]) -> str:
    """What a table of results is of."""
    from moodline.report.results import title

    folds = f" of {results['folds']} folds together" if "folds" in results else ""
    seeds = len(results["seeds"])
    return f"{title(results)}: test{folds}, {seeds} seed{'s' if seeds > 1 else ''}, chosen on dev"


def _each_fold(results: dict[str, Any], number: str, digits: int) -> str:
    """A number of each fold's test split alone, mean over seeds."""
    each = [[s["folds"][k]["test"][number] for s in results["seeds"]] for k in range(results["folds"])]
    return "  ".join(f"{sum(a) / len(a):.{digits}f}" for a in each)


def _print_results(results: dict[str, Any]) -> None:
    from moodline.evaluation.tasks import task_in

    task = task_in(results)
    rows = task.rows(results)
    if "folds" in results:
        name, key, digits = task.of_each_fold
        rows.append((name, _each_fold(results, key, digits)))
    first = results["seeds"][0]
    weights = "  ".join(f"{k} {v:.2f}" for k, v in first["test"]["gate_weights"]["mean"].items())
    rows.append((f"mean gate weights, seed {first['seed']}", weights))
    print_table(_title(results), ("", "mean ± sd"), rows)
    if per_class := task.class_rows(results):
        columns = ("class", "precision", "recall", "F1", "utterances")
        print_table("per class, mean over seeds", columns, per_class, right=columns[1:])


def run_compare(first: Path, second: Path, json_: bool) -> None:
    """Print the paired test of two runs, or the agreement of two files with labels."""
    from moodline.evaluation.compare import compare

    if _has_labels(first) and _has_labels(second):
        _print_agreement(first, second, json_)
        return
    from moodline.evaluation.tasks import TASKS

    found = compare(first, second)
    if json_:
        print_json(found)
        return
    low, high = found["interval"]
    task = next(t for t in TASKS.values() if t.headline.key in found["first"])
    metric = task.headline
    sides = [found["first"], found["second"]]
    rows = [(side["run"], metric.unit.text(side[metric.key]), side["seeds"]) for side in sides]
    direction = f" ({metric.direction.removeprefix(', ')})" if metric.direction else ""
    print_table(f"test {metric.name}{direction}", ("run", "mean", "seeds"), rows)
    shown = [f"{x:+.{metric.unit.digits}f}" for x in (found["difference"], low, high)]
    stdout().print(f"difference {shown[0]}, 95 % interval {shown[1]} to {shown[2]}, p = {found['p']:.4f}")
    stdout().print(f"{found['verdict']} ({found['method']})")


def _has_labels(path: Path) -> bool:
    """Whether it is a file with labels, or a folder of such, rather than a run."""
    from moodline.transcripts.labelled import FORMATS

    if path.is_file():
        return path.suffix.lower() != ".parquet"
    if not path.is_dir() or (path / "predictions.parquet").exists() or (path / "recipe.yaml").exists():
        return False
    return any(p.is_file() and p.suffix.lower().removeprefix(".") in FORMATS for p in path.iterdir())


def _print_agreement(first: Path, second: Path, json_: bool) -> None:
    from moodline.annotation.agreement import compare_labels

    found = compare_labels(first, second)
    if json_:
        print_json(found)
        return

    def shown(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    rows = [
        (c["label"], c["first"], c["second"], c["both"], shown(c["kappa"]), shown(c["specific"]))
        for c in found["classes"]
    ]
    heads = ("label", first.name, second.name, "both", "κ", "specific agreement")
    print_table("agreement", heads, rows, right=heads[1:])
    stdout().print(
        f"Cohen's κ {shown(found['kappa'])}, same label {found['observed']:.1%} of {found['utterances']} utterances",
        markup=False,
    )
    a, b = found["unmatched"]
    if a or b or found["unlabelled"]:
        stdout().print(
            f"not compared: {a} of the first, {b} of the second, {found['unlabelled']} without a label", markup=False
        )


def run_results(directory: Path, write: list[Path], check: bool, plots: Path | None, json_: bool) -> None:
    """Print the table of all results, put it into Markdown files, or draw the plots of each result."""
    from moodline.report.results import collect_results, draw_published, insert_table, markdown_table, read_markdown
    from moodline.report.short_table import SHORT_BEGIN, SHORT_END, short_table

    found = collect_results(directory)
    stale = []
    for path in write:
        if SHORT_BEGIN in read_markdown(path):
            changed = insert_table(path, short_table(directory), check, (SHORT_BEGIN, SHORT_END))
        else:
            changed = insert_table(path, markdown_table(found), check)
        stale += [path] if changed else []
    if check and stale:
        raise MoodlineError(f"out of date: {', '.join(map(str, stale))}", fix="Run: make docs.")
    if plots is not None:
        draw_published(directory, plots)
    if json_:
        print_json(found)
    elif not write and plots is None:
        print(markdown_table(found))
