"""What an epoch is chosen by: a number of the dev set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from moodline.core.answers import Answers
from moodline.core.errors import ConfigError
from moodline.core.labels import IGNORE, Target, ValueScale
from moodline.evaluation.metrics import weighted_f1


@dataclass(frozen=True)
class Judge:
    """A number of dev answers, and which way it is better.

    Args:
        name: of the number, in histories and logs ``dev_NAME``.
        measure: from the dev answers to the number.
        sign: 1 where greater is better, −1 where less is.
    """

    name: str
    measure: Callable[[Sequence[Answers]], float]
    sign: int

    def better(self, new: float, old: float) -> bool:
        """Whether ``new`` is strictly better."""
        return self.sign * new > self.sign * old


def judge_of(target: Target) -> Judge:
    """How models that learn ``target`` are judged: classes by weighted F1 (a share), scores by mean absolute error."""
    return by_mae() if isinstance(target, ValueScale) else by_weighted_f1(len(target))


def by_weighted_f1(classes: int) -> Judge:
    """Weighted F1 as a share, the greater the better."""

    def measure(answers: Sequence[Answers]) -> float:
        labels = np.concatenate([a.labels for a in answers])
        predicted = np.concatenate([a.logits.argmax(-1) for a in answers])
        real = labels != IGNORE
        if not real.any():
            raise ConfigError("training: no dev utterance has a label", fix="Give labelled dev conversations.")
        return weighted_f1(labels[real], predicted[real], classes)

    return Judge("weighted_f1", measure, 1)


def by_mae() -> Judge:
    """Mean absolute error in units of the score, the less the better."""

    def measure(answers: Sequence[Answers]) -> float:
        truth, predicted = scored(answers)
        if not len(truth):
            raise ConfigError("training: no dev utterance has a score", fix="Give scored dev conversations.")
        return float(np.abs(predicted - truth).mean())

    return Judge("mae", measure, -1)


def scored(answers: Sequence[Answers]) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted scores of all utterances that have a true one, float64 [N] each."""
    truth = np.concatenate([a.truth for a in answers]).astype(np.float64)
    predicted = np.concatenate([a.logits[:, 0] for a in answers]).astype(np.float64)
    real = ~np.isnan(truth)
    return truth[real], predicted[real]
