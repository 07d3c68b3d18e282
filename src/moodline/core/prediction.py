"""What the recognizer answers, ready to be shown or written to a file."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodline.core.conversation import Event
from moodline.core.errors import MissingDependencyError
from moodline.core.labels import SAME_EMOTION, ValueScale

if TYPE_CHECKING:
    import pandas as pd

FIRM = 0.5
"""The probability from which an expert's own answer counts as a contradiction of another's."""
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

    @property
    def contradiction(self) -> dict[str, str]:
        """What voice and words say by themselves where they contradict each other, e.g. voice: anger, words: neutral.

        Empty where one of them is missing, where both say the same, and where the voice shows nothing (it is neutral,
        or no emotion has half of its probability): a flat voice contradicts no words.
        """
        voice, words = self.experts.get("speech"), self.experts.get("text")
        if not voice or not words or not {"speech", "text"} <= set(self.modalities):
            return {}
        said = {"voice": max(voice, key=voice.__getitem__), "words": max(words, key=words.__getitem__)}
        shown, written = (SAME_EMOTION.get(label, label) for label in said.values())
        shows = shown != "neutral" and voice[said["voice"]] >= FIRM
        return said if shows and shown != written else {}

    def to_dict(self) -> dict[str, Any]:
        """One object of the result format, numbers to four decimals; the last four fields only where there are any."""
        more: dict[str, Any] = {}
        if self.contradiction:
            more["contradiction"] = self.contradiction
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
        licence: of the model's weights; empty where it is not recorded.
        limits: what the model learnt from, in a sentence; empty where it is not recorded.
        events: what is no speech (sounds, music, gestures), which was not judged.
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
    licence: str = ""
    limits: str = ""
    events: tuple[Event, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The whole result: format, model name and version once, then the utterances, and events if there are any."""
        return {
            "format": FORMAT,
            "conversation": self.conversation,
            "media": None if self.media is None else str(self.media),
            "model": self.model,
            "version": self.version,
            "licence": self.licence or None,
            "limits": self.limits or None,
            "labels": list(self.labels),
            "scale": self._answers.scale(self),
            "interval_level": self.level,
            "notes": list(self.notes),
            "utterances": [u.to_dict() for u in self.utterances],
        } | ({"events": [event.to_dict() for event in self.events]} if self.events else {})

    def to_dataframe(self) -> pd.DataFrame:
        """A table with one row for each utterance, indexed as audformat's segmented index is.

        Returns:
            Index ``file`` (string; the recording, or the conversation's id where there is none), ``start`` and ``end``
            (timedelta64[ns], NaT where unknown). Columns: conversation, id, speaker, text, emotion, confidence,
            abstained, then ``probability_<label>`` for each label in the model's order, ``voice`` and ``words``, filled
            in where they contradict each other, if the model reads both, ``weight_<expert>``,
            ``uncertainty_<modality>`` and ``guide_<part>`` where the model has them; numbers are not rounded. Of a
            regression, ``value, value_low, value_high`` and ``value_<expert>`` in place of emotion, confidence,
            abstained and the probabilities. These are the columns of the CSV file.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingDependencyError("pandas", "pandas", "Prediction.to_dataframe") from None
        names = ["file", "start", "end"]
        file = self.conversation if self.media is None else str(self.media)
        times = [
            pd.to_timedelta([getattr(u, name) for u in self.utterances], unit="s").astype("timedelta64[ns]")
            for name in names[1:]
        ]
        files = pd.array([file] * len(self.utterances), dtype="string")
        index = pd.MultiIndex.from_arrays([files, *times], names=names)
        return pd.DataFrame(self._columns(), index=index)

    @property
    def terms(self) -> str:
        """Limits and licence of the model in one line; empty where neither is recorded."""
        return " ".join(filter(None, (self.limits, f"Licence: {self.licence}." if self.licence else "")))

    @property
    def _answers(self) -> _Emotions | _Values:
        """What of the tables and JSON depends on the task."""
        return _Emotions() if self.scale is None else _Values()

    def _columns(self) -> dict[str, list[Any]]:
        """Column name to its values, one for each utterance, see ``to_dataframe``."""
        rows = self.utterances
        columns: dict[str, list[Any]] = {
            "conversation": [self.conversation] * len(rows),
            "id": [u.id for u in rows],
            "speaker": [u.speaker for u in rows],
            "text": [u.text for u in rows],
        }
        columns |= self._answers.columns(self)
        if {"speech", "text"} <= {expert for u in rows for expert in u.weights}:
            columns |= {name: [u.contradiction.get(name) for u in rows] for name in ("voice", "words")}
        for prefix, field_name in (("weight", "weights"), ("uncertainty", "uncertainty"), ("guide", "guides")):
            given = [getattr(u, field_name) for u in rows]
            columns |= {f"{prefix}_{name}": [x.get(name) for x in given] for name in _names(given)}
        return columns

    def _repr_html_(self) -> str:
        """The mood line as a table of a notebook: emotion with a bar of its confidence, or value, and the experts."""
        timed = any(u.start is not None for u in self.utterances)
        speakers = any(u.speaker for u in self.utterances)
        heads = [*(["Time"] if timed else []), *(["Speaker"] if speakers else []), "Text"]
        heads += [*self._answers.heads, "Experts"]
        head = "".join(f"<th style='text-align:left'>{h}</th>" for h in heads)
        rows = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{x}</td>" for x in self._cells(u, timed, speakers)) + "</tr>"
            for u in self.utterances
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        title = f"<b>{html.escape(self.conversation)}</b> <span style='opacity:.65'>· {html.escape(self.model)}</span>"
        notes += f"<p style='opacity:.65'>{html.escape(self.terms)}</p>" if self.terms else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<div><p>{title}</p>{notes}{table}</div>"

    def _cells(self, u: UtterancePrediction, timed: bool, speakers: bool) -> Iterable[str]:
        """The cells of one utterance as HTML; every text is escaped."""
        if timed:
            yield "" if u.start is None else f"{u.start // 60:.0f}:{u.start % 60:04.1f}"
        if speakers:
            yield html.escape(u.speaker or "")
        yield f"<div style='max-width:32em;white-space:normal'>{html.escape(u.text or '')}</div>"
        yield from self._answers.cells(u)
        experts = "<br>".join(self._expert(u, name, weight) for name, weight in u.weights.items())
        yield experts + "".join(f"<br><b>{html.escape(f'{k}: {v}')}</b>" for k, v in u.contradiction.items())

    def _expert(self, u: UtterancePrediction, name: str, weight: float) -> str:
        """An expert's name, its weight and what it answers by itself."""
        own = self._answers.expert(u, name)
        return f"{html.escape(name)} {weight:.0%}{': ' if own else ''}{html.escape(own)}"


class _Emotions:
    """The answers of a classification in tables."""

    heads = ("Emotion", "Confidence")

    def scale(self, p: Prediction) -> None:
        """Classes have none."""
        return

    def columns(self, p: Prediction) -> dict[str, list[Any]]:
        """See ``Prediction.to_dataframe``."""
        rows = p.utterances
        columns: dict[str, list[Any]] = {
            "emotion": [u.emotion for u in rows],
            "confidence": [u.confidence for u in rows],
            "abstained": [u.abstained for u in rows],
        }
        return columns | {f"probability_{label}": [u.probabilities.get(label) for u in rows] for label in p.labels}

    def cells(self, u: UtterancePrediction) -> Iterable[str]:
        """The two cells below ``heads`` as HTML."""
        faded = "opacity:.5" if u.abstained else ""
        yield f"<span style='{faded}'>{html.escape(u.emotion)}{' (abstained)' if u.abstained else ''}</span>"
        yield _bar(u.confidence)

    def expert(self, u: UtterancePrediction, name: str) -> str:
        """What an expert answers by itself; empty if nothing."""
        probabilities = u.experts.get(name, {})
        return max(probabilities, key=lambda label: probabilities[label], default="")


class _Values:
    """The answers of a regression in tables."""

    heads = ("Value", "Interval")

    def scale(self, p: Prediction) -> dict[str, float]:
        """The range."""
        assert p.scale is not None
        return {"low": p.scale.low, "high": p.scale.high}

    def columns(self, p: Prediction) -> dict[str, list[Any]]:
        """See ``Prediction.to_dataframe``."""
        rows = p.utterances
        columns: dict[str, list[Any]] = {"value": [u.value for u in rows]}
        for end, name in enumerate(("low", "high")):
            columns[f"value_{name}"] = [None if u.interval is None else u.interval[end] for u in rows]
        return columns | {f"value_{e}": [u.expert_values.get(e) for u in rows] for e in _names(u.weights for u in rows)}

    def cells(self, u: UtterancePrediction) -> Iterable[str]:
        """The two cells below ``heads`` as HTML."""
        yield f"{u.value or 0.0:.2f}"
        yield "" if u.interval is None else f"{u.interval[0]:.2f} to {u.interval[1]:.2f}"

    def expert(self, u: UtterancePrediction, name: str) -> str:
        """What an expert answers by itself; empty if nothing."""
        return f"{u.expert_values[name]:.2f}" if name in u.expert_values else ""


def _names(mappings: Iterable[dict[str, float]]) -> list[str]:
    """The keys of all mappings, each once, in the order of their first occurrence."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _bar(share: float) -> str:
    """A bar of a share from 0 to 1, with its number."""
    width = 100 * min(max(share, 0.0), 1.0)
    return (
        "<div style='display:flex;align-items:center;gap:.4em'>"
        "<div style='width:5em;height:.6em;background:#8884;border-radius:.3em'>"
        f"<div style='width:{width:.0f}%;height:100%;background:#3b82c4;border-radius:.3em'></div></div>"
        f"{share:.0%}</div>"
    )
