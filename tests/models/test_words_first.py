"""Words first: equal to its words without a voice, and Bayes' rule written plainly with one."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from moodline.core.errors import ConfigError
from moodline.models.words_first import WordsFirst, WordsFirstConfig
from tests.models.helpers import random_batch

DIMS, CLASSES = {"speech": 5, "text": 6}, 4


def make(**settings: object) -> WordsFirst:
    torch.manual_seed(1)
    model = WordsFirst(WordsFirstConfig(DIMS, CLASSES, components=3, **settings))  # type: ignore[arg-type]
    model.fit_statistics([random_batch(DIMS, [9, 7], CLASSES, seed=3)])
    return model.eval()


def plain(model: WordsFirst, words: list[float], voice: torch.Tensor) -> list[float]:
    """The posterior of one utterance with ordinary numbers."""
    c = model.config
    x = [float((voice - model.mean) @ model.projection[:, r]) for r in range(c.components)]
    distance = math.sqrt(sum(v * v for v in x) / len(x))
    weight, bias = model.voice.weight.tolist(), model.voice.bias.tolist()
    z = [
        (sum(w * v for w, v in zip(weight[e], x, strict=True)) + bias[e]) / float(model.temperatures[1])
        for e in range(CLASSES)
    ]
    out = []
    for e in range(CLASSES):
        log_r = (z[e] - z[c.neutral]) * math.exp(-c.slope * max(0.0, distance - c.reach))
        r = 1.0 if e == c.neutral else math.exp(c.most * math.tanh(log_r / c.most))
        out.append(words[e] * (1 + c.expressive * max(0.0, r - 1)))
    return [p / sum(out) for p in out]


def test_posterior_is_that_of_the_plain_version() -> None:
    model, batch = make(reach=0.5, expressive=0.3), random_batch(DIMS, [6], CLASSES, seed=5)
    output = model(batch)
    for u in range(6):
        words = torch.softmax(output.experts["text"][0, u], -1).tolist()
        expected = plain(model, words, batch.features["speech"][0, u])
        assert torch.softmax(output.logits[0, u], -1).tolist() == pytest.approx(expected, abs=1e-5)


def test_without_a_voice_it_says_what_the_words_say() -> None:
    model, batch = make(), random_batch(DIMS, [6, 3], CLASSES)
    silent = replace(batch, present=batch.present | {"speech": torch.zeros_like(batch.valid)})
    output = model(silent)
    assert torch.allclose(output.logits[batch.valid].softmax(-1), output.experts["text"][batch.valid].softmax(-1))
    assert output.weights is not None
    assert (output.weights[batch.valid] == torch.tensor([0.0, 1.0])).all()


def test_a_voice_far_from_all_others_is_no_evidence() -> None:
    model, batch = make(most=6.0), random_batch(DIMS, [6], CLASSES)
    far = replace(batch, features=batch.features | {"speech": 1000 * batch.features["speech"]})
    output = model(far)
    assert output.weights is not None
    assert float(output.weights[..., 0].detach().max()) < 0.01
    assert (output.logits.argmax(-1) == output.experts["text"].argmax(-1)).all()


def test_without_words_the_voice_decides() -> None:
    model, batch = make(), random_batch(DIMS, [6], CLASSES)
    mute = replace(batch, present=batch.present | {"text": torch.zeros_like(batch.valid)})
    output = model(mute)
    assert (output.logits.argmax(-1) == output.experts["speech"].argmax(-1)).all()


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"words": {"name": "sure"}}, "words.name must be one of linear, mister-e, got sure"),
        ({"expressive": 1.0}, "expressive must lie between 0 and 1"),
        ({"neutral": 4}, "neutral a class"),
        ({"reach": 0.0}, "reach and most must be positive"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        WordsFirstConfig(DIMS, CLASSES, **settings)  # type: ignore[arg-type]


def test_it_reads_both_modalities() -> None:
    with pytest.raises(ConfigError, match="sizes of speech and text"):
        WordsFirstConfig({"text": 6}, CLASSES)
