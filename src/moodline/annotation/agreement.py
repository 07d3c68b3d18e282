"""Agreement between the labels of two files, or of two folders with files of the same names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, TranscriptError
from moodline.evaluation.agreement import agreement
from moodline.transcripts.labelled import FORMATS, read_labelled

OVERLAP = 0.5
"""Two utterances are the same if they share this part of the longer one's time."""


def compare_labels(first: Path, second: Path) -> dict[str, Any]:
    """Compare the emotions that two files give the same utterances.

    Utterances are matched by their ids and words, else by their times (and speakers), else by their words in order.

    Args:
        first, second: files that ``read_labelled`` reads, or folders with such files of the same names.

    Returns:
        ``{"first", "second", "utterances", "unmatched": [of the first, of the second], "unlabelled", "observed",
        "kappa", "classes": [{"label", "first", "second", "both", "kappa", "specific"}], "confusion": [{"first",
        "second", "utterances"}]}``.

    Raises:
        TranscriptError: a file cannot be read or has no labels.
        ConfigError: no utterance is in both, with labels in both.
    """
    pairs: list[tuple[str, str]] = []
    unmatched, unlabelled = [0, 0], 0
    for a, b in _conversations(first, second):
        same = _matched(list(a), list(b))
        unmatched[0] += len(a) - len(same)
        unmatched[1] += len(b) - len(same)
        for one, other in same:
            if one.emotion is None or other.emotion is None:
                unlabelled += 1
            else:
                pairs.append((one.emotion, other.emotion))
    if not pairs:
        raise ConfigError(
            f"{first} and {second}: no utterance has a label in both",
            f"{unlabelled} utterances are in both, not labelled in both",
            "Compare two files of the same conversation.",
        )
    found = agreement(pairs)
    return {
        "first": str(first),
        "second": str(second),
        "utterances": found.utterances,
        "unmatched": unmatched,
        "unlabelled": unlabelled,
        "observed": round(found.observed, 4),
        "kappa": None if found.kappa is None else round(found.kappa, 4),
        "classes": [
            {
                "label": c.label,
                "first": c.first,
                "second": c.second,
                "both": c.both,
                "kappa": None if c.kappa is None else round(c.kappa, 4),
                "specific": round(c.specific, 4),
            }
            for c in found.classes
        ],
        "confusion": [{"first": a, "second": b, "utterances": n} for a, b, n in found.confusion],
    }


def _conversations(first: Path, second: Path) -> Iterator[tuple[Conversation, Conversation]]:
    """The conversations that are in both."""
    if first.is_dir() != second.is_dir():
        raise ConfigError("compare two files, or two folders", f"{first}, {second}")
    if first.is_dir():
        names = {p.stem: p for p in _labelled_files(second)}
        files = [(p, names[p.stem]) for p in _labelled_files(first) if p.stem in names]
        if not files:
            raise ConfigError(f"{first} and {second}: no two files have the same name", fix="Name them alike.")
    else:
        files = [(first, second)]
    for one, other in files:
        a, b = read_labelled(one), read_labelled(other)
        if len(a) == len(b) == 1:
            yield a[0], b[0]
            continue
        named = {c.id: c for c in b}
        yield from ((c, named[c.id]) for c in a if c.id in named)


def _labelled_files(folder: Path) -> list[Path]:
    files = [p for p in sorted(folder.iterdir()) if p.suffix.lower().removeprefix(".") in FORMATS and p.is_file()]
    if not files:
        raise TranscriptError(f"{folder}: no file with labels", fix=f"Expected {', '.join(f'.{f}' for f in FORMATS)}.")
    return files


def _matched(first: Sequence[Utterance], second: Sequence[Utterance]) -> list[tuple[Utterance, Utterance]]:
    """The utterances that are the same."""
    by_id = {u.id: u for u in second}
    same = [(u, by_id[u.id]) for u in first if u.id in by_id and _alike(u, by_id[u.id])]
    if 2 * len(same) >= min(len(first), len(second)):
        return same
    timed = list(_by_time(first, second))
    if 2 * len(timed) >= min(len(first), len(second)):
        return timed
    return list(_in_order(first, second))


def _alike(a: Utterance, b: Utterance) -> bool:
    if a.text is not None and b.text is not None:
        return _words(a) == _words(b) or (a.start is not None and _shared(a, b) >= OVERLAP)
    return a.start == b.start


def _by_time(first: Sequence[Utterance], second: Sequence[Utterance]) -> Iterator[tuple[Utterance, Utterance]]:
    left = list(second)
    for a in first:
        best = max(left, key=lambda b: (_shared(a, b), a.speaker == b.speaker), default=None)
        if best is not None and _shared(a, best) >= OVERLAP:
            left.remove(best)
            yield a, best


def _shared(a: Utterance, b: Utterance) -> float:
    """The part of the longer one's time that two utterances share; 1 for the same times."""
    if a.start is None or b.start is None:
        return 0.0
    if a.end is None or b.end is None:
        return 1.0 if abs(a.start - b.start) < 0.06 else 0.0
    longest = max(a.end - a.start, b.end - b.start)
    if longest <= 0:
        return 1.0 if a.start == b.start else 0.0
    return max(0.0, min(a.end, b.end) - max(a.start, b.start)) / longest


def _in_order(first: Sequence[Utterance], second: Sequence[Utterance]) -> Iterator[tuple[Utterance, Utterance]]:
    """Utterances with the same words, in the same order."""
    at = 0
    for a in first:
        found = next((n for n in range(at, len(second)) if _words(second[n]) == _words(a) != ""), None)
        if found is not None:
            yield a, second[found]
            at = found + 1


def _words(u: Utterance) -> str:
    return " ".join((u.text or "").lower().split())
