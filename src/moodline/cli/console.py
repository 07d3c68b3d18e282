"""Printing: tables for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> Console:
    """Standard output; as wide as the terminal, or 120 columns when piped."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=120)


def print_json(data: Any) -> None:
    """Print plain data as JSON."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
) -> None:
    """Print rows as a table.

    Args:
        title: above it.
        columns: their heads.
        rows: the cells.
        right: columns that are right-aligned.
        whole: columns whose cells are never broken, such as names to be copied.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for name in columns:
        justify: Literal["left", "right"] = "right" if name in right else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in whole)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))  # a text: brackets in it are no markup
    stdout().print(table)
