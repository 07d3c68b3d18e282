"""``moodline search``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodline.cli.console import print_table, stdout
from moodline.core.progress import progress_bar

if TYPE_CHECKING:
    from moodline.evaluation.headline import HeadlineMetric

SHOWN = 5


def run_search(
    recipe: str, data: Path, space: str, trials: int, out: Path, seeds: int, settings: list[str], quiet: bool
) -> None:
    """Search, draw, print the best settings."""
    from moodline.evaluation.tasks import TASKS
    from moodline.experiments.search.run import search
    from moodline.experiments.search.space import load_space
    from moodline.pipeline.recipe import load_recipe
    from moodline.report.search_plots import draw_search

    loaded, wide = load_recipe(recipe, settings), load_space(space)
    measure = TASKS[loaded.task].headline

    def told(record: dict[str, Any], best: dict[str, Any] | None) -> None:
        if not quiet:
            stdout().print(_line(record, best, measure), markup=False)

    with progress_bar(quiet) as progress:
        found = search(loaded, data, wide, out, trials, seeds, progress, quiet, told)
    done = sorted((r for r in found if r["state"] == "done"), key=lambda r: -measure.unit.sign * r["dev"])
    if done:
        draw_search(out, found, {key for key, axis in wide.axes.items() if axis.log}, measure)
    if quiet:
        return
    best = done[:SHOWN]
    columns = ("", *(f"trial {r['number']}" for r in best))
    rows = [(f"dev {measure.name}", *(measure.unit.text(r["dev"]) for r in best))]
    rows += [(key, *(_short(r["params"][key]) for r in best)) for key in wide.axes]
    print_table(f"{loaded.name}: best of {len(done)} settings on dev", columns, rows, right=columns[1:])
    stdout().print(f"all of them: {out / 'trials.csv'}, {out / 'plots'}", markup=False, soft_wrap=True)
    if done:
        stdout().print(
            f"next: moodline train {out / 'best.yaml'} --data {data} --seeds 5", markup=False, soft_wrap=True
        )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _line(record: dict[str, Any], best: dict[str, Any] | None, measure: HeadlineMetric) -> str:
    if record["state"] == "failed":
        return f"trial {record['number']}: cannot be trained: {record['reason']}"
    assert best is not None
    marks = "the best so far" if best is record else f"best {measure.unit.text(best['dev'])}, trial {best['number']}"
    reached = f"dev {measure.name} {measure.unit.text(record['dev'])}"
    return f"trial {record['number']}: {reached} ({marks}), {record['seconds']:.0f} s"
