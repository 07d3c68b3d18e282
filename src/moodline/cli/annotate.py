"""``moodline annotate`` and ``collect``: many recordings and transcripts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from moodline.cli.console import print_json, stdout
from moodline.core.progress import progress_bar

if TYPE_CHECKING:
    from moodline.annotation.annotator import AnnotationSettings
    from moodline.annotation.run import Engine

FAILED = 2
"""The exit code where an item failed."""


def run_annotate(
    inputs: Sequence[str],
    out: Path,
    settings: AnnotationSettings,
    workers: int | None,
    shard: str | None,
    retry_failed: bool,
    engine: Engine,
    address: str | None,
    json_: bool,
    quiet: bool,
) -> None:
    """Annotate, print a summary, and exit with ``FAILED`` if an item failed."""
    from dataclasses import asdict

    from moodline.annotation.folder import Shard
    from moodline.annotation.run import annotate

    with progress_bar(quiet) as progress:
        summary = annotate(
            inputs,
            out,
            settings,
            workers=workers,
            shard=None if shard is None else Shard.parse(shard),
            retry_failed=retry_failed,
            engine=engine,
            address=address,
            progress=progress,
        )
    if json_:
        print_json(asdict(summary))
    elif not quiet:
        stdout().print(
            f"{summary.items} items: {summary.new} annotated, {summary.done} done before, {summary.failed} failed",
            markup=False,
        )
        if summary.failed:
            stdout().print(f"failed: {out / 'failed.jsonl'}; try again with --retry-failed", markup=False)
        stdout().print(f"written: {out / 'results'}; next: moodline collect {out}", markup=False)
    if summary.failed:
        raise SystemExit(FAILED)


def run_collect(path: Path, out: Path | None, by: Sequence[str], json_: bool, quiet: bool) -> None:
    """Collect the results of a folder and name the files."""
    from moodline.annotation.collect import collect

    with progress_bar(quiet) as progress:
        found = collect(path, out, by or ("model",), progress)
    if json_:
        print_json(
            {"items": found.items, "turns": found.turns, "missing": found.missing, "files": list(map(str, found.files))}
        )
    elif not quiet:
        missing = f"; {found.missing} without a result" if found.missing else ""
        stdout().print(f"{found.items} items, {found.turns} turns{missing}", markup=False)
        for file in found.files:
            stdout().print(f"written: {file}", markup=False)
