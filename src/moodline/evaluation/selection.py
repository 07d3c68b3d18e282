"""What an epoch is chosen by: a number of the dev set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from moodline.core.answers import Answers
from moodline.core.errors import ConfigError
from moodline.core.labels import IGNORE
from moodline.evaluation.headline import MEAN_ABSOLUTE_ERROR, WEIGHTED_F1, HeadlineMetric
from moodline.evaluation.metrics import weighted_f1


@dataclass(frozen=True)
class Judge:
    """A number of dev answers, and which way it is better.

    Args:
        metric: what the number is; in histories and logs it is ``dev_KEY``.
        measure: from the dev answers to the number, before ``metric.unit.factor``.
    """

    metric: HeadlineMetric
    measure: Callable[[Sequence[Answers]], float]

    @property
    def name(self) -> str:
        """The key of the metric."""
        return self.metric.key

    def better(self, new: float, old: float) -> bool:
        """True if ``new`` is strictly better."""
        return self.metric.unit.sign * new > self.metric.unit.sign * old


def judge_by_weighted_f1(classes: int) -> Judge:
    """Weighted F1 as a share, the greater the better."""

    def measure(answers: Sequence[Answers]) -> float:
        labels = np.concatenate([a.labels for a in answers])
        predicted = np.concatenate([a.logits.argmax(-1) for a in answers])
        real = labels != IGNORE
        if not real.any():
            raise ConfigError("training: no dev utterance has a label", fix="Give labelled dev conversations.")
        return weighted_f1(labels[real], predicted[real], classes)

    return Judge(WEIGHTED_F1, measure)


def judge_by_error() -> Judge:
    """Mean absolute error in units of the value, the less the better."""

    def measure(answers: Sequence[Answers]) -> float:
        truth, predicted = true_and_predicted(answers)
        if not len(truth):
            raise ConfigError("training: no dev utterance has a value", fix="Give dev conversations with values.")
        return float(np.abs(predicted - truth).mean())

    return Judge(MEAN_ABSOLUTE_ERROR, measure)


def true_and_predicted(answers: Sequence[Answers]) -> tuple[np.ndarray, np.ndarray]:
    """True and predicted values of all utterances that have a true one, float64 [N] each."""
    truth = true_values(answers).astype(np.float64)
    predicted = np.concatenate([a.logits[:, 0] for a in answers]).astype(np.float64)
    real = ~np.isnan(truth)
    return truth[real], predicted[real]


def true_values(answers: Sequence[Answers]) -> NDArray[np.float32]:
    """The true values of a regression, float32 [N], NaN where there is none."""
    return np.concatenate(cast("list[NDArray[np.float32]]", [a.targets for a in answers]))
