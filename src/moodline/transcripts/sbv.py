"""YouTube's subtitles (``.sbv``)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import Source
from moodline.transcripts.subtitle_customs import customary
from moodline.transcripts.times import clock

_TIMES = re.compile(r"\s*(\d{1,3}:\d{2}:\d{2}[.,]\d{1,3})\s*,\s*(\d{1,3}:\d{2}:\d{2}[.,]\d{1,3})\s*")


def read_sbv(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read a line of times ``0:00:00.500,0:00:02.000`` and the words below; see ``speakers`` for names.

    Raises:
        TranscriptError: no line of times, words in front of the first, or an empty cue.
    """
    cues = customary(source, list(_cues(source)))
    if not cues:
        raise TranscriptError(
            f"{source.path}: expected a line of times 0:00:00.500,0:00:02.000",
            source.text.strip().split("\n", 1)[0][:40],
            "Check that this is a file of YouTube's subtitles.",
        )
    return [speakers.spoken(source, cues, skip_empty=skip_empty, screen=True)]


def _cues(source: Source) -> Iterator[speakers.Cue]:
    lines = source.text.split("\n")
    times = [(n, match) for n, line in enumerate(lines) if (match := _TIMES.fullmatch(line))]
    for line in lines[: times[0][0]] if times else []:
        if line.strip():
            source.leave_out(
                TranscriptError(f"{source.at(lines.index(line) + 1)}: expected times above the words", line[:40])
            )
    stops = [*(n for n, _ in times), len(lines)][1:]
    for (n, match), stop in zip(times, stops, strict=True):
        start, end = (clock(match[k], source.at(n + 1), name) for k, name in ((1, "start"), (2, "end")))
        text = "\n".join(line.replace("[br]", "\n") for line in lines[n + 1 : stop] if line.strip())
        yield speakers.Cue(n + 1, start, end, text)
