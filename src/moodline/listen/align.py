"""A user's transcript or diarization put onto the recording."""

from __future__ import annotations

import bisect
import difflib
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from moodline.core.conversation import Utterance, some_ids
from moodline.listen.base import Span, SpeakerSpan, Word

LEAST = 0.05
"""Seconds that an utterance's sound has at least."""

OPEN_END = 15.0
"""An utterance without an end lasts until the next begins, but no longer than this."""

_LETTERS = re.compile(r"[\W_]+")


def is_timed(utterances: Sequence[Utterance]) -> bool:
    """Whether a transcript says when things are said: most of its utterances begin somewhere."""
    return sum(u.start is not None for u in utterances) * 2 > len(utterances)


def _in_seconds(utterances: Sequence[Utterance], seconds: float) -> tuple[Sequence[Utterance], list[str]]:
    """The utterances, and a note if their times were milliseconds: far beyond the recording, but not if divided."""
    starts = [u.start for u in utterances if u.start is not None]
    last = max([*starts, *(u.end for u in utterances if u.end is not None)], default=0.0)
    middle = statistics.median(starts) if starts else 0.0
    if middle < 5 * seconds or not 100 < last / max(seconds, 0.001) < 1500 or min(starts) > 1000 * seconds:
        return utterances, []
    note = (
        f"By the length of the recording ({seconds:.1f} s) the transcript's times are milliseconds: they were divided."
    )
    return [
        replace(
            u,
            start=None if u.start is None else u.start / 1000,
            end=None if u.end is None else u.end / 1000,
        )
        for u in utterances
    ], [note]


def fit_times(utterances: Sequence[Utterance], seconds: float) -> tuple[list[Utterance], list[str]]:
    """Times that the recording has: ends filled in, what lies beyond its end left without time.

    Args:
        utterances: with times, in any order; those without any stay where they are.
        seconds: how long the recording lasts.

    Returns:
        The utterances in order of their start, and notes.
    """
    utterances, notes = _in_seconds(utterances, seconds)
    order = _in_order(utterances)
    if [u.id for u in order] != [u.id for u in utterances]:
        notes.append("The transcript's turns were not in order of time; they are now.")
    out, beyond, open_ = list[Utterance](), list[str](), list[str]()
    starts = sorted(u.start for u in order if u.start is not None)
    for u in order:
        if u.start is None:
            out.append(replace(u, end=None))
        elif u.start >= seconds - LEAST:
            beyond.append(u.id)
            out.append(replace(u, start=None, end=None))
        else:
            end = u.end
            if end is None:
                later = bisect.bisect_right(starts, u.start)
                end = starts[later] if later < len(starts) else seconds
                if end > u.start + OPEN_END:
                    end = u.start + OPEN_END
                    open_.append(u.id)
            out.append(replace(u, end=min(seconds, max(end, u.start + LEAST))))
    if beyond:
        notes.append(
            f"The transcript is longer than the recording ({seconds:.1f} s): {len(beyond)} of its {len(out)} turns,"
            f" from {beyond[0]} on, have no sound."
        )
    if open_:
        notes.append(
            f"Turns without an end are heard for {OPEN_END:g} s at most; this cuts {len(open_)}: {some_ids(open_)}."
        )
    return out, notes


def _in_order(utterances: Sequence[Utterance]) -> list[Utterance]:
    """By start; an utterance without one stays behind the one before it."""
    last, keyed = 0.0, []
    for n, u in enumerate(utterances):
        last = last if u.start is None else u.start
        keyed.append((last, n, u))
    return [u for _, _, u in sorted(keyed, key=lambda k: k[:2])]


def speakers_of(utterances: Sequence[Utterance], spans: Sequence[SpeakerSpan]) -> list[Utterance]:
    """Name the speakers of a timed transcript that names none: who speaks longest during each utterance."""
    out, ordered = [], sorted(spans)
    latest = 0.0  # the longest span decides how far back one must look
    for span in ordered:
        latest = max(latest, span.end - span.start)
    starts = [s.start for s in ordered]
    for u in utterances:
        if u.speaker is not None or u.start is None or u.end is None:
            out.append(u)
            continue
        shares: dict[str, float] = {}
        first = bisect.bisect_left(starts, u.start - latest)
        for span in ordered[first : bisect.bisect_left(starts, u.end)]:
            shared = min(u.end, span.end) - max(u.start, span.start)
            if shared > 0:
                shares[span.speaker] = shares.get(span.speaker, 0.0) + shared
        out.append(replace(u, speaker=max(shares, key=lambda k: shares[k])) if shares else u)
    return out


def match_words(utterances: Sequence[Utterance], heard: Sequence[Word]) -> dict[int, Span]:
    """When those utterances are said of which words were recognized: from the first of these words to the last.

    Args:
        utterances: in the order in which they were said.
        heard: recognized words in order, with times.

    Returns:
        The utterance's number to its times.
    """
    said = [(n, word) for n, u in enumerate(utterances) for word in _normal(u.text or "")]
    rows = [(k, word) for k, w in enumerate(heard) for word in _normal(w.text)]
    found: dict[int, list[int]] = {}
    for a, b in match([w for _, w in said], [w for _, w in rows]):
        found.setdefault(said[a][0], []).append(rows[b][0])
    return {n: Span(heard[ks[0]].start, max(heard[ks[-1]].end, heard[ks[0]].start)) for n, ks in found.items()}


def place(utterances: Sequence[Utterance], known: Mapping[int, Span], speech: Sequence[Span]) -> list[Utterance]:
    """Times for all utterances from those of some.

    Those of which nothing was recognized share what is left between their neighbours by their number of letters.

    Args:
        utterances: in the order in which they were said.
        known: of ``match_words``.
        speech: where there is speech, in order; bounds what nothing was recognized of.
    """
    begin = speech[0].start if speech else 0.0
    finish = max(speech[-1].end if speech else 0.0, max((s.end for s in known.values()), default=0.0))
    out, n = list[Utterance](), 0
    while n < len(utterances):
        if n in known:
            out.append(replace(utterances[n], start=known[n].start, end=known[n].end))
            n += 1
            continue
        stop = next((k for k in range(n, len(utterances)) if k in known), len(utterances))
        low = known[n - 1].end if n - 1 in known else begin
        high = known[stop].start if stop in known else finish
        out += _share(utterances[n:stop], low, max(low, high))
        n = stop
    return _grow(out)


def _grow(utterances: Sequence[Utterance]) -> list[Utterance]:
    """Starts that never run backwards, and ends that reach over words of the utterance that were not recognized."""
    out, last = list[Utterance](), 0.0
    for n, u in enumerate(utterances):
        start = max(last, u.start or 0.0)
        following = next((v.start for v in utterances[n + 1 :] if v.start is not None), None)
        letters = len(u.text or "") * 0.06  # about fifteen letters a second
        end = max(u.end or start, start + LEAST, min(start + letters, following if following is not None else 0.0))
        out.append(replace(u, start=round(start, 3), end=round(end, 3)))
        last = start
    return out


def _share(utterances: Sequence[Utterance], low: float, high: float) -> list[Utterance]:
    """Utterances one after the other between two moments, by their letters."""
    sizes = [len(u.text or "") + 1 for u in utterances]
    out, done = [], 0
    for u, size in zip(utterances, sizes, strict=True):
        start = low + (high - low) * done / sum(sizes)
        done += size
        out.append(replace(u, start=start, end=low + (high - low) * done / sum(sizes)))
    return out


def _normal(text: str) -> list[str]:
    return [w for w in (_LETTERS.sub("", part.casefold()) for part in text.split()) if w]


def match(a: Sequence[str], b: Sequence[str], block: int = 400) -> list[tuple[int, int]]:
    """Pairs of equal words in the same order in both sequences.

    Groups of three words that occur once in each hold the sequences together; between these anchors difflib finds the
    longest common blocks. So the time grows with the length and not with its square, unless nothing is alike.

    Args:
        a, b: words.
        block: stretches between anchors are compared as a whole up to this many words on a side; longer ones are
            compared with the like part of the other side.
    """
    pairs, low_a, low_b = list[tuple[int, int]](), 0, 0
    for high_a, high_b in [*_anchors(a, b), (len(a), len(b))]:
        pairs += _between(a, b, low_a, high_a, low_b, high_b, block)
        if high_a < len(a):
            pairs.append((high_a, high_b))
        low_a, low_b = high_a + 1, high_b + 1
    return pairs


def _anchors(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """First words of three-word groups that are unique on both sides, the longest run of them in common order."""
    where_a, where_b = _unique(a), _unique(b)
    places = sorted((n, where_b[key]) for key, n in where_a.items() if key in where_b)
    tails, ends, back = list[int](), list[int](), list[int]()  # the longest rising run, by patience sorting
    for n, (_, value) in enumerate(places):
        at = bisect.bisect_left(tails, value)
        back.append(ends[at - 1] if at else -1)
        tails[at : at + 1], ends[at : at + 1] = [value], [n]
    out, n = list[tuple[int, int]](), ends[-1] if ends else -1
    while n >= 0:
        out.append(places[n])
        n = back[n]
    return out[::-1]


def _unique(words: Sequence[str]) -> dict[tuple[str, ...], int]:
    seen: dict[tuple[str, ...], int] = {}
    for n in range(len(words) - 2):
        key = tuple(words[n : n + 3])
        seen[key] = -1 if key in seen else n
    return {key: n for key, n in seen.items() if n >= 0}


def _between(
    a: Sequence[str], b: Sequence[str], low_a: int, high_a: int, low_b: int, high_b: int, block: int
) -> list[tuple[int, int]]:
    count = max(1, -(-max(high_a - low_a, high_b - low_b) // block))
    out = []
    for k in range(count):
        cut_a = (low_a + (high_a - low_a) * k // count, low_a + (high_a - low_a) * (k + 1) // count)
        cut_b = (low_b + (high_b - low_b) * k // count, low_b + (high_b - low_b) * (k + 1) // count)
        matcher = difflib.SequenceMatcher(None, a[slice(*cut_a)], b[slice(*cut_b)], autojunk=False)
        for i, j, size in matcher.get_matching_blocks():
            out += [(cut_a[0] + i + n, cut_b[0] + j + n) for n in range(size)]
    return out
