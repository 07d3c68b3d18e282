"""Pictures of how much the parts inside a model counted: EGMF's α, by class and by sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodline.report.plots import BLUE, GREEN, INK, ORANGE, PURPLE, SKY, _figure

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)


def plot_guides(
    truth: Sequence[str | float | None], guides: Mapping[str, NDArray[np.float32]], path: Path
) -> tuple[Path, ...]:
    """Draw α: its distribution for each class (for scores, each whole number), and all samples side by side.

    Args:
        truth: [N] true labels or scores; None is left out of the classes.
        guides: expert to α [N].
        path: where to write, see ``plots``.

    Returns:
        The files written.
    """
    names = [None if y is None else y if isinstance(y, str) else f"{round(y):+d}" for y in truth]
    classes = list(dict.fromkeys(sorted((n for n in names if n is not None), key=_order)))
    colours = dict(zip(guides, COLOURS, strict=False))
    with _figure(path, (11.0, 0.42 * max(6, len(classes) * len(guides) / 2) + 1.6)) as (figure, written):
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        step = 0.8 / len(guides)
        for k, (expert, alpha) in enumerate(guides.items()):
            rows = [alpha[[n == c for n in names]] for c in classes]
            places = np.arange(len(classes)) + (k - (len(guides) - 1) / 2) * step
            left.boxplot(
                rows, positions=places, widths=0.8 * step, orientation="horizontal", showfliers=False,
                patch_artist=True, medianprops={"color": INK}, boxprops={"facecolor": colours[expert], "alpha": 0.8},
            )  # fmt: skip
            left.plot([], [], "s", color=colours[expert], label=expert)
        left.set_yticks(range(len(classes)), [f"{c} ({names.count(c)})" for c in classes])
        left.invert_yaxis()
        left.set(title="α by class", xlabel="α, quartiles", xlim=(0, None))
        left.grid(True, axis="x")
        left.legend(loc="best")
        order = np.argsort(next(iter(guides.values())), kind="stable")
        below = np.zeros(len(order))
        for expert, alpha in guides.items():
            right.fill_between(range(len(order)), below, below + alpha[order], color=colours[expert], lw=0)
            below = below + alpha[order]
        right.set(title="α by sample", xlabel=f"utterances, by α of {next(iter(guides))}", ylim=(0, 1))
        right.set_xlim(0, max(1, len(order) - 1))
    return written


def _order(name: str) -> tuple[int, str]:
    """Labels by name, numbers by size."""
    return (int(name), "") if name.lstrip("+-").isdecimal() else (0, name)
