"""From result files to tables and plots. Nothing in README or docs is typed by hand."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.errors import ConfigError, StorageError
from moodline.core.files import replacing
from moodline.evaluation.calibration import SHOWN
from moodline.evaluation.predictions import NAME as PREDICTIONS
from moodline.evaluation.predictions import RegressionPredictions, read_any_predictions, read_guides
from moodline.evaluation.results import read_results
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
    return [read_results(path) for path in paths]


def spread(results: dict[str, Any], *name: str, digits: int = 1) -> str:
    """``mean ± sd`` of a number of ``results["mean"]``; one seed has no sd.

    Args:
        results: content of a result file.
        name: the keys that lead to the number, e.g. ``"experts", "text"``.
        digits: after the point.
    """
    mean, sd = results["mean"], results["sd"]
    for key in name:
        mean, sd = mean[key], sd[key]
    return f"{mean:.{digits}f}" + (f" ± {sd:.{digits}f}" if len(results["seeds"]) > 1 else "")


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
    """One row per result: mean ± sd over seeds, with the interval and each expert alone; scores in a table below."""
    scores = [r for r in results if "scale" in r]
    results = [r for r in results if "scale" not in r]
    lines = [] if scores and not results else _class_table(results)
    lines += ["", *_score_table(scores)] if scores else []
    lines.append("")
    lines.append(
        "Test split, tested once unless it says otherwise; every choice made on dev. Mean ± sd over seeds; "
        "interval by bootstrap over conversations (RAVDESS: actors) and seeds; that of one seed lacks the chance "
        "in training. With folds: each tested once, all of them together. "
        "Minutes are of training, without encoding, where the file was made."
    )
    return "\n".join(lines).strip("\n")


def _class_table(results: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| recipe | corpus | weighted F1 | 95 % interval | accuracy | macro F1 | experts alone (weighted F1) | seeds "
        "| minutes a seed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        low, high = r["interval"]["weighted_f1"]
        experts = ", ".join(f"{name} {value:.1f}" for name, value in r["mean"]["experts"].items())
        lines.append(
            f"| {_recipe(r)} | {r['corpus']} | **{spread(r, 'weighted_f1')}** "
            f"| {low:.1f} – {high:.1f} | {spread(r, 'accuracy')} "
            f"| {spread(r, 'macro_f1')} | {experts} | {len(r['seeds'])}{_folds(r)}{_looks(r)} | {minutes_a_seed(r)} |"
        )
    return lines


def _score_table(results: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| recipe of scores | corpus, range | mean absolute error | 95 % interval | always the median | correlation "
        "| accuracies (%) | true score in the 80 % interval | experts alone (error) | seeds | minutes a seed |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        low, high = r["interval"]["mae"]
        experts = ", ".join(f"{name} {value:.3f}" for name, value in r["mean"]["experts"].items())
        accuracies = ", ".join(f"{NAMES_OF[k]} {spread(r, k)}" for k in NAMES_OF if k in r["mean"])
        lines.append(
            f"| {_recipe(r)} | {r['corpus']}, {r['scale']['low']:g} to {r['scale']['high']:g} "
            f"| **{spread(r, 'mae', digits=3)}** | {low:.3f} – {high:.3f} | {r['mean']['mae_constant']:.3f} "
            f"| {spread(r, 'corr', digits=3)} | {accuracies} | {spread(r, 'coverage', '0.8')} | {experts} "
            f"| {len(r['seeds'])}{_folds(r)}{_looks(r)} | {minutes_a_seed(r)} |"
        )
    return lines


NAMES_OF = {
    "has0_acc2": "Has0 acc-2", "has0_f1": "Has0 F1", "non0_acc2": "Non0 acc-2", "non0_f1": "Non0 F1",
    "acc2": "acc-2", "acc2_weak": "weak acc-2", "f1": "F1", "acc3": "acc-3", "acc5": "acc-5", "acc7": "acc-7",
}  # fmt: skip
"""The accuracies of scores as the field calls them, see ``metrics.regression_report``."""


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

    Of a run of scores: learning curves, predicted against true scores, and errors.
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
        if "scale" in results:
            _score_plots(run, folder, suffix, results.get("folds", 0))
        else:
            _class_plots(results, folder, suffix)


def draw_published(directory: Path, target: Path) -> list[Path]:
    """The plots that result files alone give: confusion matrix, gate weights and class F1, as PNG and SVG.

    Args:
        directory: a folder with ``results.json`` files, as ``publish_results`` makes it.
        target: the plots go to ``target/RECIPE``.

    Returns:
        The folders; results of scores have no such plots.
    """
    folders = []
    for results in collect_results(directory):
        if "scale" not in results:
            folders.append(_plot_folder(target / results["recipe"]))
            for suffix in ("png", "svg"):
                _class_plots(results, folders[-1], suffix)
    return folders


def _plot_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.writing(folder, error) from error
    return folder


def _class_plots(results: dict[str, Any], folder: Path, suffix: str) -> None:
    """Confusion matrix, class F1 and, of several experts, gate weights."""
    from moodline.report import plots

    labels = results["labels"]
    tests = [s["test"] for s in results["seeds"]]
    summed = np.sum([t["confusion"] for t in tests], axis=0)
    heading = f"{title(results)}: test confusion, {len(tests)} {'seeds together' if len(tests) > 1 else 'seed'}"
    plots.plot_confusion(summed, labels, folder / f"confusion.{suffix}", heading)
    per_class = {
        n: (float(np.mean(v)), float(np.std(v, ddof=1)) if len(v) > 1 else 0.0)
        for n in labels
        for v in [[t["per_class"][n]["f1"] for t in tests]]
    }
    plots.plot_per_class(per_class, folder / f"per-class-f1.{suffix}")
    weights = [t["gate_weights"]["per_class"] for t in tests]
    if len(tests[0]["experts"]) > 1:
        mean = {n: {e: float(np.mean([w[n][e] for w in weights])) for e in weights[0][n]} for n in weights[0]}
        plots.plot_gate_weights(mean, folder / f"gate-weights.{suffix}")


def _score_plots(run: Path, folder: Path, suffix: str, folds: int) -> None:
    """From the run's predictions, for a result file has no single answers."""
    from moodline.report.regression_plots import plot_agreement, plot_residuals

    said = read_any_predictions(run)
    assert isinstance(said, RegressionPredictions)
    widths = [
        read_part(place, "calibration.json")["half_widths"][str(SHOWN)]
        for seed in said.seeds
        for place in seed_directories(run, seed, folds)
    ]
    plot_agreement(said.truth, said.predicted.mean(0), said.scale.range, folder / f"agreement.{suffix}")
    half = float(np.mean(widths))
    plot_residuals(said.truth, said.predicted, said.scale.range, half, folder / f"errors.{suffix}")


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
