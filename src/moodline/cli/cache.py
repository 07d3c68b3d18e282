"""``moodline cache``: what is kept on this machine, and how to remove it."""

from __future__ import annotations

import shutil

from moodline.cli.console import print_json, print_table, stdout
from moodline.core.cache import cache_directory, folder_size, recordings_limit

KINDS = {
    "recordings": "sound, words and voiceprints of recordings that were analyzed",
    "features": "features of corpora",
    "frozen": "states of frozen layers",
    "backbones": "unpacked encoders",
}
"""Folder in the cache to what it holds."""


def run_cache(clear: bool, json_: bool) -> None:
    """Print what each part of the cache takes; with ``clear``, remove all of it."""
    folder = cache_directory()
    names = sorted({*KINDS, *(p.name for p in folder.iterdir() if p.is_dir())}) if folder.is_dir() else list(KINDS)
    rows = [{"name": n, "megabytes": round(folder_size(folder / n) / 1e6, 1), "holds": KINDS.get(n, "")} for n in names]
    if clear:
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
    if json_:
        print_json(
            {"folder": str(folder), "parts": rows, "recordings_limit_gb": recordings_limit() / 1e9, "cleared": clear}
        )
        return
    print_table(f"{folder}", ["name", "megabytes", "holds"], [list(row.values()) for row in rows], right=["megabytes"])
    limit = f"Recordings may take {recordings_limit() / 1e9:g} GB together (MOODLINE_CACHE_GB); the oldest are removed."
    stdout().print("All of it was removed." if clear else limit, markup=False)
