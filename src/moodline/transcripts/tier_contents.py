"""What the labels of a tier look like: words, phones, codes, names, or what somebody says."""

from __future__ import annotations

import re
import statistics
from collections.abc import Collection, Sequence

from moodline.transcripts.nonspeech import sounds_only
from moodline.transcripts.tier_names import Kind

FEW = 4
"""With fewer labels than this a tier's look decides nothing but what is plain."""

_ARPABET = frozenset(
    str.split(
        "aa ae ah ao aw ax axr ay b ch d dh dx eh el em en er ey f g hh h ih ix iy jh k l m n ng nx ow oy p q "
        "r s sh t th uh uw ux v w wh y z zh spn sil sp"
    )
)
_PHONE = re.compile(
    r"[a-zɐ-ʯʰ-˿ɑæçðøħŋœβθχʔ@{}&?!|\\^_:ː̀-ͯ0-9'`~%\"<>p]{1,4}", re.IGNORECASE
)  # IPA and SAMPA: a sign or two with marks
_IPA = re.compile(r"[ɐ-ʯæçðøħŋœβθχʔːʰʲʷ̩̃]")
_POS = re.compile(
    r"(?:adj|adv|art|aux|conj|cj|cop|det|dem|intj?|itj|n|nn[sp]?|np|nom|num|part|pn|prep|pro|prop|prt|ptcl|pron|v|vb[dgnpz]?|vp|vi|vt|jj|rb|dt"
    r"|in|cc|cd|prp\$?|md|to|uh|wp|wrb|punct|x|sym)(?:[.:-]\w+)*",
    re.IGNORECASE,
)
_CODE = re.compile(r"[A-Z0-9*+?x-]{1,4}|[a-z]?[0-9]+(?:[.,:-][0-9]+)*", re.ASCII)
_ID = re.compile(r"[\w.:/-]*?[0-9]+[a-z]?", re.IGNORECASE)
_TURN = re.compile(r"1|x|s|\*|\+|speech|spch|talk|speaking|voiced?|utt|turn", re.IGNORECASE)
_PRON = re.compile(r"[a-z]{1,3}[0-2]?(?:[.\s-][a-z]{1,3}[0-2]?)+", re.IGNORECASE)
_VOCAL = re.compile(r"0\s*\.?")
_ANSWER = re.compile(
    r"(?:y[eau]+[hps]*|no+|nope|ok(?:ay)?|right|so|well|a+h+|o+h+|u+h+|u*m+|h+m+|m+h+m*|mm+-?(?:hm+)?|uh-?huh|a?ha+|ja+|nein|doch|genau|ne"
    r"|oui|non|s[iíì]|da|hai|claro|vale|bueno|d'accord|voilà|ouais|euh?|äh+m?|xxx)[.,?!]*",
    re.IGNORECASE,
)
_FEELINGS = frozenset(
    str.split(
        "joy happy happiness sad sadness angry anger ang hap sur fea dis neu exc fru fear fearful disgust "
        "disgusted surprise surprised neutral calm excited excitement frustrated frustration contempt bored "
        "boredom positive negative mixed other mad scared peaceful powerful joyful freude trauer wut angst "
        "ekel überraschung"
    )
)


def look(texts: Sequence[str], seconds: Sequence[float], gaps: Sequence[float], names: Collection[str]) -> Kind:
    """What kind of tier has such labels.

    Args:
        texts: its labels, none of them blank.
        seconds: how long each lasts, where that is known.
        gaps: seconds between each and the next, where that is known.
        names: those of the file's tiers and participants, in small letters.

    Returns:
        ``UTTERANCES``, ``WORDS``, ``PARTS``, ``LABELS``, ``REFERENCES``, ``TURNS``, ``EMPTY``, or ``UNKNOWN`` where it
        could be nearly anything.
    """
    texts = [t.strip() for t in texts]
    speech = [t for t in texts if not sounds_only(t) and not _VOCAL.fullmatch(t)]
    if not texts:
        return Kind.EMPTY
    if _share(_TURN.fullmatch(t) is not None for t in texts) >= 0.9:
        return Kind.TURNS
    if _share(t.lower() in names for t in texts) >= 0.9:
        return Kind.TURNS if len({t.lower() for t in texts}) == 1 else Kind.REFERENCES
    if not speech:
        return Kind.UNKNOWN
    mean = statistics.fmean(seconds) if seconds else None
    spaced = _share(" " in t for t in speech)
    if spaced >= 0.2:
        return (
            Kind.PARTS
            if len(speech) >= FEW and _share(_PRON.fullmatch(t) is not None for t in speech) > 0.9
            else Kind.UTTERANCES
        )
    distinct = len({t.lower() for t in speech})
    if (
        len(speech) > 1
        and distinct >= 0.9 * len(speech)
        and _share(_ID.fullmatch(t) is not None for t in speech) >= 0.9
    ):
        return Kind.REFERENCES
    if len(speech) < FEW:
        return Kind.UNKNOWN
    bare = [re.sub(r"[0-2]$", "", t.lower()) for t in speech]
    if mean is None or mean < 0.35:
        if _share(b in _ARPABET for b in bare) >= 0.85:
            return Kind.PARTS
        if _share(_PHONE.fullmatch(t) is not None for t in speech) >= 0.9 and statistics.fmean(map(len, speech)) < 2.2:
            return Kind.PARTS
    if _share(_PRON.fullmatch(t) is not None for t in speech) >= 0.8:
        return Kind.PARTS
    if _share(_POS.fullmatch(t) is not None for t in speech) >= 0.85:
        return Kind.PARTS
    if _share(_CODE.fullmatch(t) is not None for t in speech) >= 0.9 and not _shouted(speech):
        return Kind.LABELS
    if len(speech) >= FEW and _share(t.lower() in _FEELINGS for t in speech) >= 0.9:
        return Kind.LABELS
    few = distinct <= max(6, 0.05 * len(speech))
    if len(speech) >= 12 and few and _share(_ANSWER.fullmatch(t) is not None for t in speech) < 0.3:
        return Kind.LABELS
    joined = _share(gap < 0.1 for gap in gaps) if gaps else 0.0
    if spaced < 0.1 and (mean is None or mean < 1.0) and (joined >= 0.4 or len(speech) >= 20):
        return Kind.WORDS
    return Kind.UNKNOWN


def phonetic(texts: Sequence[str]) -> bool:
    """Whether most labels hold signs of the IPA that no usual spelling has."""
    return bool(texts) and _share(len(_IPA.findall(t)) >= 2 for t in texts) >= 0.7


def _share(values: object) -> float:
    found = list(values)  # type: ignore[call-overload]
    return sum(found) / len(found) if found else 0.0


def _shouted(texts: Sequence[str]) -> bool:
    """Whether capitals are how the file writes words: there are longer ones too."""
    return _share(len(t) >= 5 for t in texts) > 0.1
