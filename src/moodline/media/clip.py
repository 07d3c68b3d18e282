"""What clips of sound and of video share: the hash by which a feature store knows them."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path


def clip_hash(path: Path, start: float | None, end: float | None) -> str:
    """SHA-256 over a file's bytes and the times of a part of it."""
    stat = path.stat()
    digest = _file_hash(path, stat.st_size, stat.st_mtime_ns)
    return hashlib.sha256(f"{digest} {start} {end}".encode()).hexdigest()


@lru_cache(maxsize=65_536)
def _file_hash(path: Path, size: int, modified: int) -> str:
    """The file's hash; size and time of change are only there to notice a changed file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
