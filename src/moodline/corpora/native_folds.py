"""Folds of a house directory: ``folds.json``, one entry a fold.

An entry is either the list of the conversation ids that this fold tests, those of the next entry (round the circle)
being its dev and all others its train; or, as ``moodline convert`` writes it, an object with the ids of each split,
``{"train": […], "dev": […], "test": […]}``, in order. Every fold names every conversation once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from moodline.core.errors import CorpusError
from moodline.corpora.base import SPLITS, FoldSplits

FILE = "folds.json"


def parse_folds(data: Any, ids: Sequence[str]) -> tuple[FoldSplits, ...]:
    """The folds that a file gives.

    Args:
        data: what the JSON is.
        ids: of all conversations of the corpus, in order.

    Returns:
        Of each fold the conversation ids of every split.

    Raises:
        CorpusError: it is no list of folds, or a fold does not name every conversation once.
    """
    if isinstance(data, list) and data and all(isinstance(fold, dict) for fold in data):
        return tuple(_own_splits(fold, ids) for fold in data)
    whole = isinstance(data, list) and len(data) >= 3 and all(isinstance(f, list) and f for f in data)
    if not whole:
        raise CorpusError(f"house: {FILE}: expected at least three lists of conversation ids, none of them empty")
    lists = [list(map(str, fold)) for fold in data]
    _check([i for fold in lists for i in fold], ids, "every conversation must be in one fold, once")
    place = {i: n for n, fold in enumerate(lists) for i in fold}
    return tuple(_round(number, len(lists), place, ids) for number in range(len(lists)))


def _own_splits(fold: dict[str, Any], ids: Sequence[str]) -> FoldSplits:
    if set(fold) - set(SPLITS) or not all(isinstance(members, list) for members in fold.values()):
        raise CorpusError(
            f"house: {FILE}: expected lists of conversation ids for train, dev, test", ", ".join(map(str, fold))
        )
    named = {split: tuple(map(str, fold.get(split, ()))) for split in SPLITS}
    rule = "every conversation must be in one split of each fold, once"
    _check([i for members in named.values() for i in members], ids, rule)
    return named


def _round(number: int, count: int, place: dict[str, int], ids: Sequence[str]) -> FoldSplits:
    after = (number + 1) % count
    role = {i: {number: "test", after: "dev"}.get(place[i], "train") for i in ids}
    return {split: tuple(i for i in ids if role[i] == split) for split in SPLITS}


def _check(named: Sequence[str], ids: Sequence[str], rule: str) -> None:
    counts = Counter(named)
    wrong = [i for i in ids if counts.pop(i, 0) != 1] or list(counts)
    if wrong:
        raise CorpusError(f"house: {FILE}: {rule}", repr(wrong[0]))
