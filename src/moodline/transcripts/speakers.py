"""Who speaks: names that stand in front of the words.

A name in brackets is always a speaker: ``[SPEAKER_00]: text``; without the colon only what a diarizer writes
(``[SPEAKER_00] text``), since ``[laughs]`` stands there too.

``Name: text`` is harder, because sentences have colons as well. The part before the colon is taken for a speaker if

1. it could be a name (see ``names``): a few words with capitals, or nearly anything short that stands in front of two
   cues or more ("anna", "Smith, Anna"), but not what introduces a sentence ("Note:", "I told him this:"); white space
   follows the colon;
2. and the file does so throughout: more than half of its cues begin with such a name or one in brackets.

Inside a cue a further line begins a new utterance only if its name also begins a cue somewhere, or stands in brackets.
A cue without a name in a file that begins with one belongs to the speaker named before, which a note says. It has no
known speaker where names are in brackets or, on screen, all in capitals: there only who is not seen is named.
Where a file does not keep to the convention the words stay as they are.

A label that is nothing but a diarizer's name for a speaker (``SPEAKER_00``) is a speaker without words, if all labels
of the file are such (``diarized``).

Where nearly all cues begin with words and a colon but none of these is taken for a name, a note says so.

Names that stand otherwise (``[Anna] words``, alone on a line) are rewritten first, see ``conventions``.

``[joy 0.81] `` and ``[joy? 0.31] ``, the marks that Moodline itself writes into subtitles, are taken off first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from moodline.core.conversation import Conversation
from moodline.transcripts.common import Row, Source, conversation, squeeze
from moodline.transcripts.conventions import with_names
from moodline.transcripts.nonspeech import sounds_only
from moodline.transcripts.speaker_names import plausible, possible, titled

DOUBT = 0.8
"""The share of cues with a colon from which on it is worth a note that no speaker was found."""

MARK = re.compile(r"\A\[(?:[^\[\]]{1,40}\s[01]\.[0-9]{2}|[+-][0-9]{1,4}\.[0-9]{2}|0\.00)\]\s*")
_DASH = r"(?:(?:-|–|—|>>)\s{0,3})?"
_BRACKETED = re.compile(_DASH + r"(?:\[([^\[\]\n]{1,60})\]\s{0,3}[:：]|\[(speaker[ _-]?[0-9]+)\])\s*", re.IGNORECASE)
_MANNER = re.compile(
    r"\s*\((?:v\.?\s?o\.?|o\.?\s?[sc]\.?|cont['’]?d?\.?|continu\w+|off\b[^()]*"
    r"|on (?:the )?(?:phone|tv|radio|screen)[^()]*"
    r"|over[^()]*|voice[^()]*|whisper\w*|laugh\w*|shout\w*|sing\w*|sigh\w*|cry\w*|sob\w*|chuckl\w*|yell\w*|quiet\w*"
    r"|soft\w*|in \w+|to \w+|from \w+)\)\s*\Z",
    re.IGNORECASE,
)
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
        name: what the format calls the cue, such as its number; None if nothing.
        continues: it has no mark of another speaker in a file that has such marks (``>>``).
    """

    line: int
    start: float | None
    end: float | None
    text: str
    speaker: str | None = None
    name: str | None = None
    continues: bool = False


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


def spoken(
    source: Source,
    cues: Sequence[Cue],
    *,
    lower: bool = False,
    skip_empty: bool = False,
    screen: bool = False,
    carry: bool = True,
) -> Conversation:
    """Cues as a conversation: speakers told apart from words, a cue with two speakers made two utterances.

    Args:
        source: the file.
        cues: its cues in order.
        lower: also take names without a capital that occur once for speakers.
        skip_empty: leave utterances without words out.
        screen: they are subtitles.
        carry: what has no name may belong to the speaker named before.

    Raises:
        TranscriptError: there is no good utterance; or, if the reading is strict, one is bad.
    """
    texts = [MARK.sub("", cue.text.strip(), count=1) for cue in cues]
    carry = carry and not any(MARK.match(cue.text.strip()) for cue in cues)  # Moodline's own files name everybody
    unnamed = [n for n, cue in enumerate(cues) if cue.speaker is None and texts[n]]
    for n, text in zip(unnamed, with_names([texts[n] for n in unnamed], source), strict=True):
        texts[n] = text
    first = [texts[n].split("\n", 1)[0] for n in unnamed]
    names = conventional(first, lower) or on_change(first, screen=screen)
    carry = (
        carry and bool(names) and _begins_named(first, names) and not (screen and all(n == n.upper() for n in names))
    )
    found = conversation(source, _rows(source, cues, texts, names, carry), skip_empty=skip_empty)
    return replace(found, notes=_doubts(first)) if all(u.speaker is None for u in found) else found


def _rows(
    source: Source, cues: Sequence[Cue], texts: Sequence[str], names: frozenset[str], carry: bool
) -> Iterator[Row]:
    last, carried = None, 0
    for cue, text in zip(cues, texts, strict=True):
        place = source.at(cue.line)
        parts = [(cue.speaker, text)] if cue.speaker is not None else _split(text, names)
        for speaker, words in parts:
            speaker = _MANNER.sub("", speaker) if speaker and "(" in speaker else speaker
            said = bool(words.strip()) and not sounds_only(squeeze(words))
            if (carry or cue.continues) and speaker is None and last is not None and said:
                speaker, carried = last, carried + 1
            last = speaker
            yield Row(place, squeeze(words), squeeze(speaker) if speaker else None, cue.start, cue.end)
    if carried:
        turns = "1 turn without a name was" if carried == 1 else f"{carried} turns without a name were"
        source.note(f"{turns} given to the speaker named before.")


def begins_with_name(lines: Sequence[str]) -> list[bool]:
    """Whether each line of a text begins with a speaker's name, by the conventions of this module."""
    names = conventional(lines, lower=True) or on_change(lines)
    return [
        _BRACKETED.match(line) is not None or line[:1] in "[(>-–—" or (split_name(line) or ("",))[0] in names
        for line in lines
    ]


def _begins_named(lines: Sequence[str], names: frozenset[str]) -> bool:
    return bool(lines) and (split_name(lines[0]) or ("",))[0] in names


def on_change(lines: Sequence[str], *, screen: bool = False) -> frozenset[str]:
    """The names in a file that names its speakers only where they change; none if it is not such a file.

    Args:
        lines: the first line of every cue that has words.
        screen: they are subtitles, which may begin without a name if names are in capitals.
    """
    counts = Counter(parts[0] for line in lines if (parts := split_name(line)))
    names = {name for name in counts if plausible(name) or titled(name)}
    again = {name for name in names if counts[name] > 1}
    capitals = screen and bool(again) and all(name == name.upper() for name in names)
    begins = _begins_named(lines, frozenset(names)) or capitals
    if not (begins and len(names) > 1 and again and (len(again) > 1 or sum(counts[n] for n in names) > 2)):
        return frozenset()
    hits = sum(counts[name] for name in names)
    throughout = 10 * hits >= len(lines) or (len(again) > 1 and 2 * hits > sum(counts.values()))
    return frozenset(names) if throughout else frozenset()


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
    if "\n" not in text and ":" not in text and "[" not in text and "：" not in text:
        return [(None, text)]
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
