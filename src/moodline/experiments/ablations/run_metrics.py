"""The numbers of tested runs that an experiment compares: on dev and test, of the mixture and of the experts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from moodline.core.errors import ConfigError
from moodline.evaluation.headline import HeadlineMetric
from moodline.evaluation.predictions import Predictions, RegressionPredictions, read_any_predictions
from moodline.evaluation.results import read_results
from moodline.evaluation.tasks import TASKS


@dataclass(frozen=True)
class RunNumbers:
    """A tested run.

    Args:
        results: of its ``results.json``.
        predictions: of its ``predictions.parquet``, only the seeds of the experiment.
    """

    results: dict[str, Any]
    predictions: Predictions | RegressionPredictions

    @property
    def task(self) -> str:
        """What the run's recipe learns: ``classes`` or ``scores``."""
        return self.predictions.task

    @property
    def measure(self) -> HeadlineMetric:
        """What it is compared by."""
        return TASKS[self.task].headline

    @cached_property
    def sums(self) -> NDArray[Any]:
        """What adds up over conversations, [S, G, …], of the mixture."""
        return self.sums_of(self.predictions.predicted)

    def sums_of(self, said: NDArray[Any]) -> NDArray[Any]:
        """The same of a voice's classes or scores [S, N]."""
        return self.measure.sums(self.predictions, said)

    def expert_sums(self, expert: str) -> NDArray[Any]:
        """The same of one expert alone."""
        return self.sums_of(self.predictions.experts[expert])

    @property
    def on_dev(self) -> list[dict[str, Any]]:
        """All numbers on dev, for each seed."""
        return [s["dev"] for s in self.results["seeds"] if s["seed"] in self.predictions.seeds]

    def dev(self, expert: str | None = None) -> list[float]:
        """The measured number on dev, for each seed, of the mixture or of one expert."""
        return [(r if expert is None else r["experts"][expert])[self.measure.key] for r in self.on_dev]


def load_tested(run: Path, seeds: Sequence[int]) -> RunNumbers:
    """Read a tested run.

    Args:
        run: its directory.
        seeds: those that count; the run may have more.

    Raises:
        ConfigError: its predictions lack a seed, or what the experts said.
    """
    p = read_any_predictions(run)
    missing = sorted(set(seeds) - set(p.seeds))
    if missing or not p.experts:
        what = f"seeds {', '.join(map(str, missing))}" if missing else "what each expert said"
        fix = "Run the experiment again." if missing else f"Run: moodline evaluate {run} --data DIR --again."
        raise ConfigError(f"{run}: the predictions lack {what}", fix=fix)
    return RunNumbers(read_results(run), p.of_seeds(seeds))
