"""Pictures of a search: its course, and dev scores over each setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.errors import ConfigError, StorageError
from moodline.evaluation.headline import WEIGHTED_F1, HeadlineMetric
from moodline.report.plots import BLUE, GREY, ORANGE, _figure

COLUMNS = 4


def draw_search(
    out: Path, found: Sequence[dict[str, Any]], logarithmic: set[str], measure: HeadlineMetric = WEIGHTED_F1
) -> None:
    """Course and settings of a search, as PNG and SVG in ``out/plots``.

    Args:
        out: the search's directory.
        found: its records.
        logarithmic: settings drawn on a logarithmic axis.
        measure: what they are judged by.
    """
    folder = out / "plots"
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError.writing(folder, error) from error
    for suffix in ("png", "svg"):
        plot_search_course(found, folder / f"course.{suffix}", measure)
        plot_search_settings(found, folder / f"settings.{suffix}", logarithmic, measure)


def _done(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    done = [r for r in found if r["state"] == "done"]
    if not done:
        raise ConfigError("search: expected at least one setting that was trained")
    return done


def plot_search_course(
    found: Sequence[dict[str, Any]], path: Path, measure: HeadlineMetric = WEIGHTED_F1
) -> tuple[Path, ...]:
    """Draw the dev score of every trial and the best so far.

    Args:
        found: records of a search.
        path: where to write.
        measure: what they are judged by.

    Returns:
        The files written.
    """
    done = _done(found)
    numbers, scores = [r["number"] for r in done], [r["dev"] for r in done]
    with _figure(path, (7.2, 4.2)) as (figure, written):
        axes = figure.subplots()
        for r in done:
            if len(r["dev_seeds"]) > 1:
                axes.plot([r["number"]] * 2, [min(r["dev_seeds"]), max(r["dev_seeds"])], color=GREY, linewidth=1)
        axes.plot(
            numbers,
            scores,
            "o",
            color=BLUE,
            label="a setting" + (", mean of its seeds" if len(done[0]["dev_seeds"]) > 1 else ""),
        )
        best = (np.maximum if measure.unit.sign > 0 else np.minimum).accumulate(scores)
        axes.step(numbers, best, where="post", color=ORANGE, linewidth=2, label="best so far")
        axes.set(title="Course of the search", xlabel="trial", ylabel=_label(measure))
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.grid(True)
        axes.legend(loc="lower right" if measure.unit.sign > 0 else "upper right")
    return written


def plot_search_settings(
    found: Sequence[dict[str, Any]], path: Path, logarithmic: set[str], measure: HeadlineMetric = WEIGHTED_F1
) -> tuple[Path, ...]:
    """Draw the dev score over the values of each setting, one panel a setting; the ring is the best trial.

    Args:
        found: records of a search.
        path: where to write.
        logarithmic: settings drawn on a logarithmic axis.
        measure: what they are judged by.

    Returns:
        The files written.
    """
    done = _done(found)
    keys = list(done[0]["params"])
    best = max(done, key=lambda r: measure.unit.sign * r["dev"])
    columns = min(COLUMNS, len(keys))
    lines = math.ceil(len(keys) / columns)
    with _figure(path, (max(4.6, 3.0 * columns), 3.0 * lines + 0.4)) as (figure, written):
        panels = figure.subplots(lines, columns, squeeze=False, sharey=True)
        for number, (axes, key) in enumerate(zip(panels.flat, keys, strict=False)):
            values = [r["params"][key] for r in done]
            places = _places(axes, values, key in logarithmic)
            axes.plot(places, [r["dev"] for r in done], "o", color=BLUE, alpha=0.6, markeredgewidth=0)
            axes.plot(
                [places[done.index(best)]], [best["dev"]], "o", markersize=11, markerfacecolor="none",
                markeredgecolor=ORANGE, markeredgewidth=2,
            )  # fmt: skip
            axes.set_xlabel(key.rpartition(".")[2].replace("_", " "))
            axes.grid(True)
            if number % columns == 0:
                axes.set_ylabel(_label(measure))
        for axes in panels.flat[len(keys) :]:
            axes.set_visible(False)
        figure.suptitle(f"{len(done)} settings; ring: the best", x=0.01, ha="left", weight="bold")
    return written


def _label(measure: HeadlineMetric) -> str:
    return f"{measure.name} on dev{measure.suffix}"


def _places(axes: Any, values: Sequence[Any], logarithmic: bool) -> list[float]:
    """Where the values stand on an axis, which is set up for them: numbers where there are many, else names."""
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    distinct = sorted(set(values)) if numeric else sorted({str(v) for v in values})
    if numeric and (logarithmic or len(distinct) > 6):
        if logarithmic:
            from matplotlib.ticker import LogLocator

            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.minorticks_off()
        return [float(v) for v in values]
    names = [f"{v:g}" if numeric else str(v) for v in distinct]
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.5, len(names) - 0.5)
    return [float(distinct.index(v if numeric else str(v))) for v in values]
