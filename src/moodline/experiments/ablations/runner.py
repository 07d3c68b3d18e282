"""Train and test every run of an experiment; what is finished is skipped, what is begun goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from moodline.core.errors import StorageError
from moodline.core.files import write_json
from moodline.core.progress import ProgressCallback
from moodline.evaluation.headline import HeadlineMetric
from moodline.evaluation.results import read_results
from moodline.evaluation.tasks import TASKS
from moodline.experiments.ablations.plan import ExperimentPlan
from moodline.experiments.evaluate import evaluate
from moodline.experiments.runs import Run, seed_directories
from moodline.experiments.same_run import check_same_run
from moodline.experiments.train import train
from moodline.pipeline.checkpoint import read_part
from moodline.pipeline.recipe import to_plain

Say = Callable[[str], None]
TIMES = "times.json"
RECENT_RUNS = 10
"""So many models, the last ones, tell how long the others will take."""


@dataclass(frozen=True)
class Left:
    """What is still to be done.

    Args:
        finished: trained (run, seed) pairs.
        missing: pairs to train, in order: all runs with the first seed, then all with the second …
        seconds: how long the missing ones will take, from the finished ones; None if none was timed.
    """

    finished: tuple[tuple[str, int], ...]
    missing: tuple[tuple[str, int], ...]
    seconds: float | None


def run_directory(out: Path, run: str) -> Path:
    """Where a run of an experiment lies."""
    return out / "runs" / run


def _places(plan: ExperimentPlan, out: Path, run: str, seed: int) -> list[Path]:
    """Where a seed's checkpoints lie, one for each fold."""
    return seed_directories(run_directory(out, run), seed, plan.runs[run].folds)


def what_is_left(plan: ExperimentPlan, out: Path, seeds: Sequence[int]) -> Left:
    """Which seeds of which runs are trained, which are not, and how long those will take."""
    pairs = [(name, seed) for seed in seeds for name in plan.runs]
    done = [p for p in pairs if all((d / "config.json").is_file() for d in _places(plan, out, *p))]
    missing = [p for p in pairs if p not in done]
    times = list(_times(out).values())[-RECENT_RUNS:]
    return Left(tuple(done), tuple(missing), len(missing) * sum(times) / len(times) if times else None)


def train_all(
    plan: ExperimentPlan,
    data: Path,
    out: Path,
    seeds: Sequence[int],
    say: Say,
    progress: ProgressCallback | None = None,
    quiet: bool = False,
) -> None:
    """Train all runs; the test split is not read.

    Args:
        plan: of ``make_plan``.
        data: the corpus directory.
        out: the experiment's directory.
        seeds: one model for each, of every run.
        say: told one line after each trained model.
        progress: told about encoding.
        quiet: no bars over epochs.

    Raises:
        MoodlineError: see ``experiment.train``; what was finished stays.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError.writing(out, error) from error
    measure = TASKS[plan.task].headline
    left = what_is_left(plan, out, seeds)
    total = len(left.finished) + len(left.missing)
    if left.finished and left.missing:
        say(f"{len(left.finished)} of {total} models are trained already")
    for name, seed in left.missing:
        begun = time.monotonic()
        directory = run_directory(out, name)
        train(plan.runs[name], data, directory, [seed], progress, quiet)
        seconds = time.monotonic() - begun
        write_json(out / TIMES, _times(out) | {f"{name} {seed}": round(seconds, 1)})
        each = [read_part(place, "metrics.json")["dev"][measure.key] for place in _places(plan, out, name, seed)]
        now, dev = what_is_left(plan, out, seeds), _told(measure, sum(each) / len(each))
        say(
            f"[{len(now.finished)}/{total}] {name}, seed {seed}: dev {dev}, {seconds:.0f} s"
            + (f"; {duration(now.seconds)} left" if now.seconds and now.missing else "")
        )


def evaluate_all(
    plan: ExperimentPlan, data: Path, out: Path, say: Say, progress: ProgressCallback | None = None
) -> None:
    """Test each run once, with all seeds that it has; one that was tested with the same is left alone.

    Args:
        plan, data, out: see ``train_all``; all runs are trained.
        say: told one line after each test.
        progress: told about encoding.

    Raises:
        MoodlineError: see ``evaluate``; a run is of another recipe.
    """
    measure = TASKS[plan.task].headline
    for name in plan.runs:
        run = Run.load(run_directory(out, name))
        check_same_run(run.directory, {"recipe": to_plain(run.recipe)}, {}, plan.runs[name])
        path = run.directory / "results.json"
        before = read_results(path) if path.is_file() else None
        results = evaluate(run, data, progress)
        if results != before:
            say(f"{name}: test {_told(measure, results['mean'][measure.key])}, {len(results['seeds'])} seeds")


def _told(measure: HeadlineMetric, number: float) -> str:
    return f"{measure.name} {measure.unit.text(number)}"


def _times(out: Path) -> dict[str, float]:
    """Seconds that each model took, where they are known."""
    try:
        found = json.loads((out / TIMES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): float(v) for k, v in found.items()} if isinstance(found, dict) else {}


def duration(seconds: float) -> str:
    """``about 12 min`` and the like."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min"
