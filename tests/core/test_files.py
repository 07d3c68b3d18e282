"""Files and folders are complete or absent; hashes of contents stay what they were in stores written before."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

from moodline.core import files
from moodline.core.errors import ConfigError, StorageError
from moodline.core.files import replacing, replacing_folder, replacing_path, write_bytes, write_json, write_text
from moodline.core.hashing import data_hash, file_hash, json_hash, text_hash
from moodline.encoders.inputs import TextInput, TurnInput, Window, content_hash

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""SHA-256 of "abc", as published by NIST (FIPS 180-2, example B.1)."""


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert (path.read_text(), names(tmp_path)) == ("new", ["a.txt"])


def test_what_the_disk_refuses_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "absent" / "a", tmp_path / "file" / "a"):
        with pytest.raises(StorageError, match=r"could not write .*a: "):
            write_bytes(path, [b"x"])
    with pytest.raises(StorageError), replacing_folder(tmp_path / "file" / "a"):
        pass
    assert names(tmp_path) == ["file"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_json(tmp_path / "link", {"a": "ä"})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == '{\n "a": "ä"\n}\n'


def test_a_library_may_open_the_file_itself(tmp_path: Path) -> None:
    with replacing_path(tmp_path / "a.bin") as path:
        path.write_bytes(b"x")
        assert not (tmp_path / "a.bin").exists()
    assert names(tmp_path) == ["a.bin"]


def test_a_folder_is_complete_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "store"

    def fail() -> None:
        with replacing_folder(target) as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert names(tmp_path / "deep") == []
    with replacing_folder(target) as folder:
        (folder / "inside").mkdir()
        (folder / "inside" / "a").write_text("x")
        assert not target.exists()
    assert (target / "inside" / "a").read_text() == "x"
    with pytest.raises(StorageError, match="not empty"), replacing_folder(target) as folder:
        (folder / "b").write_text("y")
    assert names(target) == ["inside"]
    assert names(tmp_path / "deep") == ["store"]


def test_everything_is_flushed_before_it_is_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(files.os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_ino))
    write_text(tmp_path / "a", "x")
    with replacing_folder(tmp_path / "b") as folder:
        (folder / "c").write_text("y")
    assert (tmp_path / "a").stat().st_ino in flushed
    assert (tmp_path / "b" / "c").stat().st_ino in flushed
    assert tmp_path.stat().st_ino in flushed


def test_permissions_are_those_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("")
    write_text(tmp_path / "ours", "")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_output_paths_are_checked_before_work(tmp_path: Path) -> None:
    files.check_output_path(tmp_path / "a.csv")
    for path in (tmp_path, tmp_path / "absent" / "a.csv", tmp_path / "a\0b"):
        with pytest.raises(ConfigError):
            files.check_output_path(path)


def test_hashes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert text_hash("abc") == data_hash(b"abc") == file_hash(tmp_path / "a") == ABC
    assert json_hash({"b": 1, "a": [2]}, sort_keys=True) == text_hash('{"a": [2], "b": 1}')
    assert json_hash({"b": 1, "a": [2]}) != json_hash({"b": 1, "a": [2]}, sort_keys=True)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("hello", "7d76f85e4aea6eb11b9d4e1a25db835137954bf9eb0794bbb319e4393cd5c0fd"),
        (TextInput("a", ("b", "ç")), "5367b0d4da9e18109c1bf453fb99f9a161845a26b897f14b237ca6968f72f521"),
        (TurnInput(Window(("a", "b")), 1), "a6b8843ba21e1c643c4936da9ccc80b1bc863da21b7df5694e33daaf714b8588"),
        (np.arange(3, dtype=np.float32), "75664b4da1c08de9e8fad52303cc458b3e420edde6591e58761e138cc5e3f163"),
    ],
)
def test_feature_stores_written_before_are_still_valid(content: object, expected: str) -> None:
    """Hashes as version 0.1 computed them: another one would encode every corpus again."""
    assert content_hash(content) == expected
