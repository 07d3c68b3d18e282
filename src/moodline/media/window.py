"""A part of a file as a file of its own, with another head if its own is wrong."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any


class Window(io.RawIOBase):
    """Bytes ``start`` to ``stop`` of a file, behind ``head``.

    Args:
        path: the file.
        start: first byte.
        stop: the byte after the last one.
        head: bytes that come before them.
    """

    def __init__(self, path: Path, start: int, stop: int, head: bytes = b"") -> None:
        super().__init__()
        self._file = path.open("rb")
        self._start, self._head, self._at = start, head, 0
        self._size = len(head) + max(0, stop - start)

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be moved in: always."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position; gives it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; gives how many bytes were read."""
        view = memoryview(buffer).cast("B")
        if self._at < len(self._head):
            data = self._head[self._at : self._at + len(view)]
        else:
            self._file.seek(self._start + self._at - len(self._head))
            data = self._file.read(max(0, min(len(view), self._size - self._at)))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
