"""How the answers of a model are shown: emotions with probabilities, or values with intervals.

Every output format asks the presentation of a prediction (``presentation_of``) and does not distinguish the two tasks.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from moodline.core.labels import ValueScale
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.transcripts.tiers import CONFIDENCE, EMOTION, INTERVAL, SCORE

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

STYLES: dict[str, tuple[str, ...]] = {
    "yellow": ("joy", "joyful", "happy", "happiness", "excited"),
    "blue": ("sad", "sadness"),
    "red": ("anger", "angry", "mad", "negative"),
    "dark_orange": ("frustrated", "frustration"),
    "magenta": ("fear", "fearful", "scared"),
    "cyan": ("surprise", "surprised"),
    "green": ("disgust", "disgusted", "positive"),
    "bright_green": ("powerful",),
    "bright_blue": ("calm", "peaceful"),
    "dim": ("neutral",),
}
"""Colour to the emotions that are shown in it; others stay plain. The word always stands beside the colour."""

_STYLE_OF = {emotion: style for style, emotions in STYLES.items() for emotion in emotions}
_UNWRITABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff\ufffe\uffff]")
_BAR = 8  # characters of a full confidence bar
_HALF = 5  # of a bar of values, on either side of the middle
_MOST = 4  # emotions named in a line of the summary

TierText = tuple[str, Callable[[UtterancePrediction], str]]
"""The end of a tier's name, and what is on it."""


class Presentation(ABC):
    """What output formats show of the answers.

    Attributes:
        heads: of the two columns in the terminal.
        mood: the kind of picture that shows the mood line.
    """

    heads: ClassVar[tuple[str, str]]
    mood: ClassVar[str]

    @abstractmethod
    def cells(self, u: UtterancePrediction) -> tuple[RenderableType, RenderableType]:
        """The two cells of an utterance in the terminal."""

    @abstractmethod
    def speaker(self, own: Sequence[UtterancePrediction]) -> Text:
        """The mood of one speaker's utterances on one line."""

    @abstractmethod
    def tiers(self) -> tuple[TierText, TierText]:
        """The two tiers that stand below a speaker's turns in Praat and ELAN."""

    @abstractmethod
    def caption(self, u: UtterancePrediction) -> str:
        """The answer in subtitles, in few characters."""

    @abstractmethod
    def row(self, u: UtterancePrediction, labels: Sequence[str], experts: Sequence[str]) -> dict[str, Any]:
        """The columns of CSV and Parquet that depend on the task; numbers to four decimals.

        Args:
            u: the utterance.
            labels, experts: of all predictions in the file, so that all rows have the same columns.
        """

    @abstractmethod
    def turn(self, u: UtterancePrediction, labels: Sequence[str], experts: Sequence[str]) -> dict[str, Any]:
        """The fields of a turn in the data of the HTML page that depend on the task, see ``html/data.py``."""


class Emotions(Presentation):
    """Classes with probabilities."""

    heads = ("emotion", "confidence")
    mood = "shades"

    def cells(self, u: UtterancePrediction) -> tuple[RenderableType, RenderableType]:
        """The emotion in its colour, ``?`` behind it where the model abstained; the confidence as a bar."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        emotion = Text(clean(u.emotion) + ("?" if u.abstained else ""), _STYLE_OF.get(u.emotion.lower(), ""))
        style = "dim" if u.abstained else "default"
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=_BAR)
        grid.add_column(justify="right", width=4)
        bar = ProgressBar(total=1.0, completed=u.confidence, width=_BAR, complete_style=style, finished_style=style)
        grid.add_row(bar, f"{u.confidence:.0%}")
        return emotion, grid

    def speaker(self, own: Sequence[UtterancePrediction]) -> Text:
        """The shares of the emotions, the largest first; abstained utterances count as ``unsure``."""
        from rich.text import Text

        shares = Counter("unsure" if u.abstained else u.emotion for u in own).most_common()
        shown = shares if len(shares) <= _MOST + 1 else shares[:_MOST]
        parts = [
            Text(f"{clean(emotion)} {n / len(own):.0%}", _STYLE_OF.get(emotion.lower(), "")) for emotion, n in shown
        ]
        if rest := sum(n for _, n in shares[len(shown) :]):
            parts.append(Text(f"other {rest / len(own):.0%}"))
        return Text(" · ").join(parts)

    def tiers(self) -> tuple[TierText, TierText]:
        """Emotion and confidence."""
        return (EMOTION, emotion), (CONFIDENCE, lambda u: f"{u.confidence:.2f}")

    def caption(self, u: UtterancePrediction) -> str:
        """``joy 0.81``, with ``?`` behind the emotion if abstained."""
        return f"{u.emotion}{'?' if u.abstained else ''} {u.confidence:.2f}"

    def row(self, u: UtterancePrediction, labels: Sequence[str], experts: Sequence[str]) -> dict[str, Any]:
        """``emotion, confidence, abstained`` and ``probability_<label>``."""
        probabilities = {f"probability_{label}": rounded(u.probabilities.get(label), 4) for label in labels}
        return {"emotion": u.emotion, "confidence": round(u.confidence, 4), "abstained": u.abstained} | probabilities

    def turn(self, u: UtterancePrediction, labels: Sequence[str], experts: Sequence[str]) -> dict[str, Any]:
        """The label's number."""
        return {"e": list(labels).index(u.emotion)}


class Values(Presentation):
    """Values with intervals.

    Args:
        scale: name and range.
    """

    heads = ("score", "true score expected in")
    mood = "line"

    def __init__(self, scale: ValueScale) -> None:
        self.scale = scale

    def cells(self, u: UtterancePrediction) -> tuple[RenderableType, RenderableType]:
        """A bar from the middle of the range to the value, and the value; the interval."""
        from rich.text import Text

        value, scale = u.value or 0.0, self.scale
        share = (2 * value - scale.low - scale.high) / (scale.high - scale.low)
        bar = "█" * min(_HALF, round(abs(share) * _HALF))
        sides = (bar.rjust(_HALF), " " * _HALF) if share < 0 else (" " * _HALF, bar.ljust(_HALF))
        style = "red" if share < 0 else "green"
        drawn = Text.assemble((sides[0], style), ("│", "dim"), (sides[1], style), f" {signed_value(value):>5}")
        return drawn, interval(u)

    def speaker(self, own: Sequence[UtterancePrediction]) -> Text:
        """The mean value, the lowest and the highest."""
        from rich.text import Text

        values = [u.value or 0.0 for u in own]
        mean, low, high = (signed_value(x) for x in (sum(values) / len(values), min(values), max(values)))
        return Text(f"mean {mean}, from {low} to {high}")

    def tiers(self) -> tuple[TierText, TierText]:
        """Value and interval."""
        return (SCORE, lambda u: signed_value(u.value or 0.0)), (INTERVAL, interval)

    def caption(self, u: UtterancePrediction) -> str:
        """``+1.20``."""
        return signed_value(u.value or 0.0)

    def row(self, u: UtterancePrediction, labels: Sequence[str], experts: Sequence[str]) -> dict[str, Any]:
        """``value, value_low, value_high`` and ``value_<expert>``."""
        low, high = u.interval or (None, None)
        row = {"value": rounded(u.value, 4), "value_low": rounded(low, 4), "value_high": rounded(high, 4)}
        return row | {f"value_{expert}": rounded(u.expert_values.get(expert), 4) for expert in experts}

    def turn(self, u: UtterancePrediction, labels: Sequence[str], experts: Sequence[str]) -> dict[str, Any]:
        """No label; the value, the interval and each expert's value."""
        value = u.value or 0.0
        return {
            "e": -1,
            "v": round(value, 4),
            "r": [round(x, 4) for x in u.interval or (value, value)],
            "y": [rounded(u.expert_values.get(e), 4) for e in experts],
        }


def presentation_of(prediction: Prediction) -> Presentation:
    """How the answers of a prediction are shown."""
    return Emotions() if prediction.scale is None else Values(prediction.scale)


def signed_value(value: float) -> str:
    """A value with its sign and two decimals: ``+1.20``; 0 has none."""
    return f"{value:+.2f}" if round(value, 2) else "0.00"


def interval(u: UtterancePrediction) -> str:
    """The interval in which the true value is expected: ``-0.30 … +2.70``."""
    return "…" if u.interval is None else " … ".join(signed_value(x) for x in u.interval)


def emotion(u: UtterancePrediction) -> str:
    """The label of an emotion tier: ``joy``, or ``joy?`` where the recognizer abstained."""
    return line(u.emotion) + ("?" if u.abstained else "")


def rounded(value: float | None, digits: int) -> float | None:
    """The number rounded; None stays None."""
    return None if value is None else round(value, digits)


def line(text: str) -> str:
    """The text on one line, without characters that annotation formats cannot hold."""
    return " ".join(_UNWRITABLE.sub("�", text).split()) or "…"


def clean(text: str) -> str:
    """The text on one line, without characters that could steer the terminal."""
    return "".join(c for c in " ".join(text.split()) if unicodedata.category(c) not in ("Cc", "Cs"))
