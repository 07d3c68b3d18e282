"""Tiers of annotation programs (Praat, ELAN): which hold utterances, which words, and whose.

A tier's name, its place in the file and its labels say what it holds (see ``tier_names``, ``tier_contents``). Of each
speaker the tiers of utterances are read, or, if there are none, those of words, put together until there is a pause.
All others (phones, translations, gestures, notes, references) are passed over; a note names them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import Row, squeeze
from moodline.transcripts.nonspeech import sounds_only
from moodline.transcripts.tier import Tier, listed, without_overflow
from moodline.transcripts.tier_choice import choose
from moodline.transcripts.tier_names import Kind
from moodline.transcripts.words import Word, turns

EMOTION, CONFIDENCE, SCORE, INTERVAL = " [emotion]", " [confidence]", " [score]", " [interval]"
"""What ``report/tiers.py`` puts behind a speaker's name for the tiers of the answers; they are no utterances."""
OVERFLOW = " [overlap {}]"
"""… and for turns that overlap with others of the same speaker, counted from 2."""
NOBODY = "[no speaker]"
"""… and in place of the name where it is unknown."""

_OURS = (EMOTION, CONFIDENCE, SCORE, INTERVAL)
_OVERLAP = re.compile(r"\w\[+\w|\w\]+\w|\]\s*\w[^\[]*\[")  # brackets inside words, as overlaps are transcribed
_SOUND = re.compile(r"\[+\(|\(\(")
_SILENCE = re.compile(
    r"(?:sil|sp|spn|silence|pause)|[<{\[(](?:sil|sp|spn|pause|p:?|eps|br|ns|sl|lg|cg)[>}\])]|[_#-]+", re.I
)
_NO_BRACKETS = str.maketrans("", "", "[]")


def rows(
    tiers: Sequence[Tier], *, ours: bool, wanted: Sequence[str] = (), where: str = "", note: Callable[[str], None]
) -> list[Row]:
    """The utterances of the tiers that hold some, in the order of their starts.

    Args:
        tiers: all tiers of the file.
        ours: Moodline wrote the file, so that every name is a speaker's, whatever it says.
        wanted: names of the tiers to read (``*`` stands for anything); empty to find out.
        where: the file, for error messages.
        note: takes a sentence for the user.

    Raises:
        TranscriptError: no tier holds what is said; a wanted one is not there, or has no label.
    """
    if ours and not wanted:
        kept = [t for t in tiers if not t.name.endswith(_OURS)]
        for tier in kept:
            name = without_overflow(tier.speaker or tier.name)
            tier.kind, tier.whose = Kind.UTTERANCES, "" if name == NOBODY else name
        return _sorted(
            Row(label.place, squeeze(label.text), t.whose or None, label.start, label.end)
            for t in kept
            for label in t.spoken
        )
    chosen = choose(tiers, wanted, where)
    if not chosen:
        raise TranscriptError(
            f"{where}: no tier holds what is said",
            listed(tiers) or "no label",
            "Put each speaker's turns on a tier of their own, or choose a tier with --tier NAME.",
        )
    if len(tiers) > 1 or any(t.kind is Kind.WORDS for t in chosen):
        note(_note(tiers, chosen))
    bracketed = sum(_OVERLAP.search(x.text) is not None for t in chosen for x in t.spoken) > 1
    found = [row for t in chosen for row in _rows(t, bracketed)]
    if found and all(row.event for row in found):  # all that is known is who speaks when
        found = [replace(row, text=None, event=False) for row in found]
    if not found:
        raise TranscriptError(f"{where}: no label with words in the tiers that were read", listed(chosen), "")
    return _with_speakers(_sorted(found), [t for t in tiers if t.kind is Kind.SPEAKERS and t not in chosen])


def _rows(tier: Tier, bracketed: bool) -> Iterator[Row]:
    if tier.kind is Kind.WORDS:
        yield from _joined(tier)
    elif tier.kind in (Kind.TURNS, Kind.SPEAKERS):
        for label in tier.labels:
            if label.start == label.end:
                continue
            named = tier.kind is Kind.SPEAKERS or not tier.whose
            speaker = speakers.diarizer_name(label.text) if named else tier.whose
            yield Row(label.place, None, squeeze(speaker), label.start, label.end)
    else:
        yield from _utterances(tier, bracketed)


def _utterances(tier: Tier, bracketed: bool = False) -> Iterator[Row]:
    """The labels of a tier; ``bracketed``: square brackets show what is said at the same time, and are taken out."""
    spoken = tier.spoken
    diarized = speakers.diarized(label.text for label in spoken)
    for label in spoken:
        text = squeeze(label.text)
        if _SILENCE.fullmatch(text):
            continue
        if bracketed and not _SOUND.search(text):
            text = squeeze(text.translate(_NO_BRACKETS)) or text
        if diarized:
            yield Row(label.place, None, speakers.diarizer_name(label.text), label.start, label.end)
        elif text in ("0", "0."):  # in CHAT: no words, but perhaps a sound
            yield Row(label.place, text, tier.whose or None, label.start, label.end, event=True)
        else:
            yield Row(label.place, text, tier.whose or None, label.start, label.end)


def _joined(tier: Tier) -> Iterator[Row]:
    """Words as utterances, which end with a pause."""
    words = [label for label in tier.spoken if not _silent(squeeze(label.text))]
    places = {label.start: label.place for label in reversed(words)}
    for turn in turns(Word(squeeze(w.text), w.start, w.end, tier.whose or None) for w in words):
        place = places.get(turn["start"], words[0].place)
        yield Row(place, turn["text"], turn["speaker"], turn["start"], turn["end"])


def _silent(text: str) -> bool:
    """Whether a label of a tier of words stands for silence or noise."""
    return _SILENCE.fullmatch(text) is not None or sounds_only(text)


def _sorted(found: Iterator[Row] | list[Row]) -> list[Row]:
    return sorted(found, key=lambda row: row.start or 0.0)


def _with_speakers(found: list[Row], tiers: Sequence[Tier]) -> list[Row]:
    """Rows without a speaker get the one whose label on a tier of speakers covers most of them.

    Args:
        found: in the order of their starts.
        tiers: those of speakers.
    """
    labels = sorted(
        (x.start, x.end, squeeze(x.text))
        for t in tiers
        for x in t.spoken
        if x.start is not None and x.end is not None and not _SILENCE.fullmatch(squeeze(x.text))
    )
    if not labels:
        return found
    out, first = [], 0
    for row in found:
        if row.speaker is not None or row.start is None or row.end is None:
            out.append(row)
            continue
        while first < len(labels) and labels[first][1] <= row.start:
            first += 1
        best, most, at = None, 0.0, first
        while at < len(labels) and labels[at][0] < row.end:
            shared = min(row.end, labels[at][1]) - max(row.start, labels[at][0])
            if shared > most:
                best, most = labels[at][2], shared
            at += 1
        out.append(row if best is None else replace(row, speaker=best))
    return out


def _note(tiers: Sequence[Tier], chosen: Sequence[Tier]) -> str:
    """Which tiers were read, as what, and which were not."""
    names = [t.name.strip() + (" (words, put together)" if t.kind is Kind.WORDS else "") for t in chosen]
    if any(t.kind in (Kind.TURNS, Kind.SPEAKERS) for t in chosen):
        names = [f"{name} (who speaks when)" for name in names]
    rest = [t for t in tiers if not any(t is c for c in chosen)]
    passed = f"; passed over: {listed(rest)}. Choose with --tier NAME" if rest else ""
    return f"Tiers read: {', '.join(names)}{passed}."
