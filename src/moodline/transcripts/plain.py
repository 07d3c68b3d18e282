"""Plain text (``.txt``): one utterance a line, ``Speaker: text``, perhaps with times; or a label track, by its look."""

from __future__ import annotations

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
from moodline.transcripts.table import read_unnamed
from moodline.transcripts.timestamped_text import Stamped, only_times, stamped


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
    lines = [(n, line) for n, line in enumerate(source.text.split("\n"), 1) if line.strip()]
    found = inline_cues(source, lines)
    if found is not None:
        return [speakers.spoken(source, found, lower=True, skip_empty=skip_empty)]
    lines = tidied(source, lines)
    timed = stamped(source, lines)
    if timed is None:
        blocks = named_blocks(source, lines)
        timed = Stamped(blocks or list(_cues(source, unwrapped(source, lines))), ())
    read = speakers.spoken(source, timed.cues, lower=True, skip_empty=skip_empty)
    return [replace(read, notes=(*timed.notes, *read.notes))]


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
