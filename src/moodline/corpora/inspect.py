"""What a corpus holds, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from moodline.core.conversation import Conversation
from moodline.core.hashing import text_hash
from moodline.corpora.base import Corpus

BINS = ((1, 1), (2, 5), (6, 10), (11, 20), (21, 50), (51, None))
"""First and last length of each bin of the histogram of conversation lengths, in utterances."""

EXAMPLES = 5


def summarize(corpus: Corpus) -> dict[str, Any]:
    """Describe a corpus.

    Args:
        corpus: as a reader gave it.

    Returns:
        A JSON-able mapping:
        ``name``; ``labels`` {name, labels};
        ``splits`` {split: {conversations, utterances, labels: {label: n}, unlabelled, speakers}};
        ``lengths`` {split: {min, median, max, histogram: {bin: n}}}, utterances a conversation;
        ``words`` {split: {total, min, median, max}}, an utterance, where there is text;
        ``features`` {name: {dim, utterances, frames?: {min, median, max}}};
        ``defects`` {kind: {count, action, examples: [{where, detail}]}};
        ``info``; ``files``; ``hash``.
    """
    return {
        "name": corpus.name,
        "labels": {"name": corpus.labels.name, "labels": list(corpus.labels.labels)},
        "splits": {s: _split(corpus, c) for s, c in corpus.splits.items()},
        "lengths": {s: _lengths(c) for s, c in corpus.splits.items()},
        "words": {s: _words(c) for s, c in corpus.splits.items()},
        "features": {n: _features(list(rows.values())) for n, rows in corpus.features.items()},
        "defects": _defects(corpus),
        "info": corpus.info,
        "files": corpus.files,
        "hash": corpus_hash(corpus),
    }


def corpus_hash(corpus: Corpus) -> str:
    """SHA-256 over the names and hashes of the files that were read, in order of name; hexadecimal."""
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(corpus.files.items()))
    return text_hash(lines)


def _split(corpus: Corpus, conversations: Sequence[Conversation]) -> dict[str, Any]:
    utterances = [u for c in conversations for u in c]
    counts = Counter(u.emotion for u in utterances)
    return {
        "conversations": len(conversations),
        "utterances": len(utterances),
        "labels": {label: counts[label] for label in corpus.labels.labels},
        "unlabelled": counts[None],
        "speakers": len({u.speaker for u in utterances if u.speaker is not None}),
    }


def _spread(values: Sequence[int]) -> dict[str, float]:
    return {"min": min(values), "median": median(values), "max": max(values)} if values else {}


def _lengths(conversations: Sequence[Conversation]) -> dict[str, Any]:
    lengths = [len(c) for c in conversations]
    histogram = {}
    for first, last in BINS:
        name = f"{first}+" if last is None else str(first) if first == last else f"{first}-{last}"
        histogram[name] = sum(1 for n in lengths if n >= first and (last is None or n <= last))
    return {**_spread(lengths), "histogram": histogram}


def _words(conversations: Sequence[Conversation]) -> dict[str, float]:
    words = [len(u.text.split()) for c in conversations for u in c if u.text is not None]
    return {"total": sum(words), **_spread(words)}


def _features(rows: Sequence[np.ndarray]) -> dict[str, Any]:
    out: dict[str, Any] = {"dim": rows[0].shape[-1] if rows else 0, "utterances": len(rows)}
    if rows and rows[0].ndim == 2:
        out["frames"] = _spread([len(r) for r in rows])
    return out


def _defects(corpus: Corpus) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for defect in corpus.defects:
        entry = out.setdefault(defect.kind, {"count": 0, "action": defect.action, "examples": []})
        entry["count"] += 1
        if len(entry["examples"]) < EXAMPLES:
            entry["examples"].append({"where": defect.where, "detail": defect.detail})
    return out
