"""What is kept of recordings: private, bounded, or nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from moodline.core.cache import recordings_directory, remove_old_recordings, temporary_recordings
from moodline.core.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MOODLINE_CACHE", str(tmp_path))
    return tmp_path


def keep(name: str, size: int, hours_ago: float) -> Path:
    folder = recordings_directory() / name
    folder.mkdir()
    (folder / "sound.wav").write_bytes(b"\0" * size)
    modified = folder.stat().st_mtime - hours_ago * 3600
    os.utime(folder, (modified, modified))
    return folder


def test_only_the_owner_may_read(home: Path) -> None:
    assert stat.S_IMODE(recordings_directory().stat().st_mode) == 0o700


def test_the_oldest_are_removed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODLINE_CACHE_GB", "0.0000025")
    old, older, fresh = keep("old", 1000, 5), keep("older", 1000, 9), keep("fresh", 1000, 0)
    assert remove_old_recordings(fresh) == 1000
    assert (old.exists(), older.exists(), fresh.exists()) == (True, False, True)


def test_what_was_just_used_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODLINE_CACHE_GB", "0")
    folder = keep("one", 1000, 9)
    assert remove_old_recordings(folder) == 0
    assert folder.exists()


def test_nothing_is_kept(home: Path) -> None:
    with temporary_recordings() as folder:
        assert recordings_directory() == folder
        (recordings_directory() / "x").write_text("words")
    assert not folder.exists()
    assert recordings_directory() == home / "recordings"


def test_a_wrong_limit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODLINE_CACHE_GB", "much")
    with pytest.raises(ConfigError, match="MOODLINE_CACHE_GB must be a number"):
        remove_old_recordings(keep("one", 1, 1))
