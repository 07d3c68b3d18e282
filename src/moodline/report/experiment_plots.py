"""Pictures of an experiment: sweeps, differences to the base, experts beside the mixture, one conversation.

Everything is drawn from the content of an ``experiment.json``; see ``plots.py`` for the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.errors import StorageError
from moodline.evaluation.headline import HeadlineMetric
from moodline.evaluation.tasks import task_in
from moodline.report.experiment_words import signed, words_of
from moodline.report.plots import (
    BLUE,
    EXPERT_COLOURS,
    GREY,
    INK,
    ORANGE,
    SKY,
    VERMILLION,
    _figure,
    plot_confusion,
    plot_gate_weights,
    plot_per_class,
)
from moodline.report.regression_plots import plot_value_case

CLASS_COLOURS = ("#77AADD", "#EE8866", "#EEDD88", "#FFAABB", "#99DDFF", "#44BB99", "#BBCC33", "#AAAA00")
"""Paul Tol's light colours for the classes, in the order of the label set; none of them is an expert's."""

FAR = 4.0
"""A difference is an outlier at so many times the third quartile of all."""


def draw_experiment(data: dict[str, Any], folder: Path) -> None:
    """Draw all pictures of an experiment, each as PNG and SVG.

    Args:
        data: content of ``experiment.json``.
        folder: is made.

    Raises:
        StorageError: the disk refused.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.writing(folder, error) from error
    measure = task_in(data).headline
    if _swept(data):
        plot_sweeps(data, folder / "sweeps")
    if any("versus_base" in v for v in data["variants"]):
        plot_differences(data, folder / "differences")
    if data["voices"]:
        plot_voices(data["voices"], measure, folder / "voices")
        words = words_of(data)
        plot_gate_weights(words.all_gate_rows(data["gate"]), folder / "gate-weights")
        PICTURES[words.case](data, folder / "case")
    for name in words_of(data).plots:
        PICTURES[name](data, folder / name)


def _swept(data: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Sweep to its variants that were run."""
    rows = {name: [v for v in data["variants"] if v["group"] == name and "test" in v] for name in data["sweeps"]}
    return {name: variants for name, variants in rows.items() if variants}


def plot_sweeps(data: dict[str, Any], path: Path) -> tuple[Path, ...]:
    """Draw the scores over the values of each sweep: dev and test, mean and spread over seeds, the base marked.

    Args:
        data: content of ``experiment.json``.
        path: where to write.

    Returns:
        The files written.
    """
    swept = _swept(data)
    width = sum(1.3 + 0.62 * len(v) for v in swept.values())
    ratios = [1.0 + len(v) for v in swept.values()]
    with _figure(path, (max(5.6, width), 4.3)) as (figure, written):
        panels = figure.subplots(1, len(swept), sharey=True, squeeze=False, width_ratios=ratios)[0]
        for panel, (name, variants) in zip(panels, swept.items(), strict=True):
            places = np.arange(len(variants))
            for part, colour, marker, shift in (("dev", ORANGE, "s", -0.1), ("test", BLUE, "o", 0.1)):
                seeds = np.array([v[part]["seeds"] for v in variants])
                panel.scatter(
                    np.repeat(places + shift, seeds.shape[1]),
                    seeds.ravel(),
                    s=9,
                    color=colour,
                    alpha=0.45,
                    linewidths=0,
                )
                mean, sd = ([v[part][k] for v in variants] for k in ("mean", "sd"))
                panel.errorbar(
                    places + shift, mean, yerr=sd, color=colour, marker=marker, ms=6, lw=1.8, capsize=3, label=part
                )
            sweep = data["sweeps"][name]
            panel.set_xticks(places, [f"{v['value']:g}" for v in variants])
            for place, v in zip(places, variants, strict=True):
                if v["run"] == "base":
                    panel.axvspan(place - 0.42, place + 0.42, color="#EEEEEE", zorder=0, lw=0)
            panel.set_xlabel(sweep["symbol"], fontsize=13)
            panel.set_title(sweep["title"].partition(" (")[0], fontsize=12)
            panel.set_xlim(-0.6, len(variants) - 0.4)
            panel.grid(True, axis="y")
        measure = task_in(data).headline
        panels[0].set_ylabel(f"{measure.name}{measure.suffix}{measure.direction}")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
        note = "mean ± standard deviation over seeds; small: each seed; grey: the base recipe"
        figure.supxlabel(note, fontsize=9, color=GREY)
    return written


def plot_differences(data: dict[str, Any], path: Path) -> tuple[Path, ...]:
    """Draw each variant's difference to the base on test with its 95 % interval.

    Differences many times as large as the others are arrows at the edge, so that the others can be told apart; the
    numbers stand beside them all.

    Args:
        data: content of ``experiment.json``.
        path: where to write.

    Returns:
        The files written.
    """
    rows = [v for v in data["variants"] if "versus_base" in v]
    unit = task_in(data).headline.unit
    edge = axis_reach([v["versus_base"]["interval"] for v in rows])
    width = 5.0 + 0.08 * max(len(v["title"]) for v in rows)
    with _figure(path, (width, 0.36 * len(rows) + 1.9)) as (figure, written):
        axes = figure.subplots()
        axes.axvline(0, color=INK, lw=1.2)
        for y, v in enumerate(rows):
            middle, (low, high) = v["versus_base"]["difference"], v["versus_base"]["interval"]
            side = unit.sign * (int(low > 0) - int(high < 0))
            colour = (GREY, BLUE, VERMILLION)[side]  # the last where it is −1, clearly worse
            axes.plot(np.clip([low, high], -edge, edge), [y, y], color=colour, lw=2, solid_capstyle="round")
            marker = "o" if abs(middle) <= edge else "<" if middle < 0 else ">"
            axes.plot(np.clip([middle], -edge, edge), [y], marker, color=colour, ms=7)
            axes.text(
                1.01,
                y,
                signed(middle, unit.shown),
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=10,
                color=colour,
            )
        for y in range(1, len(rows)):
            if rows[y]["group"] != rows[y - 1]["group"]:
                axes.axhline(y - 0.5, color="#BBBBBB", lw=0.8)
        axes.set_yticks(range(len(rows)), [v["title"] for v in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        note = "" if unit.sign > 0 else "; left of 0 is better"
        if any(abs(v["versus_base"]["difference"]) > edge for v in rows):
            note += "; arrows: farther"
        axes.set(title="Difference to the base recipe", xlabel=f"{unit.name} on test, with 95 % interval{note}")
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.spines["left"].set_visible(False)
    return written


def axis_reach(intervals: Sequence[Sequence[float]]) -> float:
    """How far the axis of differences goes: to the farthest interval that is no outlier among them."""
    reach = np.array([max(map(abs, interval)) for interval in intervals])
    return float(reach[reach <= FAR * np.quantile(reach, 0.75)].max())


def plot_voices(voices: list[dict[str, Any]], measure: HeadlineMetric, path: Path) -> tuple[Path, ...]:
    """Draw what is measured of the mixture, of each expert alone, of their vote and of their average.

    Args:
        voices: of ``experiment.json``.
        measure: what is measured.
        path: where to write.

    Returns:
        The files written.
    """
    digits = measure.unit.shown
    label = f"{measure.name} on test{measure.suffix}{measure.direction}; small: each seed"
    with _figure(path, (7.6, 0.46 * len(voices) + 1.6)) as (figure, written):
        axes = figure.subplots()
        best = voices[0]["test"]["mean"]
        axes.axvline(best, color=GREY, lw=1, ls="--")
        for y, v in enumerate(voices):
            expert = v["name"].removesuffix(" expert")
            colour = INK if y == 0 else EXPERT_COLOURS.get(expert, SKY)
            seeds = v["test"]["seeds"]
            axes.scatter(seeds, [y + 0.2] * len(seeds), s=12, color=colour, alpha=0.6, linewidths=0)
            axes.errorbar(
                [v["test"]["mean"]], [y], xerr=[v["test"]["sd"]], fmt="o", ms=8, color=colour, capsize=3, lw=1.8
            )
            mean, sd = (f"{v['test'][k]:.{digits}f}" for k in ("mean", "sd"))
            text = f"{mean} ± {sd}" if len(seeds) > 1 else mean
            axes.text(1.01, y, text, transform=axes.get_yaxis_transform(), va="center", fontsize=10)
        axes.set_yticks(range(len(voices)), [v["name"] for v in voices])
        axes.set_ylim(len(voices) - 0.5, -0.5)
        axes.set(title="One expert, all of them, the mixture", xlabel=label)
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.spines["left"].set_visible(False)
    return written


def plot_case(case: dict[str, Any], labels: list[str], path: Path) -> tuple[Path, ...]:
    """Draw one conversation: what is true, what the mixture and each expert said, and the gate weights below.

    Args:
        case: of ``experiment.json``.
        labels: the label set.
        path: where to write.

    Returns:
        The files written.
    """
    from matplotlib.patches import Patch, Rectangle

    turns = case["utterances"]
    experts = list(turns[0]["experts"])
    colours = dict(zip(labels, CLASS_COLOURS * (len(labels) // len(CLASS_COLOURS) + 1), strict=False))
    rows = ["label", "mixture", *(f"{e} expert" for e in experts)]
    with _figure(path, (max(7.0, 0.36 * len(turns) + 2.0), 5.2)) as (figure, written):
        top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1.3, 1]})
        for x, u in enumerate(turns):
            for y, said in enumerate((u["label"], u["mixture"], *(u["experts"][e] for e in experts))):
                top.add_patch(Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, color=colours[said], lw=0))
                if y and said != u["label"]:
                    top.plot([x], [y], "x", color=INK, ms=6, mew=1.6)
            height = 0.0
            for e in experts:
                bottom.bar(x, u["weights"][e], bottom=height, width=0.92, color=EXPERT_COLOURS.get(e, SKY), lw=0)
                height += u["weights"][e]
        top.set_yticks(range(len(rows)), rows)
        top.set_ylim(len(rows) - 0.5, -0.5)
        top.set_xlim(-0.6, len(turns) - 0.4)
        top.set_title("One conversation, utterance by utterance")
        top.spines[:].set_visible(False)
        top.tick_params(length=0)
        bottom.set(ylim=(0, 1), ylabel="gate weight", xlabel="utterance; a cross marks a wrong answer")
        bottom.set_xticks(range(len(turns)), [str(n + 1) for n in range(len(turns))], fontsize=9)
        used = {s for u in turns for s in (u["label"], u["mixture"], *u["experts"].values())}
        classes = [Patch(color=colours[label], label=label) for label in labels if label in used]
        kinds = [Patch(color=EXPERT_COLOURS.get(e, SKY), label=e) for e in experts]
        top.legend(handles=classes, loc="upper left", bbox_to_anchor=(1.01, 1.0), title="class", frameon=False)
        bottom.legend(handles=kinds, loc="upper left", bbox_to_anchor=(1.01, 1.0), title="expert", frameon=False)
    return written


def _per_class(data: dict[str, Any], path: Path) -> tuple[Path, ...]:
    return plot_per_class(
        {label: (row["f1"]["mean"], row["f1"]["sd"]) for label, row in data["per_class"].items()}, path
    )


def _confusion(data: dict[str, Any], path: Path) -> tuple[Path, ...]:
    seeds = len(data["seeds"])
    title = f"Confusion, {f'{seeds} seeds together' if seeds > 1 else 'one seed'}"
    return plot_confusion(data["confusion"], data["labels"], path, title)


PICTURES: dict[str, Callable[[dict[str, Any], Path], tuple[Path, ...]]] = {
    "case": lambda data, path: plot_case(data["case"], data["labels"], path),
    "value-case": lambda data, path: plot_value_case(data["case"], (data["scale"]["low"], data["scale"]["high"]), path),
    "per-class-f1": _per_class,
    "confusion": _confusion,
}
"""Those that the words of a task name."""
