"""In which language the words are: whether the default recognizer could hear them, and a model can read them.

No package that could be installed offline tells languages apart from sound, so the recognizer gives itself away: on
speech that it was not trained on, the words it writes are improbable to itself, lack English's small words, or go round
in circles (``evidence``). The bounds are measured in docs/listening.md. Limits: a few seconds of speech decide nothing,
so that short recordings pass as English; heavy noise can look like another language; a mixture of languages is judged
as a whole. Written words tell more (``foreign_words``): the small words of the languages in ``function_words.py``, and
where English is not plain, a detector of 97 languages.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from moodline.listen.base import Chunk
from moodline.listen.detector import NAMES, other_language
from moodline.listen.function_words import ENGLISH, LANGUAGES, SMALL

CONFIDENCE, SMALL_WORDS, REPEATED = -0.42, 0.22, 0.35
"""Mean log probability below which words are doubted; share of small words below which they are; share of repeated
three-word groups above which they are."""

ENOUGH_WORDS = 12
FOREIGN_LETTERS = 0.3

LEAST_LETTERS, LEAST_WORDS, LEAST_SMALL, MANY_WORDS = 8, 6, 3, 40
"""A written text is judged by its script from so many strange letters on; by the small words of other languages from so
many words, and so many small ones, on; and from so many words on also if it has hardly any small words of its own."""
OWN_SMALL, OTHER_SMALL, PLAINLY_OWN = 0.08, 0.25, 0.25
"""Share of small words below which many words are doubted; share of another language's above which they are its; share
of own ones from which no second opinion is asked for."""

SCRIPTS = {
    "ar": ("ARABIC",),
    "el": ("GREEK",),
    "he": ("HEBREW",),
    "hi": ("DEVANAGARI",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA"),
    "ko": ("HANGUL",),
    "ru": ("CYRILLIC",),
    "th": ("THAI",),
    "uk": ("CYRILLIC",),
    "zh": ("CJK",),
}
"""Beginnings of the names of a language's letters; those of ``SMALL`` have ``LATIN`` ones."""
LATIN = ("LATIN", "FULLWIDTH LATIN")

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


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
        words = [w.strip(".,!?;:\"'()-…").lower() for w in chunk.recognized.text.split()]
        words = [w for w in words if w]
        count += len(words)
        small += sum(w in ENGLISH for w in words)
        groups = [tuple(words[n : n + 3]) for n in range(len(words) - 2)]
        triples += len(groups)
        repeated += len(groups) - len(set(groups))
        if chunk.recognized.confidence is not None and words:
            weight += len(words)
            score += len(words) * chunk.recognized.confidence
        if chunk.recognized.language:
            named[chunk.recognized.language] = named.get(chunk.recognized.language, 0.0) + chunk.span.seconds
    return Evidence(
        count,
        score / weight if weight else None,
        small / count if count else 0.0,
        repeated / triples if triples else 0.0,
        max(named, key=lambda k: named[k]) if named else None,
    )


def foreign_script(texts: Sequence[str], own: tuple[str, ...] = LATIN) -> bool:
    """Whether many letters of a text are not Latin ones, or of other scripts than ``own``."""
    own_letters, others = _letters(texts, own)
    return others > (FOREIGN_LETTERS if own == LATIN else 1 - FOREIGN_LETTERS) * (own_letters + others)


def _letters(texts: Sequence[str], own: tuple[str, ...]) -> tuple[int, int]:
    """How many letters are of these scripts, and how many are not."""
    counts = Counter(c for text in texts for c in text if c.isalpha())
    mine = sum(n for c, n in counts.items() if unicodedata.name(c, "").startswith(own))
    return mine, counts.total() - mine


def foreign_words(texts: Sequence[str], languages: Sequence[str]) -> str | None:
    """What a written text most likely is, if that is none of some languages; None if it is one, or cannot be told.

    The script decides, or the small words: those of another language are many and its own are few; or the detector
    (``detector.py``) where own ones are not plain. Names, numbers, slang and a few words decide nothing.

    Args:
        texts: the turns of a conversation.
        languages: codes as in ``LANGUAGES``; with none, or one that is not there, any text passes.

    Returns:
        To be put behind "This is": ``"not in Latin script"``, ``"probably German, not English"``.
    """
    known = {*SMALL, *SCRIPTS}
    if not languages or not known.issuperset(languages):
        return None
    own = tuple(dict.fromkeys(s for code in languages for s in SCRIPTS.get(code, LATIN)))
    if foreign_script(texts, own) and _letters(texts, own)[1] >= LEAST_LETTERS:
        return "not in Latin script" if own == LATIN else f"not in the script of {language_names(languages)}"
    if own != LATIN:
        return None
    words = [w.replace("’", "'") for text in texts for w in _WORD.findall(text.casefold())]
    if len(words) < LEAST_WORDS:
        return None
    mine = frozenset[str]().union(*(SMALL[code] for code in languages))
    count = sum(w in mine for w in words)
    found = {code: sum(w in small for w in words) for code, small in SMALL.items() if code not in languages}
    likely = max(found, key=lambda code: found[code])
    distinct = len((SMALL[likely] - mine).intersection(words))
    if found[likely] >= max(OTHER_SMALL * len(words), LEAST_SMALL, 2 * count) and distinct > 1:
        return f"probably {LANGUAGES[likely]}, not {language_names(languages)}"
    detected = other_language(" ".join(texts), languages) if count < PLAINLY_OWN * len(words) else None
    if detected is not None:
        return f"probably {NAMES.get(detected, f'the language {detected}')}, not {language_names(languages)}"
    if len(words) >= MANY_WORDS and count < OWN_SMALL * len(words):
        return f"probably not {language_names(languages)}"
    return None


def language_names(codes: Sequence[str]) -> str:
    """Languages in words: "English or German"; a code that is not known stays as it is."""
    return " or ".join(LANGUAGES.get(code, code) for code in codes)
