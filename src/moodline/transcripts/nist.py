"""NIST's files of speech recognition: words with times (``.ctm``) and segments of a reference (``.stm``)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Row, Source, conversation
from moodline.transcripts.nonspeech import sounds_only
from moodline.transcripts.times import clock
from moodline.transcripts.words import Word, turns

_NO_SPEAKER = re.compile(r"inter_segment_gap|excluded_region|<NA>|unk(?:now)?\w*", re.IGNORECASE)
_IGNORED = re.compile(r"ignore_time_segment_in_scoring", re.IGNORECASE)


def read_ctm(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the words of each recording, put together until there is a pause; channels are speakers if there are two.

    A line is ``recording channel start duration word [confidence [kind [speaker]]]``; of alternatives the first is
    taken.

    Raises:
        TranscriptError: a line with too few fields, a time that cannot be read, or no word.
    """
    words: dict[str, dict[str, list[tuple[str, Word]]]] = {}
    first, skip = True, False
    for number, fields in _lines(source):
        place = source.at(number)
        if len(fields) > 4 and fields[4].upper().startswith("<ALT"):
            skip = not fields[4].upper().startswith(("<ALT_BEGIN", "<ALT_END"))
            continue
        with source.row():
            if len(fields) < 5:
                raise TranscriptError(f"{place}: expected recording channel start duration word", " ".join(fields)[:60])
            start, lasts = clock(fields[2], place, "start"), clock(fields[3].lstrip("*"), place, "duration")
            if skip or sounds_only(fields[4]) or fields[4] in ("@", "<eps>"):
                continue
            speaker = fields[7] if len(fields) > 7 and not _NO_SPEAKER.fullmatch(fields[7]) else None
            end = None if start is None or lasts is None else round(start + lasts, 6)
            text = _untagged(fields[4])
            if not text or text.startswith("%"):
                continue
            word = Word(text.replace("_", " "), start, end, speaker)
            words.setdefault(fields[0], {}).setdefault(fields[1], []).append((place, word))
        first = False
    if not words:
        raise _empty(source, "a line with a word", first)
    return [_of(source, name, channels, len(words), skip_empty) for name, channels in words.items()]


def _of(
    source: Source,
    name: str,
    channels: dict[str, list[tuple[str, Word]]],
    recordings: int,
    skip_empty: bool,
) -> Conversation:
    rows = []
    for channel, found in channels.items():
        found.sort(key=lambda pair: pair[1].start or 0.0)
        places = {word.start: place for place, word in reversed(found)}
        for turn in turns(word for _, word in found):
            speaker = turn["speaker"] or (f"Channel {channel}" if len(channels) > 1 else None)
            rows.append(Row(places.get(turn["start"], found[0][0]), turn["text"], speaker, turn["start"], turn["end"]))
    rows.sort(key=lambda row: row.start or 0.0)
    return conversation(source, rows, skip_empty=skip_empty, id=name if recordings > 1 else None)


def read_stm(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the segments of each recording: ``recording channel speaker start end [<labels>] words``.

    Segments that are not to be scored (gaps, ``ignore_time_segment_in_scoring``) and comments are passed over.

    Raises:
        TranscriptError: a line with too few fields, a time that cannot be read, or no segment.
    """
    rows: dict[str, list[Row]] = {}
    first = True
    for number, fields in _lines(source):
        place = source.at(number)
        with source.row():
            if len(fields) < 5:
                raise TranscriptError(
                    f"{place}: expected recording channel speaker start end words", " ".join(fields)[:60]
                )
            start, end = clock(fields[3], place, "start"), clock(fields[4], place, "end")
            first = False
            said = fields[5:]
            if said and re.fullmatch(r"<[^<>]*>", said[0]) and ("," in said[0] or len(said) > 1):
                said = said[1:]
            text = _alternatives(" ".join(said))
            if (
                not text.strip()
                or _IGNORED.search(text)
                or re.fullmatch(r"inter_segment_gap|excluded_region", fields[2])
            ):
                continue
            speaker = None if _NO_SPEAKER.fullmatch(fields[2]) else fields[2]
            rows.setdefault(fields[0], []).append(Row(place, text, speaker, start, end))
    if not rows:
        raise _empty(source, "a segment with words", first)
    return [
        conversation(
            source,
            sorted(found, key=lambda row: row.start or 0.0),
            skip_empty=skip_empty,
            id=name if len(rows) > 1 else None,
        )
        for name, found in rows.items()
    ]


def _lines(source: Source) -> Iterator[tuple[int, list[str]]]:
    """Number and fields of each line that is no comment."""
    for number, line in enumerate(source.text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith((";;", "#")):
            yield number, line.split()


def _alternatives(text: str) -> str:
    """The words with the first of several ways to say it (``{ a / b }``), optional ones kept (``(uh)``)."""
    text = re.sub(r"\{\s*([^{}/]*?)\s*/[^{}]*\}", r"\1", text)
    text = re.sub(r"\(([^\s()]+)\)|\(%([\w-]+)\)", lambda m: m[1] or m[2], text)
    words = (_untagged(word) for word in text.replace("@", " ").split() if not word.startswith("%"))
    return " ".join(word for word in words if word)


def _untagged(word: str) -> str:
    """A word without the tags behind it (``word;tag``); a semicolon of its own is written with a backslash."""
    return re.sub(r"(?<!\\);.*", "", word).replace("\\;", ";")


def _empty(source: Source, what: str, nothing: bool) -> TranscriptError:
    if source.bad:
        return source.bad[0]
    found = source.text.strip().split("\n", 1)[0][:60] if nothing else "only lines that are not scored"
    return TranscriptError(f"{source.path}: expected {what}", found)
