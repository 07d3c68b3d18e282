"""The headline metric of each task, described once: its name, direction, digits and formula.

Training chooses an epoch by it, a search its settings, ``compare`` and experiments two runs; tables, pages and plots
are labelled with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from moodline.evaluation.metrics import (
    clustered_confusions,
    clustered_errors,
    mae_from_sums,
    mean_and_sd,
    weighted_f1_from_confusion,
)
from moodline.evaluation.significance import Value, paired_test

DRAWS = 5000
"""Resampled test sets of every paired test."""


@dataclass(frozen=True)
class Unit:
    """How numbers of one kind are written.

    Args:
        name: of a difference, as claims in ``experiment.json`` say it.
        factor: from the number as it is computed to the one that is written.
        digits: in files and on the command line.
        shown: digits on pages.
        mark: stands behind a difference on pages.
        sign: 1 where greater is better, −1 where less is.
    """

    name: str
    factor: float
    digits: int
    shown: int
    mark: str
    sign: int

    def written(self, number: Any) -> float:
        """The number as it stands in files."""
        return round(self.factor * float(number), self.digits)

    def text(self, number: float) -> str:
        """A number of a file as the command line prints it."""
        return f"{number:.{self.digits}f}"

    def outcome(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """``difference``, ``interval`` and ``p`` of ``paired_test`` as they stand in files."""
        interval = [self.written(x) for x in found["interval"]]
        return {"difference": self.written(found["difference"]), "interval": interval, "p": round(found["p"], 4)}


GATE_WEIGHT = Unit("mean gate weight", 1.0, 3, 3, "", 1)
CLASS_F1 = Unit("points of F1", 100.0, 2, 1, " points", 1)


@dataclass(frozen=True)
class HeadlineMetric:
    """What models of one task are chosen, compared and reported by.

    Args:
        key: its name in result files; in histories and logs ``dev_KEY``.
        name: in words.
        symbol: short, for progress bars.
        percent: ``"%"`` where it is a percentage; empty where it has the unit of the values.
        direction: axis note when less is better; empty where more is.
        column: stands behind ``dev`` and ``test`` in the heads of tables.
        numbers: the numbers of a page, in words.
        better: which differences are better, for the heads of tables; empty where more is.
        reading: the same of claims, a sentence behind another; empty likewise.
        decimals: digits in the table of results.
        unit: of its differences, with direction and digits.
        sums: from a run's predictions and the answers of the mixture or one expert [S, N] to what adds up over
            conversations [S, G, …].
        value: from such sums […, S, …] to the number of each seed, before ``unit.factor``.
    """

    key: str
    name: str
    symbol: str
    percent: str
    direction: str
    column: str
    numbers: str
    better: str
    reading: str
    decimals: int
    unit: Unit
    sums: Callable[[Any, NDArray[Any]], NDArray[Any]]
    value: Value

    @property
    def suffix(self) -> str:
        """Its unit behind a name, for axes: `` (%)``; empty where it has none."""
        return f" ({self.percent})" if self.percent else ""

    def over_seeds(self, sums: NDArray[Any]) -> dict[str, Any]:
        """``mean``, ``sd`` and the values for each seed, of sums [S, G, …]."""
        return mean_and_sd([self.unit.written(x) for x in self.value(sums.sum(1))], self.unit.digits)

    def difference(self, first: NDArray[Any], second: NDArray[Any], draws: int = DRAWS) -> dict[str, Any]:
        """The paired test of two models, second minus first, of their sums [S, G, …].

        All runs of an experiment have the same seeds, and so the same first weights and batches: seeds are pairs, too.
        """
        return self.unit.outcome(paired_test((first, second), self.value, draws, same_seeds=True))


WEIGHTED_F1 = HeadlineMetric(
    key="weighted_f1",
    name="weighted F1",
    symbol="WF1",
    percent="%",
    direction="",
    column="",
    numbers="weighted F1 in percent",
    better="",
    reading="",
    decimals=1,
    unit=Unit("points of weighted F1", 100.0, 2, 1, " points", 1),
    sums=lambda p, answers: clustered_confusions(p.truth, answers, p.clusters, len(p.labels)),
    value=weighted_f1_from_confusion,
)
MEAN_ABSOLUTE_ERROR = HeadlineMetric(
    key="mae",
    name="mean absolute error",
    symbol="MAE",
    percent="",
    direction=", less is better",
    column=" MAE",
    numbers="mean absolute errors (MAE), less is better",
    better=", below 0 is better",
    reading=" Of errors (MAE) less is better, so a difference below 0 speaks for the claim.",
    decimals=3,
    unit=Unit("mean absolute error", 1.0, 4, 4, " MAE", -1),
    sums=lambda p, answers: clustered_errors(p.truth, answers, p.clusters),
    value=mae_from_sums,
)
UNITS = {u.name: u for u in (GATE_WEIGHT, CLASS_F1, WEIGHTED_F1.unit, MEAN_ABSOLUTE_ERROR.unit)}
