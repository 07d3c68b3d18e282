"""Result files: what an experiment found, with where it comes from. Every table and plot is made from these."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from moodline import __version__
from moodline.core.answers import Answers
from moodline.core.errors import ConfigError
from moodline.core.labels import IGNORE, Target, ValueScale
from moodline.evaluation.calibration import softmax
from moodline.evaluation.metrics import (
    bootstrap,
    classification_report,
    clustered_confusions,
    expected_calibration_error,
    interval,
    percent,
)
from moodline.evaluation.regression_results import regression_numbers, summarize_values
from moodline.evaluation.resampling import ResamplingUnits

SCHEMA = 1
REQUIRED = ("recipe", "corpus", "labels", "chosen_on", "tested", "seeds", "mean", "sd", "interval", "provenance")
HEADLINE = ("weighted_f1", "accuracy", "macro_f1")


def score(answers: Sequence[Answers], target: Target, calibration: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one model on one split.

    Args:
        answers: of every conversation.
        target: the label set, or the scale of the scores.
        calibration: fitted on dev.

    Returns:
        ``classification_report`` of the mixture, ``ece`` (percent, calibrated), ``experts`` (each alone) and
        ``gate_weights`` (mean, and by true class); of scores what ``regression_numbers`` gives.
    """
    if isinstance(target, ValueScale):
        return regression_numbers(answers, target, calibration)
    labels = target
    truth = np.concatenate([a.labels for a in answers])
    real = truth != IGNORE
    truth = truth[real]
    logits = np.concatenate([a.logits for a in answers])[real]
    weights = np.concatenate([a.weights for a in answers])[real]
    names = list(answers[0].experts)
    out = classification_report(truth, logits.argmax(-1), labels.labels)
    out["ece"] = percent(expected_calibration_error(softmax(logits, calibration["temperature"]), truth))
    out["experts"] = {}
    for name in names:
        alone = np.concatenate([a.experts[name] for a in answers])[real].argmax(-1)
        report = classification_report(truth, alone, labels.labels)
        out["experts"][name] = {k: report[k] for k in HEADLINE}
    by_class = {
        label: {n: round(float(w), 4) for n, w in zip(names, weights[truth == c].mean(0), strict=True)}
        for c, label in enumerate(labels.labels)
        if (truth == c).any()
    }
    mean = {n: round(float(w), 4) for n, w in zip(names, weights.mean(0), strict=True)}
    out["gate_weights"] = {"mean": mean, "per_class": by_class}
    return out


def summarize(
    recipe: str,
    corpus: str,
    target: Target,
    seeds: list[dict[str, Any]],
    predictions: Sequence[Sequence[Answers]],
    units: ResamplingUnits,
) -> dict[str, Any]:
    """The content of ``results.json``.

    Args:
        recipe, corpus: names.
        target: the label set, or the scale of the scores.
        seeds: for each seed ``{"seed", "best_epoch", "dev", "test"}``.
        predictions: for each seed its answers on test, conversations in the same order.
        units: what the interval draws.
    """
    if isinstance(target, ValueScale):
        return {"schema": SCHEMA} | summarize_values(recipe, corpus, target, seeds, predictions, units)
    labels = target
    truth = np.concatenate([a.labels for a in predictions[0]])
    groups = np.repeat(units.number, [len(a.labels) for a in predictions[0]])
    predicted = np.stack([np.concatenate([a.logits.argmax(-1) for a in answers]) for answers in predictions])
    real = truth != IGNORE
    counts = clustered_confusions(truth[real], predicted[:, real], groups[real], len(labels))
    low, high = interval(bootstrap(counts))
    tests = [s["test"] for s in seeds]

    def statistics(take: Any) -> tuple[float, float]:
        values = [take(t) for t in tests]
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        return round(float(np.mean(values)), 2), round(sd, 2)

    experts = list(tests[0]["experts"])
    both = {name: statistics(lambda t, n=name: t[n]) for name in (*HEADLINE, "ece")}
    alone = {e: statistics(lambda t, e=e: t["experts"][e]["weighted_f1"]) for e in experts}
    return {
        "schema": SCHEMA,
        "recipe": recipe,
        "corpus": corpus,
        "labels": list(labels.labels),
        "chosen_on": "dev",
        "tested": 1,
        "seeds": seeds,
        "mean": {k: v[0] for k, v in both.items()} | {"experts": {e: v[0] for e, v in alone.items()}},
        "sd": {k: v[1] for k, v in both.items()} | {"experts": {e: v[1] for e, v in alone.items()}},
        "interval": {"weighted_f1": [percent(low), percent(high)]},
        "interval_method": units.method(len(seeds)),
    }


def provenance(corpus_hash: str, encoders: dict[str, dict[str, str]], seconds: dict[str, Any]) -> dict[str, Any]:
    """Versions and hashes that a result depends on.

    Args:
        corpus_hash: of the files that were read.
        encoders: modality to ``{"id", "revision"}``.
        seconds: ``training``, of each seed, None where nobody noted it; ``evaluation``, of all of them.
    """
    libraries = {}
    for name in ("torch", "transformers", "numpy", "scikit-learn", "accelerate", "peft", "safetensors"):
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "moodline": __version__,
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "libraries": libraries,
        "corpus_hash": corpus_hash,
        "encoders": encoders,
        "seconds": seconds,
    }


def _commit() -> str | None:
    """The commit of the source tree that is running, or None for an installed package."""
    here = Path(__file__).resolve().parent
    if not (here.parents[2] / ".git").exists():
        return None
    done = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no", "."],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    return (done.stdout.strip() + ("+changes" if changed.stdout.strip() else "")) or None


def training_seconds(directory: Path) -> float | None:
    """Seconds that a seed's training took, fine-tuning included, without encoding; None if nothing noted it.

    Args:
        directory: the seed's, with ``training*/history.json``.
    """
    seconds = []
    for path in directory.glob("training*/history.json"):
        with suppress(OSError, ValueError, LookupError, TypeError):
            seconds.append(float(json.loads(path.read_text(encoding="utf-8"))[-1]["seconds"]))
    return round(sum(seconds), 1) if seconds else None


def read_results(path: Path) -> dict[str, Any]:
    """Read a ``results.json``, or the one in a run directory.

    Raises:
        ConfigError: there is none, or it is not a result file of this schema.
    """
    path = path / "results.json" if path.is_dir() else path
    if not path.is_file():
        raise ConfigError(f"{path}: no results there", fix="Run: moodline evaluate RUN.")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: broken JSON", error, "Remove it and evaluate again.") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ConfigError(f"{path}: expected a result file of schema {SCHEMA}")
    missing = [k for k in REQUIRED if k not in data]
    if missing:
        raise ConfigError(f"{path}: not a whole result file", f"no {missing[0]}", "Evaluate again.")
    return data
