"""Opening a transcript file: checks, bytes, text."""

from __future__ import annotations

import difflib
import re
import stat
import sys
from functools import cache
from pathlib import Path

from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source
from moodline.transcripts.decoding import decode

STANDARD_INPUT = "-"
"""The name that stands for it."""

_RETURNS = re.compile("\r+\n?")


def check_file(path: Path) -> None:
    """Raise unless ``path`` is something that can be opened and read.

    Raises:
        TranscriptError: no such file, a directory, or out of reach.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise TranscriptError(f"{path}: no such file", fix=_nearby(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from None
    if stat.S_ISDIR(mode):
        raise TranscriptError(f"{path}: expected a transcript file", "a directory", "Pass one file in it.")


def read_source(path: Path, *, encoding: str | None = None, strict: bool = False) -> Source:
    """Read and decode a text file, see ``decoding``.

    Args:
        path: the file.
        encoding: its encoding; None to find out.
        strict: refuse what is not sound, see ``Source``.

    Raises:
        TranscriptError: no such file, a directory, unreadable, empty, binary, or in another encoding.
        ConfigError: there is no such encoding.
    """
    data = read_bytes(path)
    path = Path("stdin") if str(path) == STANDARD_INPUT else path
    decoded = decode(data, str(path), encoding, strict=strict)
    text = decoded.text
    if "\r" in text:  # CR LF, CR, and CR CR LF of a file that was converted twice
        text = _RETURNS.sub(lambda m: "\n" if m[0].endswith("\n") else "\n" * len(m[0]), text)
    if not text.strip():
        raise TranscriptError(f"{path}: the file is empty", fix="Pass a file with at least one utterance.")
    return Source(path, text, list(decoded.notes), strict)


def read_bytes(path: Path) -> bytes:
    """All bytes of a file, or of standard input (``-``), which can be read several times.

    Raises:
        TranscriptError: no such file, a directory, or unreadable.
    """
    if str(path) == STANDARD_INPUT:
        return _standard_input()
    check_file(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


@cache
def _standard_input() -> bytes:
    return sys.stdin.buffer.read()


def _unreadable(path: Path, error: Exception) -> TranscriptError:
    reason = getattr(error, "strerror", None) or error
    return TranscriptError(f"{path}: the file cannot be read: {reason}", fix="Check its name and permissions.")


def _nearby(path: Path) -> str:
    """Names like the missing one in its folder, as a hint."""
    try:
        names = [p.name for p in path.parent.iterdir() if p.is_file()]
    except OSError:
        return f"There is no folder {path.parent} either." if not path.parent.exists() else "Check the path."
    near = difflib.get_close_matches(path.name, names, n=2, cutoff=0.75)
    return f"Did you mean {' or '.join(near)}?" if near else "Check the path."
