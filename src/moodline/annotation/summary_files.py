"""The summary for people: an Excel workbook and a PDF of one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from moodline.annotation.summary import TENTHS, UNSURE, Totals
from moodline.core.files import replacing, replacing_path

ROWS_OF_A_SHEET = 1_048_575
"""Rows that a sheet of Excel holds, without its head."""

MOST_ITEMS = 12
"""Items that the PDF shows."""


def write_workbook(path: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]], failures: Sequence[Any]) -> bool:
    """Write one sheet for each table and one of failures.

    Args:
        path: ends in ``.xlsx``.
        tables: of ``Totals.tables``.
        failures: rows with id, path and error.

    Returns:
        False if openpyxl, which writes workbooks, is not installed; then nothing is written.

    Raises:
        StorageError: the disk refused.
    """
    try:
        from openpyxl import Workbook
    except ImportError:
        return False
    book = Workbook(write_only=True)
    failed = [{k: f[k] for k in ("id", "path", "error")} for f in failures]
    for name, rows in {**tables, "failed": failed}.items():
        if not rows:
            continue
        sheet = book.create_sheet(name)
        sheet.freeze_panes = "A2"
        heads = list(dict.fromkeys(head for row in rows for head in row))
        sheet.append(heads)
        for row in rows[:ROWS_OF_A_SHEET]:
            sheet.append([_cell(sheet, row.get(head)) for head in heads])
    with replacing_path(path) as temporary:
        book.save(temporary)
    return True


def _cell(sheet: Any, value: Any) -> Any:
    """A cell whose text is never a formula, without characters that Excel's files cannot hold."""
    if not isinstance(value, str):
        return value
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value.encode("utf-8", "replace").decode())[:32_000])
    cell.data_type = "s"
    return cell


def write_pdf(path: Path, totals: Totals, title: str) -> None:
    """Write one page: shares of all emotions, their course over the conversations, and the largest items.

    Raises:
        StorageError: the disk refused.
    """
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.27, 11.69), layout="constrained")
    FigureCanvasPdf(figure)
    items, turns = len(totals.items), totals.all.turns
    figure.suptitle(f"{_plain(title)}: {items} items, {turns} turns, {totals.all.seconds / 3600:.1f} hours of speech")
    axes = figure.subplots(3, 1, height_ratios=(1, 2, 3))
    largest = sorted(totals.items, key=lambda i: -totals.items[i].turns)[:MOST_ITEMS]
    _bars(axes[0], totals, ["all"], [totals.all])
    spans = [f"{n * 100 // TENTHS} to {(n + 1) * 100 // TENTHS} %" for n in sorted(totals.course)]
    _bars(axes[1], totals, spans, [totals.course[n] for n in sorted(totals.course)])
    axes[1].set_title("Course of the conversations, in tenths of their turns", loc="left", fontsize=10)
    _bars(axes[2], totals, [_plain(i)[-40:] for i in largest], [totals.items[i] for i in largest])
    axes[2].set_title(f"The {len(largest)} items with the most turns", loc="left", fontsize=10)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=8)
    with replacing(path) as file:
        figure.savefig(file, format="pdf", metadata={"CreationDate": None})


def _bars(axes: Any, totals: Totals, names: Sequence[str], tallies: Sequence[Any]) -> None:
    """One stacked bar for each tally; of a regression, its mean value."""
    from moodline.report.html.theme import theme_of

    rows = range(len(names))
    labels = tuple(totals.labels)
    if not labels:
        means = [t.values[0] / t.values[1] if t.values[1] else 0.0 for t in tallies]
        axes.barh(rows, means, color="#0072B2", label="mean value")
    left = [0.0] * len(names)
    shown = theme_of(labels)
    for label in [*labels, UNSURE] if labels else ():
        shares = [(t.abstained if label == UNSURE else t.emotions[label]) / max(t.turns, 1) for t in tallies]
        colour = shown[label].colour if label in shown else "#FFFFFF"
        axes.barh(rows, shares, left=left, color=colour, label=label, edgecolor="#888888", linewidth=0.3)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.set_yticks(list(rows), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("share of turns" if labels else "mean value", fontsize=8)


def _plain(text: str) -> str:
    """A text that matplotlib does not read as a formula."""
    return text.replace("$", r"\$")
