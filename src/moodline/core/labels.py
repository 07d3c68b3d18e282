"""What a corpus or a model speaks of: label sets, classes in an order, and value scales, numbers in a range.

Names are stored, never bare numbers: the same seven MELD emotions circulate in at least three orders.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from moodline.core.errors import LabelError

IGNORE = -100
"""The index of an utterance without a label; no loss and no metric sees it."""


@dataclass(frozen=True)
class LabelSet:
    """Class names in the order of a model's outputs.

    Args:
        name: a short name, e.g. ``"meld-7"``.
        labels: the class names, unique, in order.
    """

    kind: ClassVar[str] = "classes"

    name: str
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise LabelError(f"label set {self.name}: expected at least two distinct labels", list(self.labels))

    def __len__(self) -> int:
        return len(self.labels)

    def check_equal(self, other: Any, where: str) -> None:
        """Raise unless another label set has the same labels in the same order."""
        self.check_same(other.labels, where)

    @property
    def range(self) -> None:
        """Classes have no range; see ``ValueScale.range``."""
        return None

    def index(self, label: str | None) -> int:
        """The index of ``label``; ``IGNORE`` for None.

        Raises:
            LabelError: the label is not in this set.
        """
        if label is None:
            return IGNORE
        try:
            return self.labels.index(label)
        except ValueError:
            raise LabelError(
                f"label set {self.name}: unknown label '{label}'",
                fix=f"Expected one of: {', '.join(self.labels)}.",
            ) from None

    def check_same(self, other: Iterable[str], where: str) -> None:
        """Raise unless ``other`` has the same labels in the same order."""
        other = tuple(other)
        if other != self.labels:
            raise LabelError(
                f"{where}: expected the labels {', '.join(self.labels)}",
                ", ".join(other),
                "Use a checkpoint and a corpus with the same label set.",
            )


@dataclass(frozen=True)
class ValueScale:
    """The range of a regression, e.g. sentiment from −3 to 3.

    Args:
        name: a short name; that of a corpus family decides which accuracies are measured (``evaluation/metrics.py``).
        low, high: the least and the greatest value.
    """

    kind: ClassVar[str] = "scores"

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise LabelError(f"value scale {self.name}: expected low < high, both finite", [self.low, self.high])

    def __len__(self) -> int:
        """How many numbers a model answers for an utterance: one."""
        return 1

    @property
    def labels(self) -> tuple[str, ...]:
        """A scale has no classes."""
        return ()

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest value."""
        return (self.low, self.high)

    def check(self, value: float | None, where: str) -> float:
        """The value as a float, NaN for None.

        Raises:
            LabelError: it lies outside the range.
        """
        if value is None:
            return math.nan
        if not self.low <= value <= self.high:
            raise LabelError(
                f"{where}: a value of scale {self.name} lies between {self.low:g} and {self.high:g}",
                f"{value:g}",
                "Correct the value, or leave it out.",
            )
        return float(value)

    def check_equal(self, other: Any, where: str) -> None:
        """Raise unless another scale has the same range."""
        self.check_same(other, where)

    def check_same(self, other: ValueScale, where: str) -> None:
        """Raise unless ``other`` has the same range."""
        if other.range != self.range:
            raise LabelError(
                f"{where}: expected values from {self.low:g} to {self.high:g}",
                f"{other.low:g} to {other.high:g}",
                "Use a checkpoint and a corpus with the same value scale.",
            )


Target = LabelSet | ValueScale
"""What a model learns to answer."""


def check_same_target(expected: Target, found: Target, where: str) -> None:
    """Raise unless two targets have the same classes in the same order, or the same range of values."""
    if expected.kind != found.kind:
        fix = "Use another checkpoint."
        raise LabelError(f"{where}: expected a model of {expected.kind}", f"one of {found.kind}", fix)
    expected.check_equal(found, where)


# Orders as in the field's loaders; dictionaries elsewhere are made from these names.
MELD_7 = LabelSet("meld-7", ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"))
EMORYNLP_7 = LabelSet("emorynlp-7", ("joyful", "mad", "peaceful", "neutral", "sad", "powerful", "scared"))
IEMOCAP_6 = LabelSet("iemocap-6", ("happy", "sad", "neutral", "angry", "excited", "frustrated"))
SENTIMENT_2 = LabelSet("sentiment-2", ("negative", "positive"))
SENTIMENT_3 = LabelSet("sentiment-3", ("negative", "neutral", "positive"))
SENTIMENT_2_ZH = LabelSet("sentiment-2-zh", ("消极", "积极"))
SENTIMENT_3_ZH = LabelSet("sentiment-3-zh", ("消极", "中性", "积极"))
CHERMA_7 = LabelSet("cherma-7", ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"))
CHERMA_7_ZH = LabelSet("cherma-7-zh", ("愤怒", "厌恶", "恐惧", "高兴", "平静", "悲伤", "惊奇"))
RAVDESS_8 = LabelSet("ravdess-8", ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"))

SAME_EMOTION = {
    "neutral": "neutral", "calm": "neutral", "peaceful": "neutral", "none": "neutral", "no emotion": "neutral",
    "joy": "joy", "joyful": "joy", "happy": "joy", "happiness": "joy", "excited": "joy",
    "sadness": "sadness", "sad": "sadness", "anger": "anger", "angry": "anger", "mad": "anger",
    "fear": "fear", "scared": "fear", "fearful": "fear", "afraid": "fear", "disgust": "disgust",
    "disgusted": "disgust", "surprise": "surprise", "surprised": "surprise",
    "negative": "negative", "positive": "positive",
}  # fmt: skip
"""Label, as corpora and people write it, to one word for the emotion; labels that are not here (powerful, frustrated)
have no counterpart."""

_SETS = (MELD_7, EMORYNLP_7, IEMOCAP_6, SENTIMENT_2, SENTIMENT_3, SENTIMENT_2_ZH, SENTIMENT_3_ZH, CHERMA_7, CHERMA_7_ZH)
LABEL_SETS: dict[str, LabelSet] = {s.name: s for s in (*_SETS, RAVDESS_8)}

MOSI_SCALE = ValueScale("mosi", -3.0, 3.0)
SIMS_SCALE = ValueScale("sims", -1.0, 1.0)

VALUE_SCALES: dict[str, ValueScale] = {s.name: s for s in (MOSI_SCALE, SIMS_SCALE)}
