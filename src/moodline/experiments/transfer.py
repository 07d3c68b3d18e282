"""A run tested on another corpus, whose labels are mapped to common ones: what is left of its number elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation
from moodline.core.device import default_device
from moodline.core.errors import ConfigError, LabelError
from moodline.core.files import write_json
from moodline.core.labels import SAME_EMOTION, Target
from moodline.core.progress import ProgressCallback
from moodline.corpora.inspect import corpus_hash
from moodline.corpora.registry import read_corpus
from moodline.evaluation.calibration import softmax
from moodline.evaluation.metrics import classification_report, expected_calibration_error, mean_and_sd, percent
from moodline.evaluation.results import provenance
from moodline.experiments.evaluate import predict_split
from moodline.experiments.runs import Run, seed_directory
from moodline.pipeline.checkpoint import Checkpoint, load_checkpoint


def common_labels(first: Target, second: Target) -> tuple[str, ...]:
    """The common emotions of both label sets, in the order of the first.

    Raises:
        LabelError: fewer than two.
    """
    own = dict.fromkeys(SAME_EMOTION[label] for label in first.labels if label in SAME_EMOTION)
    other = {SAME_EMOTION[label] for label in second.labels if label in SAME_EMOTION}
    shared = tuple(label for label in own if label in other)
    if len(shared) < 2:
        raise LabelError(
            f"the labels of {first.name} and {second.name} have nothing in common",
            f"{', '.join(first.labels)} and {', '.join(second.labels)}",
            "Take corpora that share at least two emotions.",
        )
    return shared


def transfer(run: Run, name: str, data: Path, progress: ProgressCallback | None = None) -> dict[str, Any]:
    """Test every seed of a run on the test split of another corpus; nothing is chosen on it.

    Probabilities of classes that mean the same are added; those of classes that the other corpus lacks are left out,
    and what stays is divided by its sum. Utterances of other labels do not count.

    Args:
        run: of ``train``; its folds, if it has some, are not used: train without.
        name: the other corpus.
        data: its directory.
        progress: told about encoding.

    Returns:
        What is written to ``RUN/transfer-NAME.json``: ``labels``, ``utterances``, ``left_out``, and over seeds
        ``weighted_f1, accuracy, macro_f1, ece``; ``per_class`` of the first seed; ``constant``, the weighted F1 of the
        commonest class.

    Raises:
        ConfigError: folds, the run's own corpus, a corpus without test split.
        LabelError: no common labels; a regression has none.
        FeatureError: the other corpus lacks a modality or a feature set.
    """
    if run.recipe.folds:
        raise ConfigError(f"{run.directory}: a run with folds is not tested on another corpus", fix="Train without.")
    if name == run.recipe.corpus.name:
        raise ConfigError(f"--on takes another corpus than the run's own, {name}", fix="Leave --on out.")
    corpus = read_corpus(name, data)
    talks = corpus.splits.get("test", ())
    checkpoints = [load_checkpoint(seed_directory(run.directory, s, None), default_device()) for s in run.seeds]
    own = checkpoints[0].target
    if not talks:
        raise ConfigError(f"{data}: {name} has no test split", fix="Give a corpus with one.")
    shared = common_labels(own, corpus.labels)
    truth, kept = _truth(talks, shared)
    if not kept.any():
        raise ConfigError(f"{data}: no utterance of {name}'s test split has a common label")
    plain = [c.unlabelled() for c in talks]
    seeds = []
    for seed, checkpoint in zip(run.seeds, checkpoints, strict=True):
        p = _probabilities(checkpoint, predict_split(checkpoint, corpus, plain, progress), own, shared)[kept]
        report = classification_report(truth[kept], p.argmax(1), shared)
        seeds.append(report | {"seed": seed, "ece": percent(expected_calibration_error(p, truth[kept]))})
    share = np.bincount(truth[kept]).max() / kept.sum()
    results = {
        "recipe": run.recipe.name,
        "trained_on": run.recipe.corpus.name,
        "corpus": name,
        "labels": list(shared),
        "utterances": int(kept.sum()),
        "left_out": int((~kept).sum()),
        **{key: mean_and_sd([s[key] for s in seeds]) for key in ("weighted_f1", "accuracy", "macro_f1", "ece")},
        "constant": round(100 * float(share * 2 * share / (1 + share)), 2),
        "per_class": seeds[0]["per_class"],
        "provenance": provenance(corpus_hash(corpus), {}, {}),
    }
    write_json(run.directory / f"transfer-{name}.json", results)
    return results


def _truth(talks: Sequence[Conversation], shared: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The common class of every utterance [N], and where there is one."""
    names = [SAME_EMOTION.get(u.emotion or "", "") for c in talks for u in c]
    kept = np.array([n in shared for n in names])
    return np.array([shared.index(n) if n in shared else 0 for n in names], np.int64), kept


def _probabilities(
    checkpoint: Checkpoint, answers: Sequence[Answers], own: Target, shared: Sequence[str]
) -> NDArray[np.float64]:
    """[N, classes in common], calibrated on the run's own dev split."""
    p = softmax(np.concatenate([a.logits for a in answers]), checkpoint.calibration["temperature"])
    columns = [[c for c, label in enumerate(own.labels) if SAME_EMOTION.get(label) == name] for name in shared]
    summed = np.stack([p[:, of].sum(1) for of in columns], 1)
    return summed / np.maximum(summed.sum(1, keepdims=True), 1e-12)
