"""From result files to tables and plots. Nothing in README or docs is typed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.errors import ConfigError, StorageError
from moodline.core.files import replacing
from moodline.evaluation.calibration import SHOWN
from moodline.evaluation.metrics import mean_sd
from moodline.evaluation.predictions import NAME as PREDICTIONS
from moodline.evaluation.predictions import read_any_predictions, read_guides
from moodline.evaluation.results import read_results
from moodline.evaluation.task import Task
from moodline.evaluation.tasks import TASKS, Classification, task_in
from moodline.experiments.runs import seed_directories
from moodline.pipeline.checkpoint import read_part
from moodline.pipeline.recipe import Recipe, read_yaml, same_settings
from moodline.pipeline.recipe_changes import changed_settings, recipe_title

BEGIN, END = "<!-- results: begin (made by `make docs`) -->", "<!-- results: end -->"


def collect_results(directory: Path) -> list[dict[str, Any]]:
    """All result files under a folder, by recipe name.

    Raises:
        ConfigError: there are none.
    """
    paths = sorted(directory.rglob("results.json"))
    if not paths:
        raise ConfigError(
            f"{directory}: no results.json files in it", fix="Run: moodline evaluate RUN --publish results."
        )
    return [read_results(path) | {"reads": _reads(path.with_name("recipe.yaml"))} for path in paths]


def _reads(recipe: Path) -> str:
    """Which modalities a recipe reads; one alone is no mixture. Empty where no recipe lies beside the result."""
    if not recipe.is_file():
        return ""
    modalities = list(read_yaml(recipe)["modalities"])
    return ", ".join(modalities) if len(modalities) > 1 else f"{modalities[0]} alone"


def title(results: dict[str, Any]) -> str:
    """The recipe's name, with the number of changes where it differs from the packaged one; old files have none."""
    return recipe_title(results["recipe"], results.get("changes", []))


def _recipe(results: dict[str, Any]) -> str:
    """``title`` in Markdown: the name as code."""
    return title(results).replace(results["recipe"], f"`{results['recipe']}`", 1)


def _folds(results: dict[str, Any]) -> str:
    """A remark where the test is that of a cross-validation."""
    return f" × {results['folds']} folds" if "folds" in results else ""


def _looks(results: dict[str, Any]) -> str:
    """A remark where the test split was used more than once."""
    return "" if results["tested"] == 1 else f" (tested {results['tested']} times)"


def minutes_a_seed(results: dict[str, Any]) -> str:
    """Minutes that the training of one seed took, the mean of those that are known; old files know none."""
    known = [s for s in results["provenance"].get("seconds", {}).get("training", ()) if s is not None]
    return f"{sum(known) / len(known) / 60:.1f}" if known else "not recorded"


def markdown_table(results: list[dict[str, Any]]) -> str:
    """One row per result: mean ± sd over seeds, with the interval and each expert alone; a table for each task."""
    tables = [_table(task, [r for r in results if task_in(r) is task]) for task in TASKS.values()]
    lines = "\n\n".join("\n".join(table) for table in tables if table).split("\n")
    constant = "*Always the commonest*: weighted F1 of answering the commonest class of the test split. "
    constant = constant if any(task_in(r) is Classification for r in results) else ""
    lines.append("")
    lines.append(
        "*Reads*: the modalities; with one alone there is no mixture, whatever the model's name. "
        f"{constant}Test split, tested once unless it says otherwise; every choice made on dev. Mean ± sd over seeds; "
        "interval by bootstrap over conversations (RAVDESS: actors) and seeds; that of one seed lacks the chance "
        "in training. With folds: each tested once, all of them together. "
        "Minutes are of training, without encoding, where the file was made."
    )
    return "\n".join(lines).strip("\n")


def _table(task: type[Task], results: list[dict[str, Any]]) -> list[str]:
    """The results of one task; no line where there are none."""
    if not results:
        return []
    first, *rest = task.table
    heads = (first, "reads", *rest, "seeds", "minutes a seed")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for r in results:
        cells = (
            _recipe(r),
            r.get("reads", ""),
            *task.table_row(r),
            f"{len(r['seeds'])}{_folds(r)}{_looks(r)}",
            minutes_a_seed(r),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def insert_table(path: Path, table: str, check: bool = False, markers: tuple[str, str] = (BEGIN, END)) -> bool:
    """Put a table between the markers of a Markdown file.

    Args:
        path: the file.
        table: Markdown, e.g. of ``markdown_table``.
        check: change nothing.
        markers: the lines before and after the table.

    Returns:
        Whether the file was out of date.

    Raises:
        ConfigError: the file lacks the markers.
    """
    text = read_markdown(path)
    head, begin, rest = text.partition(markers[0])
    _, end, tail = rest.partition(markers[1])
    if not begin or not end:
        raise ConfigError(f"{path}: expected the markers {markers[0]} and {markers[1]}")
    fresh = f"{head}{begin}\n{table}\n{end}{tail}"
    if fresh != text and not check:
        with replacing(path) as file:
            file.write(fresh.encode())
    return fresh != text


def read_markdown(path: Path) -> str:
    """The text of a Markdown file.

    Raises:
        ConfigError: there is none, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(f"{path}: expected a Markdown file", reason, "Name one with the result markers.") from None


def draw_plots(run: Path, results: dict[str, Any]) -> None:
    """Learning curves, confusion matrix, gate weights and class F1 of a run, as PNG and SVG in ``run/plots``.

    Of a regression: learning curves, predicted against true values, and errors.
    """
    from moodline.report import plots
    from moodline.report.expert_share_plots import plot_guides

    folder = _plot_folder(run / "plots")
    histories = []
    for seed in results["seeds"]:
        for directory in seed_directories(run, seed["seed"], results.get("folds", 0)):
            path = directory / "training" / "history.json"
            with suppress(OSError, ValueError):  # weights and history may have been tidied away; results stand alone
                histories.append(json.loads(path.read_text(encoding="utf-8")))
    guides = read_guides(run) if (run / PREDICTIONS).is_file() else ([], {})
    for suffix in ("png", "svg"):
        if guides[1]:
            plot_guides(*guides, folder / f"guides.{suffix}")
        if histories:
            plots.plot_learning_curves(histories, folder / f"learning-curves.{suffix}")
        for name in task_in(results).plots:
            PLOTS[name](run, results, folder / f"{name}.{suffix}")


def draw_published(directory: Path, target: Path) -> list[Path]:
    """The plots that result files alone give: confusion matrix, gate weights and class F1, as PNG and SVG.

    Args:
        directory: a folder with ``results.json`` files, as ``publish_results`` makes it.
        target: the plots go to ``target/RECIPE``.

    Returns:
        The folders; results of a regression have no such plots.
    """
    folders = []
    for results in collect_results(directory):
        if names := task_in(results).plots_of_results:
            folders.append(_plot_folder(target / results["recipe"]))
            for name in names:
                for suffix in ("png", "svg"):
                    PLOTS[name](directory, results, folders[-1] / f"{name}.{suffix}")
    return folders


def _plot_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.writing(folder, error) from error
    return folder


def _confusion(run: Path, results: dict[str, Any], path: Path) -> None:
    from moodline.report.plots import plot_confusion

    tests = [s["test"] for s in results["seeds"]]
    summed = np.sum([t["confusion"] for t in tests], axis=0)
    heading = f"{title(results)}: test confusion, {len(tests)} {'seeds together' if len(tests) > 1 else 'seed'}"
    plot_confusion(summed, results["labels"], path, heading)


def _per_class(run: Path, results: dict[str, Any], path: Path) -> None:
    from moodline.report.plots import plot_per_class

    tests = [s["test"] for s in results["seeds"]]
    plot_per_class({n: mean_sd([t["per_class"][n]["f1"] for t in tests]) for n in results["labels"]}, path)


def _gate_weights(run: Path, results: dict[str, Any], path: Path) -> None:
    from moodline.report.plots import plot_gate_weights

    tests = [s["test"] for s in results["seeds"]]
    if len(tests[0]["experts"]) > 1:
        weights = [t["gate_weights"]["per_class"] for t in tests]
        mean = {n: {e: float(np.mean([w[n][e] for w in weights])) for e in weights[0][n]} for n in weights[0]}
        plot_gate_weights(mean, path)


def _agreement(run: Path, results: dict[str, Any], path: Path) -> None:
    """From the run's predictions, for a result file has no single answers."""
    from moodline.report.regression_plots import plot_agreement

    p: Any = read_any_predictions(run)
    plot_agreement(p.truth, p.predicted.mean(0), p.scale.range, path)


def _errors(run: Path, results: dict[str, Any], path: Path) -> None:
    """Likewise; with the mean half width of the models' intervals."""
    from moodline.report.regression_plots import plot_residuals

    p: Any = read_any_predictions(run)
    widths = [
        read_part(place, "calibration.json")["half_widths"][str(SHOWN)]
        for seed in p.seeds
        for place in seed_directories(run, seed, results.get("folds", 0))
    ]
    plot_residuals(p.truth, p.predicted, p.scale.range, float(np.mean(widths)), path)


PLOTS: dict[str, Callable[[Path, dict[str, Any], Path], None]] = {
    "confusion": _confusion,
    "per-class-f1": _per_class,
    "gate-weights": _gate_weights,
    "agreement": _agreement,
    "errors": _errors,
}
"""The pictures that a task's ``plots`` names."""


def check_publishable(recipe: Recipe, target: Path) -> None:
    """Refuse to publish under a name that stands for other settings.

    Args:
        recipe: of the run.
        target: the folder that it would be published in.

    Raises:
        ConfigError: the recipe differs from the packaged one of its name, or ``target`` holds another recipe.
    """
    fix = "Give it a name of its own: change name in the run's recipe.yaml, or train with --set name=NAME."
    if changes := changed_settings(recipe):
        shown = ", ".join(changes[:5]) + (", …" if len(changes) > 5 else "")
        raise ConfigError(
            f"--publish: a packaged recipe's name needs its settings, but this is "
            f"{recipe_title(recipe.name, changes)} ({shown})",
            fix=fix,
        )
    path = target / "recipe.yaml"
    if path.is_file() and not same_settings(read_yaml(path), recipe):
        raise ConfigError(f"--publish: {target} holds the results of other settings", fix=fix)


def publish_results(run: Path, target: Path) -> None:
    """Copy what is committed, results and recipe, to ``target``.

    No predictions, for they hold the corpus's labels; no weights; no plots, which ``draw_published`` makes again.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in (run / "recipe.yaml", run / "results.json"):
            with replacing(target / path.name) as file:
                file.write(path.read_bytes())
    except OSError as error:
        raise StorageError.writing(target, error) from error
