"""Who speaks: names that stand in front of the words.

A name in brackets is always a speaker: ``[SPEAKER_00]: text``; without the colon only what a diarizer writes
(``[SPEAKER_00] text``), since ``[laughs]`` stands there too.

``Name: text`` is harder, because sentences have colons as well. The part before the colon is taken for a speaker if

1. it could be a name: at most three words and 30 characters, letters, digits and ``.'’-_&()#`` only, the first and the
   last word with a capital (or in a script without capitals), white space after the colon, and not one of the words
   that commonly introduce a sentence ("Note:", "Remember:");
2. and the file does so throughout: more than half of its cues begin with such a name or one in brackets.

Inside a cue a further line begins a new utterance only if its name also begins a cue somewhere, or stands in brackets.
A cue without a name in such a file has no known speaker; the one before is not carried over.
Where a file does not keep to the convention the words stay as they are.

A label that is nothing but a diarizer's name for a speaker (``SPEAKER_00``) is a speaker without words, if all labels
of the file are such (``diarized``).

``[joy 0.81] `` and ``[joy? 0.31] ``, the marks that Moodline itself writes into subtitles, are taken off first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from moodline.transcripts.common import Row, Source, squeeze

MAX_WORDS, MAX_CHARS = 3, 30

_MARK = re.compile(r"\A\[(?:[^\[\]]{1,40}\s[01]\.[0-9]{2}|[+-][0-9]{1,4}\.[0-9]{2}|0\.00)\]\s*")
_DASH = r"(?:(?:-|–|—|>>)\s{0,3})?"
_BRACKETED = re.compile(_DASH + r"(?:\[([^\[\]\n]{1,60})\]\s{0,3}[:：]|\[(speaker[ _-]?[0-9]+)\])\s*", re.IGNORECASE)
_PLAIN = re.compile(_DASH + r"([^\[\]:：\s][^\[\]:：\n]{0,39}?)\s{0,3}(?::(?=\s|$)|：)\s*")
_NAME = re.compile(r"[\w.'’&()# -]+")
_DIARIZED = re.compile(r"\[?((?:speaker|spk)[ _-]?[0-9]{1,4})\]?:?", re.IGNORECASE)
_SENTENCE_STARTER = re.compile(
    r"also|answer|attention|but|caution|conclusion|example|fact|fine|first|hint|idea|important|info|listen|look|nb|no|note"
    r"|ok|okay|p\.s\.|plan|plus|problem|ps|question|reason|remember|reminder|result|second|so|still|summary|then|third|tip"
    r"|true|update|warning|well|yes",
    re.IGNORECASE,
)


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


def plausible(name: str, *, lower: bool = False) -> bool:
    """Whether ``name`` in front of a colon could be a speaker's name (rule 1 above).

    Args:
        name: what stands before the colon.
        lower: also take names without a capital.
    """
    words = name.split()
    if not 1 <= len(words) <= MAX_WORDS or len(name) > MAX_CHARS or not _NAME.fullmatch(name):
        return False
    if _SENTENCE_STARTER.fullmatch(name) or not any(c.isalnum() for c in name):
        return False
    return lower or all(not next(c for c in w + "A" if c.isalnum()).islower() for w in (words[0], words[-1]))


def diarized(labels: Iterable[str]) -> bool:
    """Whether all labels are names that a diarizer gives, so that they say who speaks and not what."""
    labels = list(labels)
    return bool(labels) and all(_DIARIZED.fullmatch(label.strip()) for label in labels)


def diarizer_name(label: str) -> str:
    """The name in a label of which ``diarized`` holds."""
    match = _DIARIZED.fullmatch(label.strip())
    return match[1] if match else label


def rows(source: Source, cues: Sequence[Cue], *, lower: bool = False) -> Iterator[Row]:
    """Cues to utterances: speakers told apart from words, a cue with two speakers made two utterances.

    Args:
        source: the file, for error messages.
        cues: its cues in order.
        lower: also take names without a capital for speakers.
    """
    texts = [_MARK.sub("", cue.text.strip(), count=1) for cue in cues]
    spoken = (text for cue, text in zip(cues, texts, strict=True) if cue.speaker is None)
    names = _conventional((text.split("\n", 1)[0] for text in spoken), lower)
    for cue, text in zip(cues, texts, strict=True):
        place = source.at(cue.line)
        parts = [(cue.speaker, text)] if cue.speaker is not None else _split(text, names)
        for speaker, words in parts:
            yield Row(place, squeeze(words), squeeze(speaker) if speaker else None, cue.start, cue.end)


def _conventional(first_lines: Iterable[str], lower: bool) -> frozenset[str]:
    """The names that count as speakers in this file; none unless most cues begin with one (rule 2)."""
    names, hits, total = set(), 0, 0
    for line in first_lines:
        if not line:
            continue
        total += 1
        plain = _PLAIN.match(line)
        if plain and plausible(plain[1], lower=lower):
            names.add(plain[1])
            hits += 1
        elif _BRACKETED.match(line):
            hits += 1
    return frozenset(names) if 2 * hits > total else frozenset()


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
