"""What the recognizer answers, ready to be shown or written to a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodline.core.labels import ValueScale

FORMAT = 2
"""The version of ``Prediction.to_dict``; version 1, without a number, had ``scores`` for ``probabilities``."""


@dataclass(frozen=True)
class UtterancePrediction:
    """The emotion of one utterance, or its value.

    Args:
        id, speaker, start, end, text: the utterance's own.
        probabilities: label to calibrated probability, highest first; sums to 1. Empty for a regression.
        abstained: True where the confidence is below the threshold: the caller's, else the model's own, if it has one.
        experts: expert name ("speech", "text", "visual", "fusion") to its own label-to-probability mapping.
        weights: expert name to gate weight; sums to 1.
        modalities: which of the model's modalities the utterance had ("speech", "text", "visual").
        uncertainty: modality that the utterance had to the model's σ of it, larger for less certain; empty where the
            model has none. Comparable within a model and a modality only.
        attention: modality that the utterance had to the model's reasoning steps, each the utterances it looked at
            most, (id, weight), the largest first; empty where the model does not reason.
        guides: part inside the model (EGMF's experts) to how much it counted; empty for most models.
        value: the answer of a regression; None for classes.
        interval: the ends between which the true value is expected, see ``Prediction.level``.
        expert_values: expert name to its own value.
    """

    id: str
    speaker: str | None
    start: float | None
    end: float | None
    text: str | None
    probabilities: dict[str, float]
    abstained: bool
    experts: dict[str, dict[str, float]]
    weights: dict[str, float]
    modalities: tuple[str, ...] = ()
    uncertainty: dict[str, float] = field(default_factory=dict)
    attention: dict[str, tuple[tuple[tuple[str, float], ...], ...]] = field(default_factory=dict)
    value: float | None = None
    interval: tuple[float, float] | None = None
    expert_values: dict[str, float] = field(default_factory=dict)
    guides: dict[str, float] = field(default_factory=dict)

    @property
    def emotion(self) -> str:
        """The label with the highest probability; empty for a regression."""
        return next(iter(self.probabilities), "")

    @property
    def confidence(self) -> float:
        """The calibrated probability of ``emotion``; 0 for a regression."""
        return next(iter(self.probabilities.values()), 0.0)

    def to_dict(self) -> dict[str, Any]:
        """One object of the result format, numbers to four decimals; the last three fields only where there are any."""
        more: dict[str, Any] = {}
        if self.uncertainty:
            more["uncertainty"] = {m: round(s, 4) for m, s in self.uncertainty.items()}
        if self.attention:
            more["attention"] = {
                m: [[{"id": i, "weight": round(w, 4)} for i, w in step] for step in steps]
                for m, steps in self.attention.items()
            }
        if self.guides:
            more["guides"] = {name: round(x, 4) for name, x in self.guides.items()}
        said: dict[str, Any]
        if self.value is None:
            said = {
                "emotion": self.emotion,
                "confidence": round(self.confidence, 4),
                "abstained": self.abstained,
                "probabilities": [{"label": k, "probability": round(v, 4)} for k, v in self.probabilities.items()],
                "experts": {e: {k: round(v, 4) for k, v in s.items()} for e, s in self.experts.items()},
            }
        else:
            said = {
                "value": round(self.value, 4),
                "interval": None if self.interval is None else [round(x, 4) for x in self.interval],
                "experts": {e: round(s, 4) for e, s in self.expert_values.items()},
            }
        return {
            "id": self.id,
            "speaker": self.speaker,
            "start": self.start,
            "end": self.end,
            "text": self.text,
            **said,
            "weights": {e: round(w, 4) for e, w in self.weights.items()},
            "modalities": list(self.modalities),
        } | more


@dataclass(frozen=True)
class Prediction:
    """The mood line of one conversation.

    Args:
        conversation: the conversation's id.
        model: the model's name.
        version: the version of Moodline that answered.
        labels: the label set, in the model's order.
        utterances: one prediction per utterance, in order.
        media: the recording that was analyzed, as the user named it; None for a transcript alone.
        sound: a sound file of the whole recording that ``media.audio`` reads (``media`` itself, or what was decoded
            from it), for waveforms and playback; None if there is none.
        notes: what the reader should know, one sentence each (another language, clipped sound, …).
        scale: of the values of a regression; None for classes.
        level: the share of true values that the intervals should hold, from the errors on dev; None for classes.
    """

    conversation: str
    model: str
    version: str
    labels: tuple[str, ...]
    utterances: tuple[UtterancePrediction, ...]
    media: Path | None = None
    sound: Path | None = None
    notes: tuple[str, ...] = ()
    scale: ValueScale | None = None
    level: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The whole result: format, model name and version once, then the utterances."""
        return {
            "format": FORMAT,
            "conversation": self.conversation,
            "media": None if self.media is None else str(self.media),
            "model": self.model,
            "version": self.version,
            "labels": list(self.labels),
            "scale": None if self.scale is None else {"low": self.scale.low, "high": self.scale.high},
            "interval_level": self.level,
            "notes": list(self.notes),
            "utterances": [u.to_dict() for u in self.utterances],
        }
