"""Transcripts: files in which people have their conversations already, read as conversations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError, UnknownNameError
from moodline.transcripts.audacity import read_audacity
from moodline.transcripts.common import bad_rows_note
from moodline.transcripts.elan import read_eaf
from moodline.transcripts.native import read_json, read_jsonl
from moodline.transcripts.plain import read_plain
from moodline.transcripts.rttm import read_rttm
from moodline.transcripts.source_file import check_file, read_source
from moodline.transcripts.srt import read_srt
from moodline.transcripts.table import read_table
from moodline.transcripts.textgrid import read_textgrid
from moodline.transcripts.vtt import read_vtt

FORMATS: dict[str, Callable[..., list[Conversation]]] = {
    "json": read_json,
    "jsonl": read_jsonl,
    "srt": read_srt,
    "vtt": read_vtt,
    "csv": read_table,
    "tsv": read_table,
    "txt": read_plain,
    "textgrid": read_textgrid,
    "eaf": read_eaf,
    "rttm": read_rttm,
    "audacity": read_audacity,
}
"""Format (a suffix without its dot, in small letters) to reader; ``audacity`` is a ``.txt``, told by its look."""

__all__ = ["FORMATS", "read_transcript"]


def read_transcript(
    path: Path,
    *,
    format: str | None = None,
    skip_empty: bool = False,
    encoding: str | None = None,
    strict: bool = False,
) -> list[Conversation]:
    """Read the conversations of a transcript file.

    Args:
        path: the file.
        format: one of ``FORMATS``; None to go by the file's suffix.
        skip_empty: leave utterances without words out, however many.
        encoding: the file's encoding as Python names it ("cp1252"); None to find out.
        strict: refuse a file in which a row is bad. Otherwise bad rows are left out, as long as they are not more than
            the good ones, and a note names them.

    Returns:
        At least one conversation, each with at least one utterance and with notes on how the file was read.
        JSON, RTTM and tables with a column
        ``conversation`` can hold several. Utterances of a diarization (RTTM) have times and speakers but no text.

    Raises:
        TranscriptError: the file is missing, empty, binary, broken, or of an unknown kind.
        ConversationError: its utterances contradict each other.
        UnknownNameError: ``format`` is none that is known.
        ConfigError: ``encoding`` is none that is known.
    """
    path = Path(path)
    name = path.suffix.lower().removeprefix(".") if format is None else format.lower().removeprefix(".")
    if format is not None and name not in FORMATS:
        raise UnknownNameError("transcript format", format, FORMATS)
    check_file(path)
    if name not in FORMATS:
        known = ", ".join(f".{suffix}" for suffix in FORMATS if suffix != "audacity")
        raise TranscriptError(
            f"{path}: unknown kind of transcript",
            f"'{path.suffix}'" if path.suffix else "no suffix",
            f"Known: {known}. Rename the file, or say which it is with --format.",
        )
    source = read_source(path, encoding=encoding, strict=strict)
    conversations = FORMATS[name](source, skip_empty=skip_empty)
    if len(source.bad) > sum(map(len, conversations)):
        raise source.bad[0]
    notes = (*source.notes, *filter(None, [bad_rows_note(source)]))
    return (
        [replace(c, notes=tuple(dict.fromkeys((*notes, *c.notes)))) for c in conversations] if notes else conversations
    )
