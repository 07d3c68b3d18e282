"""Whether the words are English: what the default recognizer and the text models can read.

No package that could be installed offline tells languages apart from sound, so the recognizer gives itself away: on
speech that it was not trained on, the words it writes are improbable to itself, lack English's small words, or go round
in circles. The bounds are measured in docs/listening.md. Limits: a few seconds of speech decide nothing, so that short
recordings pass as English; heavy noise can look like another language; a mixture of languages is judged as a whole.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from moodline.listen.base import Chunk

CONFIDENCE, SMALL_WORDS, REPEATED = -0.42, 0.22, 0.35
"""Mean log probability below which words are doubted; share of small words below which they are; share of repeated
three-word groups above which they are."""

ENOUGH_WORDS = 12
FOREIGN_LETTERS = 0.3

_SMALL = frozenset(
    {
        "a",
        "about",
        "all",
        "am",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "but",
        "by",
        "can",
        "come",
        "could",
        "did",
        "do",
        "does",
        "don't",
        "for",
        "from",
        "get",
        "go",
        "going",
        "good",
        "had",
        "has",
        "have",
        "he",
        "her",
        "here",
        "him",
        "his",
        "how",
        "i",
        "i'm",
        "if",
        "in",
        "is",
        "it",
        "it's",
        "just",
        "know",
        "like",
        "me",
        "my",
        "no",
        "not",
        "now",
        "of",
        "oh",
        "on",
        "one",
        "or",
        "our",
        "out",
        "really",
        "right",
        "said",
        "say",
        "see",
        "she",
        "so",
        "some",
        "that",
        "that's",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "think",
        "this",
        "time",
        "to",
        "too",
        "up",
        "us",
        "very",
        "want",
        "was",
        "we",
        "well",
        "were",
        "what",
        "what's",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "yeah",
        "yes",
        "you",
        "you're",
        "your",
    }
)


@dataclass(frozen=True)
class Evidence:
    """What speaks for or against English.

    Args:
        words: how many were recognized.
        confidence: their mean log probability, weighted by length; None if the recognizer does not tell.
        small: the share of English's small words.
        repeated: the share of three-word groups that were there before in the same chunk.
        named: the language that the recognizer itself names most often; None if it names none.
    """

    words: int
    confidence: float | None
    small: float
    repeated: float
    named: str | None = None

    @property
    def foreign(self) -> bool:
        """Whether this is probably not English."""
        if self.named is not None:
            return self.named != "en"
        if self.words < ENOUGH_WORDS:
            return False
        if self.confidence is not None and self.confidence < CONFIDENCE:
            return True
        return self.small < SMALL_WORDS or self.repeated > REPEATED


def evidence(chunks: Sequence[Chunk]) -> Evidence:
    """Judge what was recognized."""
    count, small, triples, repeated, weight, score = 0, 0, 0, 0, 0.0, 0.0
    named: dict[str, float] = {}
    for chunk in chunks:
        words = [w.strip(".,!?;:\"'()-…").lower() for w in chunk.heard.text.split()]
        words = [w for w in words if w]
        count += len(words)
        small += sum(w in _SMALL for w in words)
        groups = [tuple(words[n : n + 3]) for n in range(len(words) - 2)]
        triples += len(groups)
        repeated += len(groups) - len(set(groups))
        if chunk.heard.confidence is not None and words:
            weight += len(words)
            score += len(words) * chunk.heard.confidence
        if chunk.heard.language:
            named[chunk.heard.language] = named.get(chunk.heard.language, 0.0) + chunk.span.seconds
    return Evidence(
        count,
        score / weight if weight else None,
        small / count if count else 0.0,
        repeated / triples if triples else 0.0,
        max(named, key=lambda k: named[k]) if named else None,
    )


def foreign_script(texts: Sequence[str]) -> bool:
    """Whether many letters of a transcript are not Latin ones."""
    letters = [c for text in texts for c in text if c.isalpha()]
    foreign = sum(not unicodedata.name(c, "").startswith(("LATIN", "FULLWIDTH LATIN")) for c in letters)
    return bool(letters) and foreign / len(letters) > FOREIGN_LETTERS
