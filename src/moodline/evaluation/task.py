"""The interface of ``Classification`` and ``Regression`` (``tasks.py``): everything that differs between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation, Utterance
from moodline.core.labels import LabelSet, Target, ValueScale
from moodline.evaluation.headline import HeadlineMetric
from moodline.evaluation.resampling import ResamplingUnits
from moodline.evaluation.selection import Judge

Part = tuple[Sequence[Answers], dict[str, Any]]
"""The answers of one model and its calibration."""


class Task(ABC):
    """What differs between classes and values.

    Attributes:
        key: the word for it in recipes and result files.
        annotated: what an utterance with a target is called in messages.
        headline: what its models are chosen, compared and reported by.
        alone: numbers that are reported of an expert alone.
        of_fold: numbers that are reported of a fold alone.
        dev: numbers on dev that ``train`` prints: key in files to their names.
        folder_suffix: behind a corpus's name, for the folder and page of an experiment.
        needs: what an ``experiment.json`` has beside the fields of all tasks.
        table: heads of the columns in the table of results.
        plots: names of the pictures of a run beside its learning curves.
        rows: of a result file, the lines (name, value) that ``evaluate`` prints; in the order of experts, folds, gate.
        class_rows: of a result file, class, precision, recall, F1, utterances; none for a regression.
        card_rows: of dev numbers and a calibration, the lines (name, value) of a model card.
        of_each_fold: a number of each fold that ``evaluate`` prints: its name, key and digits.
        caveat: about the calibration, for model cards.
        names: other names of ``key`` in recipes.
        smallest: sizes and range for checking a model's settings before there is data.
        answers: what its models answer, in words: the classes, or the range.
        plots_of_results: those of ``plots`` that need nothing but the result file.
        no_classes: why a claim about classes cannot be tested; empty if it can.
        about: the fields of ``Prediction`` that depend on the task.
    """

    key: ClassVar[str]
    annotated: ClassVar[str]
    headline: ClassVar[HeadlineMetric]
    alone: ClassVar[tuple[str, ...]]
    of_fold: ClassVar[tuple[str, ...]]
    dev: ClassVar[dict[str, str]]
    names: ClassVar[tuple[str, ...]]
    smallest: ClassVar[dict[str, Any]]
    folder_suffix: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    table: ClassVar[tuple[str, ...]]
    plots: ClassVar[tuple[str, ...]]
    of_each_fold: ClassVar[tuple[str, str, int]]
    caveat: ClassVar[str]
    plots_of_results: ClassVar[tuple[str, ...]] = ()
    no_classes: ClassVar[str] = ""
    answers: str
    about: dict[str, Any]

    @staticmethod
    @abstractmethod
    def target_of(labels: LabelSet, scale: ValueScale | None) -> Target | None:
        """Which of a corpus's targets it is; None where the corpus has none of this kind."""

    @abstractmethod
    def target(self, utterance: Utterance) -> str | float | None:
        """The label or value of an utterance; None where it has none."""

    @abstractmethod
    def targets(self, conversation: Conversation) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]:
        """What a model should answer: labels int64 [U], and values float32 [U], None for classes.

        Raises:
            LabelError: an emotion is not in the label set, or a value not in its range.
        """

    @abstractmethod
    def judge(self) -> Judge:
        """What an epoch is chosen by on dev."""

    @abstractmethod
    def calibrate(self, answers: Sequence[Answers]) -> dict[str, Any]:
        """What is fitted on dev: temperatures, or half widths of intervals (see ``calibration.py``)."""

    @abstractmethod
    def check_calibration(self, calibration: dict[str, Any]) -> None:
        """Raise a ValueError (or KeyError) unless the numbers of ``calibration.json`` can be used."""

    @abstractmethod
    def numbers(self, answers: Sequence[Answers], calibration: dict[str, Any]) -> dict[str, Any]:
        """The numbers of one model on one split, with ``experts`` (each alone) and ``gate_weights``.

        Args:
            answers: of every conversation.
            calibration: fitted on dev.
        """

    def fold_numbers(self, answers: Sequence[Answers], calibration: dict[str, Any]) -> dict[str, Any]:
        """The few numbers that are reported of a single fold."""
        numbers = self.numbers(answers, calibration)
        return {name: numbers[name] for name in self.of_fold}

    @abstractmethod
    def summary(
        self, seeds: list[dict[str, Any]], predictions: Sequence[Sequence[Answers]], units: ResamplingUnits
    ) -> dict[str, Any]:
        """The fields of ``results.json`` from ``labels`` on: the target, seeds, mean and sd over them, interval.

        Args:
            seeds: for each seed ``{"seed", "best_epoch", "dev", "test"}``.
            predictions: for each seed its answers on test, conversations in the same order.
            units: what the interval draws.
        """

    @abstractmethod
    def together(self, parts: Sequence[Part]) -> tuple[list[Answers], dict[str, Any]]:
        """The answers of several models, each calibrated by its own, as those of one; and the calibration for them."""

    @abstractmethod
    def true_column(self, answers: Sequence[Answers]) -> list[Any]:
        """The true label or value of every utterance for ``predictions.parquet``, None where there is none."""

    @abstractmethod
    def columns(self, name: str, probability: str, logits: NDArray[Any]) -> dict[str, Any]:
        """The columns of the mixture or of one expert for ``predictions.parquet``.

        Args:
            name: of the column of labels or values.
            probability: how columns of probabilities begin.
            logits: [N, C]; of a regression [N, 1], the values.
        """

    @abstractmethod
    def metadata(self) -> tuple[str, list[Any]]:
        """The entry of the file's metadata that says what the target is: its key, and JSON content."""

    def check_threshold(self, model: str, abstain_below: float) -> None:  # noqa: B027  (most tasks allow it)
        """Raise a ConfigError if answers have no confidence to abstain by."""

    @abstractmethod
    def predict(self, found: Answers, calibration: dict[str, Any], abstain_below: float) -> list[dict[str, Any]]:
        """For each utterance the fields of ``UtterancePrediction`` that depend on the task, calibrated.

        Args:
            found: of one conversation.
            calibration: of the model.
            abstain_below: the confidence below which a classification abstains.
        """

    @abstractmethod
    def parts(self) -> tuple[str, str, dict[str, Any]]:
        """The target in a checkpoint: the file of the other task, the file of this one, and its content."""

    @staticmethod
    @abstractmethod
    def common_sums(a: Any, b: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """What adds up over conversations [S, G, …], for two runs tested on the same utterances.

        Raises:
            ValueError: the utterances or their targets differ.
        """

    @staticmethod
    @abstractmethod
    def table_row(results: Mapping[str, Any]) -> list[str]:
        """The cells of a result file in the table of results, without recipe, seeds and minutes."""

    @staticmethod
    @abstractmethod
    def rows(results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """See the attributes of the class."""

    @staticmethod
    def class_rows(results: Mapping[str, Any]) -> list[tuple[str, str, str, str, int]]:
        """See the attributes of the class."""
        return []

    @staticmethod
    @abstractmethod
    def card_rows(dev: Mapping[str, Any], calibration: Mapping[str, Any]) -> list[tuple[str, str]]:
        """See the attributes of the class."""
