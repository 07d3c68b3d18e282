"""Public names are the field's words: those of a short list of riddles are not used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "src" / "moodline"
AVOIDED = {
    "told": "reported, given",
    "said": "answered, spoken",
    "heard": "recognized, recorded",
    "whom": "who, speaker",
    "drawn": "sampled, units",
    "means": "statistics",
    "agreed": "same",
    "here": "available, present",
    "answerer": "scorer",
    "rehearsal": "memory check",
    "looks": "theme",
    "stepping": "layers",
    "study": "experiment, search",
    "studies": "experiments",
    "stage1": "finetuning",
}
"""Word of a name to what to say instead (HOUSE.md has the reasons)."""


def public_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Names of functions, classes, methods and fields that do not begin with an underscore, with their lines."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node.lineno
            if isinstance(node, ast.ClassDef):
                for part in node.body:
                    if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and not part.name.startswith("_"):
                        yield part.name, part.lineno
                    elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                        yield part.target.id, part.lineno
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((t.id, node.lineno) for t in targets if isinstance(t, ast.Name) and not t.id.startswith("_"))


def words(name: str) -> set[str]:
    """The words of ``some_name``, ``SomeName`` or ``SOME_NAME``."""
    return {w.lower() for w in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def test_public_names_are_the_fields_words() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        for name, line in public_names(ast.parse(path.read_text(encoding="utf-8"))):
            for word in sorted(words(name) & AVOIDED.keys()):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {name}: say {AVOIDED[word]}")
        for word in sorted(words(path.stem) & AVOIDED.keys()):
            wrong.append(f"{path.relative_to(ROOT)}: the file's name: say {AVOIDED[word]}")
    assert not wrong, "\n".join(wrong)
