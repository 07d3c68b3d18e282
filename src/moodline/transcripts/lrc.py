"""Lyrics and spoken text with times (``.lrc``)."""

from __future__ import annotations

import re

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import Source

_STAMP = re.compile(r"\[(\d{1,3}):(\d{1,2})(?:[.:](\d{1,3}))?\]\s*")
_TAG = re.compile(r"\[([A-Za-z#]+):([^\]]*)\]\s*$")
_WORD = re.compile(r"<\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?>")


def read_lrc(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read lines ``[01:02.30] words`` in the order of their times; a line ends where the next begins.

    Tags (``[ar:…]``) are no words, but ``[offset:…]`` moves all times. A stamp without words ends the line before.
    Stamps of single words are taken out. Names in front of the words are speakers (see ``speakers``).

    Raises:
        TranscriptError: no line with a stamp.
    """
    offset = 0.0
    found: list[tuple[float, int, str]] = []
    for number, line in enumerate(source.text.split("\n"), start=1):
        tag = _TAG.match(line.strip())
        if tag is not None:
            if tag[1].lower() == "offset" and re.fullmatch(r"[+-]?\d{1,7}", tag[2].strip()):
                offset = int(tag[2]) / 1000
            continue
        rest, stamps = line.strip(), []
        while (match := _STAMP.match(rest)) is not None:
            fraction = float(f"0.{match[3]}") if match[3] else 0.0
            stamps.append(int(match[1]) * 60 + int(match[2]) + fraction)
            rest = rest[match.end() :]
        text = _WORD.sub("", rest)
        if not stamps:
            if line.strip():
                source.leave_out(
                    TranscriptError(
                        f"{source.at(number)}: expected a time in front of the words: [01:02.30]", line[:40]
                    )
                )
            continue
        found += [(max(0.0, stamp - offset), number, text) for stamp in stamps]
    found.sort(key=lambda entry: entry[0])
    if not any(text.strip() for _, _, text in found):
        raise TranscriptError(
            f"{source.path}: expected lines with times, such as [01:02.30] words",
            source.text.strip().split("\n", 1)[0][:40],
        )
    cues = []
    for n, (start, number, text) in enumerate(found):
        later = next((s for s, _, _ in found[n + 1 :] if s > start), None)
        if text.strip():
            cues.append(speakers.Cue(number, round(start, 3), None if later is None else round(later, 3), text))
    return [speakers.spoken(source, cues, skip_empty=skip_empty)]
