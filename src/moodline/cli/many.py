"""The commands for many files: ``annotate``, ``collect``, and ``cache`` for what is kept of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from moodline.cli.options import Encoding, Json, Quiet, Strict, Tier


def annotate(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Recordings, transcripts, folders, quoted patterns, or manifests (CSV or JSONL with audio_filepath). "
            "A transcript beside a recording of the same name belongs to it.",
            metavar="INPUT...",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the results.")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one for each core, as far as the memory holds them.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="Only part i of n, for job arrays that share --out.", metavar="I/N")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try items again that failed before.")] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes of this machine, or a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster, e.g. auto; default: one on this machine.")
    ] = None,
    reports: Annotated[bool, typer.Option("--reports", help="Also write an HTML report for each item.")] = False,
    keep: Annotated[
        bool, typer.Option("--keep/--no-keep", help="Keep decoded recordings and words in the cache, for other runs.")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads of each worker.")] = 1,
    speakers: Annotated[int | None, typer.Option(min=1, help="How many speak; found if left out.")] = None,
    channels: Annotated[
        Literal["mix", "split"], typer.Option(help="Average the channels, or one speaker on each.")
    ] = "mix",
    transcriber: Annotated[str | None, typer.Option(help="See moodline analyze.")] = None,
    diarizer: Annotated[str | None, typer.Option(help="See moodline analyze.")] = None,
    track: Annotated[int | None, typer.Option(min=1, help="See moodline analyze.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="See moodline analyze.")] = None,
    abstain_below: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="See moodline analyze.")] = None,
    encoding: Encoding = None,
    strict: Strict = False,
    tier: Tier = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps …; auto is cuda if there is one, else cpu.")] = "auto",
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Annotate many recordings and transcripts; run it again to go on. Exit code 2 if an item failed."""
    from moodline.annotation.annotator import AnnotationSettings
    from moodline.cli.annotate import run_annotate

    settings = AnnotationSettings(
        model, speakers, channels, transcriber, diarizer, abstain_below, reports, keep, threads, device, track,
        encoding, strict, tuple(tier or ()),
    )  # fmt: skip
    run_annotate(inputs, out, settings, workers, shard, retry_failed, engine, address, json_, quiet)


def collect(
    folder: Annotated[Path, typer.Argument(help="The --out folder of moodline annotate.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Default: FOLDER/collected.")] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="A column that partitions the data set, e.g. one of the manifest; may be repeated."),
    ] = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Put all results of annotate into one Parquet data set, a summary (CSV, Excel, PDF) and an index page."""
    from moodline.cli.annotate import run_collect

    run_collect(folder, out, by or [], json_, quiet)


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove everything; it is made again when needed.")] = False,
    json_: Json = False,
) -> None:
    """Show what is kept of recordings and encoders on this machine, or remove it."""
    from moodline.cli.cache import run_cache

    run_cache(clear, json_)
