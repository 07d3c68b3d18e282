"""The files of experiments: page and pictures beside ``experiment.json``, published copies, the pages of the docs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodline.core.errors import StorageError
from moodline.core.files import replacing
from moodline.experiments.ablations.files import FILE, find_experiments
from moodline.report.experiment_page import MADE, MADE_END, experiment_page_text, overview, page_name
from moodline.report.experiment_plots import draw_experiment


def write_experiment(data: dict[str, Any], out: Path) -> None:
    """Write the page and the pictures of an experiment beside its ``experiment.json``."""
    draw_experiment(data, out / "plots")
    with replacing(out / "README.md") as file:
        file.write(experiment_page_text(data).encode())


def publish_experiment(out: Path, target: Path) -> None:
    """Copy what is committed (numbers, the page's pictures, the base's recipe) to ``target``.

    No predictions, no weights, and no picture that the page does not show.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        page = (out / "README.md").read_text(encoding="utf-8")
        plots = [p for p in sorted((out / "plots").iterdir()) if f"/{p.name})" in page]
        for path in (*plots, out / "runs" / "base" / "recipe.yaml", out / FILE):
            with replacing(target / path.name) as file:
                file.write(path.read_bytes())
    except OSError as error:
        raise StorageError.writing(target, error) from error


def docs_pages(published: Path, docs: Path) -> dict[Path, str]:
    """The pages that a docs folder should hold for all published experiments.

    Args:
        published: a folder with ``experiment.json`` files in it.
        docs: where the pages go.

    Returns:
        path to content: a page for each experiment and corpus, and an overview for each experiment.

    Raises:
        ConfigError: there is no such folder, or a file is broken.
    """
    from os.path import relpath

    pages: dict[Path, str] = {}
    series: dict[str, list[dict[str, Any]]] = {}
    for folder, data in find_experiments(published):
        pictures = Path(relpath(folder, docs)).as_posix()
        source = f"{pictures}/{FILE}"
        pages[docs / page_name(data)] = experiment_page_text(data, pictures, source)
        series.setdefault(data["page"], []).append(data)
    return pages | {docs / f"{page}.md": overview(found) for page, found in series.items()}


def write_docs(published: Path, docs: Path, check: bool = False) -> list[Path]:
    """Bring the pages of a docs folder up to date.

    Args:
        published: a folder with ``experiment.json`` files in it.
        docs: the folder of the pages; files in it that were not made here are left alone.
        check: change nothing.

    Returns:
        The pages that were out of date: stale, missing, or of an experiment that is no longer published.
    """
    pages = docs_pages(published, docs)
    have = {p: p.read_text(encoding="utf-8") for p in sorted(docs.glob("*.md"))} if docs.is_dir() else {}
    stale = [p for p, text in pages.items() if have.get(p) != text]
    gone = [p for p, text in have.items() if p not in pages and MADE.partition("{")[0] in text and MADE_END in text]
    if not check:
        try:
            docs.mkdir(parents=True, exist_ok=True)
            for path in gone:
                path.unlink()
        except OSError as error:
            raise StorageError.writing(docs, error) from error
        for path in stale:
            with replacing(path) as file:
                file.write(pages[path].encode())
    return [*stale, *gone]
