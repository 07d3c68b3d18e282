"""What clips of sound and of video share: the hash by which a feature store knows them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from moodline.core.hashing import file_hash, text_hash


def clip_hash(path: Path, start: float | None, end: float | None) -> str:
    """SHA-256 over a file's bytes and the times of a part of it."""
    stat = path.stat()
    digest = _file_hash(path, stat.st_size, stat.st_mtime_ns)
    return text_hash(f"{digest} {start} {end}")


@lru_cache(maxsize=65_536)
def _file_hash(path: Path, size: int, modified: int) -> str:
    """The file's hash; size and time of change are only there to notice a changed file."""
    return file_hash(path)
