"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Data = Annotated[Path, typer.Option("--data", "-d", help="The corpus directory.")]
Options = Annotated[
    list[str] | None, typer.Option("--option", help="An option of the corpus reader, KEY=VALUE; may be repeated.")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Processor threads that networks compute with; default: one for each core.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a setting of the recipe, e.g. training.epochs=5; may be repeated."),
]

Encoding = Annotated[
    str | None,
    typer.Option(help="The transcript's encoding, e.g. cp1252, gbk, utf-16; default: found out, and reported."),
]
Tier = Annotated[
    list[str] | None,
    typer.Option(
        help="The tier of a TextGrid, ELAN or EXMARaLDA file to read; may be repeated. Found out if left out."
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse a transcript with a bad row, instead of leaving the row out.")
]
