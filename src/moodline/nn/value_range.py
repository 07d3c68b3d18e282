"""Values of a regression inside a network: whatever a corpus's range, the network's own is −3 to 3, so that learning
rates, weights of losses and gates mean the same for every corpus."""

from __future__ import annotations

from torch import Tensor

HALF = 3.0
"""Half the width of the network's own range."""


def to_range(z: Tensor, value_range: tuple[float, float]) -> Tensor:
    """The network's numbers as values of a range (low, high); what lies beyond ±3 lies beyond the range."""
    low, high = value_range
    return (low + high) / 2 + z * ((high - low) / (2 * HALF))


def from_range(values: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Values of a range (low, high) as the network's numbers."""
    low, high = value_range
    return (values - (low + high) / 2) * (2 * HALF / (high - low))


def value_range_problems(classes: int, value_range: tuple[float, float] | None) -> list[str]:
    """What is wrong with a model's ``classes`` and ``value_range``; empty if nothing is."""
    if value_range is None:
        return []
    problems = []
    if classes != 1:
        problems.append(f"with a value_range the answer is one number, so classes must be 1, got {classes}")
    if not -float("inf") < value_range[0] < value_range[1] < float("inf"):
        problems.append(f"value_range must be (low, high), got {value_range}")
    return problems
