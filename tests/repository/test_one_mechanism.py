"""What exists once: writing files whole and hashing (core/files.py, core/hashing.py); nobody makes their own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import moodline

SOURCE = Path(moodline.__file__).parent
FILES = [p for p in sorted(SOURCE.rglob("*.py")) if p not in (SOURCE / "core/files.py", SOURCE / "core/hashing.py")]
IN_DRAFTS = {"corpora/convert.py", "corpora/native_features.py", "encoders/split_package.py"}
"""They fill a folder of ``replacing_folder``, in which nothing has to be whole yet."""


def own_ways(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of each call by which a file would be written, renamed or hashed without ``core``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(a.name == "hashlib" for a in node.names):
            yield node.lineno, "hashlib"
        if isinstance(node, ast.ImportFrom) and node.module == "hashlib":
            yield node.lineno, "hashlib"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            # str.replace has two arguments, dataclasses.replace names
            renames = name == "replace" and len(node.args) == 1 and not node.keywords
            if renames or name in ("rename", "fsync", "write_text", "write_bytes"):
                yield node.lineno, name


def test_files_are_written_and_hashed_in_one_way() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {name}"
        for path in FILES
        if path.relative_to(SOURCE).as_posix() not in IN_DRAFTS
        for line, name in own_ways(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not found, "use core/files.py and core/hashing.py:\n  " + "\n  ".join(found)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import hashlib", ["hashlib"]),
        ("from hashlib import sha256", ["hashlib"]),
        ("part.replace(path)", ["replace"]),
        ("os.fsync(1); a.rename(b); p.write_text('x')", ["fsync", "rename", "write_text"]),
        ("'a'.replace('b', 'c'); dataclasses.replace(x, a=1); replace(x)", []),
    ],
)
def test_own_ways_are_seen(code: str, expected: list[str]) -> None:
    assert [name for _, name in own_ways(ast.parse(code))] == expected
