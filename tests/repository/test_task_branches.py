"""Classes and values are told apart in the task objects; elsewhere hardly ever."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import moodline

SOURCE = Path(moodline.__file__).parent
OWNERS = {"evaluation/task.py", "evaluation/tasks.py", "nn/goals.py", "nn/value_range.py"}
"""The task objects, and what a network asks for its losses."""
FILES = {"corpora", "transcripts"}
"""They read what there is: a corpus may have labels and values at once."""
MOST = 15

KINDS = r"(ValueScale|LabelSet|RegressionPredictions|Predictions|Classification|Regression|\w*Goal)"
PATTERNS = [
    rf"isinstance\(.*\b{KINDS}\b",
    r"\b(scale|value_range|targets|task|scores)\b is (not )?None",
    r"\b(u|self|utterance)\.value is (not )?None",
    r"\b(task|kind|key)\b.* (==|!=|in|not in) .*['\"](classes|scores|classification|regression)['\"]",
    r"['\"](scale|per_class|mae|value_range)['\"] (not )?in\b",
    r"\[['\"](labels|scale)['\"]\]$",
    r"\.get\(['\"](per_class|scale|task)['\"]\)",
    r"^(self\.)?(goal\.)?(numbers|scale|value_range)$",
    r"classes_only",
]


def conditions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of everything that is asked: conditions, and look-ups by task."""
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield node.lineno, ast.unparse(node.test).removeprefix("not ")
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                yield test.lineno, ast.unparse(test).removeprefix("not ")
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            text = ast.unparse(node)
            if re.fullmatch(r"[A-Z_]+\[.*\b(task|task_in\(.*\)\.key)\]", text) and not text.startswith("TASKS["):
                yield node.lineno, f"isinstance({text}, ValueScale)"


def branches() -> list[str]:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name in OWNERS or name.partition("/")[0] in FILES:
            continue
        for line, test in conditions(ast.parse(path.read_text(encoding="utf-8"))):
            if any(re.search(pattern, test) for pattern in PATTERNS):
                found.append(f"{name}:{line}: {test}")
    return found


def test_at_most_fifteen_branches_on_the_kind_of_task() -> None:
    found = branches()
    assert len(found) <= MOST, "ask the task object (evaluation/tasks.py) instead:\n  " + "\n  ".join(found)


def test_the_counter_sees_branches() -> None:
    seen = [
        "if isinstance(target, ValueScale): pass",
        "x = a if scale is None else b",
        "if recipe.task == 'scores': pass",
        "if 'scale' in results: pass",
        "if not data['labels']: pass",
        "f(ANALYSES[p.task])",
        "[u for u in us if u.value is not None]",
    ]
    for code in seen:
        texts = [text for _, text in conditions(ast.parse(code))]
        assert any(re.search(p, text) for text in texts for p in PATTERNS), code
