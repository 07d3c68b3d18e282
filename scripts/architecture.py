"""Write layers, files and figures of the source into ARCHITECTURE.md.

    python scripts/architecture.py [--check]

With --check nothing is changed, and the exit code is 1 if the page is out of date. ``LAYERS`` is the one list of the
layers: ``tests/repository/test_layers.py`` checks the imports against it.
"""

from __future__ import annotations

import argparse
import ast
import re
import statistics
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "moodline"
PAGE = ROOT / "ARCHITECTURE.md"
LAYERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("core",), "what every folder uses"),
    (("corpora", "transcripts", "media", "features", "nn", "evaluation"), "parts"),
    (("encoders", "models", "training", "listen"), "perceiving and learning"),
    (("pipeline",), "from a recipe to a model, from a conversation to a prediction"),
    (("experiments",), "training and evaluation under the protocol"),
    (("report",), "tables, plots, pages, output files"),
    (("annotation",), "many files, on several processes and machines"),
    (("service",), "answers over HTTP"),
    (("cli",), "the command line"),
)
"""Folders of each layer and what the layer is for, from the bottom to the top. An import may only point to a lower
layer; folders of one layer do not import each other."""
ENTRIES = ("__init__", "__main__")
"""Modules beside the folders: the public names, and the start of the command line. They may import everything."""


def rank(folder: str) -> int:
    """The number of a folder's layer, from 0 at the bottom.

    Raises:
        KeyError: the folder has no layer.
    """
    for n, (folders, _) in enumerate(LAYERS):
        if folder in folders:
            return n
    raise KeyError(f"{folder}: no layer; add it to LAYERS of scripts/architecture.py")


@cache
def modules(source: Path = SOURCE) -> dict[str, Path]:
    """Name of every module of the package to its file; a folder's name stands for its ``__init__.py``."""
    names = (".".join(p.relative_to(source.parent).with_suffix("").parts) for p in sorted(source.rglob("*.py")))
    return {name.removesuffix(".__init__"): p for name, p in zip(names, sorted(source.rglob("*.py")), strict=True)}


def imports(tree: ast.AST, package: str, known: Mapping[str, Path]) -> Iterator[tuple[int, str]]:
    """Line and module of every import of Moodline's own: at the top, in functions, for types, in lazy registries.

    Args:
        tree: the parsed file.
        package: the package that the file is in, for relative imports.
        known: see ``modules``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
            inside = [f"{base}.{a.name}" for a in node.names]
            names = list(dict.fromkeys(name if name in known or base == "moodline" else base for name in inside))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            registered = re.fullmatch(r"(moodline(?:\.\w+)+)(?::\w+)?", node.value)
            names = [registered[1]] if registered and registered[1] in known else []
        else:
            continue
        for name in names:
            if name.startswith("moodline.") and name != "moodline.__version__":
                yield node.lineno, name


@cache
def arrows() -> dict[str, dict[str, int]]:
    """Module to the modules that it imports, each with the line of the first import."""
    known, out = modules(), dict[str, dict[str, int]]()
    for name, path in known.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        out[name] = {}
        for line, other in imports(tree, package, known):
            while other not in known:  # a name in a module
                other = other.rpartition(".")[0]
            if other not in (name, "moodline"):
                out[name].setdefault(other, line)
    return out


def circles(graph: Mapping[str, Mapping[str, int]]) -> list[list[str]]:
    """Groups of modules that reach each other by imports."""
    reach = {name: _reached(graph, name) for name in graph}
    groups = {frozenset([a, *(b for b in reach[a] if a in reach[b])]) for a in graph}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reached(graph: Mapping[str, Mapping[str, int]], name: str) -> set[str]:
    seen, waiting = set[str](), [name]
    while waiting:
        for other in graph[waiting.pop()]:
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return seen


def folder_of(module: str) -> str:
    """The folder or module right below the package: the name that layers are of."""
    return module.split(".")[1] if "." in module else "__init__"


def violations() -> Iterator[str]:
    """One line for every import that does not point to a lower layer."""
    for name, others in arrows().items():
        own = folder_of(name)
        for other, line in others.items():
            if own in ENTRIES or folder_of(other) == own:
                continue
            if folder_of(other) in ENTRIES or rank(folder_of(other)) >= rank(own):
                path = modules()[name].relative_to(SOURCE.parent)
                yield f"{path}:{line}: {own} imports {other}, which is not in a lower layer"


# -- the page ----------------------------------------------------------------------------------------------------------


def first_sentence(path: Path) -> str:
    """The first sentence of a file's docstring."""
    text = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n\n")[0].split())
    text = text.replace("``", "`")
    found = re.match(r"(.+?)(?<!e\.g)(?<!i\.e)[.](?= [A-Z`]|$)", text)
    return (found[1] if found else text).rstrip(".")


def layers_table() -> str:
    """The layers from top to bottom, each folder with what its docstring says."""
    lines = ["| layer | folder | holds |", "|---|---|---|"]
    for number, (folders, title) in reversed(list(enumerate(LAYERS))):
        for n, folder in enumerate(folders):
            first = f"{number}: {title}" if n == 0 else ""
            lines.append(f"| {first} | `{folder}/` | {first_sentence(SOURCE / folder / '__init__.py')} |")
    return "\n".join(lines)


def in_order(folder: str) -> list[str]:
    """The modules of a folder, those first that import no other one of it."""
    graph, prefix = arrows(), f"moodline.{folder}."
    left = sorted(name for name in graph if name.startswith(prefix) and modules()[name].name != "__init__.py")
    out: list[str] = []
    while left:
        ready = next((n for n in left if not (_reached(graph, n) & set(left)) - {n}), left[0])
        out.append(ready)
        left.remove(ready)
    return out


def tree() -> str:
    """Every file with the first sentence of its docstring, folder by folder from the bottom."""
    lines = []
    for folders, _ in LAYERS:
        for folder in folders:
            lines += [f"**`{folder}/`**", ""]
            for name in in_order(folder):
                path = modules()[name].relative_to(SOURCE / folder)
                lines.append(f"- `{path}`: {first_sentence(modules()[name])}")
            lines.append("")
    return "\n".join(lines).rstrip()


def figures() -> str:
    """Sizes and imports, measured."""
    files = modules()
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in files.items()}
    longest = max(lines, key=lambda name: lines[name])
    pairs = {
        (folder_of(a), folder_of(b))
        for a, others in arrows().items()
        for b in others
        if folder_of(a) not in ENTRIES and folder_of(a) != folder_of(b)
    }
    loose = [p for p in SOURCE.glob("*.py") if p.stem not in ENTRIES]
    rows = {
        "files": len(files),
        "lines": f"{sum(lines.values()):,}",
        "lines of a file, median": round(statistics.median(lines.values())),
        "longest file": f"{lines[longest]} (`{files[longest].relative_to(SOURCE)}`)",
        "folders": sum(len(folders) for folders, _ in LAYERS),
        "layers": len(LAYERS),
        "modules beside the folders": len(loose),
        "imports from folder to folder": len(pairs),
        "imports from file to file": sum(map(len, arrows().values())),
        "circles of imports": len(circles(arrows())),
    }
    return "\n".join(["| measured | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())])


PARTS = {"layers": layers_table, "figures": figures, "files": tree}


def written(text: str) -> str:
    """The page with its generated parts made again.

    Raises:
        ValueError: a marker is missing.
    """
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: begin (made by scripts/architecture.py) -->", f"<!-- {name}: end -->"
        if begin not in text or end not in text:
            raise ValueError(f"ARCHITECTURE.md: expected the lines {begin} and {end}")
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}\n{make()}\n{end}{rest.partition(end)[2]}"
    return text


def main() -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit code 1 if the page is out of date")
    check = parser.parse_args().check
    before = PAGE.read_text(encoding="utf-8")
    after = written(before)
    if check and before != after:
        print("ARCHITECTURE.md is out of date; run: make docs", file=sys.stderr)
        return 1
    if not check:
        PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
