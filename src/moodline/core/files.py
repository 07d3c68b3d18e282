"""Files and folders that are complete or absent: the one way in which Moodline writes.

A file or folder is written under another name beside its own, flushed to the disk and then renamed. A process that is
killed, a full disk or a power cut leaves the old content or the new one, never half of it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from moodline.core.errors import ConfigError, StorageError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError inside the block into a StorageError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise StorageError.writing(path, error) from error


@contextmanager
def replacing_path(path: Path) -> Iterator[Path]:
    """The name of a file to write, for libraries that open files themselves; see ``replacing``.

    Raises:
        StorageError: the disk refused.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    temporary = _beside(target)
    try:
        with writing(path):
            yield temporary
            _flush(temporary)
            temporary.replace(target)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces ``path`` when the block ends without an error, and is removed otherwise.

    Several processes may write the same file: each writes its own beside it, and the last one to finish stays.

    Raises:
        StorageError: the disk refused.
    """
    with replacing_path(path) as temporary, temporary.open("xb") as file:
        yield file


@contextmanager
def replacing_folder(path: Path, draft: Path | None = None) -> Iterator[Path]:
    """An empty folder to fill, which becomes ``path`` when the block ends without an error, and is removed otherwise.

    Args:
        path: does not exist, or is an empty folder. Its parents are made.
        draft: where to fill it, on the same disk; None for a new folder beside ``path``.

    Raises:
        StorageError: the disk refused, or ``path`` is a folder that holds something.
    """
    draft = _beside(path) if draft is None else draft
    try:
        with writing(path):
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            yield draft
            for file in draft.rglob("*"):
                if file.is_file():
                    _flush(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(path)
            _flush(path.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _beside(target: Path) -> Path:
    """A hidden name that nobody else uses, in the same folder."""
    return target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")


def _flush(path: Path) -> None:
    """Flush a file's content, or a folder's entries, to the disk, so that a rename survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file or folder that several processes may make; waits while another process has it.

    Raises:
        StorageError: the lock, a hidden file beside ``path``, cannot be written.
    """
    from filelock import FileLock

    make_folder(path.parent)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    with writing(path):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def make_folder(path: Path) -> None:
    """Make a folder and its parents.

    Raises:
        StorageError: the disk refused.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def write_bytes(path: Path, pieces: Iterable[Any]) -> None:
    """Write a file of several pieces (bytes, or contiguous arrays' memory), see ``replacing``."""
    with replacing(path) as file:
        for piece in pieces:
            file.write(piece)


def write_text(path: Path, text: str) -> None:
    """Write a text file, see ``replacing``."""
    write_bytes(path, [text.encode()])


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
