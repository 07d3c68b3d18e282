"""What could be a speaker's name in front of a colon, by its shape alone, surest first.

- ``plausible``: ``Anna``, ``Dr. O’Brien``, ``Speaker 2``, ``Maria von Trapp``;
- ``titled``: longer ones and what meetings add to them, ``Maria del Carmen Lopez``, ``Anna Smith (she/her)``,
  ``Anna Smith | ACME``;
- ``possible``: nearly anything short that is no sentence's beginning, ``anna``, ``Smith, Anna 2``; worth something only
  where it recurs.
"""

from __future__ import annotations

import re

MAX_WORDS, MAX_CHARS = 3, 30
"""Of a plausible name."""

WIDE_WORDS, WIDE_CHARS = 8, 60
"""Of the others."""

_NAME = re.compile(r"[\w.'’&()# -]+")
_WIDE = re.compile(r"[^\[\]{}<>=?!;:：…\"“”«»\n]+")
_ASIDE = re.compile(r"\([^()]*\)")
_PARTICLE = re.compile(
    r"abu|af|al|and|at|av|ben|bin|bint|da|das|de|degli|del|della|den|der|des|di|do|dos|du|el|et|for|from|ibn|la|las|le|los|of"
    r"|the|ten|ter|und|van|vom|von|y|zu|zum|zur"
)
_SENTENCE_STARTER = re.compile(
    r"also|answer|attention|but|caution|conclusion|example|fact|fine|first|hint|idea|important|info|listen|look|nb|no|note"
    r"|ok|okay|p\.s\.|plan|plus|problem|ps|question|reason|remember|reminder|result|second|so|still|summary|then|third|tip"
    r"|true|update|warning|well|yes",
    re.IGNORECASE,
)
_SENTENCE_WORD = re.compile(
    r"i|you|he|she|it|we|they|him|us|them|(?:i|you|we|they|he|she|it|that|there|here|what|who)['’](?:m|re|s|ve|ll|d)|this"
    r"|that|these|those|am|is|are|was|were|be|been|do|does|did|don['’]t|have|has|had|will|would|can|could|should|must"
    r"|says?|said|saying|tells?|told|asks?|asked|means?|meant|thought|thing|things|what|when|where|why|how|because|if"
    r"|not|my|your|his|our|their",
    re.IGNORECASE,
)


def plausible(name: str, *, lower: bool = False) -> bool:
    """Whether ``name`` could be a speaker's, told by few words with capitals.

    Args:
        name: what stands before the colon.
        lower: also take names without a capital, but nothing that sounds like a sentence.
    """
    words = name.split()
    if not 1 <= len(words) <= MAX_WORDS or len(name) > MAX_CHARS or not _NAME.fullmatch(name):
        return False
    if _SENTENCE_STARTER.fullmatch(name) or not any(c.isalnum() for c in name):
        return False
    return (_capital(words[0]) and _capital(words[-1])) or (lower and not _sentence(_ASIDE.sub(" ", name).split()))


def titled(name: str) -> bool:
    """Whether all words of ``name`` have capitals but particles, and asides in parentheses, which may say anything."""
    core = _ASIDE.sub(" ", name)
    words = re.split(r"[\s|/]+", core.strip(" |/"))
    if len(name) > WIDE_CHARS or not 1 <= len(words) <= WIDE_WORDS or name.startswith("("):
        return False
    if not re.fullmatch(r"[\w.'’&#|/ \t-]+", core) or _SENTENCE_STARTER.fullmatch(" ".join(words)):
        return False
    named = [word for word in words if not _PARTICLE.fullmatch(word)]
    return any(c.isalpha() for c in core) and all(map(_capital, {words[0], words[-1], *named})) and not _sentence(words)


def possible(name: str) -> bool:
    """Whether ``name`` could be a speaker's if it stands in front of several cues: short, no sentence's beginning."""
    words = _ASIDE.sub(" ", name).split()
    if not 1 <= len(words) <= WIDE_WORDS or len(name) > WIDE_CHARS or not _WIDE.fullmatch(name):
        return False
    if _SENTENCE_STARTER.fullmatch(words[0].rstrip(",")) or not (name[0] == "+" or any(map(str.isalpha, name))):
        return False
    return not _sentence(words)


def _capital(word: str) -> bool:
    """Whether the word's first letter is none of the small ones; scripts without capitals and numbers pass."""
    return not next(c for c in word + "A" if c.isalnum()).islower()


def _sentence(words: list[str]) -> bool:
    """Whether there are words of sentences, as in "I told him"; alone ("you") they may well name somebody."""
    return len(words) > 1 and any(_SENTENCE_WORD.fullmatch(word.strip(".,'’()")) for word in words)
