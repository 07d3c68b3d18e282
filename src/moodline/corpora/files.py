"""What every reader does with files: find them, hash them, say what is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from moodline.core.errors import CorpusError
from moodline.core.hashing import file_hash


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        CorpusError: the file cannot be read.
    """
    try:
        return file_hash(path)
    except OSError as error:
        raise unreadable(path, error) from None


def hashes(root: Path, paths: Iterable[Path]) -> dict[str, str]:
    """File name relative to ``root`` (or the bare name, if elsewhere) to SHA-256, in the order given."""
    return {(p.relative_to(root).as_posix() if p.is_relative_to(root) else p.name): sha256(p) for p in paths}


def read_bytes(path: Path) -> bytes:
    """All bytes of a file.

    Raises:
        CorpusError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> CorpusError:
    """The error for a file that the system does not let us read."""
    return CorpusError(f"cannot read {path}: {error.strerror or error}", fix="Check that it is a file you may read.")


def children(directory: Path) -> list[Path]:
    """What a folder holds, sorted by name, without hidden files; empty if it is no folder.

    Raises:
        CorpusError: the folder cannot be listed.
    """
    if not directory.is_dir():
        return []
    try:
        return sorted(p for p in directory.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise unreadable(directory, error) from None


def subfolder(directory: Path, *names: str) -> Path | None:
    """Follow ``names`` down from ``directory`` without regard to case; None where one is missing."""
    here = directory
    for name in names:
        found = [p for p in children(here) if p.name.lower() == name.lower()]
        if not found:
            return None
        here = found[0]
    return here


def listing(directory: Path, limit: int = 5) -> str:
    """A few names from a folder, for an error message."""
    if not directory.exists():
        return "no such folder"
    if directory.is_file():
        return f"the file {directory.name}"
    names = [p.name for p in children(directory)]
    if not names:
        return "an empty folder"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def expected(corpus: str, what: str, directory: Path, fix: str) -> CorpusError:
    """The error for a folder that does not hold what a reader looks for.

    Args:
        corpus: the reader's name.
        what: the files looked for, in words.
        directory: where they were looked for.
        fix: what the user can do.
    """
    return CorpusError(f"{corpus}: expected {what} under {directory}", listing(directory), fix)


def pickles(path: Path, hint: str, *more: str) -> list[Path]:
    """The pickles at ``path``, a folder or one file, whose own or whose folder's name matches ``hint``.

    Args:
        path: where to look.
        hint: a regular expression for the lower-case "folder/file".
        more: other suffixes to admit.
    """
    files = [path] if path.is_file() else children(path)
    files = [p for p in files if p.suffix.lower() in (".pkl", ".pickle", *more) and p.is_file()]
    return [p for p in files if re.search(hint, f"{p.parent.name}/{p.name}".lower())]


def one_pickle(corpus: str, path: Path, hint: str) -> Path | None:
    """The one pickle to read at ``path``: the only one that matches ``hint``, or else the only one there is.

    Returns:
        The file; None if there is no pickle.

    Raises:
        CorpusError: several could be meant.
    """
    found = pickles(path, "")
    if len(found) > 1:
        found = [p for p in found if re.search(hint, p.name.lower())] or found
    if len(found) > 1:
        names = ", ".join(p.name for p in found[:5])
        raise CorpusError(
            f"{corpus}: expected one pickle under {path}", names, "Pass the file itself instead of its folder."
        )
    return found[0] if found else None
