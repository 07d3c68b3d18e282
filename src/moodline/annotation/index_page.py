"""One HTML page that shows the summary and links the reports; it needs nothing but itself."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from moodline.annotation.summary import TENTHS, UNSURE, Tally, Totals
from moodline.report.html.theme import theme_of

MOST_ROWS = 5_000
"""Rows that a table of the page holds, so that a browser shows it at once; the CSV files hold all."""

STYLE = """
:root { color-scheme: light dark; --page: #f6f6f4; --card: #fff; --ink: #1b1b1b; --quiet: #5b5b5b; --rule: #d8d8d4;
  --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --page: #131416; --card: #1d1f22; --ink: #ececec; --quiet: #a9adb3;
  --rule: #383c42; --accent: #7db8f5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 16px; max-width: 1200px; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
h1 { font-size: 1.45rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 14px; margin: 14px 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 6px 8px; border-top: 1px solid var(--rule); vertical-align: top; }
th { font-weight: 600; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.name { overflow-wrap: anywhere; min-width: 12em; } td.bar { width: 40%; min-width: 180px; }
a { color: var(--accent); display: inline-block; min-height: 24px; } .quiet { color: var(--quiet); }
.stack { display: flex; height: 18px; border-radius: 4px; overflow: hidden; border: 1px solid var(--rule); }
.stack span { display: block; height: 100%; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 14px; margin: 0 0 10px; padding: 0; list-style: none; }
.legend i { display: inline-block; width: 14px; height: 14px; border-radius: 3px; margin-right: 6px;
  vertical-align: -2px; border: 1px solid var(--rule); }
input { font: inherit; padding: 6px 10px; width: min(100%, 360px); border: 1px solid var(--rule); border-radius: 6px;
  background: var(--card); color: var(--ink); }
"""

SCRIPT = """
const filter = document.getElementById('filter');
filter.hidden = false;
filter.addEventListener('input', () => {
  const words = filter.value.toLowerCase();
  for (const row of document.querySelectorAll('#items tbody tr'))
    row.hidden = !row.dataset.name.includes(words);
});
"""


def index_page(
    title: str, totals: Totals, failures: Sequence[Mapping[str, Any]], reports: Mapping[str, Path], folder: Path
) -> str:
    """The page as HTML.

    Args:
        title: its heading.
        totals: what is shown.
        failures: rows with id and error.
        reports: item id to its report.
        folder: where the page will be, for links.
    """
    body = "\n".join(_body(title, totals, failures, reports, folder))
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}: moods</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n"
        f"<script>{SCRIPT}</script>\n</body>\n</html>\n"
    )


def _body(
    title: str, totals: Totals, failures: Sequence[Mapping[str, Any]], reports: Mapping[str, Path], folder: Path
) -> Iterator[str]:
    models = ", ".join(sorted(totals.models))
    hours = totals.all.seconds / 3600
    facts = f"{len(totals.items)} items, {totals.all.turns} turns, {hours:.1f} hours of speech; model {models}"
    yield f"<header><h1>{html.escape(title)}</h1><p class='quiet'>{html.escape(facts)}</p></header><main>"
    yield f"<section><h2>All turns</h2>{_legend(totals)}{_stack(totals, totals.all)}</section>"
    course = [(f"{n * 100 // TENTHS} to {(n + 1) * 100 // TENTHS} %", t, "") for n, t in sorted(totals.course.items())]
    yield f"<section><h2>Course of the conversations</h2>{_table('part', course, totals)}</section>"
    if totals.groups:
        groups = [(f"{column}: {value}", t, "") for (column, value), t in sorted(totals.groups.items())]
        yield f"<section><h2>Groups</h2>{_table('group', groups, totals)}</section>"
    if failures:
        rows = "".join(
            f"<tr><td class='name'>{html.escape(f['id'])}</td><td class='name'>{html.escape(f['error'])}</td></tr>"
            for f in failures[:MOST_ROWS]
        )
        head = "<thead><tr><th>item</th><th>why</th></tr></thead>"
        table = f"<div class='wide'><table>{head}<tbody>{rows}</tbody></table></div>"
        yield f"<section><h2>Failed: {len(failures)}</h2>{table}</section>"
    items = [(name, t, _link(reports.get(name), folder)) for name, t in totals.items.items()]
    more = f"<p class='quiet'>The first {MOST_ROWS} of {len(items)}; all are in items.csv.</p>"
    yield (
        "<section id='items'><h2>Items</h2><p><input id='filter' type='search' placeholder='Filter by name' "
        f"aria-label='Filter items by name' hidden></p>{_table('item', items, totals)}"
        f"{more if len(items) > MOST_ROWS else ''}</section></main>"
    )


def _link(report: Path | None, folder: Path) -> str:
    if report is None:
        return ""
    return quote(Path(os.path.relpath(report, folder)).as_posix())


def _table(head: str, rows: Sequence[tuple[str, Tally, str]], totals: Totals) -> str:
    """Rows of name, counts and the address of a report, with a bar each."""
    cells = []
    for name, tally, link in rows[:MOST_ROWS]:
        shown = html.escape(name)
        if link:
            shown = f"<a href='{html.escape(link)}'>{shown}</a>"
        cells.append(
            f"<tr data-name='{html.escape(name.lower())}'><td class='name' dir='auto'>{shown}</td>"
            f"<td class='number'>{tally.turns}</td><td class='number'>{tally.seconds / 60:.1f}</td>"
            f"<td class='bar'>{_stack(totals, tally)}</td></tr>"
        )
    what = "emotions" if totals.labels else "mean value"
    heads = f"<th>{head}</th><th>turns</th><th>minutes</th><th>{what}</th>"
    return f"<div class='wide'><table><thead><tr>{heads}</tr></thead><tbody>{''.join(cells)}</tbody></table></div>"


def _parts(totals: Totals, tally: Tally) -> list[tuple[str, str, float]]:
    """Name, colour and share of each part of a bar."""
    shown = theme_of(tuple(totals.labels))
    parts = [(label, shown[label].colour, tally.emotions[label] / max(tally.turns, 1)) for label in totals.labels]
    return [*parts, (UNSURE, "transparent", tally.abstained / max(tally.turns, 1))]


def _stack(totals: Totals, tally: Tally) -> str:
    if not totals.labels:
        return f"{tally.values[0] / tally.values[1]:.2f}" if tally.values[1] else ""
    parts = [p for p in _parts(totals, tally) if p[2] > 0]
    said = html.escape(", ".join(f"{name} {share:.0%}" for name, _, share in sorted(parts, key=lambda p: -p[2])))
    spans = "".join(f"<span style='width:{share:.2%};background:{colour}'></span>" for _, colour, share in parts)
    return f"<div class='stack' role='img' aria-label='{said}' title='{said}'>{spans}</div>"


def _legend(totals: Totals) -> str:
    entries = "".join(
        f"<li><i style='background:{colour}'></i>{html.escape(name)} {share:.0%}</li>"
        for name, colour, share in (_parts(totals, totals.all) if totals.labels else ())
    )
    return f"<ul class='legend'>{entries}</ul>"
