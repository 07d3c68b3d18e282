"""Freed memory goes back to the system while a large model is trained."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys
from pathlib import Path
from moodline.training.memory import give_memory_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if sys.argv[1] == "give back":
    give_memory_back()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
libc.free(libc.malloc(31 << 20))  # from now on glibc keeps blocks of this size
before = resident()
blocks, pins = [], []
for _ in range(40):
    blocks.append(libc.malloc(4 << 20))
    ctypes.memset(ctypes.c_void_p(blocks[-1]), 1, 4 << 20)
    pins.append(libc.malloc(1000))
for block in blocks:
    libc.free(block)
print((resident() - before) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what glibc keeps")
def test_freed_blocks_are_given_back() -> None:
    kept = {
        way: int(
            subprocess.run([sys.executable, "-c", PROGRAM, way], capture_output=True, text=True, check=True).stdout
        )
        for way in ("as it is", "give back")
    }
    assert kept["as it is"] > 100
    assert kept["give back"] < 10
