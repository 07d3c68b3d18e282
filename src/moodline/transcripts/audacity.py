"""Audacity's label tracks (``.txt``): ``start TAB end TAB label``."""

from __future__ import annotations

import re

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import Row, Source, conversation
from moodline.transcripts.times import clock

_LABEL = re.compile(r"[0-9]+[.,]?[0-9]*\t[0-9]+[.,]?[0-9]*(?:\t.*)?")


def resembles_labels(source: Source) -> bool:
    """Whether a text begins as a label track does: two numbers, with tabs between."""
    first = next((line for line in source.text.split("\n") if line.strip()), "")
    return _LABEL.fullmatch(first.rstrip()) is not None


def read_audacity(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read one utterance a label, in the order of the file.

    A name in front of the words is the speaker (see ``speakers``); labels that are nothing but a diarizer's names are
    turns without words. Lines that begin with a backslash (the frequencies of a label) are passed over.

    Raises:
        TranscriptError: a line of another form, a time that cannot be read, a label without words.
    """
    cues = []
    for number, line in enumerate(source.text.split("\n"), start=1):
        if not line.strip() or line.startswith("\\"):
            continue
        with source.row():
            cues.append(_cue(source, number, line))
    if speakers.diarized(cue.text for cue in cues):
        found = [Row(source.at(c.line), None, speakers.diarizer_name(c.text), c.start, c.end) for c in cues]
        return [conversation(source, found, skip_empty=skip_empty)]
    return [speakers.spoken(source, cues, lower=True, skip_empty=skip_empty, carry=False)]


def _cue(source: Source, number: int, line: str) -> speakers.Cue:
    fields = line.split("\t", 2)
    if len(fields) < 2:
        raise TranscriptError(
            f"{source.at(number)}: expected a label: start TAB end TAB words",
            line.strip()[:40],
            "See docs/how-to/recordings.md.",
        )
    start, end = (clock(fields[n], source.at(number), name) for n, name in ((0, "start"), (1, "end")))
    if start is None or end is None:
        raise TranscriptError(f"{source.at(number)}: the label lacks a time", line.strip()[:40])
    return speakers.Cue(number, start, end, fields[2] if len(fields) > 2 else "")
