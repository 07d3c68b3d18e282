"""``collect``: all results of a folder as one data set, a summary and an index page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodline.annotation.folder import ResultFolder
from moodline.annotation.summary import Totals
from moodline.core.errors import ConfigError
from moodline.core.files import make_folder, replacing, replacing_folder, write_json, write_text
from moodline.core.progress import ProgressCallback
from moodline.report.write import spreadsheet_cell

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_OF_A_FILE = 200_000
"""Rows of one Parquet file, at most."""

BATCH = 5_000
"""Items whose rows are in memory at a time."""


@dataclass(frozen=True)
class Collected:
    """What was collected.

    Args:
        items, turns: how many are in the data set.
        missing: items of the lists of inputs that have no result.
        files: what was written.
    """

    items: int
    turns: int
    missing: int
    files: tuple[Path, ...]


def collect(
    path: Path, out: Path | None = None, by: Sequence[str] = ("model",), progress: ProgressCallback | None = None
) -> Collected:
    """Write what a folder of results holds as a data set, tables and an index page.

    Args:
        path: the folder that ``annotate`` wrote.
        out: a folder; None for ``collected`` in ``path``. Earlier files of ``collect`` in it are replaced.
        by: columns that partition the data set: model, speaker, emotion, or columns of the manifest.
        progress: see ``ProgressCallback``.

    Returns:
        Counts and files: ``turns/`` (Parquet, partitioned as Hive does; a row for each utterance with a unique
        ``uid``), ``summary.json``, a CSV for each table, ``summary.xlsx`` (if openpyxl is installed), ``summary.pdf``
        and ``index.html``.

    Raises:
        ConfigError: the folder has no result, or ``by`` names no column.
        StorageError: the disk refused.
    """
    from moodline.annotation.index_page import index_page
    from moodline.annotation.summary_files import write_pdf, write_workbook

    if not (path / "results").is_dir():
        raise ConfigError(f"{path}: expected the --out folder of moodline annotate", fix="Name that folder.")
    folder, out = ResultFolder(path), path / "collected" if out is None else out
    rows = list(folder.inputs().values())
    done = [row for row in rows if folder.done(row["key"], report=False)]
    if not done:
        raise ConfigError(f"{path}: no result yet", fix="Run moodline annotate first, or look at failed.jsonl.")
    totals = Totals()
    for n, row in enumerate(done, 1):
        totals.add(row, _predictions(folder, row["key"]))
        if progress is not None:
            progress("reading", n, len(done))
    tables = totals.tables()
    make_folder(out)
    columns = _columns(totals, done)
    if unknown := [name for name in by if name not in columns]:
        raise ConfigError(f"--by names no column: {unknown[0]}", fix=f"Columns: {', '.join(columns)}.")
    _write_turns(out / "turns", folder, done, columns, by, progress)
    files = [out / "turns", out / "summary.json"]
    write_json(out / "summary.json", tables)
    for name, table in tables.items():
        if table:
            _write_csv(out / f"{name}.csv", table)
            files.append(out / f"{name}.csv")
    failures = list(folder.failures().values())
    if write_workbook(out / "summary.xlsx", tables, failures):
        files.append(out / "summary.xlsx")
    write_pdf(out / "summary.pdf", totals, path.resolve().name)
    reports = {row["id"]: folder.report(row["key"]) for row in done if folder.report(row["key"]).is_file()}
    write_text(out / "index.html", index_page(path.resolve().name, totals, failures, reports, out))
    files += [out / "summary.pdf", out / "index.html"]
    return Collected(len(done), totals.all.turns, len(rows) - len(done), tuple(files))


def _predictions(folder: ResultFolder, key: str) -> list[dict[str, Any]]:
    return list(json.loads(folder.result(key).read_text(encoding="utf-8"))["predictions"])


NUMBERS = ("start", "end", "confidence", "value", "value_low", "value_high")
TEXTS = ("uid", "item", "path", "conversation", "id", "model", "speaker", "text", "emotion")


def _columns(totals: Totals, rows: Sequence[dict[str, Any]]) -> list[str]:
    """The data set's columns: fixed ones, a probability for each label, then the manifest's columns."""
    about = dict.fromkeys(name for row in rows for name in row["about"])
    fixed = [*TEXTS, *NUMBERS, "abstained"]
    return [*fixed, *(f"probability_{label}" for label in totals.labels), *(n for n in about if n not in fixed)]


def _write_turns(
    target: Path,
    folder: ResultFolder,
    rows: Sequence[dict[str, Any]],
    columns: Sequence[str],
    by: Sequence[str],
    progress: ProgressCallback | None,
) -> None:
    import shutil

    import pyarrow as pa
    from pyarrow import dataset

    def kind(name: str) -> pa.DataType:
        if name == "abstained":
            return pa.bool_()
        return pa.float64() if name in NUMBERS or name.startswith("probability_") else pa.string()

    schema = pa.schema([(name, kind(name)) for name in columns])

    def batches() -> Iterator[pa.RecordBatch]:
        turns: list[dict[str, Any]] = []
        for n, row in enumerate(rows, 1):
            turns += _turns(row, _predictions(folder, row["key"]))
            if n % BATCH == 0 or n == len(rows):
                yield pa.RecordBatch.from_pylist(turns, schema)
                turns.clear()
            if progress is not None:
                progress("writing turns", n, len(rows))

    if target.exists():  # it is made of the result files, so nothing is lost
        shutil.rmtree(target)
    with replacing_folder(target) as empty:
        parts = dataset.partitioning(pa.schema([schema.field(name) for name in by]), flavor="hive")
        dataset.write_dataset(
            batches(),
            empty,
            format="parquet",
            schema=schema,
            partitioning=parts,
            max_rows_per_file=ROWS_OF_A_FILE,
            max_rows_per_group=ROWS_OF_A_FILE,
            existing_data_behavior="overwrite_or_ignore",
        )


def _turns(row: dict[str, Any], predictions: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row of the data set for each utterance of an item."""
    for p in predictions:
        for u in p["utterances"]:
            interval = u.get("interval") or (None, None)
            probabilities = {f"probability_{x['label']}": x["probability"] for x in u.get("probabilities", ())}
            yield {
                **{name: None if value is None else str(value) for name, value in row["about"].items()},
                "uid": f"{row['id']}#{p['conversation']}#{u['id']}",
                "item": row["id"],
                "path": row["path"],
                "conversation": p["conversation"],
                "model": p["model"],
                **{name: u.get(name) for name in ("id", "speaker", "start", "end", "text", "emotion", "confidence")},
                "abstained": u.get("abstained"),
                "value": u.get("value"),
                "value_low": interval[0],
                "value_high": interval[1],
                **probabilities,
            }


def _write_csv(path: Path, table: Sequence[dict[str, Any]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(dict.fromkeys(name for row in table for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: spreadsheet_cell(v) if isinstance(v, str) else v for k, v in row.items()} for row in table)
    with replacing(path) as file:
        file.write(out.getvalue().encode("utf-8", "replace"))
