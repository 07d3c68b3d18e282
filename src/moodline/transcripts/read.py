"""Transcripts: files in which people have their conversations already, read as conversations."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError, TranscriptError, UnknownNameError
from moodline.transcripts.audacity import read_audacity
from moodline.transcripts.cha import read_cha
from moodline.transcripts.common import Source, bad_rows_note
from moodline.transcripts.doubts import doubts
from moodline.transcripts.elan import read_eaf
from moodline.transcripts.exmaralda import read_exb
from moodline.transcripts.lrc import read_lrc
from moodline.transcripts.native import read_json, read_jsonl
from moodline.transcripts.nist import read_ctm, read_stm
from moodline.transcripts.otranscribe import read_otr
from moodline.transcripts.plain import read_plain
from moodline.transcripts.rttm import read_rttm
from moodline.transcripts.sbv import read_sbv
from moodline.transcripts.sniff import sniff
from moodline.transcripts.source_file import STANDARD_INPUT, check_file, read_bytes, read_source
from moodline.transcripts.srt import read_srt
from moodline.transcripts.substation import read_ass
from moodline.transcripts.table import read_table
from moodline.transcripts.textgrid import read_textgrid
from moodline.transcripts.ttml import read_ttml
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
    "exb": read_exb,
    "cha": read_cha,
    "rttm": read_rttm,
    "ctm": read_ctm,
    "stm": read_stm,
    "sbv": read_sbv,
    "ass": read_ass,
    "ssa": read_ass,
    "ttml": read_ttml,
    "dfxp": read_ttml,
    "lrc": read_lrc,
    "otr": read_otr,
    "docx": read_plain,
    "audacity": read_audacity,
}
"""Format (a suffix without its dot, in small letters) to reader; ``audacity`` is a ``.txt``, told by its look."""

LARGE = 10_000_000
"""Characters from which on a file is read without garbage collection."""

TIERED = ("textgrid", "eaf", "exb")
"""Formats with tiers, of which some can be chosen."""

__all__ = ["FORMATS", "TIERED", "read_transcript"]


def read_transcript(
    path: Path,
    *,
    format: str | None = None,
    skip_empty: bool = False,
    encoding: str | None = None,
    strict: bool = False,
    tiers: Sequence[str] = (),
) -> list[Conversation]:
    """Read the conversations of a transcript file.

    Args:
        path: the file; ``-`` for standard input.
        format: one of ``FORMATS``; None to go by the file's suffix, or, without one, by what stands in it.
        skip_empty: leave utterances without words out, however many.
        encoding: the file's encoding as Python names it ("cp1252"); None to find out.
        strict: refuse a file in which a row is bad. Otherwise bad rows are left out, as long as they are not more than
            the good ones, and a note names them.
        tiers: names of the tiers to read (``*`` stands for anything); none to find out. Only of ``TIERED``.

    Returns:
        At least one conversation, each with at least one utterance and with notes on how the file was read.
        JSON, RTTM and tables with a column
        ``conversation`` can hold several. Utterances of a diarization (RTTM) have times and speakers but no text.

    Raises:
        TranscriptError: the file is missing, empty, binary, broken, or of an unknown kind.
        ConversationError: its utterances contradict each other.
        UnknownNameError: ``format`` is none that is known.
        ConfigError: ``encoding`` is none that is known, or the format has no tiers to choose from.
    """
    path = Path(path)
    name = path.suffix.lower().removeprefix(".") if format is None else format.lower().removeprefix(".")
    if format is not None and name not in FORMATS:
        raise UnknownNameError("transcript format", format, FORMATS)
    if str(path) != STANDARD_INPUT:
        check_file(path)
    if name == "docx" or (name not in FORMATS and (data := read_bytes(path)).startswith(b"PK\x03\x04")):
        from moodline.transcripts.docx import docx_text

        data = read_bytes(path) if name == "docx" else data
        text, said = docx_text(data, path)
        shown = Path("stdin") if str(path) == STANDARD_INPUT else path
        name, source = "docx", Source(shown, text, said, strict)
    else:
        source = read_source(path, encoding=encoding, strict=strict)
    if name not in FORMATS:
        name = _by_content(source)
    elif format is None:
        name = _mended(source, name)
    if tiers and name not in TIERED:
        raise ConfigError("--tier goes with " + ", ".join(TIERED), f"a file of kind {name}", "Leave it out.")
    source = replace(source, tiers=tuple(tiers))
    with _large(len(source.text)):
        conversations = FORMATS[name](source, skip_empty=skip_empty)
    if len(source.bad) > sum(map(len, conversations)):
        raise source.bad[0]
    notes = (*source.notes, *filter(None, [bad_rows_note(source)]))
    return [replace(c, notes=tuple(dict.fromkeys((*notes, *c.notes, *doubts(c, source))))) for c in conversations]


@contextmanager
def _large(characters: int) -> Iterator[None]:
    """Without the search for garbage while a large file is read: it looks at each of a million objects many times."""
    if characters < LARGE or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _mended(source: Source, name: str) -> str:
    """The format of a file whose suffix stands for another than its content: renamed for an upload, or by mistake."""
    first = source.text[:200].lstrip("\ufeff \t\n")
    if name in ("json", "otr", "docx") and first[:1] in ("{", "["):
        return name
    found = sniff(source.text if first[:1] in ("{", "[") and name != "jsonl" else source.text[:20_000])
    alike = [{"json", "jsonl"}, {"csv", "tsv"}, {"ass", "ssa"}, {"ttml", "dfxp"}, {"txt", "lrc"}, {"txt", "ctm"}]
    if found in (name, "txt") or (name, found) == ("vtt", "srt") or any({name, found} <= kinds for kinds in alike):
        return name
    source.note(f"The file was read as .{found}, by what stands in it, not as .{name}; --format says it otherwise.")
    return found


def _by_content(source: Source) -> str:
    """The format of a file whose suffix says nothing.

    Raises:
        TranscriptError: it has a suffix that stands for something else, and its content speaks for no format either.
    """
    name = sniff(source.text)
    if name == "txt" and source.path.suffix.lower() in (".md", ".markdown", ".text"):
        return name
    if name == "txt" and source.path.suffix:
        known = ", ".join(f".{suffix}" for suffix in FORMATS if suffix != "audacity")
        raise TranscriptError(
            f"{source.path}: unknown kind of transcript",
            f"'{source.path.suffix}'",
            f"Known: {known}. Rename the file, or say which it is with --format.",
        )
    source.note(f"The file was read as .{name}, by what stands in it; --format says it if that is wrong.")
    return name
