"""What runs are compared by: weighted F1 where they learn classes, the mean absolute error where they learn scores.

Everything that depends on the task of an experiment's base recipe and is no more than a name, a number of digits, a
direction or a formula stands here; claims about gate weights and single classes have units of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.evaluation.metrics import (
    clustered_confusions,
    clustered_errors,
    mae_from_sums,
    weighted_f1_from_confusion,
)
from moodline.evaluation.significance import Value, paired_test

DRAWS = 5000
"""Resampled test sets of every test."""


@dataclass(frozen=True)
class Unit:
    """How numbers of one kind are told.

    Args:
        name: as claims in ``experiment.json`` say it.
        factor: from the number as it is computed to the one that is told.
        digits: in files.
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

    def told(self, number: Any) -> float:
        """The number as it stands in files."""
        return round(self.factor * float(number), self.digits)

    def outcome(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """``difference``, ``interval`` and ``p`` of ``paired_test`` as they stand in files."""
        interval = [self.told(x) for x in found["interval"]]
        return {"difference": self.told(found["difference"]), "interval": interval, "p": round(found["p"], 4)}


GATE_WEIGHT = Unit("mean gate weight", 1.0, 3, 3, "", 1)
CLASS_F1 = Unit("points of F1", 100.0, 2, 1, " points", 1)
_WEIGHTED_F1 = Unit("points of weighted F1", 100.0, 2, 1, " points", 1)
_MAE = Unit("mean absolute error", 1.0, 4, 4, " MAE", -1)
UNITS = {u.name: u for u in (GATE_WEIGHT, CLASS_F1, _WEIGHTED_F1, _MAE)}


@dataclass(frozen=True)
class HeadlineMetric:
    """What the runs of an experiment are compared by.

    Args:
        key: its name in result files.
        name: in words.
        suffix: its unit, for axes; empty where it has none.
        less: that less is better, for axes and titles; empty where more is.
        column: stands behind ``dev`` and ``test`` in the heads of tables.
        numbers: what the numbers of a page are, in words.
        better: which differences are better, for the heads of tables; empty where that goes without saying.
        reading: the same of claims, a sentence behind another; empty likewise.
        unit: of its differences.
        sums: from a run's predictions and what one voice said [S, N] to what adds up over conversations [S, G, …].
        value: from such sums […, S, …] to the number, before ``unit.factor``.
    """

    key: str
    name: str
    suffix: str
    less: str
    column: str
    numbers: str
    better: str
    reading: str
    unit: Unit
    sums: Callable[[Any, NDArray[Any]], NDArray[Any]]
    value: Value

    def over_seeds(self, sums: NDArray[Any]) -> dict[str, Any]:
        """``mean``, ``sd`` and the values for each seed, of sums [S, G, …]."""
        return spread([self.unit.told(x) for x in self.value(sums.sum(1))], self.unit.digits)

    def difference(self, first: NDArray[Any], second: NDArray[Any], draws: int = DRAWS) -> dict[str, Any]:
        """The paired test of two voices, second minus first, of their sums.

        All runs of an experiment have the same seeds, and so the same first weights and batches: seeds are pairs, too.
        """
        return self.unit.outcome(paired_test((first, second), self.value, draws, same_seeds=True))


def _confusions(p: Any, said: NDArray[Any]) -> NDArray[Any]:
    return clustered_confusions(p.truth, said, p.clusters, len(p.labels))


def _errors(p: Any, said: NDArray[Any]) -> NDArray[Any]:
    return clustered_errors(p.truth, said, p.clusters)


MEASURES = {
    "classes": HeadlineMetric(
        key="weighted_f1",
        name="weighted F1",
        suffix=" (%)",
        less="",
        column="",
        numbers="weighted F1 in percent",
        better="",
        reading="",
        unit=_WEIGHTED_F1,
        sums=_confusions,
        value=weighted_f1_from_confusion,
    ),
    "scores": HeadlineMetric(
        key="mae",
        name="mean absolute error",
        suffix="",
        less=", less is better",
        column=" MAE",
        numbers="mean absolute errors (MAE), less is better",
        better=", below 0 is better",
        reading=" Of errors (MAE) less is better, so a difference below 0 speaks for the claim.",
        unit=_MAE,
        sums=_errors,
        value=mae_from_sums,
    ),
}
"""By a recipe's task."""


def spread(values: Sequence[float], digits: int = 2) -> dict[str, Any]:
    """``mean``, ``sd`` and the values for each seed."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {
        "mean": round(float(np.mean(values)), digits),
        "sd": round(sd, digits),
        "seeds": [round(float(v), digits) for v in values],
    }
