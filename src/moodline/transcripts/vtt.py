"""WebVTT subtitles (``.vtt``)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace

from moodline.core.conversation import Conversation
from moodline.transcripts import speakers, subtitles
from moodline.transcripts.common import Source, squeeze
from moodline.transcripts.subtitle_customs import customary

_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s([^<>]*)>|</v\s*>", re.IGNORECASE)
_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s.*)?")


def read_vtt(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read WebVTT: ``<v Name>`` says who speaks, or a name in front of the words (see ``speakers``).

    Comments, styles, regions and cue settings are passed over, and cue names where they name nobody; a missing
    ``WEBVTT`` line is forgiven. A cue with two voices becomes two utterances with the same times.

    Raises:
        TranscriptError: no cues, a time that cannot be read, an empty cue.
    """
    lines = _without_blocks(source.text.split("\n"))
    lines = (
        subtitles.without_preamble(lines)
        if lines[0].startswith("WEBVTT") or source.text.startswith("WEBVTT")
        else lines
    )
    found = subtitles.cues(source, lines, lambda line, after_blank: after_blank or line.isdecimal())
    cues = [part for cue in found for part in _voices(cue)]
    return [speakers.spoken(source, customary(source, cues), skip_empty=skip_empty, screen=True)]


def _without_blocks(lines: list[str]) -> list[str]:
    """The lines with header, comments, styles and regions made blank; line numbers stay true."""
    out, inside, after_blank = [], lines[0].startswith("WEBVTT"), True
    for number, line in enumerate(lines):
        if not line.strip():
            inside = False
        elif number and after_blank and _BLOCK.fullmatch(line):
            inside = True
        elif "-->" in line and not line.startswith("WEBVTT"):  # a cue right under the header
            inside = False
        out.append("" if inside else line)
        after_blank = not line.strip()
    return out


def _voices(cue: speakers.Cue) -> Iterator[speakers.Cue]:
    """The cue, or one for every voice in it."""
    before, *spans = _VOICE.split(cue.text)
    parts: list[tuple[str | None, str]] = []
    for speaker, text in [(None, before), *zip(spans[::2], spans[1::2], strict=True)]:
        name = squeeze(html.unescape(speaker)) if speaker else None
        other = name in ("-", "–", "—")  # somebody else, who is not named
        name = None if other else name
        if not text.strip():
            continue
        if parts and parts[-1][0] == name and not other:
            parts[-1] = (name, parts[-1][1] + text)
        else:
            parts.append((name, text))
    for speaker, text in parts or [(None, "")]:
        yield replace(cue, speaker=speaker or None, text=html.unescape(subtitles.without_tags(text)))
