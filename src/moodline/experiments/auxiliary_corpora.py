"""Other corpora that an encoder learns along in stage 1, without the dialogues that would give the target's away."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from moodline.corpora.base import Corpus
from moodline.corpora.overlap import overlapping
from moodline.corpora.registry import read_corpus
from moodline.pipeline.recipe import ModalitySpec


def read_auxiliary(specs: Iterable[ModalitySpec], data: Path) -> list[Corpus]:
    """The corpora that ``finetune.auxiliary`` of some modalities names, each read once.

    Args:
        specs: the modalities of a recipe.
        data: the directory that holds the corpora.

    Raises:
        CorpusError: a corpus is not there.
    """
    wanted = {other.name: other for spec in specs if spec.finetune is not None for other in spec.finetune.auxiliary}
    return [read_corpus(other.name, data, **other.options) for other in wanted.values()]


def with_auxiliary(corpus: Corpus, others: Sequence[Corpus]) -> Corpus:
    """The corpus with auxiliary corpora.

    Of an auxiliary corpus all splits are learned from, for it is never tested; conversations that share dialogue with
    the target's dev or test split are left out (MELD and EmoryNLP are both cut from one series).

    Args:
        corpus: the target, with all its splits.
        others: of ``read_auxiliary``.
    """
    auxiliary = []
    for other in others:
        left_out = overlapping(corpus, other)
        kept = tuple(c for split in other.splits.values() for c in split if c.id not in left_out)
        info = {**other.info, "overlapping": len(left_out)}
        auxiliary.append(dataclasses.replace(other, splits={"train": kept}, features={}, info=info))
    return dataclasses.replace(corpus, auxiliary=tuple(auxiliary))
