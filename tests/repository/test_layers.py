"""The shape of the package: who may import whom, how long files and functions are, what is public, what is quick.

The layers are ``LAYERS`` of ``scripts/architecture.py``, which also writes them into ARCHITECTURE.md. An import may
only point down, also inside functions and under ``TYPE_CHECKING``. ``moodline/__init__.py`` names the public objects
lazily and is exempt.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import moodline
from tests.tiny import load_script

SOURCE = Path(moodline.__file__).parent
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 400, 80
LOOSE = 3
"""Modules beside the folders, at most, not counting ``__init__`` and ``__main__``."""
FILES = sorted(SOURCE.rglob("*.py"))
architecture = load_script("architecture")
KNOWN = architecture.modules()


def test_imports_point_down() -> None:
    found = list(architecture.violations())
    assert not found, "an import may only point down (LAYERS of scripts/architecture.py):\n  " + "\n  ".join(found)


def test_no_circle_of_files() -> None:
    """Also inside a folder, and also where an import stands in a function."""
    assert architecture.circles(architecture.arrows()) == []


def test_circles_are_seen() -> None:
    graph: dict[str, dict[str, int]] = {"a": {"b": 1}, "b": {"c": 1}, "c": {"a": 1}, "d": {"a": 1}, "e": {}}
    assert architecture.circles(graph) == [["a", "b", "c"]]


def test_every_folder_has_a_layer_and_few_modules_are_loose() -> None:
    folders = {p.relative_to(SOURCE).parts[0] for p in FILES if p.parent != SOURCE}
    listed = [name for names, _ in architecture.LAYERS for name in names]
    assert sorted(folders) == sorted(listed), "add new folders to LAYERS of scripts/architecture.py"
    loose = [p.name for p in FILES if p.parent == SOURCE and p.stem not in architecture.ENTRIES]
    assert len(loose) <= LOOSE, loose


def test_the_page_has_the_parts_that_are_made() -> None:
    """``make check`` says whether they are up to date; here, that they can be made and name every folder."""
    page = architecture.PAGE.read_text(encoding="utf-8")
    made = architecture.written(page)
    assert architecture.written(made) == made
    for names, _ in architecture.LAYERS:
        assert all(f"| `{name}/` |" in made for name in names)
    assert all(f"`{p.relative_to(SOURCE / p.relative_to(SOURCE).parts[0])}`" in made
               for p in FILES if p.parent != SOURCE and p.name != "__init__.py")  # fmt: skip


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("from moodline.cli import app", ["moodline.cli.app"]),
        ("from moodline import cli, __version__", ["moodline.cli"]),
        ("import moodline.cli.app as a", ["moodline.cli.app"]),
        ("def f():\n    from moodline.corpora.meld import read", ["moodline.corpora.meld"]),
        ("if TYPE_CHECKING:\n    from moodline.pipeline.features import x", ["moodline.pipeline.features"]),
        ("from .. import nn", ["moodline.nn"]),
        ("from . import settings", ["moodline.training.settings"]),
        ("from ..models.mister_e import x", ["moodline.models.mister_e"]),
        ("X = 'moodline.models.mister_e:MisterE'", ["moodline.models.mister_e"]),
        ("import_module('moodline.corpora.meld')", ["moodline.corpora.meld"]),
        ("import torch\nfrom moodline import __version__", []),
    ],
)
def test_the_reader_of_imports_sees_them_all(code: str, expected: list[str]) -> None:
    assert [name for _, name in architecture.imports(ast.parse(code), "moodline.training", KNOWN)] == expected


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
