"""Recognized stretches become utterances: who said what, from when to when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from moodline.core.conversation import Utterance
from moodline.listen.base import Chunk, Span, Word

PAUSE = 1.0
"""A pause of this length (seconds) ends an utterance, whoever goes on."""

LONG, LONGEST = 8.0, 20.0
"""An utterance of ``LONG`` seconds ends with its sentence or at a pause for breath, one of ``LONGEST`` anywhere."""

BREATH = 0.3
LEAST_WORDLESS = 0.6
"""Speech without a recognized word is an utterance (a laugh, a cry) if it lasts this long."""

_END = re.compile(r"[.!?…。？！][\"'”’)\]]*$")


def spread(text: str, speech: Sequence[Span]) -> list[Word]:
    """Times for words whose recognizer tells none: each word takes its share of letters of the time spoken.

    Args:
        text: what was said.
        speech: where there is voice, in order; not empty.
    """
    words = text.split()
    if len(words) < len(speech):  # more noises than words: the longest are taken for the words
        speech = sorted(sorted(speech, key=lambda s: -s.seconds)[: len(words)])
    size = [len(w) + 1 for w in words]
    edges = _shares(words, size, speech)
    out = []
    for span, (first, last) in zip(speech, pairwise(edges), strict=True):
        done, letters = 0, max(1, sum(size[first:last]))
        for n in range(first, last):
            start = span.start + span.seconds * done / letters
            done += size[n]
            out.append(Word(words[n], start, max(start, span.start + span.seconds * done / letters)))
    return out


def _shares(words: Sequence[str], size: Sequence[int], speech: Sequence[Span]) -> list[int]:
    """Which word each stretch of speech begins with, and last how many words there are.

    The number of letters decides, and that people pause at ends of sentences and clauses.
    """
    total, voiced = sum(size), sum(s.seconds for s in speech)
    before = [0]
    for letters in size:
        before.append(before[-1] + letters)
    edges, spoken = [0], 0.0
    for n, span in enumerate(speech[:-1], 1):
        spoken += span.seconds
        target = total * spoken / max(voiced, 1e-9)
        low, high = edges[-1] + 1, len(words) - (len(speech) - n)  # every stretch gets a word
        costs = {k: abs(before[k] - target) - _pause(words[k - 1]) for k in range(low, high + 1)}
        edges.append(min(costs, key=lambda k: costs[k]))
    return [*edges, len(words)]


def _pause(word: str) -> float:
    """How many letters' worth a pause after this word is more likely than after others."""
    return 12.0 if _END.search(word) else 6.0 if word[-1] in ",;:" else 0.0


@dataclass
class _Turn:
    """An utterance that grows."""

    speaker: str | None
    channel: int | None
    start: float
    end: float
    words: list[str] = field(default_factory=list)

    def ends(self, word: Word, chunk: Chunk) -> bool:
        """Whether ``word`` begins another utterance."""
        if chunk.speaker != self.speaker or chunk.channel != self.channel or bool(word.text) != bool(self.words):
            return True
        pause = word.start - self.end
        if pause >= PAUSE or word.end - self.start > LONGEST:
            return True
        sentence = not self.words or _END.search(self.words[-1]) is not None
        return word.end - self.start > LONG and (sentence or pause >= BREATH)


def turns(chunks: Iterable[Chunk], words: bool = True) -> list[Utterance]:
    """Utterances in order of their start.

    Consecutive speech of one speaker is one utterance, unless there is a long pause or it gets long; who talks into
    another's speech gets an utterance of his own, and the other one's goes on.

    Args:
        chunks: in any order.
        words: False to leave out what was recognized.
    """
    done, open_ = list[_Turn](), dict[tuple[str | None, int | None], _Turn]()
    for chunk in sorted(chunks, key=lambda c: (c.span.start, c.span.end)):
        key = (chunk.speaker, chunk.channel)
        for other in [k for k, turn in open_.items() if k != key and turn.end <= chunk.span.start + 1e-6]:
            done.append(open_.pop(other))
        if any(turn.end > open_[key].end for k, turn in open_.items() if k != key and key in open_):
            done.append(open_.pop(key))  # someone answered in between
        for word in _items(chunk, words):
            turn = open_.get(key)
            if turn is None or turn.ends(word, chunk):
                if turn is not None:
                    done.append(turn)
                turn = open_[key] = _Turn(chunk.speaker, chunk.channel, word.start, word.end)
            turn.end = max(turn.end, word.end)
            if word.text:
                turn.words.append(word.text)
    done += open_.values()
    kept = [t for t in done if t.words or t.end - t.start >= LEAST_WORDLESS]
    kept.sort(key=lambda t: (t.start, t.end))
    return [
        Utterance(f"u{n}", t.speaker, round(t.start, 3), round(t.end, 3), " ".join(t.words) or None)
        for n, t in enumerate(kept)
    ]


def _items(chunk: Chunk, words: bool) -> list[Word]:
    """The chunk's words with times; wordless pieces of speech if there are none."""
    speech = chunk.speech or (chunk.span,)
    if words and chunk.recognized.words:
        return [w for w in chunk.recognized.words if w.text.strip()]
    if words and chunk.recognized.text.strip():
        return spread(chunk.recognized.text, speech)
    return [Word("", s.start, s.end) for s in speech]
