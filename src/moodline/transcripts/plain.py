"""Plain text (``.txt``): one utterance a line, ``Speaker: text``."""

from __future__ import annotations

from moodline.conversation import Conversation
from moodline.transcripts import speakers
from moodline.transcripts.common import Source, conversation


def read_plain(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read one utterance a line; blank lines are passed over, names may be lower case (see ``speakers``).

    Raises:
        TranscriptError: a name without words behind it.
    """
    lines = enumerate(source.text.split("\n"), start=1)
    cues = [speakers.Cue(number, None, None, line) for number, line in lines if line.strip()]
    return [conversation(source, speakers.rows(source, cues, lower=True), skip_empty=skip_empty)]
