"""Pictures of results: learning curves, confusion, gate weights, calibration, scores by class.

Every function takes plain data and a path. A path ending in ``.svg`` or ``.png`` names one picture; without a suffix
both are written beside each other. The same data give the same bytes. matplotlib's global state is left as it was.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import ArrayLike

from moodline.core.errors import ConfigError
from moodline.core.files import check_output_path, replacing

BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442",
)  # fmt: skip
"""The palette of Okabe and Ito, which colour-blind people can tell apart."""

LINES = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, "#222222", "#6B6B6B")
"""Colours of lines, in order; more lines than these are not drawn."""

INK, GREY, GRID = "#222222", "#6B6B6B", "#DDDDDD"
EXPERT_COLOURS = {"speech": ORANGE, "text": BLUE, "visual": GREEN, "fusion": PURPLE}
"""One colour for each expert, the same in every picture; further experts take the rest of the palette."""

_STYLE: dict[str, Any] = {
    "svg.hashsalt": "moodline",
    "svg.fonttype": "path",
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelsize": 11,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "white",
    "legend.fontsize": 10,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": 100,
    "savefig.dpi": 160,
}
"""Set for the time of one picture; a user's matplotlibrc does not change our pictures."""


def plot_learning_curves(history: Sequence[Sequence[Mapping[str, float]]], path: Path) -> tuple[Path, ...]:
    """Draw losses and dev scores over the epochs, one thin line for each seed and their mean in bold.

    Args:
        history: for every seed its epochs, as in ``history.json``; each a mapping with ``epoch``, ``loss`` (or
            ``loss_total`` and its terms ``loss_*``) and any ``dev_*`` scores in 0..1, or ``dev_mae``. Values missing in
            an epoch are passed over; the mean stands where every seed has a value. Terms are drawn as their mean only.
            A ring marks each seed's best epoch by the first dev score (``dev_weighted_f1`` if there is one).
        path: where to write.

    Returns:
        The files written.

    Raises:
        ConfigError: no loss in the history, or ``path`` is no picture's place.
        StorageError: the disk refused.
    """
    columns = list(dict.fromkeys(key for seed in history for row in seed for key in row))
    losses = [key for key in columns if key == "dev_loss" or key.split("_")[0] == "loss"]
    scores = [key for key in columns if key.startswith("dev_") and key != "dev_loss"]
    if not losses:
        raise ConfigError("learning curves: expected at least one seed with 'loss' in its epochs", columns)
    losses.sort(key=lambda key: ["loss", "loss_total", "dev_loss", key].index(key))
    scores.sort(key=lambda key: key != "dev_weighted_f1")
    with _figure(path, (11.0 if scores else 6.0, 4.4)) as (figure, written):
        panels = figure.subplots(1, 2 if scores else 1, squeeze=False)[0]
        for key, colour in zip(losses, LINES, strict=False):
            name = {"loss": "training", "dev_loss": "dev"}.get(key, key.removeprefix("loss_").replace("_", " "))
            _curves(panels[0], history, key, colour, name, main=key in ("loss", "loss_total", "dev_loss"))
        panels[0].set(title="Loss", xlabel="epoch", ylabel="loss per utterance")
        errors = "dev_mae" in scores
        for key, colour in zip(scores, LINES, strict=False):
            name = key.removeprefix("dev_").replace("_", " ").replace("f1", "F1")
            best = (min if errors else max) if key == scores[0] else None
            _curves(panels[1], history, key, colour, name, scale=1 if errors else 100, best=best)
        if scores:
            titles = ("Error on dev", "mean absolute error") if errors else ("Score on dev", "score (%)")
            panels[1].set(title=titles[0], xlabel="epoch", ylabel=titles[1])
        for panel, place in zip(panels, ("upper right", "lower right"), strict=False):
            panel.grid(True)
            panel.margins(x=0.03)
            panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            panel.legend(loc=place)
        models = "one model" if len(history) == 1 else f"thin: each of {len(history)} models; bold: their mean"
        note = models + ("; ring: a model's best dev epoch" if scores else "")
        figure.supxlabel(note, fontsize=9, color=GREY)
    return written


def _curves(
    axes: Any,
    history: Sequence[Any],
    key: str,
    colour: str,
    name: str,
    *,
    scale: float = 1.0,
    main: bool = True,
    best: Callable[..., Any] | None = None,
) -> None:
    """The lines of one value; ``main`` for those that also show every seed; ``best``, max or min, for rings."""
    series = [{row["epoch"]: scale * row[key] for row in seed if row.get(key) is not None} for seed in history]
    series = [values for values in series if values]
    for values in series:
        if main and len(series) > 1:
            axes.plot(list(values), list(values.values()), color=colour, linewidth=1, alpha=0.45)
        if best is not None:
            top = best(values, key=lambda epoch: values[epoch])
            axes.plot(
                [top], [values[top]], "o", markersize=8, markerfacecolor="white", markeredgecolor=colour, zorder=4
            )
    shared = sorted(set.intersection(*(set(values) for values in series)) if series else ())
    mean = [float(np.mean([values[epoch] for values in series])) for epoch in shared]
    marker = "o" if len(shared) == 1 else None
    axes.plot(shared, mean, color=colour, linewidth=2.4 if main else 1.2, label=name, marker=marker)


def plot_confusion(matrix: ArrayLike, labels: Sequence[str], path: Path, title: str = "Confusion") -> tuple[Path, ...]:
    """Draw a confusion matrix: colour and per cent by row (what became of each true class), counts below.

    Args:
        matrix: counts [C, C]; rows are true classes, columns predicted ones.
        labels: C class names.
        path: where to write.
        title: the picture's title.

    Returns:
        The files written.
    """
    counts = np.asarray(matrix)
    if counts.shape != (len(labels), len(labels)):
        raise ConfigError(f"confusion: expected a {len(labels)} by {len(labels)} matrix", counts.shape)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    size = max(4.6, 0.9 * len(labels) + 1.8)
    with _figure(path, (size + 0.8, size), "compressed") as (figure, written):
        axes = figure.subplots()
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*counts.shape):
            colour = "white" if shares[row, column] > 0.66 else INK
            colour = "#8A8A8A" if counts[row, column] == 0 else colour
            weight = "bold" if row == column else "normal"
            place = {"ha": "center", "color": colour}
            axes.text(column, row, f"{shares[row, column]:.0%}", va="bottom", fontsize=10, weight=weight, **place)
            axes.text(column, row + 0.06, f"{counts[row, column]:,}", va="top", fontsize=8, **place)
        ticks = range(len(labels))
        axes.set_xticks(ticks, labels, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, [f"{label} ({int(n):,})" for label, n in zip(labels, totals[:, 0], strict=True)])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(title=title, xlabel="predicted emotion", ylabel="true emotion (utterances)")
        bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03, format=lambda share, _: f"{share:.0%}")
        bar.set_label("share of the true class")
        bar.outline.set_visible(False)
    return written


def plot_gate_weights(weights: Mapping[str, Mapping[str, float]], path: Path) -> tuple[Path, ...]:
    """Draw how much each expert decides, for every class, as stacked bars.

    Args:
        weights: label to expert to mean gate weight; an expert that is missing for a label weighs nothing there.
        path: where to write.

    Returns:
        The files written.
    """
    experts = list(dict.fromkeys(expert for row in weights.values() for expert in row))
    if not experts:
        raise ConfigError("gate weights: expected at least one label with one expert", dict(weights))
    spare = (c for c in (SKY, YELLOW, VERMILLION, GREY) * len(experts))
    colours = {expert: EXPERT_COLOURS.get(expert) or next(spare) for expert in experts}
    with _figure(path, (7.6, 0.46 * len(weights) + 1.9)) as (figure, written):
        axes = figure.subplots()
        left = np.zeros(len(weights))
        for expert in experts:
            values = np.array([row.get(expert, 0.0) for row in weights.values()])
            bars = axes.barh(list(weights), values, left=left, height=0.68, color=colours[expert], label=expert)
            texts = [f"{v:.2f}" if v >= 0.06 else "" for v in values]
            ink = "white" if colours[expert] in (BLUE, GREY) else INK
            axes.bar_label(bars, texts, label_type="center", fontsize=10, color=ink)
            left = left + values
        axes.invert_yaxis()
        axes.set_xlim(0, max(1.0, float(left.max())))
        axes.set(title="Which expert decides", xlabel="mean gate weight")
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.spines["left"].set_visible(False)
        figure.legend(loc="outside upper right", ncols=min(4, len(experts)))
    return written


def plot_reliability(
    confidences: ArrayLike, correct: ArrayLike, path: Path, before: ArrayLike | None = None, bins: int = 10
) -> tuple[Path, ...]:
    """Draw how often answers of each confidence are right, and how many answers there are.

    Args:
        confidences: [N] in 0..1, one for every answer.
        correct: [N] whether the answer is right.
        path: where to write.
        before: [N] the same answers' confidences before calibration, drawn for comparison.
        bins: how many bins of equal width.

    Returns:
        The files written.
    """
    right = np.asarray(correct, dtype=float)
    series = [("calibrated" if before is not None else "model", np.asarray(confidences, dtype=float), BLUE)]
    if before is not None:
        series.insert(0, ("before calibration", np.asarray(before, dtype=float), ORANGE))
    if right.size == 0 or any(values.shape != right.shape for _, values, _ in series):
        raise ConfigError(
            "reliability: expected one confidence for every answer", f"{[s[1].shape for s in series]} for {right.shape}"
        )
    edges = np.linspace(0, 1, bins + 1)
    with _figure(path, (5.6, 6.4)) as (figure, written):
        top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
        top.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=1.2, label="ideal")
        for n, (name, values, colour) in enumerate(series):
            place = np.clip(np.digitize(values, edges[1:-1]), 0, bins - 1)
            counts = np.bincount(place, minlength=bins)
            full = counts > 0
            mean = np.bincount(place, values, bins)[full] / counts[full]
            accuracy = np.bincount(place, right, bins)[full] / counts[full]
            error = float(np.sum(counts[full] * np.abs(mean - accuracy)) / counts.sum())
            label = f"{name} (ECE {error:.1%})"
            marker = "s" if colour == ORANGE else "o"
            top.plot(100 * mean, 100 * accuracy, color=colour, marker=marker, lw=2, ms=6, label=label, clip_on=False)
            width = 100 / bins / len(series)
            lefts = 100 * edges[:-1] + n * width
            bottom.bar(lefts, 100 * counts / counts.sum(), width=0.9 * width, align="edge", color=colour)
        top.set(
            title="How far confidence can be trusted", ylabel="answers that are right (%)", xlim=(0, 100), ylim=(0, 100)
        )
        top.legend(loc="upper left")
        bottom.set(xlabel=f"confidence (%), {bins} bins", ylabel="answers (%)")
        for axes in (top, bottom):
            axes.grid(True)
    return written


def plot_risk_coverage(
    curves: Mapping[str, Sequence[Mapping[str, float]]],
    path: Path,
    chosen: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[Path, ...]:
    """Draw how often answers are wrong if only the most confident ones are given.

    Args:
        curves: name to the steps of ``metrics.risk_coverage``.
        path: where to write.
        chosen: name to (coverage, risk) in percent at the threshold that the model abstains below.

    Returns:
        The files written.
    """
    with _figure(path, (5.6, 4.6)) as (figure, written):
        axes = figure.subplots()
        for n, (name, steps) in enumerate(curves.items()):
            colour = LINES[n % len(LINES)]
            axes.plot([s["coverage"] for s in steps], [s["risk"] for s in steps], color=colour, lw=2, label=name)
            if chosen is not None and name in chosen:
                axes.plot(*chosen[name], color=colour, marker="o", ms=8, ls="", clip_on=False)
        if chosen:
            axes.plot([], [], color=GREY, marker="o", ms=8, ls="", label="abstaining below the threshold")
        axes.set(title="What abstaining buys", xlabel="answers given (%)", ylabel="of these, wrong (%)", xlim=(0, 100))
        axes.set_ylim(bottom=0)
        axes.grid(True)
        axes.legend(loc="upper left")
    return written


def plot_per_class(scores: Mapping[str, tuple[float, float]], path: Path) -> tuple[Path, ...]:
    """Draw the F1 score of every class with its spread over the seeds.

    Args:
        scores: label to (mean F1, standard deviation), both in per cent, as in ``results.json``.
        path: where to write.

    Returns:
        The files written.
    """
    if not scores:
        raise ConfigError("scores by class: expected at least one label", "none")
    means = np.array([mean for mean, _ in scores.values()])
    spread = np.array([sd for _, sd in scores.values()])
    with _figure(path, (7.2, 0.46 * len(scores) + 1.7)) as (figure, written):
        axes = figure.subplots()
        bars = axes.barh(list(scores), means, height=0.66, color=BLUE)
        if spread.any():
            low = np.minimum(spread, means)
            axes.errorbar(
                means, range(len(means)), xerr=[low, spread], fmt="none", ecolor=INK, elinewidth=1.2, capsize=3
            )
        texts = [f"{m:.1f}" + (f" ± {s:.1f}" if spread.any() else "") for m, s in zip(means, spread, strict=True)]
        for bar, text, end in zip(bars, texts, means + spread, strict=True):
            axes.text(end + 1.2, bar.get_y() + bar.get_height() / 2, text, va="center", fontsize=10)
        axes.invert_yaxis()
        axes.set_xlim(0, max(100.0, float((means + spread).max()) + 14))
        axes.set_xticks(range(0, 101, 20))
        note = ", mean ± standard deviation over the seeds" if spread.any() else ""
        axes.set(title="Score by emotion", xlabel=f"F1 (%){note}")
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.spines["left"].set_visible(False)
    return written


@contextmanager
def _figure(
    path: Path, inches: tuple[float, float], layout: Literal["constrained", "compressed"] = "constrained"
) -> Iterator[tuple[Any, tuple[Path, ...]]]:
    """An empty figure and the files that it will be written to when the block ends well.

    Raises:
        ConfigError: a suffix that is neither ``.svg`` nor ``.png``, or no such folder.
        StorageError: the disk refused.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in ("", *_METADATA):
        raise ConfigError(
            f"{path}: unknown kind of picture", f"'{path.suffix}'", "Use .svg, .png, or no suffix for both."
        )
    paths = (path,) if suffix else tuple(path.with_name(path.name + kind) for kind in _METADATA)
    for file in paths:
        check_output_path(file)

    with canvas(inches, layout) as figure:
        yield figure, paths
        for file in paths:
            picture = io.BytesIO()
            save(figure, picture, file.suffix)
            with replacing(file) as out:
                out.write(picture.getvalue())


@contextmanager
def canvas(inches: tuple[float, float], layout: Literal["constrained", "compressed"] = "constrained") -> Iterator[Any]:
    """An empty figure in the project's style; matplotlib's global state is left as it was."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=inches, layout=layout)
        FigureCanvasAgg(figure)
        yield figure


def save(figure: Any, file: BinaryIO, suffix: str) -> None:
    """Write a figure of ``canvas``, inside its block; ``suffix`` is ``.svg`` or ``.png``."""
    kind = suffix.lower()
    figure.savefig(file, format=kind[1:], metadata=_METADATA[kind], bbox_inches="tight", pad_inches=0.15)


_METADATA: dict[str, dict[str, None]] = {".svg": {"Date": None}, ".png": {"Software": None}}
