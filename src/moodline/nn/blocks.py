"""Which block of a network a parameter belongs to, by its name."""

from __future__ import annotations

from itertools import pairwise

_LISTS = ("layer", "layers", "h", "block", "blocks")
"""What models call the list of their blocks."""


def layer_index(name: str) -> int | None:
    """The number of the block that a parameter belongs to, None outside of blocks."""
    return next((int(p) for q, p in pairwise(name.split(".")) if p.isdigit() and q in _LISTS), None)
