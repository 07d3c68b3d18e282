"""What a conversation was like for each speaker: shares of the emotions, shifts between them, strongest moments."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.html.theme import EMOTIONS

UNSURE = "unsure"
"""Stands in the shares for turns on which the recognizer abstained."""
MOMENTS = 3
_NEUTRAL = EMOTIONS["grey"]


@dataclass(frozen=True, slots=True)
class SpeakerSummary:
    """One speaker's part of a conversation.

    Args:
        speaker: the name; None for the turns of nobody known.
        turns: how many there are.
        seconds: how long they last together; None where times are missing.
        shares: label (or ``UNSURE``) to its share, the largest first; by time where all turns have some, else by turns.
        by_time: whether that is so.
        shifts: how often the emotion changed from one turn of the speaker to the next, abstained turns left out.
        commonest: the most frequent of these changes, from and to, and how often; None if there is none.
        confidence: the mean over the turns.
        abstained: turns on which the recognizer abstained.
        moments: the turns (places in the conversation) with the surest emotion that is not neutral, the surest first.
    """

    speaker: str | None
    turns: int
    seconds: float | None
    shares: dict[str, float]
    by_time: bool
    shifts: int
    commonest: tuple[str, str, int] | None
    confidence: float
    abstained: int
    moments: tuple[int, ...]


def summarize(prediction: Prediction) -> list[SpeakerSummary]:
    """One summary for each speaker, in the order in which they first speak."""
    groups: dict[str | None, list[int]] = {}
    for n, u in enumerate(prediction.utterances):
        groups.setdefault(u.speaker or None, []).append(n)
    return [_summary(prediction, speaker, places) for speaker, places in groups.items()]


def _summary(prediction: Prediction, speaker: str | None, places: list[int]) -> SpeakerSummary:
    turns = [prediction.utterances[n] for n in places]
    lengths = [_seconds(u) for u in turns]
    known = [length for length in lengths if length is not None]
    seconds = sum(known) if len(known) == len(turns) else None
    by_time = bool(seconds)
    weights = Counter[str]()
    for u, length in zip(turns, lengths, strict=True):
        weights[UNSURE if u.abstained else u.emotion] += (length or 0.0) if by_time else 1  # type: ignore[assignment]
    total = sum(weights.values())
    sure = [u.emotion for u in turns if not u.abstained]
    changes = Counter(pair for pair in pairwise(sure) if pair[0] != pair[1])
    common = changes.most_common(1)
    strong = [n for n in places if not (u := prediction.utterances[n]).abstained and u.emotion.lower() not in _NEUTRAL]
    strong.sort(key=lambda n: -prediction.utterances[n].confidence)
    return SpeakerSummary(
        speaker,
        len(turns),
        seconds,
        {label: weight / total for label, weight in weights.most_common()},
        by_time,
        sum(changes.values()),
        (*common[0][0], common[0][1]) if common else None,
        sum(u.confidence for u in turns) / len(turns),
        sum(u.abstained for u in turns),
        tuple(strong[:MOMENTS]),
    )


def _seconds(u: UtterancePrediction) -> float | None:
    return None if u.start is None or u.end is None else max(0.0, u.end - u.start)
