"""The tests themselves: scripts that they write import what exists; what they replace is what the software uses."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import moodline

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(moodline.__file__).parent
FILES = sorted((ROOT / "tests").rglob("*.py"))
IMPORT = re.compile(r"^\s*from (moodline[\w.]*) import ([\w, ]+)$", re.MULTILINE)
Name = tuple[str, str]
"""A module and a name in it."""


def written_imports(tree: ast.AST) -> Iterator[Name]:
    """Imports of Moodline's modules in the strings of a file: scripts for another process."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for module, names in IMPORT.findall(node.value):
                yield from ((module, name.split(" as ")[0].strip()) for name in names.split(",") if name.strip())


def exists(module: str, name: str) -> bool:
    if find_spec(module) is None:
        return False
    return hasattr(importlib.import_module(module), name) or find_spec(f"{module}.{name}") is not None


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT / "tests")))
def test_imports_in_strings_exist(path: Path) -> None:
    if path.name in ("test_layers.py", "test_tests.py"):  # its strings are examples
        return
    missing = [n for n in written_imports(ast.parse(path.read_text(encoding="utf-8"))) if not exists(*n)]
    assert not missing


# -- what monkeypatch replaces -----------------------------------------------------------------------------------------


def modules_of(tree: ast.AST) -> dict[str, str]:
    """Name in a file to the module of Moodline that it stands for."""
    out = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("moodline"):
            for a in node.names:
                if (SOURCE.parent / f"{node.module}.{a.name}".replace(".", "/")).with_suffix(".py").is_file():
                    out[a.asname or a.name] = f"{node.module}.{a.name}"
        elif isinstance(node, ast.Import):
            out |= {a.asname or a.name: a.name for a in node.names if a.name.startswith("moodline.")}
    return out


def replaced(tree: ast.AST) -> Iterator[tuple[int, Name]]:
    """Line, module and name of every ``monkeypatch.setattr`` on a module of Moodline."""
    modules = modules_of(tree)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr"):
            continue
        first, *rest = node.args
        if isinstance(first, ast.Constant) and str(first.value).startswith("moodline."):
            module, _, name = str(first.value).rpartition(".")
            yield node.lineno, (module, name)
        elif rest and isinstance(rest[0], ast.Constant) and ast.unparse(first) in modules:
            yield node.lineno, (modules[ast.unparse(first)], str(rest[0].value))


def looked_up() -> dict[str, set[str]]:
    """Module to the names that are looked up in it at each use.

    These are its own names where its functions read them, those that others import inside a function, and those that
    others read as ``module.name``. A name that another module imports at its top is that module's own from then on.
    """
    out: dict[str, set[str]] = defaultdict(set)
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
        aliases = modules_of(tree)
        out[module] |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in aliases:
                out[aliases[ast.unparse(node.value)]].add(node.attr)
            if isinstance(node, ast.FunctionDef):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.ImportFrom) and inner.module:
                        out[inner.module] |= {a.name for a in inner.names}
    return out


def guards_nothing(tree: ast.AST, used: dict[str, set[str]]) -> list[str]:
    return [
        f"line {line}: {module} does not use {name}"
        for line, (module, name) in replaced(tree)
        if module in used and name not in used[module]  # others are classes and functions: an attribute is enough
    ]


USED = looked_up()


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT / "tests")))
def test_what_is_replaced_is_used(path: Path) -> None:
    """A replaced name that nobody looks up changes nothing, and the test guards nothing."""
    found = guards_nothing(ast.parse(path.read_text(encoding="utf-8")), USED)
    assert not found, f"{path.relative_to(ROOT)}: {found}"


def test_the_reader_of_replacements_sees_what_is_not_used() -> None:
    code = "from moodline.experiments import evaluate as e\nmonkeypatch.setattr(e, 'read_corpus', None)\n"
    assert guards_nothing(ast.parse(code), USED) == ["line 2: moodline.experiments.evaluate does not use read_corpus"]
    code = "monkeypatch.setattr('moodline.experiments.evaluate.read_folds', None)\n"
    assert guards_nothing(ast.parse(code), USED) == []
