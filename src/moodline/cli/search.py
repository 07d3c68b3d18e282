"""``moodline search``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodline.cli.console import print_table, progress_bar, stdout

SHOWN = 5


def run_search(
    recipe: str, data: Path, space: str, trials: int, out: Path, seeds: int, settings: list[str], quiet: bool
) -> None:
    """Search, draw, print the best settings."""
    from moodline.config import load_recipe
    from moodline.report.search_plots import draw_search
    from moodline.search import load_space, search

    loaded, wide = load_recipe(recipe, settings), load_space(space)

    def told(record: dict[str, Any], best: dict[str, Any] | None) -> None:
        if not quiet:
            stdout().print(_line(record, best), markup=False)

    with progress_bar(quiet) as progress:
        found = search(loaded, data, wide, out, trials, seeds, progress, quiet, told)
    done = sorted((r for r in found if r["state"] == "done"), key=lambda r: -r["dev"])
    if done:
        draw_search(out, found, {key for key, axis in wide.axes.items() if axis.log})
    if quiet:
        return
    columns = ("trial", "dev weighted F1", *(key.rpartition(".")[2] for key in wide.axes))
    rows = [(r["number"], f"{r['dev']:.2f}", *(_short(r["params"][k]) for k in wide.axes)) for r in done[:SHOWN]]
    print_table(f"{loaded.name}: best of {len(done)} settings on dev", columns, rows, right=("trial", columns[1]))
    stdout().print(f"all of them: {out / 'trials.csv'}, {out / 'plots'}", markup=False, soft_wrap=True)
    if done:
        stdout().print(
            f"next: moodline train {out / 'best.yaml'} --data {data} --seeds 5", markup=False, soft_wrap=True
        )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _line(record: dict[str, Any], best: dict[str, Any] | None) -> str:
    if record["state"] == "failed":
        return f"trial {record['number']}: cannot be trained: {record['reason']}"
    assert best is not None
    marks = "the best so far" if best is record else f"best {best['dev']:.2f}, trial {best['number']}"
    return f"trial {record['number']}: dev weighted F1 {record['dev']:.2f} ({marks}), {record['seconds']:.0f} s"
