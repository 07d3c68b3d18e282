"""What a model learns: classes (``Classification``) or a value (``Regression``), and all that differs between them.

Everything else asks one of these two objects: for the targets of a conversation, the number an epoch is chosen by,
the calibration on dev, the numbers of a test, the summary over seeds, the columns of files and tables, and the plots.
``task_of`` gives the object of a target, ``TASKS`` its class by the word that recipes and result files store.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError
from moodline.core.labels import IGNORE, LabelSet, Target, ValueScale
from moodline.evaluation.calibration import SHOWN, calibrate, calibrate_intervals, softmax
from moodline.evaluation.classification_results import (
    CLASS_TABLE,
    class_card_rows,
    class_result_rows,
    class_table_row,
    classification_numbers,
    per_class_rows,
    summarize_classes,
)
from moodline.evaluation.headline import MEAN_ABSOLUTE_ERROR, WEIGHTED_F1
from moodline.evaluation.metrics import clustered_confusions, clustered_errors
from moodline.evaluation.regression_results import (
    VALUE_TABLE,
    regression_numbers,
    summarize_values,
    value_card_rows,
    value_result_rows,
    value_table_row,
)
from moodline.evaluation.resampling import ResamplingUnits
from moodline.evaluation.selection import Judge, judge_by_error, judge_by_weighted_f1, true_and_predicted, true_values
from moodline.evaluation.task import Part, Task


class Classification(Task):
    """Emotions as classes.

    Args:
        labels: the label set.
    """

    key = "classes"
    annotated = "labelled"
    headline = WEIGHTED_F1
    alone = ("weighted_f1", "accuracy", "macro_f1")
    of_fold = (*alone, "ece", "utterances")
    dev: ClassVar = {"weighted_f1": "weighted F1", "accuracy": "accuracy"}
    names = ("classification",)
    smallest: ClassVar = {"classes": 2}
    folder_suffix = ""
    needs = ("per_class",)
    table = CLASS_TABLE
    plots = plots_of_results = ("confusion", "per-class-f1", "gate-weights")
    of_each_fold = ("accuracy in each fold", "accuracy", 1)
    caveat = "Confidence is calibrated on the dev set of the same corpus; elsewhere it is optimistic."
    table_row = staticmethod(class_table_row)
    rows = staticmethod(class_result_rows)
    class_rows = staticmethod(per_class_rows)
    card_rows = staticmethod(class_card_rows)

    def __init__(self, labels: LabelSet) -> None:
        self.labels, self.about = labels, {}
        self.answers = ", ".join(labels.labels)

    @staticmethod
    def target_of(labels: LabelSet, scale: ValueScale | None) -> LabelSet:
        """The label set."""
        return labels

    def target(self, utterance: Utterance) -> str | None:
        """Its emotion."""
        return utterance.emotion

    def targets(self, conversation: Conversation) -> tuple[NDArray[np.int64], None]:
        """Class indices, ``IGNORE`` where unlabelled."""
        return np.array([self.labels.index(u.emotion) for u in conversation], np.int64), None

    def judge(self) -> Judge:
        """Weighted F1, as a share."""
        return judge_by_weighted_f1(len(self.labels))

    def calibrate(self, answers: Sequence[Answers]) -> dict[str, Any]:
        """One temperature for the mixture and one for each expert."""
        labels = np.concatenate([a.labels for a in answers])
        real = labels != IGNORE
        experts = {n: np.concatenate([a.experts[n] for a in answers])[real] for n in answers[0].experts}
        return calibrate(np.concatenate([a.logits for a in answers])[real], experts, labels[real])

    def check_calibration(self, calibration: dict[str, Any]) -> None:
        """Temperatures are positive, the confidence to abstain below is a share."""
        temperatures = [calibration["temperature"], *calibration["experts"].values()]
        if not all(0 < float(t) < math.inf for t in temperatures):
            raise ValueError("the temperatures of calibration.json must be positive")
        if not 0 <= float(calibration.get("abstain", {}).get("confidence", 0.0)) <= 1:
            raise ValueError("abstain.confidence of calibration.json must lie between 0 and 1")

    def numbers(self, answers: Sequence[Answers], calibration: dict[str, Any]) -> dict[str, Any]:
        """See ``classification_numbers``."""
        return classification_numbers(answers, self.labels, calibration, self.alone)

    def summary(
        self, seeds: list[dict[str, Any]], predictions: Sequence[Sequence[Answers]], units: ResamplingUnits
    ) -> dict[str, Any]:
        """See ``summarize_classes``."""
        return summarize_classes(self.labels, self.headline, self.alone, seeds, predictions, units)

    def together(self, parts: Sequence[Part]) -> tuple[list[Answers], dict[str, Any]]:
        """Logits divided by their own model's temperature, so that they compare; none is left to divide by."""
        divided = [
            replace(a, logits=a.logits / calibration["temperature"]) for answers, calibration in parts for a in answers
        ]
        return divided, {"temperature": 1.0, "experts": {}}

    def true_column(self, answers: Sequence[Answers]) -> list[Any]:
        """Names of classes."""
        return [None if y == IGNORE else self.labels.labels[y] for a in answers for y in a.labels]

    def columns(self, name: str, probability: str, logits: NDArray[Any]) -> dict[str, Any]:
        """The class, and the probability of each, not calibrated."""
        p = softmax(logits).astype(np.float32)
        columns: dict[str, Any] = {name: [self.labels.labels[y] for y in logits.argmax(-1)]}
        return columns | {f"{probability}:{label}": p[:, c] for c, label in enumerate(self.labels.labels)}

    def metadata(self) -> tuple[str, list[Any]]:
        """The names of the classes."""
        return "moodline.labels", list(self.labels.labels)

    def predict(self, found: Answers, calibration: dict[str, Any], abstain_below: float) -> list[dict[str, Any]]:
        """Probabilities, the highest first, the experts' too, and whether to abstain."""
        labels = self.labels.labels
        mixture = softmax(found.logits, calibration["temperature"])
        experts = {n: softmax(z, calibration["experts"].get(n, 1.0)) for n, z in found.experts.items()}
        return [
            {
                "probabilities": {labels[c]: float(p[c]) for c in np.argsort(-p, kind="stable")},
                "abstained": bool(p.max() < abstain_below),
                "experts": {n: dict(zip(labels, map(float, own[u]), strict=True)) for n, own in experts.items()},
            }
            for u, p in enumerate(mixture)
        ]

    def parts(self) -> tuple[str, str, dict[str, Any]]:
        """``labels.json``."""
        return "scores.json", "labels.json", {"name": self.labels.name, "labels": list(self.labels.labels)}

    @staticmethod
    def common_sums(a: Any, b: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Confusion counts [S, G, C, C] over the classes of both runs."""
        truth = [a.labels[y] for y in a.truth]
        if a.utterances != b.utterances or truth != [b.labels[y] for y in b.truth]:
            raise ValueError("different utterances or labels")
        names = sorted({*a.labels, *b.labels})
        index = {name: i for i, name in enumerate(names)}

        def counts(run: Any) -> NDArray[np.int64]:
            of = np.array([index[name] for name in run.labels])
            return clustered_confusions(of[run.truth], of[run.predicted], a.clusters, len(names))

        return counts(a), counts(b)


class Regression(Task):
    """A value, such as sentiment from −3 to 3.

    Args:
        scale: name and range of the values.
    """

    key = "scores"
    annotated = "scored"
    headline = MEAN_ABSOLUTE_ERROR
    alone = ("mae", "corr")
    of_fold = (*alone, "utterances")
    dev: ClassVar = {"mae": "mean absolute error", "corr": "correlation"}
    names = ("regression",)
    smallest: ClassVar = {"classes": 1, "value_range": (-1.0, 1.0)}
    folder_suffix = "-scores"
    needs = ("scale",)
    table = VALUE_TABLE
    plots = ("agreement", "errors")
    of_each_fold = ("error in each fold", "mae", 3)
    caveat = "Intervals come from the errors on the dev set of the same corpus; elsewhere they are too narrow."
    no_classes = "the recipe learns scores, there are no classes"
    table_row = staticmethod(value_table_row)
    rows = staticmethod(value_result_rows)
    card_rows = staticmethod(value_card_rows)

    def __init__(self, scale: ValueScale) -> None:
        self.scale, self.about = scale, {"scale": scale, "level": SHOWN}
        self.answers = f"from {scale.low:g} to {scale.high:g}"

    def check_threshold(self, model: str, abstain_below: float) -> None:
        """A value has an interval, but no confidence."""
        raise ConfigError(
            f"model {model} answers with values, so it has no confidence to abstain below",
            abstain_below,
            "Leave the threshold out; each value comes with an interval.",
        )

    @staticmethod
    def target_of(labels: LabelSet, scale: ValueScale | None) -> ValueScale | None:
        """The scale."""
        return scale

    def target(self, utterance: Utterance) -> float | None:
        """Its value."""
        return utterance.value

    def targets(self, conversation: Conversation) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """No label, and values in the corpus's range, NaN where there is none."""
        values = np.array([self.scale.check(u.value, f"utterance {u.id}") for u in conversation], np.float32)
        return np.full(len(values), IGNORE, np.int64), values

    def judge(self) -> Judge:
        """Mean absolute error, in units of the value."""
        return judge_by_error()

    def calibrate(self, answers: Sequence[Answers]) -> dict[str, Any]:
        """Half widths of intervals, from the errors."""
        return calibrate_intervals(*true_and_predicted(answers))

    def check_calibration(self, calibration: dict[str, Any]) -> None:
        """Half widths are numbers from 0 on."""
        widths = calibration["half_widths"].values()
        if not widths or not all(0 <= float(w) < math.inf for w in widths):
            raise ValueError("the half_widths of calibration.json must be numbers from 0 on")

    def numbers(self, answers: Sequence[Answers], calibration: dict[str, Any]) -> dict[str, Any]:
        """See ``regression_numbers``."""
        return regression_numbers(answers, self.scale, calibration, self.alone)

    def summary(
        self, seeds: list[dict[str, Any]], predictions: Sequence[Sequence[Answers]], units: ResamplingUnits
    ) -> dict[str, Any]:
        """See ``summarize_values``."""
        return {"task": self.key} | summarize_values(self.scale, self.headline, seeds, predictions, units)

    def together(self, parts: Sequence[Part]) -> tuple[list[Answers], dict[str, Any]]:
        """Values as they are, and the half widths of each utterance's own model."""
        counts = [sum(int((~np.isnan(true_values([a]))).sum()) for a in answers) for answers, _ in parts]
        widths = {
            level: np.repeat([calibration["half_widths"][level] for _, calibration in parts], counts)
            for level in parts[0][1]["half_widths"]
        }
        return [a for answers, _ in parts for a in answers], {"half_widths": widths}

    def true_column(self, answers: Sequence[Answers]) -> list[Any]:
        """Values."""
        return [None if np.isnan(y) else float(y) for y in true_values(answers)]

    def columns(self, name: str, probability: str, logits: NDArray[Any]) -> dict[str, Any]:
        """The value alone."""
        return {name: logits[:, 0].astype(np.float32)}

    def metadata(self) -> tuple[str, list[Any]]:
        """Name and range of the scale."""
        return "moodline.scale", [self.scale.name, self.scale.low, self.scale.high]

    def predict(self, found: Answers, calibration: dict[str, Any], abstain_below: float) -> list[dict[str, Any]]:
        """The value and its interval, the experts' values too, all cut off at the ends of the range."""
        half = float(calibration["half_widths"][str(SHOWN)])

        def within(value: float) -> float:
            return min(max(float(value), self.scale.low), self.scale.high)

        return [
            {
                "probabilities": {},
                "abstained": False,
                "experts": {},
                "value": within(value),
                "interval": (within(value - half), within(value + half)),
                "expert_values": {n: within(own[u, 0]) for n, own in found.experts.items()},
            }
            for u, value in enumerate(found.logits[:, 0].astype(np.float64))
        ]

    def parts(self) -> tuple[str, str, dict[str, Any]]:
        """``scores.json``."""
        content = {"name": self.scale.name, "low": self.scale.low, "high": self.scale.high}
        return "labels.json", "scores.json", content

    @staticmethod
    def common_sums(a: Any, b: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Sums of absolute errors and their number [S, G, 2]."""
        if a.utterances != b.utterances or not np.array_equal(a.truth, b.truth):
            raise ValueError("different utterances or values")
        return clustered_errors(a.truth, a.predicted, a.clusters), clustered_errors(b.truth, b.predicted, b.clusters)


TASKS: dict[str, type[Task]] = {kind.key: kind for kind in (Classification, Regression)}
"""By the word that recipes and result files store."""


def task_of(target: Target) -> Task:
    """The task of a target."""
    return Regression(target) if isinstance(target, ValueScale) else Classification(target)


def task_in(data: Mapping[str, Any]) -> type[Task]:
    """The task of a result file or an ``experiment.json``; files of classes do not name it."""
    return TASKS[str(data.get("task", Classification.key))]


def task_key(name: Any) -> Any:
    """The word that recipes and results store for a task's name; anything else as it is."""
    return next((key for key, kind in TASKS.items() if name in kind.names), name)


def any_target(task: Task, conversations: Iterable[Conversation]) -> bool:
    """True if at least one utterance has a target."""
    return any(task.target(u) is not None for c in conversations for u in c)
