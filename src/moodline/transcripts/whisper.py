"""What Whisper and whisperX write: ``{"segments": [{"start", "end", "text", "speaker"?, "words"?}]}``.

Also the list of segments alone, as programs dump ``result["segments"]``, and whisperX's ``word_segments``, whose single
words become utterances (see ``words``). Times may be strings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Row, Source, conversation, squeeze
from moodline.transcripts.times import number, shown
from moodline.transcripts.words import Word, turns

_TIMES = ("start", "end", "words")
_OTHERS = ("utterances", "role", "content", "message", "body")
"""Fields of conversations and of chats, which are no segments even where they have times."""

_SPEAKER = ("speaker_name", "name", "author", "from", "sender", "user", "speaker_id")
"""Where a segment may say who speaks, if not in ``speaker``."""


def segments(source: Source, data: Any) -> list[Any] | None:
    """The segments in what a JSON file holds, or None if it is no transcript of Whisper.

    Args:
        source: the file, for error messages.
        data: an object with ``segments`` or ``word_segments``, or a list of segments or of words with times.

    Raises:
        TranscriptError: no list where one must be, or a word of another form.
    """
    if isinstance(data, dict):
        if "utterances" in data or not ("segments" in data or "word_segments" in data):
            return None
        name = "segments" if "segments" in data else "word_segments"
        if not isinstance(data[name], list):
            raise TranscriptError(f"{source.path}: '{name}' must be a list", type(data[name]).__name__)
        return data[name] if name == "segments" else turns(_words(source, data[name]))
    if not isinstance(data, list) or not data or not all(isinstance(row, dict) for row in data):
        return None
    if any(name in row for row in data for name in _OTHERS) or not any(name in row for row in data for name in _TIMES):
        return None
    if all("text" in row for row in data):
        return data
    return turns(_words(source, data)) if all("word" in row for row in data) else None


def read_segments(source: Source, segments: list[Any], *, skip_empty: bool = False) -> Conversation:
    """Read segments as utterances.

    What a segment itself does not say is taken from its words: the speaker of most of them, the first start, the last
    end. Words may lack times and speakers; everything else in a segment (scores, tokens) is passed over.

    Raises:
        TranscriptError: segments of another form, a time that is none, an empty segment.
    """
    return conversation(source, _rows(source, segments), skip_empty=skip_empty)


def _rows(source: Source, segments: list[Any]) -> Iterator[Row]:
    for n, segment in enumerate(segments):
        with source.row():
            yield _row(f"{source.path}: segment {n}", segment)


def _row(place: str, segment: Any) -> Row:
    if not isinstance(segment, dict):
        raise TranscriptError(f"{place}: expected an object", type(segment).__name__)
    text, speaker, words = segment.get("text"), segment.get("speaker"), segment.get("words") or []
    if not isinstance(text, str):
        raise TranscriptError(f"{place}: text must be a string", type(text).__name__)
    if not isinstance(words, list) or not all(isinstance(word, dict) for word in words):
        raise TranscriptError(f"{place}: words must be a list of objects", type(words).__name__)
    if speaker is None:
        speaker = next((segment[name] for name in _SPEAKER if isinstance(segment.get(name), str)), None)
    if speaker is None:
        speakers = Counter(name for word in words if isinstance(name := word.get("speaker"), str))
        speaker = speakers.most_common(1)[0][0] if speakers else None
    elif not isinstance(speaker, str):
        raise TranscriptError(f"{place}: speaker must be a string", shown(speaker))
    start, end = segment.get("start"), segment.get("end")
    if start is None:
        start = next((word["start"] for word in words if word.get("start") is not None), None)
    if end is None:
        end = next((word["end"] for word in reversed(words) if word.get("end") is not None), None)
    start, end = number(start, place, "start"), number(end, place, "end")
    if start is not None and end is None:  # as for YouTube's captions
        lasts = number(segment.get("duration"), place, "duration")
        end = None if lasts is None else round(start + lasts, 6)
    return Row(place, squeeze(text), speaker, start, end)


def _words(source: Source, words: list[Any]) -> Iterator[Word]:
    for n, word in enumerate(words):
        place = f"{source.path}: word {n}"
        if not isinstance(word, dict) or not isinstance(word.get("word"), str):
            raise TranscriptError(f"{place}: expected an object with a string 'word'", shown(word))
        start, end = (number(word.get(name), place, name) for name in ("start", "end"))
        speaker = word.get("speaker")
        yield Word(word["word"], start, end, speaker if isinstance(speaker, str) else None)
