"""Praat's TextGrids (``.TextGrid``), in the long, the short and the chronological text form."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source, conversation
from moodline.transcripts.tier import Label, Tier
from moodline.transcripts.tier_names import Kind
from moodline.transcripts.tiers import EMOTION, SCORE, rows
from moodline.transcripts.times import seconds

_FIX = "In Praat: Save as text file, or Save as short text file."
_CHRONOLOGICAL = '"Praat chronological TextGrid text file"'
_HOLDS = {"IntervalTier": Kind.UNKNOWN, "TextTier": Kind.POINTS}
_TOKEN = re.compile(
    r'(?P<blank>\s+)|(?P<comment>!.*)|"(?P<string>(?:[^"]|"")*)"(?=\s|$)|(?P<open>".*)|<(?P<flag>\w+)>(?=\s|$)'
    r"|(?P<number>[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)(?=\s|$)|(?P<word>\S+)"
)


def read_textgrid(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the labelled intervals of the tiers that hold what is said; a tier is a speaker (see ``tiers``).

    As in Praat itself, only what stands free counts: numbers, strings in quotation marks and flags. All other words
    (``xmin =``, ``intervals [1]:``) are for the eye, so long and short form are read alike. Point tiers are read where
    there is nothing else.

    Raises:
        TranscriptError: not a TextGrid, broken or cut off, or without a label that could be words.
    """
    tiers = textgrid_tiers(source)
    if not tiers:
        raise TranscriptError(
            f"{source.path}: the TextGrid has no interval tier", fix="Put each speaker's turns on a tier of intervals."
        )
    ours = any(tier.name.endswith((EMOTION, SCORE)) for tier in tiers)
    spoken = rows(tiers, ours=ours, wanted=source.tiers, where=str(source.path), note=source.note)
    return [conversation(source, spoken, skip_empty=skip_empty)]


def textgrid_tiers(source: Source) -> list[Tier]:
    """All tiers of a TextGrid.

    Raises:
        TranscriptError: not a TextGrid, broken or cut off.
    """
    if source.text.lstrip().startswith(_CHRONOLOGICAL):
        return _chronological(_Tokens(source))
    if not source.text.lstrip().startswith(("File type", '"ooTextFile')):
        found = source.text.strip().split("\n", 1)[0][:40]
        raise TranscriptError(f'{source.path}, line 1: expected a TextGrid: File type = "ooTextFile"', found, _FIX)
    tokens = _Tokens(source)
    tokens.string("the file type")
    kind = tokens.string("the class of the object")
    if kind != "TextGrid":
        raise TranscriptError(f"{tokens.place}: expected a TextGrid", f"'{kind[:40]}'", _FIX)
    tokens.span()
    return list(_tiers(tokens)) if tokens.flag() == "exists" else []


def _chronological(tokens: _Tokens) -> list[Tier]:
    """Praat's chronological form: the tiers' names first, then all labels in the order of time."""
    tokens.string("the file type")
    tokens.span()
    tiers: list[Tier] = []
    labels: list[list[Label]] = []
    for _ in range(tokens.count("the number of tiers")):
        kind = tokens.tier_class()
        labels.append([])
        name = tokens.string("the name of a tier")
        tiers.append(Tier(name, labels[-1], holds=_HOLDS[kind], sure=kind == "TextTier"))
        tokens.span()
    while (number := tokens.maybe_number()) is not None:
        if not 1 <= number <= len(tiers) or number != int(number):
            raise TranscriptError(f"{tokens.place}: expected the number of a tier", f"{number:g}", _FIX)
        place, tier = tokens.place, tiers[int(number) - 1]
        start = tokens.number("a time")
        end = None if tier.holds is Kind.POINTS else tokens.number("a time")
        text = tokens.string("a label")
        if text.strip():
            labels[int(number) - 1].append(_label(tokens.source, place, start, end, text))
    return tiers


def _label(source: Source, place: str, start: float, end: float | None, text: str) -> Label:
    """A label; one that begins before 0 begins at 0, with a note: Praat lets recordings begin anywhere."""
    end = None if end is None else seconds(end, place, "xmax")
    if start < 0 and not source.strict:
        source.note(
            f"{place.removeprefix(f'{source.path}, ')}: a label begins before 0; it was read as beginning at 0."
        )
        start = 0.0
    return Label(place, seconds(start, place, "xmin"), end, text)


def _tiers(tokens: _Tokens) -> Iterator[Tier]:
    """Each tier with its labels that are not blank."""
    for _ in range(tokens.count("the number of tiers")):
        kind = tokens.tier_class()
        name = tokens.string("the name of a tier")
        tokens.span()
        labels = []
        for _ in range(tokens.count("the number of intervals")):
            start = tokens.number("a time")
            place = tokens.place
            end = None if kind == "TextTier" else tokens.number("xmax")
            text = tokens.string("a mark" if kind == "TextTier" else "the label of an interval")
            if text.strip():  # an empty one is a pause
                labels.append(_label(tokens.source, place, start, end, text))
        yield Tier(name, labels, holds=_HOLDS[kind], sure=kind == "TextTier")


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    line: int


class _Tokens:
    """What stands free in the file, one after the other, with the line of the last one."""

    def __init__(self, source: Source) -> None:
        self.source, self.line = source, 1
        self._tokens: Iterator[_Token] = self._scan()

    @property
    def place(self) -> str:
        """File and line of the last token, for error messages."""
        return self.source.at(self.line)

    def string(self, what: str) -> str:
        """The next token, which must be a string."""
        return self._next("string", what).replace('""', '"')

    def tier_class(self) -> str:
        """The next token, which must be the class of a tier."""
        kind = self.string("the class of a tier")
        if kind not in _HOLDS:
            raise TranscriptError(f"{self.place}: a tier must be an IntervalTier or a TextTier", f"'{kind[:40]}'", _FIX)
        return kind

    def maybe_number(self) -> float | None:
        """The next token, which must be a number; None at the end of the file."""
        token = next(self._tokens, None)
        if token is None:
            return None
        self._tokens = itertools.chain([token], self._tokens)
        return self.number("the number of a tier")

    def number(self, what: str) -> float:
        """The next token, which must be a number."""
        return float(self._next("number", what))

    def span(self) -> None:
        """Pass over two numbers: what the file or a tier covers."""
        for name in ("xmin", "xmax"):
            self.number(name)

    def flag(self) -> str:
        """The next token, which must be a flag."""
        return self._next("flag", "<exists>")

    def count(self, what: str) -> int:
        """The next token, which must be a whole number that is not negative."""
        value = self.number(what)
        if value < 0 or value != int(min(value, 1e15)):
            raise TranscriptError(f"{self.place}: {what} must be a whole number", value, _FIX)
        return int(value)

    def _next(self, kind: str, what: str) -> str:
        token = next(self._tokens, None)
        if token is None:
            raise TranscriptError(
                f"{self.source.path}: the TextGrid ends too early, expected {what}",
                fix="Save it again; it was cut off.",
            )
        self.line = token.line
        if token.kind != kind:
            shown = f'"{token.text}"' if token.kind == "string" else token.text
            raise TranscriptError(f"{self.place}: expected {what} (a {kind})", shown[:40], _FIX)
        return token.text

    def _scan(self) -> Iterator[_Token]:
        line = 1
        for match in _TOKEN.finditer(self.source.text):
            kind = match.lastgroup or ""
            if kind == "open":
                raise TranscriptError(
                    f"{self.source.at(line)}: a quotation mark is never closed",
                    match[0][:40],
                    'Double a quotation mark inside a label: "she said ""no""".',
                )
            if kind in ("string", "number", "flag"):
                yield _Token(kind, match[kind], line)
            line += match[0].count("\n")
