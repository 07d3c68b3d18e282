"""Other ways to say who speaks, rewritten as ``[Name]: words``, which ``speakers`` reads.

- what diarizers write in any brackets: ``(speaker 0) words``, ``<SPEAKER_01> words``;
- ``[Name] words``, ``(Name) words`` and ``<Name> words``, if names recur or most cues begin so; ``[laughs] words`` is
  a sound;
- ``Q. words`` and ``A. words`` of hearings, if both recur; ``Name - words`` and ``NAME. words``, if several recur;
- a name that stands alone on the first line of a cue, the words below it, if names recur.

What was taken for a name is said in a note.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from moodline.transcripts.common import Source
from moodline.transcripts.nonspeech import names_sound
from moodline.transcripts.speaker_names import plausible, titled

_DASH = r"(?:(?:-|–|—|>>)\s{0,3})?"
_DIARIZED = re.compile(
    rf"^({_DASH})[\[(<]\s?((?:speaker|spk)[ _-]?(?:[0-9]{{1,4}}|\?))\s?[\])>]\s{{0,3}}[:：]?[ \t]*", re.I | re.M
)
_TURN = re.compile(r"\s*\[SPEAKER_TURN\]\s*")
_BRACKET = re.compile(
    rf"^({_DASH})(?:\[([^\[\]:\n]{{1,40}})\]|\(([^():\n]{{1,40}})\)|<([^<>:\n]{{1,40}})>"
    r"|[【［]([^【】［］:\n]{1,40})[】］]|（([^（）:\n]{1,40})）)"
    r"[ \t]*(?![ \t]*[:：])(?=\S|\n\S)",
    re.M,
)
_SOUND_FIRST = re.compile(r"\A([\[(]([^\[\]()\n]{1,40})[\])])\s+([^\[\]():\n]{1,40}:\s+)(?=\S)")
_ANSWER = re.compile(r"^([QA])\.\s+(?=\S)")
_BEFORE_DASH = re.compile(r"([^\W\d_][^\n:.,!?–—\[\]()]{0,30}?)\s[-–—]\s+(?=\S)")
_BEFORE_STOP = re.compile(r"([^\W\d_a-z][^\n:,!?a-z\[\]()]{1,30}?)\.\s+(?=\S)")
_BEFORE_MARK = re.compile(r"([^\W\d_][^\n:.,!?<>|\[\]()]{0,30}?)\s?(?:>{1,2}|\||→)\s+(?=\S)")
_MANNER = re.compile(
    r"(?:in|on|over|from|through|at|to|off|with|by|into|under|speaking|voice|all|both|together|continues?|cont['’]?d)\b.*"
    r"|\w+ly|.*\b(?:voice|accent|language|subtitles?|captions?|chatter|dialogue)",
    re.IGNORECASE,
)
MOST = 0.5
"""The share of cues from which on what they begin with is how the file names speakers."""


def with_names(texts: Sequence[str], source: Source) -> list[str]:
    """The cues' texts, other conventions rewritten; as they are where the file keeps to none of them.

    Args:
        texts: of all cues, without tags; several lines each.
        source: the file, for notes.
    """
    out = list(texts)
    bracketed = any(c in text for text in out for c in "[(<【［（")
    if bracketed and any("[SPEAKER_TURN]" in text for text in out):
        out = [_TURN.sub(" ", text).strip() for text in out]
        source.note("[SPEAKER_TURN] marks that another goes on, but not who: they were left out.")
    if bracketed and any(_DIARIZED.search(text) for text in out):
        out = [_DIARIZED.sub(lambda m: m[1] if "?" in m[2] else f"{m[1]}[{m[2]}]: ", text) for text in out]
    out = [_SOUND_FIRST.sub(_behind_name, text) for text in out] if bracketed else out
    out = _brackets(out, source) if bracketed else out
    out = _separated(_answers(out), source)
    return _above(out, source)


def _behind_name(match: re.Match[str]) -> str:
    """A sound in front of a name, ``[phone rings] PER: words``, put behind it."""
    return f"{match[3]}{match[1]} " if names_sound(match[2]) else match[0]


def _brackets(texts: list[str], source: Source) -> list[str]:
    spoken = [text for text in texts if text.strip()]
    for group, pair in ((2, "[]"), (3, "()"), (4, "<>"), (5, "【】"), (6, "（）")):
        if not any(pair[1] in text or (group == 5 and "］" in text) for text in spoken):
            continue
        found = [m for text in spoken for m in _BRACKET.finditer(text) if m[group]]
        names = _recurring((m[group].strip() for m in found), len(spoken), strict=pair == "()")
        if not names:
            continue

        def named(match: re.Match[str], group: int = group, names: frozenset[str] = names) -> str:
            name = (match[group] or "").strip()
            return f"{match[1]}[{name}]: " if name in names else match[0]

        texts = [_BRACKET.sub(named, text) for text in texts]
        shown = ", ".join(f"{pair[0]}{name}{pair[1]}" for name in sorted(names)[:3]) + (", …" if len(names) > 3 else "")
        source.note(f"Names in brackets in front of the words were taken for speakers: {shown}.")
    return texts


def _recurring(names: Iterable[str], cues: int, *, strict: bool) -> frozenset[str]:
    """The names that count: those that recur, and others of their kind; none if the file does not name speakers so."""
    counts = Counter(name for name in names if not names_sound(name) and not _MANNER.fullmatch(name))
    likely = {n for n in counts if (plausible(n) or titled(n)) and (not strict or n == n.upper())}
    most = sum(counts.values()) > MOST * cues and cues > 1
    if most:
        likely |= {n for n in counts if plausible(n)}
        small = {n for n, count in counts.items() if plausible(n, lower=True) and count > 1}
        likely |= small if len(small) > 1 else set()
    again = {n for n in likely if counts[n] > 1}
    if not again and not (most and len(likely) > 1):
        return frozenset()
    return frozenset(likely)


def _answers(texts: list[str]) -> list[str]:
    """Questions and answers: ``Q. words``."""
    counts = Counter(m[1] for text in texts if (m := _ANSWER.match(text)))
    if min(counts["Q"], counts["A"]) < 2:
        return texts
    return [_ANSWER.sub(r"[\1]: ", text) for text in texts]


def _separated(texts: list[str], source: Source) -> list[str]:
    """Names that a dash, or a full stop if they are in capitals, parts from the words."""
    for pattern in (_BEFORE_DASH, _BEFORE_STOP, _BEFORE_MARK):
        counts = Counter(m[1] for text in texts if (m := pattern.match(text)))
        names = {n for n, count in counts.items() if count > 1 and plausible(n) and not names_sound(n)}
        likely = {n for n in counts if plausible(n) and not names_sound(n)}
        if len(names) < 2 - (pattern is not _BEFORE_DASH) or len(likely) < 2 or len(texts) < 3:
            continue
        if 2 * sum(counts[n] for n in likely) <= len(texts):
            continue
        names = likely
        source.note(f"Names in front of the words were taken for speakers: {', '.join(sorted(names)[:3])}.")
        return [
            f"[{m[1]}]: {text[m.end() :]}" if (m := pattern.match(text)) and m[1] in names else text for text in texts
        ]
    return texts


def _above(texts: list[str], source: Source) -> list[str]:
    """A name alone on the first line of a cue."""
    firsts = [text.split("\n", 1)[0].strip() if "\n" in text else "" for text in texts]
    counts = Counter(first for first in firsts if is_name_line(first))
    again = [name for name, count in counts.items() if count > 1]
    spoken = sum(1 for text in texts if text.strip())
    capitals = bool(counts) and all(name == name.upper() for name in counts)
    if not again or (2 * sum(counts.values()) <= spoken and not (capitals and len(again) > 1)):
        return texts
    shown = ", ".join(sorted(counts)[:3]) + (", …" if len(counts) > 3 else "")
    source.note(f"Names alone on the first line of a cue were taken for speakers: {shown}.")
    return [
        f"[{first.rstrip(':')}]: {text.split(chr(10), 1)[1]}" if first in counts else text
        for text, first in zip(texts, firsts, strict=True)
    ]


def is_name_line(line: str) -> bool:
    """Whether a line could be a name and nothing else: few words with capitals, no mark at the end."""
    if not line or line[-1] in '.,?!…;-–—"”' or line[0] in '-–—[(♪"“':
        return False
    return plausible(line) and not names_sound(line)
