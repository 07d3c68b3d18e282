"""The shape of the package: who may import whom, how long files and functions are, what is public, what is quick.

The layers are those of ARCHITECTURE.md; an import may only point down the list, also inside functions and under
``TYPE_CHECKING``. ``moodline/__init__.py`` names the public objects lazily and is exempt.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import moodline

SOURCE = Path(moodline.__file__).parent
ORDER: tuple[tuple[str, ...], ...] = (
    ("core",),
    ("corpora", "transcripts", "media", "features", "nn", "evaluation"),
    ("encoders", "models", "training", "listen"),
    ("pipeline",),
    ("experiments",),
    ("report",),
    ("cli",),
    ("__main__",),
)
"""From the bottom to the top. Names in one row do not import each other."""

LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 400, 80
FILES = sorted(SOURCE.rglob("*.py"))


def rank(name: str) -> int:
    return next(n for n, row in enumerate(ORDER) if name in row)


def part(path: Path) -> str:
    """The name in ``ORDER`` that a file belongs to."""
    return path.relative_to(SOURCE).with_suffix("").parts[0]


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and part of every import of Moodline's own, wherever it stands; ``package`` is the file's own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
            # `from moodline import x` names a part, unless x is one of the few words of __init__
            names = [f"moodline.{a.name}" for a in node.names] if base == "moodline" else [base]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
            names = [node.value.partition(":")[0]] if node.value.startswith("moodline.") else []  # a lazy registry
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == "moodline" and rest and rest != "__version__":
                yield node.lineno, rest.partition(".")[0]


def violations() -> Iterator[str]:
    for path in FILES:
        own = part(path)
        if own == "__init__":
            continue
        package = ".".join(("moodline", *path.relative_to(SOURCE).parent.parts))
        for line, other in imports(ast.parse(path.read_text(encoding="utf-8")), package):
            where = f"{path.relative_to(SOURCE.parent)}:{line}"
            if not any(other in row for row in ORDER):
                yield f"{where} imports moodline.{other}, which has no place in tests/repository/test_layers.py:ORDER"
            elif other != own and rank(other) >= rank(own):
                relation = "beside" if rank(other) == rank(own) else "above"
                yield f"{where}: moodline.{own} imports moodline.{other}, which stands {relation} it"


def test_imports_point_down() -> None:
    found = list(violations())
    assert not found, "an import may only point down (ARCHITECTURE.md, layers):\n  " + "\n  ".join(found)


def test_every_part_has_a_place() -> None:
    parts = {part(p) for p in FILES} - {"__init__"}
    assert not parts - {name for row in ORDER for name in row}, "add new parts to ORDER, at their layer"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from moodline.cli import app", ["cli"]),
        ("from moodline import cli, __version__", ["cli"]),
        ("import moodline.cli.app as a", ["cli"]),
        ("def f():\n    from moodline.corpora.meld import read", ["corpora"]),
        ("if TYPE_CHECKING:\n    from moodline.pipeline.features import x", ["pipeline"]),
        ("from .. import nn", ["nn"]),
        ("from . import settings", ["training"]),
        ("from ..models.mister_e import x", ["models"]),
        ("X = 'moodline.models.mister_e:MisterE'", ["models"]),
        ("import torch\nfrom moodline import __version__", []),
    ],
)
def test_the_reader_of_imports_sees_them_all(code: str, expected: list[str]) -> None:
    assert [name for _, name in imports(ast.parse(code), "moodline.training")] == expected


def test_files_and_functions_are_short() -> None:
    long = []
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(SOURCE)
        if (lines := len(text.splitlines())) > LINES_OF_A_FILE:
            long.append(f"{name}: {lines} lines, at most {LINES_OF_A_FILE}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > LINES_OF_A_FUNCTION:
                    long.append(f"{name}:{node.lineno} {node.name}: {lines} lines, at most {LINES_OF_A_FUNCTION}")
    assert not long, "split these:\n  " + "\n  ".join(long)


def loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("code", ["import moodline", "import moodline.cli.app", "from moodline import Conversation"])
def test_help_and_the_words_import_nothing_heavy(code: str) -> None:
    heavy = {"torch", "transformers", "numpy", "scipy", "sklearn", "pyarrow", "pydantic", "yaml", "matplotlib"}
    assert not heavy & loaded_by(code)


@pytest.mark.parametrize(
    "code", ["import moodline.pipeline.recipe", "import moodline.encoders.registry", "import moodline.corpora.registry"]
)
def test_recipes_and_tables_need_no_torch(code: str) -> None:
    assert not {"torch", "transformers"} & loaded_by(code)


def test_public_names() -> None:
    """A name that leaves this list breaks somebody's program: see CHANGELOG.md."""
    assert moodline.__all__ == [
        "__version__",
        "Batch",
        "Conversation",
        "MoodlineError",
        "Output",
        "Prediction",
        "Recognizer",
        "Utterance",
        "read_corpus",
        "read_transcript",
    ]
    for name in moodline.__all__:
        assert getattr(moodline, name) is not None
    assert dir(moodline) == sorted(moodline.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = moodline.nothing
