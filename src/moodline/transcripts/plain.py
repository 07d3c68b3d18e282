"""Plain text (``.txt``): one utterance a line, ``Speaker: text``; or, where it turns out to be one, a label track."""

from __future__ import annotations

from moodline.conversation import Conversation
from moodline.transcripts import speakers
from moodline.transcripts.audacity import looks_like_labels, read_audacity
from moodline.transcripts.common import Source, conversation


def read_plain(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read one utterance a line; blank lines are passed over, names may be lower case (see ``speakers``).

    A file that begins with two numbers and tabs is a label track of Audacity.

    Raises:
        TranscriptError: a name without words behind it.
    """
    if looks_like_labels(source):
        return read_audacity(source, skip_empty=skip_empty)
    lines = enumerate(source.text.split("\n"), start=1)
    cues = [speakers.Cue(number, None, None, line) for number, line in lines if line.strip()]
    return [conversation(source, speakers.rows(source, cues, lower=True), skip_empty=skip_empty)]
