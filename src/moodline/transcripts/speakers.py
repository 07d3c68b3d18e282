"""Who speaks: names that stand in front of the words.

A name in brackets is always a speaker: ``[SPEAKER_00]: text``; without the colon only what a diarizer writes
(``[SPEAKER_00] text``), since ``[laughs]`` stands there too.

``Name: text`` is harder, because sentences have colons as well. The part before the colon is taken for a speaker if

1. it could be a name (see ``names``): a few words with capitals, or nearly anything short that stands in front of two
   cues or more ("anna", "Smith, Anna"), but not what introduces a sentence ("Note:", "I told him this:"); white space
   follows the colon;
2. and the file does so throughout: more than half of its cues begin with such a name or one in brackets.

Inside a cue a further line begins a new utterance only if its name also begins a cue somewhere, or stands in brackets.
A cue without a name in such a file has no known speaker; the one before is not carried over.
Where a file does not keep to the convention the words stay as they are.

A label that is nothing but a diarizer's name for a speaker (``SPEAKER_00``) is a speaker without words, if all labels
of the file are such (``diarized``).

Where nearly all cues begin with words and a colon but none of these is taken for a name, a note says so.

``[joy 0.81] `` and ``[joy? 0.31] ``, the marks that Moodline itself writes into subtitles, are taken off first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from moodline.core.conversation import Conversation
from moodline.transcripts.common import Row, Source, conversation, squeeze
from moodline.transcripts.speaker_names import plausible, possible, titled

DOUBT = 0.8
"""The share of cues with a colon from which on it is worth a note that no speaker was found."""

_MARK = re.compile(r"\A\[(?:[^\[\]]{1,40}\s[01]\.[0-9]{2}|[+-][0-9]{1,4}\.[0-9]{2}|0\.00)\]\s*")
_DASH = r"(?:(?:-|–|—|>>)\s{0,3})?"
_BRACKETED = re.compile(_DASH + r"(?:\[([^\[\]\n]{1,60})\]\s{0,3}[:：]|\[(speaker[ _-]?[0-9]+)\])\s*", re.IGNORECASE)
_PLAIN = re.compile(_DASH + r"([^\[\]:：\s][^\[\]:：\n]{0,59}?)\s{0,3}(?::(?=\s|$)|：)\s*")
_DIARIZED = re.compile(r"\[?((?:speaker|spk)[ _-]?[0-9]{1,4})\]?:?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cue:
    """A piece of a file that is on screen (or on a line) as one.

    Args:
        line: where it stands, from 1.
        start: seconds, or None.
        end: seconds, or None.
        text: the words, maybe several lines, maybe with names in front.
        speaker: the speaker if the format itself names one.
    """

    line: int
    start: float | None
    end: float | None
    text: str
    speaker: str | None = None


def split_name(line: str) -> tuple[str, str] | None:
    """What stands before a colon, whether or not it is a name, and the words behind it; None if nothing does."""
    match = _PLAIN.match(line)
    return (match[1], line[match.end() :]) if match else None


def diarized(labels: Iterable[str]) -> bool:
    """Whether all labels are names that a diarizer gives, so that they say who speaks and not what."""
    labels = list(labels)
    return bool(labels) and all(_DIARIZED.fullmatch(label.strip()) for label in labels)


def diarizer_name(label: str) -> str:
    """The name in a label of which ``diarized`` holds."""
    match = _DIARIZED.fullmatch(label.strip())
    return match[1] if match else label


def spoken(source: Source, cues: Sequence[Cue], *, lower: bool = False, skip_empty: bool = False) -> Conversation:
    """Cues as a conversation: speakers told apart from words, a cue with two speakers made two utterances.

    Args:
        source: the file.
        cues: its cues in order.
        lower: also take names without a capital that occur once for speakers.
        skip_empty: leave utterances without words out.

    Raises:
        TranscriptError: an utterance is empty or contradicts itself, or there is none at all.
    """
    texts = [_MARK.sub("", cue.text.strip(), count=1) for cue in cues]
    first = [text.split("\n", 1)[0] for cue, text in zip(cues, texts, strict=True) if cue.speaker is None and text]
    names = conventional(first, lower)
    found = conversation(source, _rows(source, cues, texts, names), skip_empty=skip_empty)
    return replace(found, notes=_doubts(first)) if all(u.speaker is None for u in found) else found


def _rows(source: Source, cues: Sequence[Cue], texts: Sequence[str], names: frozenset[str]) -> Iterator[Row]:
    for cue, text in zip(cues, texts, strict=True):
        place = source.at(cue.line)
        parts = [(cue.speaker, text)] if cue.speaker is not None else _split(text, names)
        for speaker, words in parts:
            yield Row(place, squeeze(words), squeeze(speaker) if speaker else None, cue.start, cue.end)


def conventional(lines: Sequence[str], lower: bool) -> frozenset[str]:
    """The names that count as speakers in this file; none unless most cues begin with one (rule 2).

    Args:
        lines: the first line of every cue that has words.
        lower: see ``spoken``.
    """
    counts = Counter(parts[0] for line in lines if (parts := split_name(line)))
    names = frozenset(
        name
        for name, count in counts.items()
        if plausible(name, lower=lower) or titled(name) or (count > 1 and possible(name))
    )
    hits = sum(counts[name] for name in names) + sum(_BRACKETED.match(line) is not None for line in lines)
    return names if 2 * hits > len(lines) else frozenset()


def _doubts(lines: Sequence[str]) -> tuple[str, ...]:
    """A note if nearly all lines look as if they began with a name."""
    found = sum(split_name(line) is not None for line in lines)
    if len(lines) < 3 or found < DOUBT * len(lines):
        return ()
    return (
        "Most turns begin with words and a colon that do not look like speakers' names, so they are read as words. "
        "If they are names, put them in brackets, [Anna]: …",
    )


def _split(text: str, names: frozenset[str]) -> list[tuple[str | None, str]]:
    """A cue's text as (speaker, words), one for every speaker in it."""
    parts: list[tuple[str | None, list[str]]] = []
    for line in text.split("\n"):
        match = _BRACKETED.match(line)
        if match is None:
            plain = _PLAIN.match(line)
            match = plain if plain and plain[1] in names else None
        if match is not None:
            parts.append((next(g for g in match.groups() if g), [line[match.end() :]]))
        elif parts:
            parts[-1][1].append(line)
        else:
            parts.append((None, [line]))
    return [(speaker, "\n".join(lines)) for speaker, lines in parts]
