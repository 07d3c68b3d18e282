"""CHAT (``.cha``), the transcripts of TalkBank and CHILDES."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.cha_words import plain_words
from moodline.transcripts.common import Row, Source, conversation, squeeze
from moodline.transcripts.times import seconds

_LINE = re.compile(r"\*([^\s:*]{1,40}):\s*(.*)", re.DOTALL)
_HEADER = re.compile(r"@([A-Za-z][\w ]*):?\s*(.*)", re.DOTALL)
_BULLET = re.compile(r"\x15[^\x15]*?(\d{1,10})_(\d{1,10})-?\x15?|(?:^|(?<=\s))(\d{1,10})_(\d{1,10})\s*$")
_NOBODY = ("SIL", "NON", "NOF", "TVN", "TVF")
"""What LENA calls silence, noise and television."""
_BULLETS = re.compile(r"\x15[^\x15\n]*\x15?")


@dataclass(slots=True)
class _Entry:
    """A line of the file with those that go on with it."""

    number: int
    text: str
    more: list[str] = field(default_factory=list)

    def whole(self) -> str:
        return " ".join([self.text, *self.more])


def read_cha(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the main lines (``*MOT:``); a speaker is named as there, and a note says who that is.

    Headers and dependent lines (``%mor:``) are no words, nor is what ``plain_words`` takes out. Marks of time
    (``·0_1800·``, milliseconds) are the utterance's times.

    Raises:
        TranscriptError: there is no main line with words, or a time is wrong.
    """
    rows: list[Row] = []
    events: list[Row] = []
    people: list[str] = []
    number = 0
    for entry in _entries(source.text):
        text = entry.whole()
        header = _HEADER.match(text)
        if header is not None and header[1].strip() == "Participants":
            people = [squeeze(p) for p in header[2].split(",") if p.strip()]
        line = _LINE.match(text)
        if line is None:
            continue
        number += 1
        with source.row():
            for row in _rows(source.at(entry.number), line[1], line[2]):
                (events if row.event and rows else rows).append(row)
    if not number:
        raise TranscriptError(
            f"{source.path}: expected main lines of CHAT, such as *MOT: followed by words",
            source.text.strip().split("\n", 1)[0][:40],
            "Export it as CHAT, or say with --format what it is.",
        )
    named = [_described(p) for p in people if len(p.split()) > 1]
    if named:
        source.note(f"Speakers: {', '.join(named)}.")
    lines = {row.place: row for row in (*rows, *events) if row.start is not None and row.speaker not in _NOBODY}
    turns = sorted(lines.values(), key=lambda row: row.start or 0.0)
    if turns and all(row.event for row in rows):
        source.note("No line has words: the lines say who speaks when.")  # as LENA writes them
        rows, events = [replace(row, text=None, event=False) for row in turns], []
    if rows and rows[0].event:
        first = next((n for n, row in enumerate(rows) if not row.event), len(rows))
        rows, events = rows[first:], rows[:first] + events
    return [conversation(source, [*rows, *events], skip_empty=skip_empty)]


def _entries(text: str) -> Iterator[_Entry]:
    """Lines with their continuations, which begin with white space."""
    entry: _Entry | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if line[:1] in (" ", "\t") and entry is not None:
            entry.more.append(line.strip())
            continue
        if entry is not None:
            yield entry
        entry = _Entry(number, line.rstrip()) if line.strip() else None
    if entry is not None:
        yield entry


def _rows(place: str, speaker: str, text: str) -> Iterator[Row]:
    """The utterance of a main line, and what else happens in it; a line without words is an event itself."""
    times = [(int(m[1] or m[3]), int(m[2] or m[4])) for m in _BULLET.finditer(text)]
    start = seconds(times[0][0] / 1000, place, "start") if times else None
    end = seconds(times[-1][1] / 1000, place, "end") if times else None
    text = _BULLET.sub(" ", text)
    words, events = plain_words(_BULLETS.sub(" ", text))
    if words:
        yield Row(place, words, speaker, start, end)
    elif not events:
        yield Row(place, squeeze(text).rstrip(" .?!") or "0", speaker, start, end, event=True)
    for event in events:
        yield Row(place, event, speaker, start, end, event=True)


def _described(person: str) -> str:
    """``MOT Ruth Mother`` as "MOT is Ruth (Mother)"."""
    code, *names = person.split()
    role = names[-1].replace("_", " ")
    name = " ".join(names[:-1]).replace("_", " ")
    return f"{code} is {name} ({role})" if name else f"{code} is {role}"
