"""Where Moodline keeps what it can make again: decoded recordings, features, unpacked models.

The folder is for its owner only (mode 0700): it holds the sound and the words of recordings. Recordings that were not
used for longest are removed when together they take more than ``LIMIT_GB``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from moodline.core.errors import ConfigError
from moodline.core.files import make_folder

LIMIT_GB = 10.0
"""Gigabytes that kept recordings may take, unless ``MOODLINE_CACHE_GB`` says otherwise."""

IN_USE_SECONDS = 3600.0
"""A recording that was used within these seconds is never removed: another process may be reading it."""

_TEMPORARY: ContextVar[Path | None] = ContextVar("temporary_recordings", default=None)


def cache_directory() -> Path:
    """``MOODLINE_CACHE``, or ``~/.cache/moodline``."""
    return Path(os.environ.get("MOODLINE_CACHE") or Path.home() / ".cache" / "moodline")


def recordings_directory() -> Path:
    """Where decoded recordings, recognized words and voiceprints are kept; a temporary folder inside
    ``temporary_recordings``. It is made, for its owner only.

    Raises:
        StorageError: the disk refused.
    """
    temporary = _TEMPORARY.get()
    folder = cache_directory() / "recordings" if temporary is None else temporary
    if not folder.is_dir():
        make_folder(folder)
        with suppress(OSError):  # a disk without modes
            folder.chmod(0o700)
    return folder


@contextmanager
def temporary_recordings() -> Iterator[Path]:
    """Keep nothing of the recordings that this block of this thread reads: their folder is removed at its end.

    ``Prediction.sound`` of a recording lies in that folder, so write reports inside the block.
    """
    with (
        tempfile.TemporaryDirectory(prefix="moodline-", ignore_cleanup_errors=True) as folder,
        recordings_in(Path(folder)),
    ):
        yield Path(folder)


@contextmanager
def recordings_in(folder: Path) -> Iterator[None]:
    """Keep what belongs to the recordings that this block of this thread reads in ``folder``, for the caller to remove.

    A second block with the same folder goes on where the first was interrupted.
    """
    token = _TEMPORARY.set(folder)
    try:
        yield
    finally:
        _TEMPORARY.reset(token)


def recordings_limit() -> int:
    """Bytes that kept recordings may take: ``MOODLINE_CACHE_GB`` in gigabytes, or ``LIMIT_GB``.

    Raises:
        ConfigError: the variable is not a number of at least 0.
    """
    given = os.environ.get("MOODLINE_CACHE_GB")
    try:
        limit = LIMIT_GB if given is None else float(given)
        if not limit >= 0:
            raise ValueError
    except ValueError:
        raise ConfigError(
            "MOODLINE_CACHE_GB must be a number of gigabytes, 0 or more", given, "Unset it for 10 GB."
        ) from None
    return round(limit * 1e9)


def remove_old_recordings(used: Path) -> int:
    """Remove the kept recordings that were not used for longest, until the rest is within ``recordings_limit``.

    Args:
        used: the folder of a recording that has just been used; it is marked so and stays.

    Returns:
        Bytes that were removed.
    """
    if _TEMPORARY.get() is not None:
        return 0
    with suppress(OSError):
        os.utime(used)
    limit, now, removed = recordings_limit(), time.time(), 0
    folders = [(p.stat().st_mtime, folder_size(p), p) for p in used.parent.iterdir() if p.is_dir()]
    total = sum(size for _, size, _ in folders)
    for modified, size, folder in sorted(folders):
        if total - removed <= limit or now - modified < IN_USE_SECONDS:
            break
        if folder != used:
            shutil.rmtree(folder, ignore_errors=True)
            removed += size
    return removed


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; 0 if it does not exist."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  (many files: strings are quicker)
    return total
