"""What a conversation was like for each speaker, in scores: the mean, the reach, changes, strongest moments."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from moodline.core.prediction import Prediction

MOMENTS = 3


def summarize_values(prediction: Prediction) -> list[dict[str, Any]]:
    """One summary for each speaker, in the order in which they first speak.

    Args:
        prediction: of a model of scores.

    Returns:
        For each ``name``, ``turns``, ``seconds`` (None where times are missing), ``mean``, ``lowest``, ``highest``,
        ``shifts``, how often the score crossed the middle of the range from one turn of the speaker to the next, and
        ``moments``, the places of the turns farthest from the middle, the farthest first.
    """
    assert prediction.scale is not None
    middle = sum(prediction.scale.range) / 2
    groups: dict[str | None, list[int]] = {}
    for n, u in enumerate(prediction.utterances):
        groups.setdefault(u.speaker or None, []).append(n)
    out = []
    for speaker, places in groups.items():
        turns = [prediction.utterances[n] for n in places]
        scores = [u.value or 0.0 for u in turns]
        lengths = [u.end - u.start for u in turns if u.start is not None and u.end is not None]
        out.append(
            {
                "name": speaker,
                "turns": len(turns),
                "seconds": round(sum(lengths), 1) if len(lengths) == len(turns) else None,
                "mean": round(sum(scores) / len(scores), 4),
                "lowest": round(min(scores), 4),
                "highest": round(max(scores), 4),
                "shifts": sum((a - middle) * (b - middle) < 0 for a, b in pairwise(scores)),
                "moments": sorted(places, key=lambda n: -abs((prediction.utterances[n].value or 0.0) - middle))[
                    :MOMENTS
                ],
            }
        )
    return out
