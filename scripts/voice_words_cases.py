"""What a model of voice and words is asked: the cases of the evaluation, as conversations, and the answers' numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from compose_corpus import SPOKEN, garbled, record

from moodline.core.answers import Answers
from moodline.core.conversation import Conversation, Utterance
from moodline.core.labels import IGNORE
from moodline.corpora.base import Corpus
from moodline.encoders.base import Encoder
from moodline.evaluation.calibration import softmax
from moodline.evaluation.metrics import expected_calibration_error, percent, risk_coverage
from moodline.evaluation.tasks import task_of
from moodline.media.effects import EFFECTS
from moodline.pipeline.checkpoint import Checkpoint
from moodline.pipeline.examples import make_examples
from moodline.pipeline.features import gather_features
from moodline.training.data import collate
from moodline.training.inference import answer

Change = Callable[[Utterance], Utterance]


def changed(conversations: Sequence[Conversation], change: Change) -> list[Conversation]:
    """The conversations with every utterance changed."""
    return [replace(c, utterances=tuple(map(change, c))) for c in conversations]


def spoken_emotion(utterance: Utterance) -> str | None:
    """The emotion that the actor shows, as one of MELD's; None without a voice."""
    if utterance.audio is None:
        return None
    return list(SPOKEN.values())[int(utterance.audio.stem.split("-")[2]) - 1]


def agreeing(utterance: Utterance) -> Utterance:
    """Labelled only if words and voice are there and the voice shows the label."""
    both = utterance.text is not None and spoken_emotion(utterance) == utterance.emotion
    return utterance if both else replace(utterance, emotion=None)


def composed_cases(test: Sequence[Conversation], audio: Path) -> dict[str, list[Conversation]]:
    """The composed test split as it is, and what of its agreeing utterances is lost in different ways.

    Args:
        test: the split.
        audio: where recordings are kept, see ``compose_corpus.record``.
    """
    same = changed(test, agreeing)
    random = np.random.default_rng(0)

    def drowned(u: Utterance) -> Utterance:
        return u if u.audio is None else replace(u, audio=record((u.audio, "drowned"), audio))

    def noisy(u: Utterance) -> Utterance:
        return u if u.text is None else replace(u, text=garbled(u.text, random))

    return {
        "as composed": list(test),
        "voice and words agree": same,
        "voice missing": changed(same, lambda u: replace(u, audio=None)),
        "words missing": changed(same, lambda u: u if u.audio is None else replace(u, text=None)),
        "voice replaced by noise": changed(same, drowned),
        "words replaced by noise": changed(same, noisy),
    }


def voice_cases(voice: Sequence[Conversation], audio: Path) -> dict[str, list[Conversation]]:
    """Clips of held-out actors under every effect: each clip alone, and each actor's clips as one conversation."""
    found: dict[str, list[Conversation]] = {}
    people = sorted({str(u.speaker) for c in voice for u in c})
    for effect in EFFECTS:

        def heard(u: Utterance, effect: str = effect) -> Utterance:
            assert u.audio is not None
            return replace(u, audio=record((u.audio, effect), audio))

        made = changed(voice, heard)
        found[f"{effect}, clip alone"] = made
        found[f"{effect}, actor's clips together"] = [
            Conversation(person, tuple(u for c in made for u in c if u.speaker == person)) for person in people
        ]
    return found


def answers_to(
    checkpoint: Checkpoint, corpus: Corpus, conversations: Sequence[Conversation], encoders: dict[str, Encoder]
) -> list[Answers]:
    """The model's answers; each conversation is a recording of its own, whose speakers nobody else is."""
    part = dataclasses.replace(corpus, splits={"chosen": tuple(conversations)})
    features: dict[str, Any] = {}
    for m, spec in checkpoint.modalities.items():
        has = any((u.audio if m == "speech" else u.text) is not None for c in conversations for u in c)
        features[m] = gather_features(part, m, spec, encoders[m]) if has else {}
        if m in checkpoint.normalizations:
            normal = checkpoint.normalizations[m]
            features[m] = {k: v for c in conversations for k, v in normal.apply(features[m], [c]).items()}
    examples = make_examples(conversations, features, checkpoint.config["dims"], corpus.labels)
    return answer(checkpoint.model, examples, collate, lengths=[len(e) for e in examples])


def numbers(checkpoint: Checkpoint, answers: list[Answers], corpus: Corpus, curve: bool = False) -> dict[str, Any]:
    """The numbers of one case: scores of mixture and experts, gate weights, calibration before and after.

    Args:
        checkpoint: for its temperature.
        answers: to the case.
        corpus: for the labels.
        curve: also the risk over coverage and what abstaining at the model's threshold gives.
    """
    found = task_of(corpus.labels).numbers(answers, checkpoint.calibration)
    truth = np.concatenate([a.labels for a in answers])
    real = truth != IGNORE
    logits = np.concatenate([a.logits for a in answers])[real]
    scaled = softmax(logits, checkpoint.calibration["temperature"])
    out = {
        "utterances": found["utterances"],
        **{k: found[k] for k in ("weighted_f1", "accuracy", "macro_f1")},
        "experts": {e: v["weighted_f1"] for e, v in found["experts"].items()},
        "gate_weights": found["gate_weights"]["mean"],
        "ece": {"before": percent(expected_calibration_error(softmax(logits), truth[real])), "after": found["ece"]},
    }
    if curve:
        least = checkpoint.calibration["abstain"]["confidence"]
        given = scaled.max(1) >= least
        right = scaled.argmax(1) == truth[real]
        out["abstain"] = {
            "below": least,
            "coverage": percent(given.mean()),
            "accuracy": percent(right[given].mean()) if given.any() else None,
            "curve": risk_coverage(scaled, truth[real]),
        }
        out["per_class"] = found["per_class"]
        out["confusion"] = found["confusion"]
        out["answers"] = {
            "right": right.astype(int).tolist(),
            "confidence": scaled.max(1).round(3).tolist(),
            "before": softmax(logits).max(1).round(3).tolist(),
        }
    return out
