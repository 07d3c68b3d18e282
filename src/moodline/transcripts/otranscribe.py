"""oTranscribe (``.otr``): text with time stamps, as HTML within JSON."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import Source

_BREAKS = frozenset(("p", "br", "div", "li", "h1", "h2", "h3"))
_NAME = re.compile(r"\s*[^\s:][^:\n]{0,40}:\s")
_STAMP = re.compile(r"\d{1,7}(?:\.\d+)?")


class _Lines(HTMLParser):
    """Lines of the text, each with the time stamp in front of it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[float | None, str]] = []
        self._parts: list[tuple[float | None, str]] = [(None, "")]
        self._in_stamp = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, or note the time of a stamp."""
        given = dict(attrs)
        if tag in _BREAKS:
            self.flush()
        elif "timestamp" in (given.get("class") or "").split() or "data-timestamp" in given:
            value = given.get("data-timestamp") or ""
            self._parts.append((float(value) if _STAMP.fullmatch(value) else None, ""))
            self._in_stamp += 1
        elif self._in_stamp and tag == "span":
            self._in_stamp += 1

    def handle_endtag(self, tag: str) -> None:
        """End a line or a stamp."""
        if tag in _BREAKS:
            self.flush()
        elif tag == "span" and self._in_stamp:
            self._in_stamp -= 1

    def handle_data(self, data: str) -> None:
        """Add words; what stands in a stamp is its time written out."""
        if not self._in_stamp:
            time, text = self._parts[-1]
            self._parts[-1] = (time, text + data.replace("\xa0", " "))

    def flush(self) -> None:
        """End the line; a stamp within it begins another only where a name follows. A time without words waits."""
        out: list[tuple[float | None, str]] = []
        time = None
        for stamp, text in self._parts:
            time = stamp if time is None else time
            if not text.strip():
                continue
            if out and not _NAME.match(text):
                out[-1] = (out[-1][0], f"{out[-1][1]} {text.strip()}")
            else:
                out.append((time, text.strip()))
            time = None
        self.lines += out
        self._parts = [(time, "")]


def read_otr(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the lines of a text of oTranscribe; a stamp is when a line begins, names stand in front of the words.

    Raises:
        TranscriptError: not oTranscribe's JSON, or no words in it.
    """
    try:
        data = json.loads(source.text)
    except (ValueError, RecursionError) as error:
        raise TranscriptError(f"{source.path}: broken JSON: {error}", fix="Export it again from oTranscribe.") from None
    text = data.get("text") if isinstance(data, dict) else None
    if not isinstance(text, str):
        raise TranscriptError(f'{source.path}: expected oTranscribe\'s {{"text": "…"}}', type(data).__name__)
    parser = _Lines()
    parser.feed(text)
    parser.close()
    parser.flush()
    cues = [speakers.Cue(n, time, None, line) for n, (time, line) in enumerate(parser.lines, start=1)]
    if not cues:
        raise TranscriptError(f"{source.path}: no words in the text", fix="Export it again from oTranscribe.")
    return [speakers.spoken(source, cues, lower=True, skip_empty=skip_empty)]
