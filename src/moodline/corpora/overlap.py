"""Dialogue that two corpora have in common, found by its words: MELD and EmoryNLP are both cut from one series.

Whoever trains on one corpus to test on the other must first take out what the other's dev and test splits hold.
Two conversations share dialogue if they have at least ``SHARED`` different runs of ``RUN`` words in common, runs
that more than ``COMMON`` conversations of a corpus have not being counted: they are phrases that everybody says.
Case, punctuation and apostrophes do not matter, and runs go on from one utterance to the next, for corpora cut
utterances differently. A changed word spoils at most ``RUN`` runs, so small differences of transcription do no harm.

What it cannot see: conversations with fewer than ``SHARED`` different runs, at most six words or so (``too_short``
counts them), and what a corpus itself holds more than ``COMMON`` times. How well it does on MELD and EmoryNLP, whose
seasons, episodes and clocks are an independent check, is in docs/how-to/your-data.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from moodline.core.conversation import Conversation
from moodline.corpora.base import Corpus

RUN = 4
"""Words in a run."""
SHARED = 4
"""So many different runs make two conversations overlap."""
COMMON = 3
"""A run in more conversations of one corpus than this is a common phrase."""
HIDDEN = ("dev", "test")
"""The splits of a target that nothing may be trained on."""

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")  # a Chinese character is a word
_APOSTROPHES = re.compile("['’‘`´]")

Runs = dict[str, frozenset[tuple[str, ...]]]


@dataclass(frozen=True)
class Match:
    """A conversation of one corpus and a conversation of another that share dialogue.

    Args:
        first_split, first: split and id in the first corpus.
        second_split, second: split and id in the second.
        runs: how many different runs of words they have in common.
    """

    first_split: str
    first: str
    second_split: str
    second: str
    runs: int


def words(text: str | None) -> list[str]:
    """The words of a text without case, punctuation and apostrophes."""
    return _WORD.findall(_APOSTROPHES.sub("", unicodedata.normalize("NFKC", text or "").casefold()))


def find_overlap(first: Corpus, second: Corpus) -> tuple[Match, ...]:
    """Every pair of conversations that share dialogue, in the order of the first corpus.

    Args:
        first, second: two corpora, or one corpus twice; a conversation is not compared with itself.
    """
    left, right = _runs(first), _runs(second)
    many_left, many_right = (_frequent(runs.values()) for runs in (left, right))
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for key, runs in right.items():
        for run in runs - many_right:
            places[run].append(key)
    splits = {c.id: s for s, conversations in second.splits.items() for c in conversations}
    found = []
    for split, conversations in first.splits.items():
        for conversation in conversations:
            shared = Counter(key for run in left[conversation.id] - many_left for key in places.get(run, ()))
            if first is second:
                shared.pop(conversation.id, None)
            found += [Match(split, conversation.id, splits[k], k, n) for k, n in sorted(shared.items()) if n >= SHARED]
    return tuple(found)


def overlapping(target: Corpus, auxiliary: Corpus, splits: Iterable[str] = HIDDEN) -> frozenset[str]:
    """The conversations of an auxiliary corpus that must not be trained on.

    Args:
        target: the corpus to be tested on.
        auxiliary: the corpus that would be trained on too; all its splits are looked at.
        splits: of the target; give ``train`` too to see no dialogue twice.

    Returns:
        Their ids.
    """
    hidden = set(splits)
    return frozenset(m.second for m in find_overlap(target, auxiliary) if m.first_split in hidden)


def summarize_overlap(target: Corpus, auxiliary: Corpus) -> dict[str, Any]:
    """The overlap in numbers and ids.

    Returns:
        A JSON-able mapping:
        ``target``, ``auxiliary``: names; ``method``: the thresholds;
        ``pairs`` [{target_split, auxiliary_split, target, auxiliary, pairs}]: how many conversations of each take part;
        ``too_short`` {name: n}: conversations without enough words to be judged;
        ``removed`` {"dev and test": …, "all splits": …}: each {conversations, of, utterances, ids} of the auxiliary.
    """
    matches = find_overlap(target, auxiliary)
    rows = []
    for s in target.splits:
        for t in auxiliary.splits:
            here = [m for m in matches if (m.first_split, m.second_split) == (s, t)]
            sizes = {"target": len({m.first for m in here}), "auxiliary": len({m.second for m in here})}
            rows.append({"target_split": s, "auxiliary_split": t, **sizes, "pairs": len(here)})
    conversations = [c for found in auxiliary.splits.values() for c in found]
    removed = {}
    for name, splits in (("dev and test", HIDDEN), ("all splits", tuple(target.splits))):
        ids = {m.second for m in matches if m.first_split in splits}
        gone = [c for c in conversations if c.id in ids]
        utterances = sum(len(c) for c in gone)
        removed[name] = {
            "conversations": len(gone), "of": len(conversations), "utterances": utterances, "ids": [c.id for c in gone],
        }  # fmt: skip
    return {
        "target": target.name,
        "auxiliary": auxiliary.name,
        "method": {"run": RUN, "shared": SHARED, "common": COMMON},
        "pairs": rows,
        "too_short": {c.name: sum(len(r) < SHARED for r in _runs(c).values()) for c in (target, auxiliary)},
        "removed": removed,
    }


def _runs(corpus: Corpus) -> Runs:
    return {c.id: _runs_of(c) for conversations in corpus.splits.values() for c in conversations}


def _runs_of(conversation: Conversation) -> frozenset[tuple[str, ...]]:
    said: Sequence[str] = [word for utterance in conversation for word in words(utterance.text)]
    return frozenset(tuple(said[i : i + RUN]) for i in range(len(said) - RUN + 1))


def _frequent(runs: Iterable[frozenset[tuple[str, ...]]]) -> set[tuple[str, ...]]:
    counts = Counter(run for found in runs for run in found)
    return {run for run, n in counts.items() if n > COMMON}
