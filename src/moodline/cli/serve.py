"""``moodline serve``: answers over HTTP."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from moodline.cli.options import Quiet


def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen on; others reach it only if it is not 127.0.0.1.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8000,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="A name of `moodline models`, or a directory; the first is the default. May be repeated.",
        ),
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            "--api-key",
            help="A key that requests must carry. May be repeated; better: MOODLINE_API_KEY, keys with spaces between.",
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Allow --host of others without a key.")] = False,
    recordings: Annotated[
        bool, typer.Option("--recordings/--no-recordings", help="Without: conversations only, and less memory.")
    ] = True,
    jobs: Annotated[
        Path | None, typer.Option(help="The folder of jobs; default ~/.local/state/moodline/serve.")
    ] = None,
    keep: Annotated[str, typer.Option(help="How long results are kept after a job has ended: 30m, 24h, 7d.")] = "1h",
    short: Annotated[str, typer.Option(help="Recordings up to this length are answered at once.")] = "2m",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that compute; default: one for each core, at most 4.")
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="Requests of a kind at a time; one more gets 429.")] = 128,
    max_jobs: Annotated[int, typer.Option(min=1, help="Jobs that may wait; one more gets 429.")] = 1000,
    max_upload: Annotated[int, typer.Option(min=1, help="Megabytes of a recording.")] = 512,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads of each network.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps …; auto is cuda if there is one, else cpu.")] = "auto",
    transcriber: Annotated[str | None, typer.Option(help="See moodline analyze.")] = None,
    diarizer: Annotated[str | None, typer.Option(help="See moodline analyze.")] = None,
    exact: Annotated[
        bool,
        typer.Option("--exact/--no-exact", help="Encode each conversation by itself: the same bytes in any company."),
    ] = True,
    grace: Annotated[str, typer.Option(help="How long running requests may take when the service ends.")] = "30s",
    quiet: Quiet = False,
) -> None:
    """Answer over HTTP: conversations, recordings, and OpenAI's transcriptions with emotions."""
    from moodline.core.errors import MissingDependencyError

    try:
        from moodline.service.server import serve as run
    except ModuleNotFoundError as error:
        raise MissingDependencyError(error.name or "fastapi", "serve", "moodline serve") from None
    from moodline.service.settings import ServiceSettings, default_folder, default_workers, parse_duration

    settings = ServiceSettings(
        host=host,
        port=port,
        models=tuple(model or ()),
        keys=(*(api_key or ()), *os.environ.get("MOODLINE_API_KEY", "").split()),
        open=open_,
        recordings=recordings,
        folder=jobs or default_folder(),
        keep=parse_duration(keep),
        short=parse_duration(short),
        workers=workers or default_workers(),
        queue=queue,
        jobs=max_jobs,
        upload=max_upload * 1_000_000,
        threads=threads,
        device=device,
        transcriber=transcriber,
        diarizer=diarizer,
        exact=exact,
        grace=parse_duration(grace),
    )
    run(settings, lambda url: None if quiet else typer.echo(f"moodline: ready at {url}", err=True))
