"""What Whisper and whisperX write: ``{"segments": [{"start", "end", "text", "speaker"?, "words"?}]}``.

Also the list of segments alone, as programs dump ``result["segments"]``, and whisperX's ``word_segments``, whose single
words become utterances (see ``words``). Times may be strings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Row, Source, conversation, squeeze
from moodline.transcripts.json_fields import speaker_of
from moodline.transcripts.times import number, shown
from moodline.transcripts.words import Word, turns

_TIMES = ("start", "end", "words")
_OTHERS = ("utterances", "role", "content", "message", "body")
"""Fields of conversations and of chats, which are no segments even where they have times."""

_SPEAKER = (
    "speaker_name",
    "name",
    "author",
    "from",
    "sender",
    "user",
    "speaker_id",
    "speaker_label",
    "spk",
    "speakerId",
)
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


def read_segments(source: Source, segments: list[Any], *, skip_empty: bool = False) -> list[Conversation]:
    """Read segments as utterances.

    What a segment itself does not say is taken from its words: the speaker, the first start, the last end. A segment in
    which the words' speaker changes becomes several utterances. Words may lack times and speakers; everything else in a
    segment (scores, tokens) is passed over. Segments with a field ``conversation`` of its own are grouped by it.

    Raises:
        TranscriptError: segments of another form, a time that is none, an empty segment.
    """
    groups: dict[str | None, list[tuple[int, Any]]] = {}
    for n, segment in enumerate(segments):
        name = segment.get("conversation") if isinstance(segment, dict) else None
        groups.setdefault(name if isinstance(name, str) and name else None, []).append((n, segment))
    channels = len({str(s["channel"]) for s in segments if isinstance(s, dict) and s.get("channel") is not None}) > 1
    return [
        conversation(source, _rows(source, rows, channels), skip_empty=skip_empty, id=name)
        for name, rows in (groups or {None: []}).items()
    ]


def _rows(source: Source, segments: Iterable[tuple[int, Any]], channels: bool) -> Iterator[Row]:
    for n, segment in segments:
        with source.row():
            yield from _of_segment(source, f"{source.path}: segment {n}", segment, channels)


def _of_segment(source: Source, place: str, segment: Any, channels: bool) -> list[Row]:
    if not isinstance(segment, dict):
        raise TranscriptError(f"{place}: expected an object", type(segment).__name__)
    text, words = segment.get("text"), segment.get("words") or []
    if not isinstance(text, str):
        raise TranscriptError(f"{place}: text must be a string", type(text).__name__)
    if not isinstance(words, list) or not all(isinstance(word, dict) for word in words):
        raise TranscriptError(f"{place}: words must be a list of objects", type(words).__name__)
    start, end = segment.get("start"), segment.get("end")
    if start is None:
        start = next((word["start"] for word in words if word.get("start") is not None), None)
    if end is None:
        end = next((word["end"] for word in reversed(words) if word.get("end") is not None), None)
    start, end = number(start, place, "start"), number(end, place, "end")
    if start is not None and end is None:  # as for YouTube's captions
        lasts = number(segment.get("duration"), place, "duration")
        end = None if lasts is None else round(start + lasts, 6)
    if "[SPEAKER_TURN]" in text:
        source.note("[SPEAKER_TURN] marks that another goes on, but not who: they were left out.")
        text = text.replace("[SPEAKER_TURN]", " ")
    parts = _by_speaker(text, words)
    if len(parts) > 1:
        source.note("Segments in which the words' speaker changes were split there.")
        edges = [(_time(part, "start", place), _time(part[::-1], "end", place)) for _, _, part in parts]
        edges[0], edges[-1] = (start, edges[0][1]), (edges[-1][0], end)
        return [Row(place, squeeze(said), who, *times) for (who, said, _), times in zip(parts, edges, strict=True)]
    return [Row(place, squeeze(text), _speaker(segment, words, place, channels), start, end)]


def _speaker(segment: dict[str, Any], words: list[Any], place: str, channels: bool) -> str | None:
    speaker = segment.get("speaker")
    if isinstance(speaker, bool) or not isinstance(speaker, str | int | dict | None):
        raise TranscriptError(f"{place}: speaker must be a string", shown(speaker))
    if speaker is None:
        speaker = next((segment[name] for name in _SPEAKER if isinstance(segment.get(name), str | int)), None)
    if speaker is None:
        speakers = Counter(name for word in words if (name := speaker_of(word.get("speaker"))))
        speaker = speakers.most_common(1)[0][0] if speakers else None
    if speaker is None and channels:
        channel = segment.get("channel")
        speaker = f"Channel {channel}" if isinstance(channel, int) else channel
    return speaker_of(speaker)


def _by_speaker(text: str, words: list[Any]) -> list[tuple[str | None, str, list[Any]]]:
    """Speaker, words and word objects of each stretch with one speaker, if every word is in the text in order.

    A word without a time does not begin another: it was not diarized but filled in.
    """
    if len({name for word in words if (name := speaker_of(word.get("speaker")))}) < 2:
        return []
    parts: list[tuple[str | None, int, list[Any]]] = []
    at = 0
    for word in words:
        said = word.get("word", word.get("text"))
        found = text.find(said.strip(), at) if isinstance(said, str) else -1
        if found < 0:
            return []
        who = speaker_of(word.get("speaker"))
        changes = who is not None and parts and parts[-1][0] not in (who, None)
        if not parts or (changes and word.get("start") is not None):
            parts.append((who, found if parts else 0, [word]))
        else:
            parts[-1] = (parts[-1][0] or who, parts[-1][1], [*parts[-1][2], word])
        at = found + len(said.strip())
    stops = [start for _, start, _ in parts[1:]] + [len(text)]
    return [(who, text[start:stop], part) for (who, start, part), stop in zip(parts, stops, strict=True)]


def _time(words: list[Any], name: str, place: str) -> float | None:
    return number(next((word[name] for word in words if word.get(name) is not None), None), place, name)


def _words(source: Source, words: list[Any]) -> Iterator[Word]:
    for n, word in enumerate(words):
        place = f"{source.path}: word {n}"
        if not isinstance(word, dict) or not isinstance(word.get("word"), str):
            raise TranscriptError(f"{place}: expected an object with a string 'word'", shown(word))
        start, end = (number(word.get(name), place, name) for name in ("start", "end"))
        speaker = word.get("speaker")
        yield Word(word["word"], start, end, speaker_of(speaker))
