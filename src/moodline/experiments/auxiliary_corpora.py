"""Other corpora that an encoder learns along in stage 1, without the dialogues that would give the target's away."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from moodline.corpora.base import Corpus
from moodline.corpora.overlap import overlapping
from moodline.corpora.registry import read_corpus
from moodline.pipeline.recipe import Recipe


def with_auxiliary(recipe: Recipe, corpus: Corpus, data: Path) -> Corpus:
    """The corpus with the auxiliary corpora of the recipe's fine-tuning, found under the same data directory.

    Of an auxiliary corpus all splits are learned from, for it is never tested; conversations that share dialogue with
    the target's dev or test split are left out (MELD and EmoryNLP are both cut from one series).

    Args:
        recipe: its modalities' ``finetune.auxiliary`` name the corpora.
        corpus: the target, with all its splits.
        data: the directory that holds the corpora.

    Raises:
        CorpusError: a corpus is not there.
    """
    wanted = [s for m in recipe.modalities.values() if m.finetune is not None for s in m.finetune.auxiliary]
    found: dict[str, Corpus] = {}
    for spec in wanted:
        other = read_corpus(spec.name, data, **spec.options)
        left_out = overlapping(corpus, other)
        kept = tuple(c for split in other.splits.values() for c in split if c.id not in left_out)
        info = {**other.info, "overlapping": len(left_out)}
        found[spec.name] = dataclasses.replace(other, splits={"train": kept}, features={}, info=info)
    return dataclasses.replace(corpus, auxiliary=tuple(found.values()))
