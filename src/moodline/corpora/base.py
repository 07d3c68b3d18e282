"""What every corpus reader gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from moodline.core.conversation import Conversation
from moodline.core.groups import ALONE, Groups
from moodline.core.labels import LabelSet, ValueScale

SPLITS = ("train", "dev", "test")

INFO_OF_SPLITS = ("dev", "actors")
"""Entries of ``Corpus.info`` that describe the corpus's own splits, which do not hold in a fold."""

FoldSplits = dict[str, tuple[str, ...]]
"""Split name to conversation ids, in order: one way to part a corpus."""


@dataclass(frozen=True)
class CorpusDescriptor:
    """What people and programs ask of a corpus before it is read.

    Args:
        title: one line, what it is.
        licence: of the annotations, and where media come from.
        files: the names of the files that a reader expects.
        language: the code of the language that is spoken, e.g. "en"; None where the directory itself says it.
        labels: the name of its label set; empty where the directory brings its own.
        modalities: what it has.
        other_labels: label sets that an option of the reader gives instead.
    """

    title: str
    licence: str
    files: str
    language: str | None
    labels: str
    modalities: tuple[str, ...]
    other_labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Defect:
    """Something wrong with the files of a corpus, and what the reader did about it.

    Args:
        kind: a short name, e.g. ``"end before start"``.
        where: split and utterance, conversation or file.
        action: ``"repaired"``, ``"dropped"`` or ``"reported"`` (left as it is).
        detail: the values, in words.
    """

    kind: str
    where: str
    action: str
    detail: str = ""


@dataclass(frozen=True)
class Corpus:
    """Conversations with labels, splits and, where the files bring them, features.

    Args:
        name: the corpus.
        labels: its label set; every ``Utterance.emotion`` is one of these or None.
        splits: split name ("train", "dev", "test") to conversations in the corpus's own order.
        features: name of a feature set to utterance id to a float32 array, [D] or frames [T, D].
            An utterance that is not in the mapping lacks that modality.
        defects: everything that was repaired, dropped or noticed.
        files: file name (relative to the corpus folder) to SHA-256 of what was read.
        info: other facts worth recording, e.g. the options in force.
        speakers: how far a speaker's name means the same person: within a conversation ("agent", "S1"), or in the whole
            corpus (an actor, a character).
        auxiliary: other corpora that an encoder may learn along; never tested.
        folds: every way to part it that its reader offers (option ``fold``); none where it has no such option, or
            where the features have seen some of the folds' tests.
        languages: codes of the languages that are spoken in it, e.g. "en"; none where that is not known.
        scale: what its ``Utterance.score``s are numbers of; None where it has none.
        groups: which conversations are drawn together where chance is estimated.
    """

    name: str
    labels: LabelSet
    splits: dict[str, tuple[Conversation, ...]]
    features: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    defects: tuple[Defect, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    speakers: Literal["conversation", "corpus"] = "conversation"
    auxiliary: tuple[Corpus, ...] = ()
    folds: tuple[FoldSplits, ...] = ()
    scale: ValueScale | None = None
    groups: Groups = ALONE
    languages: tuple[str, ...] = ()

    def in_fold(self, number: int) -> Corpus:
        """The corpus split as in one of its ``folds``: what its reader gives for the option ``fold``.

        Features, defects and files are shared, not copied. What ``info`` records of the corpus's own splits is left
        out.

        Args:
            number: from 0; less than the number of ``folds``.
        """
        conversations = {c.id: c for members in self.splits.values() for c in members}
        splits = {split: tuple(conversations[i] for i in ids) for split, ids in self.folds[number].items() if ids}
        options = self.info.get("options")
        info = {k: v for k, v in self.info.items() if k not in INFO_OF_SPLITS}
        info["options"] = {**(options if isinstance(options, dict) else {}), "fold": number}
        return replace(self, splits=splits, info=info)
