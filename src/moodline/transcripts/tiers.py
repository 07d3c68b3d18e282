"""Tiers of annotation programs (Praat, ELAN): which hold utterances, which words, and whose.

A tier's name, its place in the file and its labels say what it holds (see ``tier_names``, ``tier_contents``). Of each
speaker the tiers of utterances are read, or, if there are none, those of words, put together until there is a pause.
All others (phones, translations, gestures, notes, references) are passed over; a note names them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import pairwise

from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import Row, squeeze
from moodline.transcripts.nonspeech import sounds_only
from moodline.transcripts.tier_contents import look, phonetic
from moodline.transcripts.tier_names import Kind, split_tier
from moodline.transcripts.words import Word, turns

EMOTION, CONFIDENCE, SCORE, INTERVAL = " [emotion]", " [confidence]", " [score]", " [interval]"
"""What ``report/tiers.py`` puts behind a speaker's name for the tiers of the answers; they are no utterances."""
OVERFLOW = " [overlap {}]"
"""… and for turns that overlap with others of the same speaker, counted from 2."""
NOBODY = "[no speaker]"
"""… and in place of the name where it is unknown."""

SAME, CLOSE, ENOUGH = 0.9, 0.03, 4
"""Two tiers run in parallel if this share of the labels of both have the same times, but for these seconds; and with at
least so many labels."""

BRIEF = 0.6
"""What lasts less than these seconds on the average is a word."""

_OURS = (EMOTION, CONFIDENCE, SCORE, INTERVAL)
_READ = (Kind.UTTERANCES, Kind.WORDS)
_OVERLAP = re.compile(r"\w\[+\w|\w\]+\w|\]\s*\w[^\[]*\[")  # brackets inside words, as overlaps are transcribed
_SOUND = re.compile(r"\[+\(|\(\(")
_SILENCE = re.compile(
    r"(?:sil|sp|spn|silence|pause)|[<{\[(](?:sil|sp|spn|pause|p:?|eps|br|ns|sl|lg|cg)[>}\])]|[_#-]+", re.I
)
_NO_BRACKETS = str.maketrans("", "", "[]")
_WORDLESS = (Kind.REFERENCES, Kind.EMPTY, Kind.TURNS, Kind.LABELS, Kind.NOTES, Kind.SPEAKERS)


@dataclass(frozen=True, slots=True)
class Label:
    """A labelled stretch of a tier.

    Args:
        place: file and line, for error messages.
        start: seconds, or None.
        end: seconds, or None.
        text: the label; may be empty.
    """

    place: str
    start: float | None
    end: float | None
    text: str


@dataclass(slots=True)
class Tier:
    """A tier as it stands in the file.

    Args:
        name: its own.
        labels: in the order of the file.
        speaker: the participant that the file itself names; empty if it names none.
        parent: the tier that it hangs from; None if from none.
        holds: what the file itself says that it holds; ``UNKNOWN`` if it does not say.
        sure: that is all that counts.
    """

    name: str
    labels: Sequence[Label]
    speaker: str = ""
    parent: str | None = None
    holds: Kind = Kind.UNKNOWN
    sure: bool = False
    kind: Kind = field(default=Kind.UNKNOWN, init=False)
    whose: str = field(default="", init=False)
    guessed: bool = field(default=False, init=False)  # its kind, as nothing speaks against it

    @property
    def spoken(self) -> list[Label]:
        """The labels that are not blank."""
        return [label for label in self.labels if label.text.strip()]


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
            name = _without_overflow(tier.speaker or tier.name)
            tier.kind, tier.whose = Kind.UTTERANCES, "" if name == NOBODY else name
        return _sorted(row for t in kept for row in _utterances(t))
    _classify(tiers)
    chosen = _wanted(tiers, wanted, where) if wanted else _chosen(tiers)
    if not chosen:
        chosen = _otherwise(tiers)
    if not chosen:
        raise TranscriptError(
            f"{where}: no tier holds what is said",
            _listed(tiers) or "no label",
            "Put each speaker's turns on a tier of their own, or choose a tier with --tier NAME.",
        )
    _name_speakers(chosen)
    if len(tiers) > 1 or any(t.kind is Kind.WORDS for t in chosen):
        note(_note(tiers, chosen))
    bracketed = sum(_OVERLAP.search(x.text) is not None for t in chosen for x in t.spoken) > 1
    found = [row for t in chosen for row in _rows(t, bracketed)]
    if found and all(row.event for row in found):  # all that is known is who speaks when
        found = [replace(row, text=None, event=False) for row in found]
    if not found:
        raise TranscriptError(f"{where}: no label with words in the tiers that were read", _listed(chosen), "")
    return _with_speakers(_sorted(found), [t for t in tiers if t.kind is Kind.SPEAKERS and t not in chosen])


def _classify(tiers: Sequence[Tier]) -> None:
    """Set what each tier holds and whose it is."""
    names = {squeeze(n).lower() for t in tiers for n in (t.name, t.speaker) if n}
    names |= {split_tier(n)[0].lower() for n in list(names)} - {""}
    for tier in tiers:
        whose, by_name = split_tier(_without_overflow(squeeze(tier.name)))
        tier.whose = squeeze(tier.speaker) or whose
        spoken = tier.spoken
        if not spoken:
            tier.kind = Kind.EMPTY
            continue
        if tier.sure:
            tier.kind = tier.holds
            continue
        said = tier.holds if tier.holds is not Kind.UNKNOWN and by_name in (Kind.UNKNOWN, Kind.UTTERANCES) else by_name
        tier.kind = _kind(said, tier, spoken, names)
    for n, tier in enumerate(tiers):
        if tier.kind in _READ:
            for other in tiers[:n]:
                if other.kind in _READ and (same := _same(other, tier)) is not None:
                    tier.kind = same
                    break


def _kind(said: Kind, tier: Tier, spoken: Sequence[Label], names: set[str]) -> Kind:
    """What a tier holds, by what its name says and how its labels look."""
    texts = [squeeze(label.text) for label in spoken]
    if said in (Kind.TRANSLATION, Kind.GESTURES, Kind.NOTES, Kind.REFERENCES, Kind.LABELS, Kind.POINTS):
        return said
    if said is Kind.PARTS and not tier.name.lower().startswith("seg"):
        return said
    times = [(label.start, label.end) for label in spoken if label.start is not None and label.end is not None]
    seconds = [end - start for start, end in times]
    gaps = [b[0] - a[1] for a, b in pairwise(times)]
    seems = look(texts, seconds, gaps, names)
    if said is Kind.SPEAKERS:
        return Kind.UTTERANCES if seems is Kind.UTTERANCES else Kind.SPEAKERS
    brief = seconds and sum(seconds) / len(seconds) < BRIEF
    if seems is Kind.UTTERANCES and said is Kind.WORDS and brief:  # words with remarks of their own
        return Kind.WORDS
    if seems is Kind.UTTERANCES:
        return Kind.PARTS if said is Kind.UNKNOWN and phonetic(texts) else Kind.UTTERANCES
    if said is Kind.WORDS:
        return said
    if seems is Kind.UNKNOWN:
        tier.guessed = said is Kind.UNKNOWN
        return Kind.UTTERANCES if said is Kind.UNKNOWN else said
    return seems


def _same(first: Tier, second: Tier) -> Kind | None:
    """Whether a tier has the times of another: ``COPY`` with the same labels too, else ``PARALLEL``; None if not."""
    a, b = first.spoken, second.spoken
    if min(len(a), len(b)) < SAME * max(len(a), len(b)):
        return None
    times = {(_round(x.start), _round(x.end)): squeeze(x.text) for x in a}
    both = [(times[key], squeeze(x.text)) for x in b if (key := (_round(x.start), _round(x.end))) in times]
    if len(both) < SAME * max(len(a), len(b)):
        return None
    if all(x == y for x, y in both):
        alike = first.whose == second.whose or not (first.whose and second.whose)
        return Kind.COPY if alike else None
    return Kind.PARALLEL if len(both) >= ENOUGH else None


def _round(seconds: float | None) -> int:
    return -1 if seconds is None else round(seconds / CLOSE)


def _chosen(tiers: Sequence[Tier]) -> list[Tier]:
    """The tiers to read: of each speaker utterances, or else words."""
    candidates = [t for family in _families(tiers) for t in _of_family(family)]
    utterances = [t for t in candidates if t.kind is Kind.UTTERANCES]
    words = [t for t in candidates if t.kind is Kind.WORDS]
    spoken = {t.whose for t in utterances}
    more = [t for t in words if t.whose not in spoken and t.whose] if utterances else words
    return [t for t in tiers if any(t is c for c in (*utterances, *more))]


def _families(tiers: Sequence[Tier]) -> list[list[Tier]]:
    """Tiers with all that hang from them, the root first."""
    known = {t.name for t in tiers}
    children: dict[str, list[Tier]] = {}
    for tier in tiers:
        if tier.parent in known and tier.parent != tier.name:
            children.setdefault(tier.parent or "", []).append(tier)
    out = []
    for root in tiers:
        if root.parent in known and root.parent != root.name:
            continue
        family, at = [root], 0
        while at < len(family):
            family += [t for t in children.get(family[at].name, []) if t not in family]
            at += 1
        out.append(family)
    return out


def _of_family(family: Sequence[Tier]) -> list[Tier]:
    """The tier of a family that holds what is said: its root, or else the first below that does."""
    root = family[0]
    if root.kind in _READ:
        return [root]
    for kind in _READ:
        below = next((t for t in family[1:] if t.kind is kind and not t.guessed), None)
        if below is not None and root.kind in _WORDLESS:
            below.whose = below.speaker or root.speaker or below.whose or root.whose
            return [below]
    return []


def _otherwise(tiers: Sequence[Tier]) -> list[Tier]:
    """Where no tier holds utterances or words: who speaks when, or else what looks like sentences all the same."""
    turns_ = [t for t in tiers if t.parent is None and (t.kind in (Kind.SPEAKERS, Kind.TURNS) or _segments(t))]
    for tier in turns_:
        texts = [squeeze(x.text).lower() for x in tier.spoken]
        if tier.kind is Kind.SPEAKERS and len(set(texts)) > len(texts) / 2 and not speakers.diarized(texts):
            tier.kind = Kind.UTTERANCES  # no name comes again
    if turns_:
        return turns_
    found = []
    for tier in tiers:
        seems = look([squeeze(x.text) for x in tier.spoken], [], [], set())
        points = tier.kind is Kind.POINTS and split_tier(tier.name)[1] in (Kind.UNKNOWN, *_READ)
        said = (Kind.UTTERANCES, Kind.WORDS, Kind.UNKNOWN) if points else (Kind.UTTERANCES,)
        if tier.spoken and seems in said and (points or tier.kind in (Kind.NOTES, Kind.GESTURES, Kind.TRANSLATION)):
            found.append(tier)
    first = next(iter(found), None)
    same = [t for t in found if first is not None and t.kind is first.kind]
    for tier in same:
        tier.whose = tier.whose or ""
    return same


def _segments(tier: Tier) -> bool:
    """Whether a tier marks stretches without saying anything of them; then it becomes one of turns."""
    by_name = split_tier(tier.name)[1]
    if tier.kind is not Kind.EMPTY or not tier.labels or tier.parent or by_name not in (Kind.UNKNOWN, Kind.UTTERANCES):
        return False
    tier.kind = Kind.TURNS
    return True


def _wanted(tiers: Sequence[Tier], wanted: Sequence[str], where: str) -> list[Tier]:
    """The tiers of these names."""
    chosen: list[Tier] = []
    for name in wanted:
        low = squeeze(name).lower()
        found = [t for t in tiers if squeeze(t.name).lower() == low]
        found = found or [t for t in tiers if fnmatchcase(squeeze(t.name).lower(), low)]
        if not found:
            raise TranscriptError(
                f"{where}: no tier '{name}'",
                ", ".join(dict.fromkeys(t.name for t in tiers)) or "no tier",
                "Give a name as it stands in the file.",
            )
        chosen += [t for t in found if t not in chosen]
    for tier in chosen:
        if tier.kind is not Kind.WORDS:
            tier.kind = Kind.EMPTY if tier.kind is Kind.EMPTY else Kind.UTTERANCES
    return [t for t in chosen if t.kind is not Kind.EMPTY]


def _name_speakers(chosen: Sequence[Tier]) -> None:
    """A participant that several tiers of different names share is no speaker: then their names are."""
    shared = Counter(t.speaker for t in chosen if t.speaker)
    for tier in chosen:
        if shared[tier.speaker] > 1:
            names = {_own(t) for t in chosen if t.speaker == tier.speaker}
            if len(names) > 1 and shared[tier.speaker] == len(names):
                tier.whose = _own(tier)


def _own(tier: Tier) -> str:
    name = _without_overflow(tier.name)
    return split_tier(name)[0] or name


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
    """Rows without a speaker get the one whose label on a tier of speakers covers most of them."""
    labels = [x for t in tiers for x in t.spoken if x.start is not None and x.end is not None]
    if not labels:
        return found
    out = []
    for row in found:
        if row.speaker is None and row.start is not None and row.end is not None:
            shared = {x: min(row.end, x.end or 0.0) - max(row.start, x.start or 0.0) for x in labels}
            best = max(labels, key=lambda x: shared[x])
            row = replace(row, speaker=squeeze(best.text)) if shared[best] > 0 else row
        out.append(row)
    return out


def _without_overflow(name: str) -> str:
    head, _, tail = name.partition(" [overlap ")
    return head.strip() if tail.rstrip("]").isdigit() else name.strip()


def _note(tiers: Sequence[Tier], chosen: Sequence[Tier]) -> str:
    """Which tiers were read, as what, and which were not."""
    names = [t.name.strip() + (" (words, put together)" if t.kind is Kind.WORDS else "") for t in chosen]
    if any(t.kind in (Kind.TURNS, Kind.SPEAKERS) for t in chosen):
        names = [f"{name} (who speaks when)" for name in names]
    rest = [t for t in tiers if not any(t is c for c in chosen)]
    passed = f"; passed over: {_listed(rest)}. Choose with --tier NAME" if rest else ""
    return f"Tiers read: {', '.join(names)}{passed}."


def _listed(tiers: Sequence[Tier]) -> str:
    shown = [f"{t.name.strip()} ({t.kind})" for t in tiers]
    return ", ".join(shown[:12]) + (f", … {len(shown) - 12} more" if len(shown) > 12 else "")
