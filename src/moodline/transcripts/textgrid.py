"""Praat's TextGrids (``.TextGrid``), in the long and in the short text form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source, conversation
from moodline.transcripts.tiers import EMOTION, SCORE, Label, rows
from moodline.transcripts.times import seconds

_FIX = "In Praat: Save as text file, or Save as short text file."
_TOKEN = re.compile(
    r'(?P<blank>\s+)|(?P<comment>!.*)|"(?P<string>(?:[^"]|"")*)"(?=\s|$)|(?P<open>".*)|<(?P<flag>\w+)>(?=\s|$)'
    r"|(?P<number>[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)(?=\s|$)|(?P<word>\S+)"
)


def read_textgrid(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read the labelled intervals of all interval tiers; a tier is a speaker (see ``tiers``).

    As in Praat itself, only what stands free counts: numbers, strings in quotation marks and flags. All other words
    (``xmin =``, ``intervals [1]:``) are for the eye, so long and short form are read alike. Point tiers have no
    utterances and are passed over.

    Raises:
        TranscriptError: not a TextGrid, broken or cut off, or without a labelled interval.
    """
    if not source.text.lstrip().startswith(("File type", '"ooTextFile')):
        found = source.text.strip().split("\n", 1)[0][:40]
        raise TranscriptError(f'{source.path}, line 1: expected a TextGrid: File type = "ooTextFile"', found, _FIX)
    tokens = _Tokens(source)
    tokens.string("the file type")
    kind = tokens.string("the class of the object")
    if kind != "TextGrid":
        raise TranscriptError(f"{tokens.place}: expected a TextGrid", f"'{kind[:40]}'", _FIX)
    tokens.span()
    tiers = list(_tiers(tokens)) if tokens.flag() == "exists" else []
    if not tiers:
        raise TranscriptError(
            f"{source.path}: the TextGrid has no interval tier", fix="Put each speaker's turns on a tier of intervals."
        )
    return [
        conversation(
            source, rows(tiers, ours=any(name.endswith((EMOTION, SCORE)) for name, _ in tiers)), skip_empty=skip_empty
        )
    ]


def _tiers(tokens: _Tokens) -> Iterator[tuple[str, list[Label]]]:
    """Name and intervals of each interval tier."""
    for _ in range(tokens.count("the number of tiers")):
        kind = tokens.string("the class of a tier")
        if kind not in ("IntervalTier", "TextTier"):
            raise TranscriptError(
                f"{tokens.place}: a tier must be an IntervalTier or a TextTier", f"'{kind[:40]}'", _FIX
            )
        name = tokens.string("the name of a tier")
        tokens.span()
        labels = []
        for _ in range(tokens.count("the number of intervals")):
            start = tokens.number("a time")
            place = tokens.place
            if kind == "TextTier":
                tokens.string("a mark")
                continue
            end = tokens.number("xmax")
            text = tokens.string("the label of an interval")
            if text.strip():  # an empty one is a pause; it may begin before 0 without harm
                labels.append(Label(place, seconds(start, place, "xmin"), seconds(end, place, "xmax"), text))
        if kind == "IntervalTier":
            yield name, labels


@dataclass(slots=True)
class _Token:
    kind: str
    text: str
    line: int


class _Tokens:
    """What stands free in the file, one after the other, with the line of the last one."""

    def __init__(self, source: Source) -> None:
        self.source, self.line = source, 1
        self._tokens = self._scan()

    @property
    def place(self) -> str:
        """File and line of the last token, for error messages."""
        return self.source.at(self.line)

    def string(self, what: str) -> str:
        """The next token, which must be a string."""
        return self._next("string", what).replace('""', '"')

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
