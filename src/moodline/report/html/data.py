"""A prediction as the page's script wants it: short names, whole numbers, plain values."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict
from typing import Any

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.html.regression_summary import summarize_values
from moodline.report.html.sound import Sound
from moodline.report.html.summary import SpeakerSummary, summarize
from moodline.report.html.theme import theme_of
from moodline.report.presentation import presentation_of

SCALE = 10_000
"""Probabilities are whole numbers of so many parts."""
LOOKED_AT = 3
"""So many turns are told that a turn was judged by."""
_LAST = 2.0  # seconds that a last turn without an end is drawn


def page_data(predictions: list[Prediction], sounds: list[Sound | None], beside: list[str | None]) -> dict[str, Any]:
    """Everything that the page shows.

    Args:
        predictions: the conversations.
        sounds: the recording of each; None if there is none.
        beside: for each the address of a file to play; None if the sound is in the page, or there is none.
    """
    labels = list(dict.fromkeys(label for p in predictions for label in _labels(p)))
    return {
        "scale": SCALE,
        "looks": {label: asdict(look) for label, look in theme_of(labels).items()},
        "conversations": [
            _conversation(p, sound, address) for p, sound, address in zip(predictions, sounds, beside, strict=True)
        ],
    }


def _labels(p: Prediction) -> list[str]:
    """The label set, and whatever else has a score."""
    return list(dict.fromkeys([*p.labels, *(label for u in p.utterances for label in u.probabilities)]))


def _conversation(p: Prediction, sound: Sound | None, address: str | None) -> dict[str, Any]:
    labels = _labels(p)
    experts = list(dict.fromkeys(name for u in p.utterances for name in (*u.experts, *u.weights)))
    shown = presentation_of(p)
    speakers = {s: n for n, s in enumerate(dict.fromkeys(u.speaker or None for u in p.utterances))}
    places = {u.id: n for n, u in enumerate(p.utterances)}
    ends = _ends(p)
    timed = any(e is not None for e in ends)
    end = max((e for e in ends if e is not None), default=0.0)
    return {
        "id": p.conversation,
        "model": p.model,
        "version": p.version,
        "terms": p.terms,
        "media": None if p.media is None else p.media.name,
        "notes": list(p.notes),
        "labels": labels,
        "experts": experts,
        "timed": timed,
        "length": round(max(end, sound.seconds if sound else 0.0), 3) if timed else len(p.utterances),
        "wave": {"rate": sound.rate, "peaks": sound.packed()} if sound and timed else None,
        "sound": "beside" if address else "inside" if sound and sound.mp3 else None,
        "address": address,
        **SUMMARIES[shown.mood](p, labels),
        "turns": [
            {
                **_turn(u, labels, experts, places) | shown.turn(u, labels, experts),
                "s": speakers[u.speaker or None],
                "a": None if u.start is None else round(u.start, 3),
                "b": None if e is None else round(e, 3),
            }
            for u, e in zip(p.utterances, ends, strict=True)
        ],
    }


def _ends(p: Prediction) -> list[float | None]:
    """Where each turn ends on the timeline; None for those that have no place on it, for want of a start.

    A turn that lacks its end lasts until the next one begins.
    """
    known = sorted(u.start for u in p.utterances if u.start is not None)
    return [None if u.start is None else _until_next(u.start, known) if u.end is None else u.end for u in p.utterances]


def _until_next(start: float, known: list[float]) -> float:
    place = bisect_right(known, start)
    return known[place] if place < len(known) else start + _LAST


def _turn(u: UtterancePrediction, labels: list[str], experts: list[str], places: dict[str, int]) -> dict[str, Any]:
    """``i`` id, ``t`` text, ``e`` emotion, ``p`` probabilities, ``u`` unsure, ``x`` experts, ``w`` weights, ``m``
    modality.

    ``c`` what voice and words say where they contradict each other. And where the model has them, ``o``, pairs of a
    modality and its σ, and ``l``, pairs of a modality and what its last reasoning step looked at most: pairs of a
    turn's number, from 0, and a weight. Of a regression ``v`` is the value, ``r`` the interval, ``y`` each expert's
    value, and ``e`` −1 (``presentation.py``).
    """
    turn: dict[str, Any] = {
        "i": u.id,
        "t": u.text,
        "p": [_whole(u.probabilities.get(label, 0.0)) for label in labels],
        "u": int(u.abstained),
        "x": [
            [_whole(u.experts[name].get(label, 0.0)) for label in labels] if name in u.experts else None
            for name in experts
        ],
        "w": [_whole(u.weights[name]) if name in u.weights else None for name in experts],
        "m": list(u.modalities),
    }
    if u.contradiction:
        turn["c"] = [f"{name}: {label}" for name, label in u.contradiction.items()]
    if u.uncertainty:
        turn["o"] = [[m, round(sigma, 4)] for m, sigma in u.uncertainty.items()]
    if u.guides:
        turn["g"] = [[name, round(share, 4)] for name, share in u.guides.items()]
    if u.attention:
        turn["l"] = [
            [m, [[places[i], round(w, 4)] for i, w in steps[-1][:LOOKED_AT] if i in places]]
            for m, steps in u.attention.items()
            if steps
        ]
    return turn


def _whole(probability: float) -> int:
    return round(probability * SCALE)


def _speaker(s: SpeakerSummary, labels: list[str]) -> dict[str, Any]:
    """A summary; labels as places in the label set, −1 for unsure."""
    place = {label: n for n, label in enumerate(labels)}
    return {
        "name": s.speaker,
        "turns": s.turns,
        "seconds": None if s.seconds is None else round(s.seconds, 1),
        "shares": [[place.get(label, -1), round(share, 4)] for label, share in s.shares.items()],
        "byTime": s.by_time,
        "shifts": s.shifts,
        "commonest": [place[s.commonest[0]], place[s.commonest[1]], s.commonest[2]] if s.commonest else None,
        "confidence": round(s.confidence, 4),
        "unsure": s.abstained,
        "moments": list(s.moments),
    }


def _of_emotions(p: Prediction, labels: list[str]) -> dict[str, Any]:
    return {"speakers": [_speaker(s, labels) for s in summarize(p)]}


def _of_values(p: Prediction, labels: list[str]) -> dict[str, Any]:
    assert p.scale is not None
    return {"speakers": summarize_values(p), "range": list(p.scale.range), "level": p.level}


SUMMARIES = {"shades": _of_emotions, "line": _of_values}
"""What the page shows of the speakers, by the kind of mood line."""
