"""The short table of README: for each corpus and set of modalities, the recipe that does best on dev."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodline.evaluation.metrics import plus_minus
from moodline.evaluation.results import read_results
from moodline.evaluation.tasks import task_in
from moodline.pipeline.recipe import read_yaml

SHORT_BEGIN, SHORT_END = "<!-- short results: begin (made by `make docs`) -->", "<!-- short results: end -->"


def best_on_dev(directory: Path) -> list[tuple[list[str], dict[str, Any]]]:
    """The modalities and the result file of the best recipe for each task, corpus, protocol and set of modalities.

    The protocol is a fixed test split or cross-validation; their dev sets are not comparable. Best is decided by the
    mean dev number over seeds (weighted F1, or the smallest mean absolute error), never by the test split. Results
    without a ``recipe.yaml`` beside them are left out, for their modalities are not recorded.

    Args:
        directory: a folder with ``RECIPE/results.json`` and ``RECIPE/recipe.yaml``.
    """
    best: dict[tuple[Any, ...], tuple[float, list[str], dict[str, Any]]] = {}
    for path in sorted(directory.rglob("results.json")):
        recipe = path.with_name("recipe.yaml")
        if not recipe.is_file():
            continue
        results = read_results(path)
        modalities = list(read_yaml(recipe)["modalities"])
        task = task_in(results)
        each = [s["dev"][task.headline.key] for s in results["seeds"]]
        dev = task.headline.unit.sign * sum(each) / len(each)
        key = (task.key, results["corpus"], results.get("folds", 0), tuple(modalities))
        if key not in best or dev > best[key][0]:
            best[key] = (dev, modalities, results)
    return [best[key][1:] for key in sorted(best)]


def short_table(directory: Path) -> str:
    """Markdown: corpus, modalities, recipe and the test number of ``best_on_dev``."""
    lines = ["| corpus | modalities | recipe | test |", "|---|---|---|---|"]
    for modalities, results in best_on_dev(directory):
        metric = task_in(results).headline
        number = f"{metric.name} **{plus_minus(results, metric.key, digits=metric.decimals)}**"
        folds = f", {results['folds']} folds" if "folds" in results else ""
        lines.append(f"| {results['corpus']}{folds} | {', '.join(modalities)} | `{results['recipe']}` | {number} |")
    return "\n".join(lines)
