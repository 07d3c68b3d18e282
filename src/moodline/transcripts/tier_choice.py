"""Which tiers of a file are read: what each holds, which hang together, which say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import pairwise

from moodline.core.errors import TranscriptError
from moodline.transcripts import speakers
from moodline.transcripts.common import squeeze
from moodline.transcripts.tier import Label, Tier, without_overflow
from moodline.transcripts.tier_contents import look, phonetic
from moodline.transcripts.tier_names import Kind, split_tier

SAME, CLOSE, ENOUGH = 0.9, 0.03, 4
"""Two tiers run in parallel if this share of the labels of both have the same times, but for these seconds; and with at
least so many labels."""

BRIEF = 0.6
"""What lasts less than these seconds on the average is a word."""


_READ = (Kind.UTTERANCES, Kind.WORDS)
_WORDLESS = (Kind.REFERENCES, Kind.EMPTY, Kind.TURNS)


def choose(tiers: Sequence[Tier], wanted: Sequence[str], where: str) -> list[Tier]:
    """The tiers to read, with what each holds and whose it is; none if no tier holds what is said.

    Args:
        tiers: all of the file; their kinds are set.
        wanted: names of the tiers to read; empty to find out.
        where: the file, for error messages.

    Raises:
        TranscriptError: a wanted tier is not there.
    """
    classify(tiers)
    chosen = (_wanted(tiers, wanted, where) if wanted else _chosen(tiers)) or _otherwise(tiers)
    _name_speakers(chosen)
    return chosen


def classify(tiers: Sequence[Tier]) -> None:
    """Set what each tier holds and whose it is."""
    names = {squeeze(n).lower() for t in tiers for n in (t.name, t.speaker) if n}
    names |= {split_tier(n)[0].lower() for n in list(names)} - {""}
    for tier in tiers:
        whose, by_name = split_tier(without_overflow(squeeze(tier.name)))
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
    _by_type(tiers)
    for n, tier in enumerate(tiers):
        if tier.kind in _READ:
            for other in tiers[:n]:
                if other.kind in _READ and (same := _same(other, tier)) is not None:
                    tier.kind = same
                    break


def _by_type(tiers: Sequence[Tier]) -> None:
    """Where the program's own type says of some tiers that they hold utterances, those of other types do not."""
    types = {t.type for t in tiers if t.kind is Kind.UTTERANCES and t.holds is Kind.UTTERANCES and t.type}
    for tier in tiers:
        unsaid = tier.holds is Kind.UNKNOWN and split_tier(tier.name)[1] is Kind.UNKNOWN
        if types and tier.kind in _READ and unsaid and tier.type not in types:
            tier.kind = Kind.NOTES


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
    utterances = _without_doubles(utterances)
    spoken = {t.whose for t in utterances}
    more = [t for t in words if t.whose not in spoken and t.whose] if utterances else words
    return [t for t in tiers if any(t is c for c in (*utterances, *more))]


def _without_doubles(chosen: list[Tier]) -> list[Tier]:
    """Of tiers that name no speaker and lie over each other, the one with the most words."""
    nobody = sorted((t for t in chosen if not t.whose), key=lambda t: -sum(len(x.text) for x in t.spoken))
    for n, tier in enumerate(nobody):
        if any(_over(tier, other) for other in nobody[:n] if other.kind is Kind.UTTERANCES):
            tier.kind = Kind.PARALLEL
    return [t for t in chosen if t.kind is Kind.UTTERANCES]


def _over(tier: Tier, other: Tier) -> bool:
    """Whether most of a tier's time lies within labels of another."""
    times, others = _times(tier), _times(other)
    shared, first = 0.0, 0
    for start, end in times:
        while first < len(others) and others[first][1] <= start:
            first += 1
        at = first
        while at < len(others) and others[at][0] < end:
            shared += max(0.0, min(end, others[at][1]) - max(start, others[at][0]))
            at += 1
    return shared > 0.5 * sum(end - start for start, end in times) > 0


def _times(tier: Tier) -> list[tuple[float, float]]:
    """Start and end of the labels that have both, in order."""
    return sorted((x.start, x.end) for x in tier.spoken if x.start is not None and x.end is not None)


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
    if first is not None and first.kind is Kind.TRANSLATION:  # not each sentence in two languages
        same = list({t.whose: t for t in reversed(same)}.values())
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
    name = without_overflow(tier.name)
    return split_tier(name)[0] or name
