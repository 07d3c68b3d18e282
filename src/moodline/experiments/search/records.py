"""What a search found, as files for people and for programs: ``trials.jsonl`` and ``trials.csv``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moodline.core.files import write_text
from moodline.evaluation.headline import WEIGHTED_F1, HeadlineMetric


def records(
    trials: Sequence[Any], decoded: Mapping[str, Mapping[Any, Any]], measure: HeadlineMetric = WEIGHTED_F1
) -> list[dict[str, Any]]:
    """Plain data of Optuna's trials that have ended, in the order in which they began.

    Args:
        trials: Optuna's.
        decoded: of ``choices``, for the keys that have values.
        measure: what they are judged by.

    Returns:
        For each ``number`` (from 0); ``state``: ``done``, ``failed`` (the setting cannot be trained; ``reason`` says
        why) or ``killed`` (tried again later); ``dev``: the measure on dev at the best epochs, mean over seeds, or
        None; ``dev_seeds`` and ``best_epochs``: of each seed; ``seconds``; ``params``: key to value.
    """
    out = []
    for trial in trials:
        found, reason = trial.user_attrs.get("found"), trial.user_attrs.get("reason")
        if trial.state.name not in ("COMPLETE", "FAIL"):
            continue
        params = {k: decoded[k][v] if k in decoded else v for k, v in trial.params.items()}
        row: dict[str, Any] = {"number": trial.number, "state": "done" if found else "failed" if reason else "killed"}
        if trial.state.name == "FAIL" and not reason:
            row["state"], found = "killed", None
        row["dev"] = round(trial.value, measure.unit.digits) if found else None
        row["dev_seeds"] = found["dev_seeds"] if found else []
        row["best_epochs"] = found["best_epochs"] if found else []
        row["seconds"] = found["seconds"] if found else None
        row["params"] = params
        if reason:
            row["reason"] = reason
        out.append(row)
    return out


def best_record(found: Sequence[dict[str, Any]], measure: HeadlineMetric = WEIGHTED_F1) -> dict[str, Any] | None:
    """The trial with the best dev figure, the first of equals; None if none is done."""
    done = [r for r in found if r["state"] == "done"]
    return max(done, key=lambda r: measure.unit.sign * r["dev"]) if done else None


def write_records(out: Path, found: Sequence[dict[str, Any]], keys: Sequence[str], seeds: Sequence[int]) -> None:
    """Write both files.

    Args:
        out: the search's directory.
        found: of ``records``.
        keys: of the space.
        seeds: that each setting was trained with.

    Raises:
        StorageError: the disk is full.
    """
    write_text(out / "trials.jsonl", "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in found))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    each = [f"{name}_seed_{seed}" for name in ("dev", "best_epoch") for seed in seeds]
    table.writerow(["number", "state", "dev", *each, "seconds", *keys])
    for r in found:
        empty = [""] * len(seeds)
        numbers = [*(r["dev_seeds"] or empty), *(r["best_epochs"] or empty)]
        table.writerow([r["number"], r["state"], r["dev"], *numbers, r["seconds"], *(r["params"].get(k) for k in keys)])
    write_text(out / "trials.csv", text.getvalue())
