"""Where Moodline keeps what it can make again: feature stores, unpacked models."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """``MOODLINE_CACHE``, or ``~/.cache/moodline``."""
    return Path(os.environ.get("MOODLINE_CACHE") or Path.home() / ".cache" / "moodline")
