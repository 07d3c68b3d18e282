"""Pictures of a regressing model's results: predicted against true scores, where it errs, one conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from moodline.evaluation.metrics import Floats
from moodline.report.plots import BLUE, EXPERT_COLOURS, GREY, INK, ORANGE, SKY, VERMILLION, _figure

STEPS = 12
"""Into so many equal parts the range is cut for lines over the true score."""


def plot_agreement(truth: Floats, predicted: Floats, limits: tuple[float, float], path: Path) -> tuple[Path, ...]:
    """Draw predicted against true scores, one point an utterance, and the mean answer along the true score.

    Args:
        truth: [N].
        predicted: [N], the mean over the seeds.
        limits: the range of the scores.
        path: where to write, see ``plots``.

    Returns:
        The files written.
    """
    with _figure(path, (5.8, 5.6)) as (figure, written):
        axes = figure.subplots()
        axes.plot(limits, limits, color=GREY, lw=1, ls="--", label="perfect")
        axes.plot(truth, predicted, "o", ms=3.5, color=BLUE, alpha=0.25, mew=0, rasterized=True)
        centres, parts = _parts(truth, predicted, limits)
        means = [float(part.mean()) for part in parts]
        axes.plot(centres, means, "-o", ms=4, lw=2, color=ORANGE, label="mean answer")
        axes.set(xlim=_wider(limits), ylim=_wider(limits), xlabel="true score", ylabel="predicted score")
        axes.set(title="Predicted against true", aspect="equal")
        axes.grid(True)
        axes.legend(loc="upper left")
    return written


def plot_residuals(
    truth: Floats, predicted: Floats, limits: tuple[float, float], half_width: float, path: Path
) -> tuple[Path, ...]:
    """Draw the errors (predicted minus true): how they are spread, and along the true score with quartiles.

    Args:
        truth: [N].
        predicted: [S, N], of each seed.
        limits: the range of the scores.
        half_width: of the interval that is told with an answer; drawn as lines.
        path: where to write, see ``plots``.

    Returns:
        The files written.
    """
    errors = predicted - truth
    everywhere = np.broadcast_to(truth, errors.shape).ravel()
    with _figure(path, (10.0, 4.2)) as (figure, written):
        left, right = figure.subplots(1, 2)
        left.hist(errors.ravel(), bins=40, color=BLUE, lw=0)
        for side in (-half_width, half_width):
            left.axvline(side, color=ORANGE, lw=1.6)
        left.set(title="Errors on test", xlabel="predicted − true; lines: the interval told", ylabel="utterances")
        centres, parts = _parts(everywhere, errors.ravel(), limits)
        low, middle, high = (np.array([np.quantile(p, q) for p in parts]) for q in (0.25, 0.5, 0.75))
        right.axhline(0, color=GREY, lw=1, ls="--")
        right.fill_between(centres, low, high, color=BLUE, alpha=0.25, lw=0, label="middle half")
        right.plot(centres, middle, "-o", ms=4, color=INK, label="median")
        right.set(title="Errors by true score", xlabel="true score", ylabel="predicted − true", xlim=_wider(limits))
        right.legend(loc="upper right")
        for axes in (left, right):
            axes.grid(True)
    return written


def plot_value_case(case: dict[str, Any], limits: tuple[float, float], path: Path) -> tuple[Path, ...]:
    """Draw one conversation: true scores, what the mixture and each expert said, and the gate weights below.

    Args:
        case: of ``experiment.json``.
        limits: the range of the scores.
        path: where to write, see ``plots``.

    Returns:
        The files written.
    """
    turns = case["utterances"]
    experts = list(turns[0]["experts"])
    places = np.arange(len(turns))
    with _figure(path, (max(7.0, 0.36 * len(turns) + 2.0), 6.0)) as (figure, written):
        top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [1.8, 1]})
        height = np.zeros(len(turns))
        for e in experts:
            colour = EXPERT_COLOURS.get(e, SKY)
            weights = np.array([u["weights"][e] for u in turns])
            said = np.where(weights > 0, [u["experts"][e] for u in turns], np.nan)  # else it knows nothing
            top.plot(places, said, "-s", ms=4, lw=1, color=colour, alpha=0.75, label=f"{e} expert")
            bottom.bar(places, weights, bottom=height, width=0.92, color=colour, lw=0, label=e)
            height = height + weights
        top.plot(places, [u["mixture"] for u in turns], "-o", ms=6, lw=2.2, color=INK, label="mixture")
        top.plot(places, [u["score"] for u in turns], "D", ms=8, mfc="white", mec=VERMILLION, mew=2, label="true score")
        top.set(title="One conversation, utterance by utterance", ylabel="score", ylim=_wider(limits))
        top.set_xlim(-0.6, len(turns) - 0.4)
        top.grid(True, axis="y")
        bottom.set(ylim=(0, 1), ylabel="gate weight", xlabel="utterance")
        bottom.set_xticks(places, [str(n + 1) for n in places], fontsize=9)
        top.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
        bottom.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), title="expert", frameon=False)
    return written


def _parts(truth: Floats, values: Floats, limits: tuple[float, float]) -> tuple[list[float], list[Floats]]:
    """Values by equal parts of the range of the true score, empty parts left out, and the parts' centres."""
    edges = np.linspace(*limits, STEPS + 1)
    place = np.clip(np.digitize(truth, edges) - 1, 0, STEPS - 1)
    filled = [n for n in range(STEPS) if (place == n).any()]
    return [float((edges[n] + edges[n + 1]) / 2) for n in filled], [values[place == n] for n in filled]


def _wider(limits: tuple[float, float]) -> tuple[float, float]:
    room = 0.05 * (limits[1] - limits[0])
    return limits[0] - room, limits[1] + room
