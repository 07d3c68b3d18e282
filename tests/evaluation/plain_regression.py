"""The numbers of scores written from MMSA's definitions, in plain Python: one loop a number, nothing shared."""

from __future__ import annotations

import math
from collections.abc import Sequence

Scores = Sequence[float]


def mae(truth: Scores, said: Scores) -> float:
    return sum(abs(s - t) for t, s in zip(truth, said, strict=True)) / len(truth)


def corr(truth: Scores, said: Scores) -> float:
    mt, ms = sum(truth) / len(truth), sum(said) / len(said)
    above = sum((t - mt) * (s - ms) for t, s in zip(truth, said, strict=True))
    below = math.sqrt(sum((t - mt) ** 2 for t in truth)) * math.sqrt(sum((s - ms) ** 2 for s in said))
    return above / below


def accuracy(truth: Sequence[object], said: Sequence[object]) -> float:
    return 100 * sum(t == s for t, s in zip(truth, said, strict=True)) / len(truth)


def weighted_f1(truth: Sequence[bool], said: Sequence[bool]) -> float:
    total = 0.0
    for c in (False, True):
        hit = sum(t == c and s == c for t, s in zip(truth, said, strict=True))
        real, called = sum(t == c for t in truth), sum(s == c for s in said)
        f1 = 2 * hit / (real + called) if real + called else 0.0
        total += f1 * real
    return 100 * total / len(truth)


def clip(x: float, most: float) -> float:
    return max(-most, min(most, x))


def mosi(truth: Scores, said: Scores) -> dict[str, float]:
    """CMU-MOSI and CMU-MOSEI. ``round`` of Python rounds halves to the even number, as numpy's does."""
    kept = [(t, s) for t, s in zip(truth, said, strict=True) if t != 0]
    out = {
        "has0_acc2": accuracy([t >= 0 for t in truth], [s >= 0 for s in said]),
        "has0_f1": weighted_f1([t >= 0 for t in truth], [s >= 0 for s in said]),
        "acc7": accuracy([round(clip(t, 3)) for t in truth], [round(clip(s, 3)) for s in said]),
        "acc5": accuracy([round(clip(t, 2)) for t in truth], [round(clip(s, 2)) for s in said]),
        "mae": mae(truth, said),
    }
    if kept:
        out["non0_acc2"] = accuracy([t > 0 for t, _ in kept], [s > 0 for _, s in kept])
        out["non0_f1"] = weighted_f1([t > 0 for t, _ in kept], [s > 0 for _, s in kept])
    return out


def sims_class(x: float, bounds: Scores) -> int:
    """The classes are intervals that are open below and closed above."""
    edges = [-1.01, *bounds, 1.01]
    return next(i for i in range(len(edges) - 1) if edges[i] < x <= edges[i + 1])


def sims(truth: Scores, said: Scores) -> dict[str, float]:
    """CH-SIMS; ``acc2_weak`` as CH-SIMS v2 has it."""
    truth, said = [clip(t, 1) for t in truth], [clip(s, 1) for s in said]
    bounds = {"acc2": (0.0,), "acc3": (-0.1, 0.1), "acc5": (-0.7, -0.1, 0.1, 0.7)}
    out = {
        name: accuracy([sims_class(t, b) for t in truth], [sims_class(s, b) for s in said])
        for name, b in bounds.items()
    }
    out["f1"] = weighted_f1([t > 0 for t in truth], [s > 0 for s in said])
    out["mae"] = mae(truth, said)
    weak = [(t, s) for t, s in zip(truth, said, strict=True) if -0.4 <= t <= 0.4]
    if weak:
        out["acc2_weak"] = accuracy([t > 0 for t, _ in weak], [s > 0 for _, s in weak])
    return out
