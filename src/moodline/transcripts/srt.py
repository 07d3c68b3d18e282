"""SubRip subtitles (``.srt``)."""

from __future__ import annotations

from dataclasses import replace

from moodline.core.conversation import Conversation
from moodline.transcripts import speakers, subtitles
from moodline.transcripts.common import Source
from moodline.transcripts.subtitle_customs import customary


def read_srt(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read SubRip: a number, a timing line, the words; see ``speakers`` for how names are found.

    Raises:
        TranscriptError: no cues, a time that cannot be read, an empty cue.
    """
    found = subtitles.cues(source, source.text.split("\n"), lambda line, after_blank: line.isdecimal())
    cues = [_plain(cue) for cue in found]
    return [speakers.spoken(source, customary(source, cues), skip_empty=skip_empty, screen=True)]


def _plain(cue: speakers.Cue) -> speakers.Cue:
    text = subtitles.without_entities(subtitles.without_tags(cue.text))
    return cue if text == cue.text else replace(cue, text=text)
