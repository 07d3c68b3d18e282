"""Predictions to write and draw."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moodline.core.prediction import Prediction, UtterancePrediction

LABELS = ("neutral", "joy", "anger")
ROWS = [
    ("Ann", "Did you see that?", {"joy": 0.81234, "neutral": 0.15, "anger": 0.03766}),
    ("SPEAKER_00", 'He said: "no, never",\nand left.', {"anger": 0.41, "joy": 0.3, "neutral": 0.29}),
    ("the man from upstairs", "=1+1", {"neutral": 0.999, "joy": 0.001, "anger": 0.0}),
    (None, "Ünïcode, 你好 --> & <b>", {"joy": 0.5, "neutral": 0.3, "anger": 0.2}),
]


@pytest.fixture
def make() -> Callable[..., Prediction]:
    """Build a prediction of four utterances."""

    def build(
        name: str = "talk", *, timed: bool = True, experts: tuple[str, ...] = ("speech", "text", "fusion")
    ) -> Prediction:
        share = 1 / len(experts)
        utterances = tuple(
            UtterancePrediction(
                id=f"u{n}",
                speaker=speaker,
                start=n * 3661.0 if timed else None,
                end=n * 3661.0 + 1.2346 if timed else None,
                text=text,
                probabilities=scores,
                abstained=max(scores.values()) < 0.45,
                experts=dict.fromkeys(experts, scores),
                weights=dict.fromkeys(experts, share),
            )
            for n, (speaker, text, scores) in enumerate(ROWS)
        )
        return Prediction(name, "tiny", "0.1.0", LABELS, utterances)

    return build
