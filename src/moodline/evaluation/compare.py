"""Is one run better than another? A paired test over utterances, conversations and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodline.core.errors import ConfigError
from moodline.evaluation.predictions import read_any_predictions
from moodline.evaluation.significance import paired_test, undecided
from moodline.evaluation.tasks import TASKS


def compare(first: Path, second: Path, draws: int = 5000) -> dict[str, Any]:
    """Compare the test predictions of two runs on the same utterances.

    Conversations (or groups of them, where the corpus says so) are drawn with replacement, the same for both runs;
    the spread of the seeds is added; the p-value is that of Student's t (``significance.py``). See ``undecided`` for
    when there is no verdict.

    Args:
        first, second: run directories with ``predictions.parquet``.
        draws: number of resampled test sets.

    Returns:
        The headline metric of both, mean over seeds (``weighted_f1`` in percent; ``mae`` of a regression), their
        ``difference`` (second minus first), its 95 % ``interval``, ``p``, and a ``verdict`` in words.

    Raises:
        ConfigError: no predictions, or they are of different utterances or labels.
    """
    a, b = read_any_predictions(first), read_any_predictions(second)
    task = TASKS[a.task]
    try:
        if a.task != b.task:
            raise ValueError("different tasks")
        found = paired_test(task.common_sums(a, b), task.headline.value, draws)
    except ValueError:
        raise ConfigError(
            f"{first} and {second}: the runs were tested on different utterances, labels or values",
            fix="Compare runs of the same corpus, the same task and the same options.",
        ) from None
    unit, key = task.headline.unit, task.headline.key
    low, high = found["interval"]
    better = "second is better" if unit.sign * found["difference"] > 0 else "first is better"
    return {
        "first": {"run": first.name, key: unit.written(found["values"][0]), "seeds": len(a.seeds)},
        "second": {"run": second.name, key: unit.written(found["values"][1]), "seeds": len(b.seeds)},
        "difference": unit.written(found["difference"]),
        "interval": [unit.written(low), unit.written(high)],
        "p": round(found["p"], 4),
        "verdict": undecided(found["p"], min(len(a.seeds), len(b.seeds))) or better,
        "method": f"t over {draws} draws of test {a.units} and the spread of seeds",
    }
