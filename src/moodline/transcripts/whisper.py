"""What Whisper and whisperX write: ``{"segments": [{"start", "end", "text", "speaker"?, "words"?}]}``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from moodline.conversation import Conversation
from moodline.errors import TranscriptError
from moodline.transcripts.common import Row, Source, conversation, squeeze
from moodline.transcripts.times import seconds, shown


def read_whisper(source: Source, data: dict[str, Any], *, skip_empty: bool = False) -> Conversation:
    """Read segments as utterances.

    What a segment itself does not say is taken from its words: the speaker of most of them, the first start, the last
    end. Words may lack times and speakers; everything else in the file (scores, tokens) is passed over.

    Raises:
        TranscriptError: segments of another form, a time that is no number, an empty segment.
    """
    if not isinstance(data["segments"], list):
        raise TranscriptError(f"{source.path}: 'segments' must be a list", type(data["segments"]).__name__)
    return conversation(source, _rows(source, data["segments"]), skip_empty=skip_empty)


def _rows(source: Source, segments: list[Any]) -> Iterator[Row]:
    for n, segment in enumerate(segments):
        place = f"{source.path}: segment {n}"
        if not isinstance(segment, dict):
            raise TranscriptError(f"{place}: expected an object", type(segment).__name__)
        text, speaker, words = segment.get("text"), segment.get("speaker"), segment.get("words") or []
        if not isinstance(text, str):
            raise TranscriptError(f"{place}: text must be a string", type(text).__name__)
        if not isinstance(words, list) or not all(isinstance(word, dict) for word in words):
            raise TranscriptError(f"{place}: words must be a list of objects", type(words).__name__)
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
        yield Row(place, squeeze(text), speaker, seconds(start, place, "start"), seconds(end, place, "end"))
