"""MPNet's five packages: joining a zip file's parts."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from moodline.core.errors import CheckpointError, MissingDependencyError, StorageError
from moodline.encoders import split_package as parts
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec


def split(tmp_path: Path, names: tuple[str, ...]) -> list[Path]:
    whole = tmp_path / "model.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for name in names:
            archive.writestr(name, name * 50)
    data = whole.read_bytes()
    size = -(-len(data) // 5)
    pieces = [tmp_path / f"model.zip.{n:03d}" for n in range(5)]
    for n, piece in enumerate(pieces):
        piece.write_bytes(data[n * size : (n + 1) * size])
    return pieces


def test_unpack(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "model"
    parts.unpack(split(tmp_path, ("outer/config.json", "outer/1_Pooling/config.json", "outer/vocab.txt")), target)
    assert sorted(p.name for p in target.iterdir()) == ["1_Pooling", "config.json", "vocab.txt"]
    assert [p.name for p in target.parent.iterdir()] == ["model"]


def test_parts_that_make_no_model(tmp_path: Path) -> None:
    pieces = split(tmp_path, ("a.txt",))
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        parts.unpack(pieces, tmp_path / "one")
    with pytest.raises(CheckpointError, match="zip file"):
        parts.unpack(pieces[:4], tmp_path / "two")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        parts.unpack(pieces, tmp_path / "file" / "three")
    assert not list(tmp_path.glob("*.tmp"))


def test_packages_that_are_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOODLINE_CACHE", str(tmp_path))
    monkeypatch.setattr(parts, "PACKAGES", ("a-package-that-is-not-there",))
    with pytest.raises(MissingDependencyError, match="mpnet"):
        load_encoder(EncoderSpec("mpnet"))
