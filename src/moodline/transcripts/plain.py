"""Plain text (``.txt``): one utterance a line, ``Speaker: text``, perhaps with times; or a label track, by its look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.audacity import read_audacity, resembles_labels
from moodline.transcripts.blocks import named_blocks, unwrapped
from moodline.transcripts.common import Source
from moodline.transcripts.inline_times import inline_cues
from moodline.transcripts.plain_marks import tidied
from moodline.transcripts.subtitles import without_entities
from moodline.transcripts.table import read_unnamed
from moodline.transcripts.times import clock
from moodline.transcripts.timestamped_text import Stamped, only_times, stamped

_INSIDE = re.compile(
    r"((?:\[?[^\[\]:\n]{1,60}\]?:\s{0,3})?)[\[(]((?:[0-9]{1,2}:)?[0-5]?[0-9]:[0-5][0-9](?:\.[0-9]{1,3})?)[\])]\s*(?=\S)"
)


def read_plain(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read one utterance a line; blank lines are passed over, names may be lower case (see ``speakers``).

    Times in front of the words or behind the names are understood (see ``stamped``), and so are stamps inside the lines
    (``inline_times``), marks of Markdown (``plain_marks``), names on lines of their own and lines that were wrapped
    (``blocks``). In other text a line that holds nothing but times says when the next one is said. A file that begins
    with two numbers and tabs is a label track of Audacity, one with tabs in all lines a table.

    Raises:
        TranscriptError: a time that is none, or nothing but times; or, if the reading is strict, a name without words.
    """
    if resembles_labels(source):
        return read_audacity(source, skip_empty=skip_empty)
    if (table := read_unnamed(source, skip_empty=skip_empty)) is not None:
        return [table]
    lines = [(n, without_entities(line)) for n, line in enumerate(source.text.split("\n"), 1) if line.strip()]
    found = inline_cues(source, lines)
    if found is not None:
        return [speakers.spoken(source, found, lower=True, skip_empty=skip_empty)]
    lines = tidied(source, lines)
    timed = stamped(source, lines)
    if timed is None:
        blocks = named_blocks(source, lines)
        timed = Stamped(blocks or list(_cues(source, unwrapped(source, lines))), ())
    cues = _stamped_inside(timed.cues)
    read = speakers.spoken(source, cues, lower=True, skip_empty=skip_empty)
    return [replace(read, notes=(*timed.notes, *read.notes))]


def _stamped_inside(cues: Sequence[speakers.Cue]) -> list[speakers.Cue]:
    """The cues; times in brackets between some names and their words, ``Anna: [1:05] words``, taken as their starts."""
    found = [m if cue.start is None and (m := _INSIDE.match(cue.text)) else None for cue in cues]
    times = [clock(m[2], "", "start") for m in found if m]
    if not times or any(t is None for t in times) or times != sorted(t for t in times if t is not None):
        return list(cues)
    return [
        replace(cue, start=clock(m[2], "", "start"), text=f"{m[1]}{cue.text[m.end() :]}") if m else cue
        for cue, m in zip(cues, found, strict=True)
    ]


def _cues(source: Source, lines: Sequence[tuple[int, str]]) -> Iterator[speakers.Cue]:
    start, end = None, None
    for number, line in lines:
        try:
            times = only_times(line, source.at(number))
        except TranscriptError:  # 98:95 is a result
            times = None
        if times is None:
            yield speakers.Cue(number, start, end, line)
        start, end = times or (None, None)
