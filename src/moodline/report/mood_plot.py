"""One conversation as a picture: its mood line, whom the gate believed, how unsure, and on what context.

The HTML report shows more and can be clicked; this is for papers and slides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.plots import EXPERT_COLOURS, INK, LINES, canvas, save
from moodline.report.presentation import presentation_of

NUMBERED = 40
"""Up to so many utterances each has its number below; in longer conversations some have."""
WIDEST = 20.0
"""Inches."""


def attention_matrices(utterances: Sequence[UtterancePrediction]) -> dict[str, list[NDArray[np.float64]]]:
    """Where each utterance looked, as matrices.

    Args:
        utterances: of one conversation.

    Returns:
        Modality to one matrix [U, U] for each reasoning step: row u is what utterance u looked at, NaN where it did
        not look or looked less than at the places that are told. Empty where the model does not reason.
    """
    place = {u.id: n for n, u in enumerate(utterances)}
    found: dict[str, list[NDArray[np.float64]]] = {}
    for row, u in enumerate(utterances):
        for modality, steps in u.attention.items():
            matrices = found.setdefault(modality, [])
            while len(matrices) < len(steps):
                matrices.append(np.full((len(place), len(place)), np.nan))
            for matrix, seen in zip(matrices, steps, strict=False):
                for other, weight in seen:
                    matrix[row, place[other]] = weight
    return found


def write_mood_plot(prediction: list[Prediction], file: BinaryIO, suffix: str) -> None:
    """Draw one conversation.

    Args:
        prediction: exactly one.
        file: is written to.
        suffix: ``.svg`` or ``.png``.
    """
    (one,) = prediction
    turns = one.utterances
    attention = attention_matrices(turns)
    experts = list(dict.fromkeys(e for u in turns for e in u.weights))
    unsure = list(dict.fromkeys(m for u in turns for m in u.uncertainty))
    height, draw = MOODS[presentation_of(one).mood]
    heights = [height(one)]
    heights += [1.5] if len(experts) > 1 else []
    heights += [1.5] if unsure else []
    width = min(WIDEST, max(7.0, 0.36 * len(turns) + 2.5))
    steps = max(map(len, attention.values()), default=0)
    side = 3.4 if steps else 0.0
    total = sum(heights) + side * len(attention) + 0.8
    with canvas((max(width, side * steps + 1.5), total)) as figure:
        upper, *lower = figure.subfigures(1 + len(attention), 1, height_ratios=[sum(heights), *[side] * len(attention)],
                                          squeeze=False)[:, 0]  # fmt: skip
        axes = list(upper.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
        draw(figure, axes[0], one)
        rest = iter(axes[1:])
        if len(experts) > 1:
            _weights(next(rest), turns, experts)
        if unsure:
            _uncertainty(next(rest), turns, unsure)
        _number(axes[-1], "x", len(turns))
        axes[-1].set_xlabel("utterance")
        for part, (modality, matrices) in zip(lower, attention.items(), strict=True):
            _attention(part, modality, matrices)
        save(figure, file, suffix)


def _shades(figure: Any, axes: Any, one: Prediction) -> None:
    """Probability of every label as shades, the answer as a dot, hollow where the model had better abstain."""
    shares = np.array([[u.probabilities.get(label, np.nan) for u in one.utterances] for label in one.labels])
    shades = axes.imshow(shares, aspect="auto", cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    size = 6 if len(one.utterances) <= NUMBERED else 3
    for x, u in enumerate(one.utterances):
        fill = "white" if u.abstained else INK
        axes.plot([x], [one.labels.index(u.emotion)], "o", ms=size, mfc=fill, mec=INK, mew=1.0)
    axes.set_yticks(range(len(one.labels)), one.labels)
    axes.tick_params(length=0)
    title = f"{one.conversation}: the mood line"
    axes.set_title(title + ("; hollow: abstained" if any(u.abstained for u in one.utterances) else ""))
    axes.spines[:].set_visible(False)
    figure.colorbar(shades, ax=axes, label="probability", pad=0.01)


def _line(figure: Any, axes: Any, one: Prediction) -> None:
    """The value of every utterance as a line, and as a band where the true values are expected."""
    assert one.scale is not None
    places = np.arange(len(one.utterances))
    values = np.array([u.value for u in one.utterances], dtype=np.float64)
    ends = np.array([u.interval or (u.value, u.value) for u in one.utterances], dtype=np.float64)
    level = "" if one.level is None else f" {100 * one.level:.0f} %"
    axes.axhline(sum(one.scale.range) / 2, color=INK, lw=0.8, ls="--")
    if len(places) > 1:
        axes.fill_between(places, ends[:, 0], ends[:, 1], color=LINES[0], alpha=0.2, lw=0, label=f"interval{level}")
    else:
        axes.vlines(places, ends[:, 0], ends[:, 1], color=LINES[0], alpha=0.4, lw=6, label=f"interval{level}")
    axes.plot(places, values, "-o", ms=5 if len(places) <= NUMBERED else 2.5, lw=1.8, color=LINES[0], label="score")
    axes.set(ylim=one.scale.range, ylabel="score", title=f"{one.conversation}: the mood line")
    axes.grid(True, axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)


MOODS: dict[str, tuple[Callable[[Prediction], float], Callable[[Any, Any, Prediction], None]]] = {
    "shades": (lambda one: max(1.6, 0.34 * len(one.labels)), _shades),
    "line": (lambda one: 2.6, _line),
}
"""Kind of mood line to its height in inches and to how it is drawn."""


def _weights(axes: Any, turns: Sequence[UtterancePrediction], experts: Sequence[str]) -> None:
    bottom = np.zeros(len(turns))
    spare = iter(c for c in LINES if c not in EXPERT_COLOURS.values())
    for e in experts:
        height = np.array([u.weights.get(e, 0.0) for u in turns])
        colour = EXPERT_COLOURS.get(e) or next(spare, INK)
        axes.bar(range(len(turns)), height, bottom=bottom, width=0.92, color=colour, lw=0, label=e)
        bottom += height
    axes.set(ylim=(0, 1), ylabel="gate weight")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)


def _uncertainty(axes: Any, turns: Sequence[UtterancePrediction], modalities: Sequence[str]) -> None:
    for m in modalities:
        values = [u.uncertainty.get(m, np.nan) for u in turns]
        axes.plot(range(len(turns)), values, "-o", ms=3.5, lw=1.4, color=EXPERT_COLOURS.get(m, INK), label=m)
    most = max((u.uncertainty.get(m, 0.0) for u in turns for m in modalities), default=1.0)
    axes.set(ylabel="uncertainty σ", ylim=(0, 1.15 * most or 1.0))
    axes.grid(True, axis="y")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)


def _attention(part: Any, modality: str, matrices: Sequence[NDArray[np.float64]]) -> None:
    """A matrix for each reasoning step: whoever is in a row looked at whom is in the column."""
    panels = part.subplots(1, len(matrices), squeeze=False)[0]
    most = max((float(np.nanmax(x)) for x in matrices if np.isfinite(x).any()), default=1.0)
    for step, (axes, matrix) in enumerate(zip(panels, matrices, strict=True), start=1):
        shades = axes.imshow(matrix, cmap="viridis_r", vmin=0, vmax=most, interpolation="nearest")
        axes.set_title(f"{modality}: reasoning step {step}", fontsize=11)
        axes.set(xlabel="looked at utterance", ylabel="utterance" if step == 1 else None)
        _number(axes, "x", len(matrix), thin=True)
        _number(axes, "y", len(matrix), thin=True)
    part.colorbar(shades, ax=list(panels), label="attention weight", pad=0.02)


def _number(axes: Any, way: str, count: int, thin: bool = False) -> None:
    """Utterances counted from 1, each or every so many."""
    most = 12 if thin else NUMBERED
    every = max(1, -(-count // most))
    marks = range(0, count, every)
    names = [str(n + 1) for n in marks]
    (axes.set_xticks if way == "x" else axes.set_yticks)(marks, names, fontsize=9)
