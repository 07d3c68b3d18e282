"""Cross-validation: the folds of a corpus, and the tests of all folds as one.

A recipe with ``folds: N`` is trained N times for each seed, on the splits that the corpus's reader gives with its
option ``fold`` set to 0 … N-1. Every utterance is tested once, by the model that has not seen it; for each seed the
answers of all folds are then evaluated together, over the whole corpus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError
from moodline.corpora.base import Corpus
from moodline.corpora.registry import READERS, read_corpus, reader_options
from moodline.evaluation.task import Task
from moodline.pipeline.recipe import Recipe


@dataclass(frozen=True)
class Fold:
    """One way to split the corpus.

    Args:
        number: from 0; None for the corpus's own splits, the only ones.
        corpus: with train, dev and test.
    """

    number: int | None
    corpus: Corpus


@dataclass(frozen=True)
class Tested:
    """What one checkpoint says of its fold.

    Args:
        fold: its number, or None.
        metrics: of the checkpoint: seed, epochs, dev numbers.
        calibration: fitted on the fold's dev split.
        test: answers, conversations in order.
        dev: answers; none without folds, where ``metrics`` has all that is told.
        encoders: modality to id and revision.
        seconds: of training, if known.
    """

    fold: int | None
    metrics: dict[str, Any]
    calibration: dict[str, Any]
    test: list[Answers]
    dev: list[Answers] = field(default_factory=list)
    encoders: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    seconds: float | None = None


def read_folds(recipe: Recipe, data: Path) -> list[Fold]:
    """The folds of a recipe's corpus; without ``folds``, one with the corpus's own splits. Files are read once.

    Raises:
        ConfigError: the corpus has no folds, or not so many.
        MoodlineError: see ``read_corpus``.
    """
    name, options = recipe.corpus.name, recipe.corpus.options
    if not recipe.folds:
        return [Fold(None, read_corpus(name, data, **options))]
    if name in READERS and "fold" not in reader_options(name):
        able = ", ".join(n for n in READERS if "fold" in reader_options(n))
        raise ConfigError(f"{name}: this corpus has no folds", fix=f"Leave out folds; corpora that have some: {able}.")
    first = read_corpus(name, data, **options, fold=0)
    if recipe.folds > len(first.folds):
        raise ConfigError(f"{name}: the option fold must be 0 to {len(first.folds) - 1}", f"folds: {recipe.folds}")
    folds = [Fold(k, first if k == 0 else first.in_fold(k)) for k in range(recipe.folds)]
    check_folds([f.corpus for f in folds])
    return folds


def check_folds(corpora: Sequence[Corpus]) -> None:
    """Every utterance is tested in exactly one fold, and is in no other split of that fold.

    Raises:
        ConfigError: some utterances are tested never or twice.
    """
    whole = {i for split in corpora[0].splits for i in _ids(corpora[0].splits[split])}
    tested: set[str] = set()
    twice: set[str] = set()
    for corpus in corpora:
        train, dev, test = (_ids(corpus.splits.get(s, ())) for s in ("train", "dev", "test"))
        assert not (train & test | dev & test | train & dev), "read_corpus lets no utterance be in two splits"
        twice |= tested & test
        tested |= test
    if twice or tested != whole:
        raise ConfigError(
            f"{corpora[0].name}: folds must test every utterance once",
            f"with {len(corpora)} folds {len(whole - tested)} of {len(whole)} never, {len(twice)} twice",
            "Give folds the number of folds that the corpus has.",
        )


def _ids(conversations: Sequence[Conversation]) -> set[str]:
    return {u.id for c in conversations for u in c}


def join(tested: Sequence[Tested], task: Task) -> tuple[dict[str, Any], list[Answers]]:
    """One seed's entry in the result file, and its answers over all folds.

    Args:
        tested: the seed's, of every fold in order.
        task: with the label set, or the scale of the values.

    Returns:
        ``{"seed", "best_epoch", "epochs", "dev", "test"}``, with folds ``{"seed", "dev", "test", "folds"}`` where
        ``dev`` and ``test`` are the numbers of the answers of all folds, each calibrated by its own fold; and the
        test answers.
    """
    first = tested[0]
    if first.fold is None:
        return {**first.metrics, "test": task.numbers(first.test, first.calibration)}, first.test
    dev, dev_calibration = task.together([(t.dev, t.calibration) for t in tested])
    test, test_calibration = task.together([(t.test, t.calibration) for t in tested])
    return {
        "seed": first.metrics["seed"],
        "dev": task.numbers(dev, dev_calibration),
        "test": task.numbers(test, test_calibration),
        "folds": [
            {
                "fold": t.fold,
                "best_epoch": t.metrics["best_epoch"],
                "epochs": t.metrics["epochs"],
                "dev": task.fold_numbers(t.dev, t.calibration),
                "test": task.fold_numbers(t.test, t.calibration),
            }
            for t in tested
        ],
    }, test
