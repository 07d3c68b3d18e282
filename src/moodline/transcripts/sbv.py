"""YouTube's subtitles (``.sbv``)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import Source
from moodline.transcripts.subtitle_customs import customary
from moodline.transcripts.times import TIME_FIX, clock

_TIMES = re.compile(r"\s*(\d{1,3}:\d{2}:\d{2}[.,]\d{1,3})\s*,\s*(\d{1,3}:\d{2}:\d{2}[.,]\d{1,3})\s*")
_BROKEN = re.compile(r"\s*\d+:\d{2}:\S*,\d*:?\d*:\S+\s*")


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
    times: list[tuple[int, re.Match[str] | None]] = []
    for n, line in enumerate(lines):
        if match := _TIMES.fullmatch(line):
            times.append((n, match))
        elif _BROKEN.fullmatch(line):
            source.leave_out(TranscriptError(f"{source.at(n + 1)}: expected two times", line.strip()[:40], TIME_FIX))
            times.append((n, None))
    for line in lines[: times[0][0]] if times else []:
        if line.strip():
            source.leave_out(
                TranscriptError(f"{source.at(lines.index(line) + 1)}: expected times above the words", line[:40])
            )
    stops = [*(n for n, _ in times), len(lines)][1:]
    for (n, match), stop in zip(times, stops, strict=True):
        if match is None:
            continue
        start, end = (clock(match[k], source.at(n + 1), name) for k, name in ((1, "start"), (2, "end")))
        text = "\n".join(line.replace("[br]", "\n") for line in lines[n + 1 : stop] if line.strip())
        yield speakers.Cue(n + 1, start, end, text)
