"""What every reader of transcripts shares: decoding a file, and making checked conversations of its rows."""

from __future__ import annotations

import codecs
import difflib
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConversationError, TranscriptError

SKIP_FIX = "Give it some words, or leave such utterances out with --skip-empty."
"""What to do about an utterance without words."""

_BOMS = (  # the longer ones first: UTF-32-LE begins like UTF-16-LE
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Source:
    """A transcript file that was decoded.

    Args:
        path: the file, as the user named it; error messages begin with it.
        text: its contents, byte order mark removed, lines ending in ``\\n``.
    """

    path: Path
    text: str

    def at(self, line: int) -> str:
        """A place in the file for an error message; lines count from 1."""
        return f"{self.path}, line {line}"


@dataclass(frozen=True, slots=True)
class Row:
    """An utterance as it stands in a file, not yet checked.

    Args:
        place: file and line, for error messages.
        text: the words; may still be empty; None where the format has none (a diarization).
        speaker: who speaks; None if unknown.
        start: seconds; None if unknown.
        end: seconds; None if unknown.
        id: the utterance's own id; None to number it ``u0, u1, …``.
    """

    place: str
    text: str | None
    speaker: str | None = None
    start: float | None = None
    end: float | None = None
    id: str | None = None


def check_file(path: Path) -> None:
    """Raise unless ``path`` is something that can be opened and read.

    Raises:
        TranscriptError: no such file, a directory, or out of reach.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise TranscriptError(f"{path}: no such file", fix=_nearby(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from None
    if stat.S_ISDIR(mode):
        raise TranscriptError(f"{path}: expected a transcript file", "a directory", "Pass one file in it.")


def read_source(path: Path) -> Source:
    """Read and decode a text file: UTF-8 with or without a byte order mark, UTF-16 and UTF-32 with one.

    Raises:
        TranscriptError: no such file, a directory, unreadable, empty, binary, or in another encoding.
    """
    check_file(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{data[error.start]:02x} at offset {error.start}"
        raise TranscriptError(
            f"{path}, line {line}: expected {encoding.removesuffix('-sig').upper()} text",
            found,
            "Save the file as UTF-8, or pass a transcript rather than a recording.",
        ) from None
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise TranscriptError(
            f"{path}, line {line}: expected text, this looks like a binary file", "a NUL byte", "Save it as UTF-8 text."
        )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise TranscriptError(f"{path}: the file is empty", fix="Pass a file with at least one utterance.")
    return Source(path, text)


def _unreadable(path: Path, error: Exception) -> TranscriptError:
    reason = getattr(error, "strerror", None) or error
    return TranscriptError(f"{path}: the file cannot be read: {reason}", fix="Check its name and permissions.")


def _nearby(path: Path) -> str:
    """Names like the missing one in its folder, as a hint."""
    try:
        names = [p.name for p in path.parent.iterdir() if p.is_file()]
    except OSError:
        return f"There is no folder {path.parent} either." if not path.parent.exists() else "Check the path."
    near = difflib.get_close_matches(path.name, names, n=2, cutoff=0.75)
    return f"Did you mean {' or '.join(near)}?" if near else "Check the path."


def check_text(value: str, place: str, name: str) -> None:
    """Raise if ``value`` holds a character that no text file and no tokenizer takes."""
    bad = None if value.isascii() and "\x00" not in value else _UNWRITABLE.search(value)
    if bad:
        raise TranscriptError(
            f"{place}: the {name} holds a character that is not text", f"U+{ord(bad[0]):04X}", "Remove it."
        )


def squeeze(text: str) -> str:
    """The text on one line, every run of white space made a single space."""
    return " ".join(text.split())


def conversation(source: Source, rows: Iterable[Row], *, skip_empty: bool, id: str | None = None) -> Conversation:
    """Check rows and make them a conversation.

    Utterances without an id are numbered by their place in the file, counting the empty ones,
    so that ``skip_empty`` changes no id. The conversation is named after the file unless ``id`` is given.

    Raises:
        TranscriptError: an utterance is empty, its end is before its start, an id is repeated, or there is none at all.
    """
    utterances, seen, number = [], dict[str, str](), 0
    for number, row in enumerate(rows, start=1):
        if row.text is not None and not row.text.strip():
            if skip_empty:
                continue
            raise TranscriptError(f"{row.place}: the utterance is empty", fix=SKIP_FIX)
        name = row.id or f"u{number - 1}"
        for what, value in (("text", row.text or ""), ("speaker", row.speaker or ""), ("id", name)):
            check_text(value, row.place, what)
        if name in seen:
            raise TranscriptError(
                f"{row.place}: utterance ids must be unique", f"'{name[:40]}', also in {seen[name]}", "Rename one."
            )
        seen[name] = row.place
        try:
            utterances.append(Utterance(name, row.speaker or None, row.start, row.end, row.text))
        except ConversationError as error:
            raise TranscriptError(f"{row.place}: {error.rule}", error.found, error.fix) from None
    if not utterances:
        found = f"{number} empty ones, all left out" if number else None
        raise TranscriptError(f"{source.path}: no utterance in the file", found, "Pass a file with at least one.")
    return Conversation(id or source.path.stem, tuple(utterances))
