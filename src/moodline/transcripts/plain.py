"""Plain text (``.txt``): one utterance a line, ``Speaker: text``, perhaps with times; or a label track, by its look."""

from __future__ import annotations

from moodline.conversation import Conversation
from moodline.transcripts import speakers
from moodline.transcripts.audacity import looks_like_labels, read_audacity
from moodline.transcripts.common import Source
from moodline.transcripts.stamped import stamped


def read_plain(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read one utterance a line; blank lines are passed over, names may be lower case (see ``speakers``).

    Times in front of the words or behind the names are understood (see ``stamped``). A file that begins with two
    numbers and tabs is a label track of Audacity.

    Raises:
        TranscriptError: a name without words behind it, or a time that is none.
    """
    if looks_like_labels(source):
        return read_audacity(source, skip_empty=skip_empty)
    lines = [(n, line) for n, line in enumerate(source.text.split("\n"), start=1) if line.strip()]
    cues = stamped(source, lines) or [speakers.Cue(number, None, None, line) for number, line in lines]
    return [speakers.spoken(source, cues, lower=True, skip_empty=skip_empty)]
