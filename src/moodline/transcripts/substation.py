"""SubStation subtitles (``.ass``, ``.ssa``), read with pysubs2."""

from __future__ import annotations

import re
import warnings

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import Source
from moodline.transcripts.subtitle_customs import customary

_DECORATION = re.compile(
    r"\b(?:signs?|titles?|op|ed|opening|ending|karaoke|songs?|lyrics?|credits?|notes?|ts|typeset\w*|caption|logo|romaji|kanji)\b",
    re.IGNORECASE,
)
_LINE = re.compile(r"^Dialogue:", re.MULTILINE)
_TIME = re.compile(r"Dialogue:[^,]*,\s*(\d{1,2}:\d{2}:\d{2}[.:]\d+)\s*,\s*(\d{1,2}:\d{2}:\d{2}[.:]\d+)\s*,")


def read_ass(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the dialogue lines in the order of their starts; the field Name (or Actor) is the speaker.

    Comments and drawings are passed over, and so are lines in styles of signs, titles and songs, with a note. Where no
    line has a name, names are looked for in front of the words (see ``speakers``).

    Raises:
        TranscriptError: no dialogue line, or a time that cannot be read.
    """
    import pysubs2

    if not _LINE.search(source.text):
        found = source.text.strip().split("\n", 1)[0][:40]
        raise TranscriptError(
            f"{source.path}: expected SubStation subtitles with lines that begin with Dialogue:", found
        )
    text = _checked(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            subtitles = pysubs2.SSAFile.from_string(text, format_="ass" if "V4+" in text else "ssa")
    except Exception as error:  # of many kinds, none of them documented
        raise TranscriptError(f"{source.path}: broken SubStation subtitles", error, "Save it again.") from None
    cues, left_out = [], 0
    lines = [n for n, line in enumerate(text.split("\n"), start=1) if line.startswith(("Dialogue:", "Comment:"))]
    numbered = zip(lines, subtitles.events, strict=False)
    for line, event in sorted(numbered, key=lambda pair: (pair[1].start, pair[1].end)):
        if event.is_comment or event.is_drawing or not event.plaintext.strip():
            continue
        if _DECORATION.search(event.style) and not event.name.strip():
            left_out += 1
            continue
        name = event.name.strip() or None
        cues.append(speakers.Cue(line, event.start / 1000, event.end / 1000, event.plaintext, name))
    if left_out:
        source.note(f"{left_out} lines in styles of signs, titles or songs were passed over.")
    if not cues:
        raise TranscriptError(f"{source.path}: no dialogue line with words", fix="Pass a file with at least one.")
    return [speakers.spoken(source, customary(source, cues), skip_empty=skip_empty, screen=True)]


def _checked(source: Source) -> str:
    """The text without styles and without dialogue lines whose times are none, which pysubs2 reads as anything."""
    lines = source.text.split("\n")
    for n, line in enumerate(lines):
        if line.startswith("Style:"):
            lines[n] = ""
        if line.startswith("Dialogue:") and not _TIME.match(line):
            lines[n] = ""
            source.leave_out(
                TranscriptError(f"{source.at(n + 1)}: expected a dialogue line with start and end", line[:60])
            )
    return "\n".join(lines)
