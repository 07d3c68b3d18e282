"""RTTM (``.rttm``): who spoke when, as diarization tools write it, without words."""

from __future__ import annotations

import re

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Row, Source, conversation
from moodline.transcripts.times import clock

_FIELDS = "SPEAKER file channel start duration <NA> <NA> name <NA> [<NA>]"
_OTHERS = "SEGMENT|NOSCORE|NO_RT_METADATA|LEXEME|NON-LEX|NON-SPEECH|FILLER|EDIT|SU|IP|CB|A/P|SPKR-INFO"
"""The kinds of line that the standard knows, besides ``SPEAKER``: these are no turns."""
_TIME = r"[0-9]+(?:[.,][0-9]*)?(?:[eE][+-]?[0-9]+)?"
_LINE = re.compile(rf"SPEAKER\s+(\S.*)\s+(\S+)\s+({_TIME})\s+({_TIME})\s+(<NA>)\s+(\S+)\s+(\S.*)", re.IGNORECASE)
_LAST = re.compile(r"<NA>|[01]?\.[0-9]+")


def read_rttm(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the turns of each recording in the file, in the order of their starts; none has words.

    Tools write nine or ten fields, and names of files and speakers may hold spaces: the two numbers with ``<NA>``
    behind them show where the fields are. Comments (``;;``) and lines of other kinds are passed over. A file on one
    recording is named after itself, else each conversation after its recording.

    Raises:
        TranscriptError: a line of no known kind, too few fields, a time that cannot be read, no turn at all.
    """
    files: dict[str, list[Row]] = {}
    for number, line in enumerate(source.text.split("\n"), start=1):
        fields = _fields(line)
        if not fields or fields[0].startswith(";"):
            continue
        if fields[0].upper() in _OTHERS.split("|"):
            continue
        with source.row():
            files.setdefault(fields[1] if len(fields) > 1 else "", []).append(_row(source.at(number), fields, line))
    files = {name: rows for name, rows in files.items() if rows}
    if not files and source.bad:
        raise source.bad[0]
    if not files:
        raise TranscriptError(
            f"{source.path}: no turn in the file", "no SPEAKER line", "Pass a file with at least one."
        )
    return [
        conversation(
            source,
            sorted(rows, key=lambda row: row.start or 0.0),
            skip_empty=skip_empty,
            id=name if len(files) > 1 else None,
        )
        for name, rows in files.items()
    ]


def _row(place: str, fields: list[str], line: str) -> Row:
    if fields[0].upper() != "SPEAKER":
        raise TranscriptError(f"{place}: expected an RTTM line: {_FIELDS}", line.strip()[:60])
    if len(fields) < 8:
        raise TranscriptError(f"{place}: expected 9 or 10 fields: {_FIELDS}", len(fields), "Write <NA> for none.")
    start, duration = (_seconds(fields[n], place, name) for n, name in ((3, "start"), (4, "duration")))
    speaker = None if fields[7] == "<NA>" else fields[7]
    end = None if start is None or duration is None else round(start + duration, 6)
    return Row(place, None, speaker, start, end)


def _fields(line: str) -> list[str]:
    """The fields of a line, up to the speaker's name; names may hold spaces."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return line.split()
    file, channel, start, duration, text, kind, rest = match.groups()
    words = rest.split()
    for _ in range(2):  # a confidence and a lookahead, of which tools leave one out
        if len(words) > 1 and _LAST.fullmatch(words[-1]):
            words.pop()
    return ["SPEAKER", file, channel, start, duration, text, kind, " ".join(words)]


def _seconds(field: str, place: str, name: str) -> float | None:
    """A time; None for ``<NA>``, which only another kind of line should have."""
    if field == "<NA>":
        raise TranscriptError(f"{place}: {name} is missing", field, "Write seconds, such as 12.5.")
    return clock(field, place, name)
