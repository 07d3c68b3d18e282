"""Hashes of contents: SHA-256 in hexadecimal, of texts, bytes, files and JSON. Every other file hashes with these."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def text_hash(text: str) -> str:
    """SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def data_hash(data: Any) -> str:
    """SHA-256 of bytes, or of a contiguous array's bytes."""
    return hashlib.sha256(data).hexdigest()


def json_hash(value: Any, sort_keys: bool = False) -> str:
    """SHA-256 of a value's JSON.

    Args:
        value: lists, mappings with names as keys, strings, numbers, true, false and null.
        sort_keys: True makes the hash independent of the order of a mapping's keys.
    """
    return text_hash(json.dumps(value, sort_keys=sort_keys))


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; the file is streamed.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
