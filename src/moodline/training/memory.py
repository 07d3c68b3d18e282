"""Main memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes
import sys

MMAP_THRESHOLD = -3
"""``M_MMAP_THRESHOLD`` of glibc's ``mallopt``."""
BLOCK = 1 << 20
"""Bytes from which on a block of memory is asked of the system and given back when it is freed."""
LARGE = 16_000_000
"""Parameters of a model from which on that is worth the system's work."""


def give_memory_back() -> None:
    """Let freed blocks of a megabyte and more go back to the system at once, from here on in this process.

    glibc otherwise keeps freed blocks of up to 32 MB for later, in pieces that the tensors of the next step, of other
    sizes, do not always fit into. Elsewhere than on Linux with glibc nothing is done.
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(MMAP_THRESHOLD, BLOCK)
