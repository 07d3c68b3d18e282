"""The numbers of tested runs that an experiment compares: scores on dev and test, of the mixture and of the experts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.compare import paired_test
from moodline.errors import ConfigError
from moodline.metrics import Ints, clustered_confusions, percent, weighted_f1_from_confusion
from moodline.predictions import Predictions, read_predictions
from moodline.results import read_results

DRAWS = 5000
"""Resampled test sets of every test."""


@dataclass(frozen=True)
class RunNumbers:
    """A tested run.

    Args:
        results: of its ``results.json``.
        predictions: of its ``predictions.parquet``, only the seeds of the experiment.
    """

    results: dict[str, Any]
    predictions: Predictions

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Confusion counts [S, G, C, C] of the mixture."""
        return self.counts_of(self.predictions.predicted)

    def counts_of(self, predicted: Ints) -> NDArray[np.int64]:
        """Confusion counts [S, G, C, C] of a voice's classes [S, N]."""
        p = self.predictions
        return clustered_confusions(p.truth, predicted, p.clusters, len(p.labels))

    def expert_counts(self, expert: str) -> NDArray[np.int64]:
        """Confusion counts [S, G, C, C] of one expert alone."""
        return self.counts_of(self.predictions.experts[expert])

    def dev(self, expert: str | None = None) -> list[float]:
        """Weighted F1 on dev in percent, for each seed, of the mixture or of one expert."""
        rows = [s["dev"] for s in self.results["seeds"] if s["seed"] in self.predictions.seeds]
        return [r["weighted_f1"] if expert is None else r["experts"][expert]["weighted_f1"] for r in rows]


def load_tested(run: Path, seeds: Sequence[int]) -> RunNumbers:
    """Read a tested run.

    Args:
        run: its directory.
        seeds: those that count; the run may have more.

    Raises:
        ConfigError: its predictions lack a seed, or what the experts said.
    """
    p = read_predictions(run)
    missing = sorted(set(seeds) - set(p.seeds))
    if missing or not p.experts:
        what = f"seeds {', '.join(map(str, missing))}" if missing else "what each expert said"
        fix = "Run the experiment again." if missing else f"Run: moodline evaluate {run} --data DIR --again."
        raise ConfigError(f"{run}: the predictions lack {what}", fix=fix)
    kept = [p.seeds.index(s) for s in seeds]
    chosen = replace(
        p,
        seeds=tuple(seeds),
        predicted=p.predicted[kept],
        scores=None if p.scores is None else p.scores[kept],
        experts={k: v[kept] for k, v in p.experts.items()},
        weights={k: v[kept] for k, v in p.weights.items()},
        expert_scores={k: v[kept] for k, v in p.expert_scores.items()},
    )
    return RunNumbers(read_results(run), chosen)


def spread(values: Sequence[float], digits: int = 2) -> dict[str, Any]:
    """``mean``, ``sd`` and the values for each seed."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return {
        "mean": round(float(np.mean(values)), digits),
        "sd": round(sd, digits),
        "seeds": [round(float(v), digits) for v in values],
    }


def f1_of(counts: NDArray[np.int64]) -> dict[str, Any]:
    """Weighted F1 in percent over seeds, of confusion counts [S, G, C, C]."""
    return spread([percent(x) for x in weighted_f1_from_confusion(counts.sum(1))])


def difference(first: NDArray[np.int64], second: NDArray[np.int64], draws: int = DRAWS) -> dict[str, Any]:
    """The paired test of two voices, in points of weighted F1: second minus first.

    All runs of an experiment have the same seeds, and so the same first weights and batches: seeds are pairs, too.
    """
    return in_points(paired_test((first, second), draws=draws, same_seeds=True))


def in_points(found: dict[str, Any], scale: float = 100.0, digits: int = 2) -> dict[str, Any]:
    """The outcome of ``paired_test`` for a result file."""
    return {
        "difference": round(scale * found["difference"], digits),
        "interval": [round(scale * x, digits) for x in found["interval"]],
        "p": round(found["p"], 4),
    }
