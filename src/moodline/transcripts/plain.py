"""Plain text (``.txt``): one utterance a line, ``Speaker: text``, perhaps with times; or a label track, by its look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.audacity import looks_like_labels, read_audacity
from moodline.transcripts.common import Source
from moodline.transcripts.timestamped_text import Stamped, only_times, stamped

_BOLD = re.compile(r"\A\s*(\*\*|__)([^*:\n]{1,60}?)\s?(?::\1|\1:)")
"""A name in bold letters, as Markdown has them: ``**Anna:** text``."""


def read_plain(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read one utterance a line; blank lines are passed over, names may be lower case (see ``speakers``).

    Times in front of the words or behind the names are understood (see ``stamped``). In other text a line that holds
    nothing but times says when the next one is said. A file that begins with two numbers and tabs is a label track of
    Audacity.

    Raises:
        TranscriptError: a name without words behind it, a time that is none, or nothing but times.
    """
    if looks_like_labels(source):
        return read_audacity(source, skip_empty=skip_empty)
    lines = [(n, _BOLD.sub(r"\2:", line, count=1)) for n, line in enumerate(source.text.split("\n"), 1) if line.strip()]
    found = stamped(source, lines) or Stamped(list(_cues(source, lines)), ())
    read = speakers.spoken(source, found.cues, lower=True, skip_empty=skip_empty)
    return [replace(read, notes=(*found.notes, *read.notes))]


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
