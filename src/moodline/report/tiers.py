"""Turns laid out on tiers, as Praat and ELAN want them: on one tier nothing overlaps."""

from __future__ import annotations

from dataclasses import dataclass

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.presentation import line
from moodline.transcripts.tiers import NOBODY, OVERFLOW


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
