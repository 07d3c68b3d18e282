"""The command for one file: ``analyze``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from moodline.cli.options import Encoding, Json, Quiet, Strict, Threads, Tier


def analyze(
    file: Annotated[Path, typer.Argument(help="A recording (sound or film), or a transcript; - for standard input.")],
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", help="Write a file; its suffix says which kind. May be repeated."),
    ] = None,
    transcript: Annotated[
        Path | None, typer.Option("--transcript", "-t", help="What is said in the recording, or who speaks when.")
    ] = None,
    speakers: Annotated[int | None, typer.Option(min=1, help="How many speak; found if left out.")] = None,
    channels: Annotated[
        Literal["mix", "split"] | None,
        typer.Option(help="Average the channels, or one speaker on each.", show_default="mix"),
    ] = None,
    transcriber: Annotated[
        str | None, typer.Option(help="Recognizes words: moonshine, whisper[:SIZE] or whisperx[:SIZE].")
    ] = None,
    diarizer: Annotated[str | None, typer.Option(help="Tells speakers apart: clusters or pyannote.")] = None,
    track: Annotated[
        int | None, typer.Option(min=1, help="Which sound track; the first that is not silent if left out.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="A name of `moodline models`, or a directory; default: words-first for a recording, else meld-text.",
        ),
    ] = None,
    abstain_below: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Mark utterances with a lower confidence as abstained; default: the model's own threshold, if it has "
            "one (words-first and voice-words have, meld-text has not).",
        ),
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="The transcript's format, e.g. srt; default: by the file's name.")
    ] = None,
    encoding: Encoding = None,
    strict: Strict = False,
    tier: Tier = None,
    skip_empty: Annotated[
        bool, typer.Option(help="Leave out utterances without words, even if they are the most.")
    ] = False,
    keep: Annotated[
        bool,
        typer.Option("--keep/--no-keep", help="Keep the decoded recording and its words for the next run."),
    ] = True,
    names: Annotated[
        list[str] | None,
        typer.Option("--names", help="Give speakers their names, e.g. S1=Anna; may be repeated, or S1=Anna,S2=Ben."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, mps …; auto is cuda if there is one, else cpu.")] = "auto",
    threads: Threads = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say which emotion each utterance of a recording or a transcript carries; run it again to go on."""
    from contextlib import nullcontext

    from moodline.cli.analyze import Hearing, Reading, read_names, run
    from moodline.core.cache import temporary_recordings

    renamed = read_names(names or [])
    reading = Reading(format_, encoding, skip_empty, strict, tuple(tier or ()))
    hearing = Hearing(transcript, speakers, channels, transcriber, diarizer, track)
    with nullcontext() if keep else temporary_recordings():
        run(file, output or [], reading, hearing, model, abstain_below, device, threads, json_, quiet, renamed)


def check(
    file: Annotated[Path, typer.Argument(help="A recording or a transcript.")],
    labels: Annotated[
        Path, typer.Argument(help="CSV: a column emotion, and id, turn (from 1), start (seconds) or text.")
    ],
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="A model to try; may be repeated; default: packaged ones.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Also write the numbers to this JSON file.")] = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare models with what a person labelled: how right, how calibrated, which model and threshold suit."""
    from moodline.cli.check import run_check

    run_check(file, labels, model or [], out, json_, quiet)
