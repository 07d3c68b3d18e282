"""Turns laid out on tiers, as Praat and ELAN want them: on one tier nothing overlaps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.transcripts.tiers import CONFIDENCE, EMOTION, INTERVAL, NOBODY, OVERFLOW, SCORE

_UNWRITABLE = re.compile("[\x00-\x08\x0e-\x1b\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn in whole units of time; ``end`` is after ``start``."""

    start: int
    end: int
    utterance: UtterancePrediction


@dataclass(frozen=True, slots=True)
class Tier:
    """Turns of one speaker that do not overlap, in the order of their starts.

    Args:
        name: unique in the conversation; the speaker's name unless turns of this speaker overlap.
        speaker: who speaks; None if unknown.
        turns: at least one.
    """

    name: str
    speaker: str | None
    turns: list[Turn]


def tiers(prediction: Prediction, units: int) -> list[Tier]:
    """The turns of every speaker, in the order in which the speakers begin.

    A turn that overlaps with an earlier one of its speaker goes to a further tier of that speaker (``[overlap 2]``), so
    that no time is changed. A turn without length gets the shortest one that there is.

    Args:
        prediction: every utterance has its times (see ``check_times``).
        units: of time in a second.
    """
    lanes: dict[str, list[list[Turn]]] = {}
    for u in sorted(prediction.utterances, key=lambda u: u.start or 0.0):
        start = round((u.start or 0.0) * units)
        turn = Turn(start, max(start + 1, round((u.end or 0.0) * units)), u)
        speaker = lanes.setdefault(line(u.speaker or NOBODY), [])
        for lane in speaker:
            if lane[-1].end <= turn.start:
                lane.append(turn)
                break
        else:
            speaker.append([turn])
    return [
        Tier(name + (OVERFLOW.format(n) if n > 1 else ""), None if name == NOBODY else name, lane)
        for name, speaker in lanes.items()
        for n, lane in enumerate(speaker, start=1)
    ]


def line(text: str) -> str:
    """The text on one line, without characters that the formats cannot hold."""
    return " ".join(_UNWRITABLE.sub("�", text).split()) or "…"


def emotion(u: UtterancePrediction) -> str:
    """The label of an emotion tier: ``joy``, or ``joy?`` where the recognizer abstained."""
    return line(u.emotion) + ("?" if u.abstained else "")


def score(value: float) -> str:
    """A score with its sign and two decimals: ``+1.20``; 0 has none."""
    return f"{value:+.2f}" if round(value, 2) else "0.00"


def interval(u: UtterancePrediction) -> str:
    """Where the true score is expected: ``-0.30 … +2.70``."""
    return "…" if u.interval is None else " … ".join(score(x) for x in u.interval)


def answers(prediction: Prediction) -> tuple[tuple[str, Callable[[UtterancePrediction], str]], ...]:
    """The two tiers that stand below a speaker's turns: the end of their names, and what is on them."""
    if prediction.scale is not None:
        return (SCORE, lambda u: score(u.value or 0.0)), (INTERVAL, interval)
    return (EMOTION, emotion), (CONFIDENCE, lambda u: f"{u.confidence:.2f}")
