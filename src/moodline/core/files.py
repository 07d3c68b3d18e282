"""Files that are there whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from moodline.core.errors import ConfigError, StorageError


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of ``path`` when the block ends well, and vanishes when it does not.

    It is written beside ``path`` (a link is followed first), flushed to the disk, then renamed: nobody sees a half.

    Raises:
        StorageError: the disk refused.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise StorageError.writing(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, see ``replacing``."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, data: Any) -> None:
    """Write JSON for people and programs to read, see ``replacing``."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def check_output_path(path: Path) -> None:
    """Raise unless a file could be written at ``path``, whatever its kind.

    Raises:
        ConfigError: the folder does not exist, or ``path`` is a folder itself.
        StorageError: the folder, or the file that is there, cannot be written to.
    """
    try:
        if "\0" in str(path):
            raise ValueError("a NUL in the name")
        if path.is_dir():
            raise ConfigError(f"{path}: expected a file to write to", "a folder", "Name a file in it.")
        folder = path.parent
        if not folder.is_dir():
            raise ConfigError(f"{path}: the folder {folder} does not exist", fix=f"Make it first: mkdir -p {folder}")
        for place in (folder, path) if path.exists() else (folder,):
            if not os.access(place, os.W_OK):
                raise StorageError(f"{path}: no permission to write to {place}", fix="Choose another place.")
        tempfile.TemporaryFile(dir=folder).close()  # rights are not all: the disk may be mounted for reading only
    except ConfigError:  # a ValueError, too
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be written to: {reason}", fix="Choose another name.") from None
