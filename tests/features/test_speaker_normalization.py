"""Normalising by speaker: its formula, what it must not depend on, and the way through training to the recognizer."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError, CorpusError, FeatureError
from moodline.corpora.registry import read_corpus
from moodline.experiments.evaluate import evaluate, predict_split
from moodline.experiments.train import train, training_features
from moodline.features.speaker_normalization import (
    CONSTANT,
    FILE,
    SpeakerNormalization,
    load_normalizations,
    save_normalizations,
)
from moodline.pipeline.checkpoint import load_checkpoint
from moodline.pipeline.recipe import Recipe, load_recipe
from moodline.pipeline.recognizer import Recognizer
from tests.tiny import FEATURES, TEXT, call, write_recipe

WIDTH = 3
GLOBAL = SpeakerNormalization(np.array([1.0, -2.0, 0.0]), np.array([4.0, 0.25, 1.0]), 10.0)


def talk(*speakers: str | None, name: str = "talk") -> Conversation:
    return Conversation(name, tuple(Utterance(f"{name}-{n}", s, text="x") for n, s in enumerate(speakers)))


def vectors(conversation: Conversation, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {u.id: rng.normal(3.0, 2.0, WIDTH).astype(np.float32) for u in conversation}


people = st.lists(st.sampled_from(["Ada", "Ben", None]), min_size=1, max_size=12)


@example(["Ada"], 1, 1e-10)  # a variance just above none
@given(people, st.integers(0, 99), st.floats(0, 50))
def test_the_formula(speakers: list[str | None], seed: int, shrink: float) -> None:
    conversation = talk(*speakers)
    features, norm = vectors(conversation, seed), dataclasses.replace(GLOBAL, shrink=shrink)
    found = norm.apply(features, [conversation])
    assert {v.dtype for v in found.values()} == {np.dtype(np.float32)}
    for utterance in conversation:
        own = np.stack([features[u.id] for u in conversation if u.speaker == utterance.speaker]).astype(float)
        n = len(own)
        mean, variance = norm.mean, norm.variance
        if utterance.speaker is not None:
            mean = (n * own.mean(0) + shrink * norm.mean) / (n + shrink)
            variance = (n * own.var(0) + shrink * norm.variance) / (n + shrink)
        expected = features[utterance.id] - mean
        real = variance > CONSTANT * (1 + norm.mean**2)
        expected = expected / np.sqrt(np.where(real, variance, 1.0))
        assert found[utterance.id] == pytest.approx(expected, abs=1e-4)


@given(people, st.integers(0, 99), st.randoms())
def test_order_and_in_a_corpus_of_lasting_speakers_division_into_conversations_do_not_matter(
    speakers: list[str | None], seed: int, luck: Any
) -> None:
    conversation = talk(*speakers)
    features = vectors(conversation, seed)
    found = GLOBAL.apply(features, [conversation])
    shuffled = list(conversation)
    luck.shuffle(shuffled)
    parts = [Conversation(u.id, (u,)) for u in shuffled]
    again = GLOBAL.apply(dict(sorted(features.items(), reverse=True)), parts, across=True)
    assert found.keys() == again.keys()
    for key in found:
        assert found[key] == pytest.approx(again[key], abs=1e-5)


def test_one_utterance_falls_back_to_the_training_set() -> None:
    conversation = talk("Ada")
    features = vectors(conversation)
    plain = (features["talk-0"] - GLOBAL.mean) / np.sqrt(GLOBAL.variance)
    assert GLOBAL.apply(features, [conversation])["talk-0"] == pytest.approx(np.sqrt(10 / 11) * plain, abs=1e-5)
    unknown = talk(None)
    assert GLOBAL.apply(features, [unknown])["talk-0"] == pytest.approx(plain, abs=1e-5)
    heavy = dataclasses.replace(GLOBAL, shrink=1e6)
    assert heavy.apply(features, [conversation])["talk-0"] == pytest.approx(plain, rel=1e-4)


def test_many_utterances_forget_the_training_set() -> None:
    conversation = talk(*["Ada"] * 2000)
    x = np.stack(list(GLOBAL.apply(vectors(conversation), [conversation]).values()))
    assert x.mean(0) == pytest.approx(np.zeros(WIDTH), abs=0.05)
    assert x.std(0) == pytest.approx(np.ones(WIDTH), abs=0.05)


def test_a_voice_that_is_always_shifted_and_scaled_is_heard_like_another() -> None:
    """What the thing is for: with no shrinking, an affine change of one speaker's features vanishes."""
    conversation = talk(*["Ada"] * 6)
    norm = dataclasses.replace(GLOBAL, shrink=0.0)
    features = vectors(conversation)
    other = {k: 5 * v + 100 for k, v in features.items()}
    first, second = norm.apply(features, [conversation]), norm.apply(other, [conversation])
    for key in first:
        assert first[key] == pytest.approx(second[key], abs=1e-3)


def test_speakers_do_not_touch_each_other_and_missing_ones_are_left_out() -> None:
    both = talk("Ada", "Ben", "Ada", "Ben", "Ada")
    features = vectors(both)
    alone = dataclasses.replace(both, utterances=tuple(u for u in both if u.speaker == "Ada"))
    assert {k: v.tolist() for k, v in GLOBAL.apply(features, [alone]).items()} == {
        k: v.tolist() for k, v in GLOBAL.apply(features, [both]).items() if k in {u.id for u in alone}
    }
    del features["talk-0"]
    assert set(GLOBAL.apply(features, [both])) == set(features)
    assert GLOBAL.apply({}, [both]) == {}


def test_the_same_name_in_two_conversations_is_two_people_unless_speakers_last() -> None:
    first, second = talk("agent", "caller", "agent"), talk("agent", "agent", name="other")
    features = vectors(first) | vectors(second, seed=1)
    alone = GLOBAL.apply(features, [first]) | GLOBAL.apply(features, [second])
    together = GLOBAL.apply(features, [first, second])
    assert {k: v.tolist() for k, v in together.items()} == {k: v.tolist() for k, v in alone.items()}
    merged = GLOBAL.apply(features, [first, second], across=True)
    assert merged["talk-1"].tolist() == alone["talk-1"].tolist()
    assert merged["talk-0"].tolist() != alone["talk-0"].tolist()


def test_frames_are_averaged_and_constant_features_only_centred() -> None:
    conversation = talk("Ada", "Ada")
    frames = {"talk-0": np.ones((4, 2)), "talk-1": np.array([[1.0, 0.0], [1.0, 4.0]])}
    norm = SpeakerNormalization.fit(frames, [conversation], 1.0)
    assert norm.mean.tolist() == [1.0, 1.5]
    found = norm.apply(frames, [conversation])
    assert [found[k][0] for k in found] == [0.0, 0.0]
    assert found["talk-1"][1] == pytest.approx(1.0)
    with pytest.raises(FeatureError, match="no training utterance"):
        SpeakerNormalization.fit({}, [conversation], 1.0)
    with pytest.raises(FeatureError, match="talk-0: expected 2 values"):
        norm.apply({"talk-0": np.ones(3)}, [conversation])


def test_save_and_load(tmp_path: Path) -> None:
    save_normalizations(tmp_path, {"speech": GLOBAL})
    found = load_normalizations(tmp_path, {"speech": 10.0}, {"speech": WIDTH})["speech"]
    assert (found.mean.tolist(), found.variance.tolist()) == (GLOBAL.mean.tolist(), GLOBAL.variance.tolist())
    assert load_normalizations(tmp_path / "nowhere", {}, {}) == {}
    for shrink, dims in (({"text": 1.0}, {"text": WIDTH}), ({"speech": 1.0}, {"speech": 2})):
        with pytest.raises(CheckpointError, match=r"normalization\.safetensors"):
            load_normalizations(tmp_path, shrink, dims)
    save_normalizations(tmp_path, {"speech": dataclasses.replace(GLOBAL, variance=-GLOBAL.variance)})
    with pytest.raises(CheckpointError, match="finite means and variances"):
        load_normalizations(tmp_path, {"speech": 1.0}, {"speech": WIDTH})
    (tmp_path / FILE).write_bytes(b"\x80")
    with pytest.raises(CheckpointError, match="missing or broken"):
        load_normalizations(tmp_path, {"speech": 1.0}, {"speech": WIDTH})
    save_normalizations(tmp_path / "untouched", {})
    assert not (tmp_path / "untouched").exists()


def recipe(folder: Path, data: dict[str, Any], **changes: Any) -> Recipe:
    modalities = {m: {**spec, "normalize": "speaker", **changes} for m, spec in data["modalities"].items()}
    return load_recipe(str(write_recipe(folder / "tiny.yaml", {**data, "modalities": modalities})))


def test_through_training_and_evaluation(house: Path, tmp_path: Path) -> None:
    run = train(recipe(tmp_path, FEATURES), house, tmp_path / "run")
    results = evaluate(run, house)
    assert results["mean"]["weighted_f1"] > 50
    checkpoint = load_checkpoint(tmp_path / "run" / "seed-0")
    assert set(checkpoint.normalizations) == {"speech", "text"}
    assert checkpoint.normalizations["speech"].mean.shape == (6,)
    corpus = read_corpus("house", house)
    trained = [u.id for c in corpus.splits["train"] for u in c]
    raw = np.stack([corpus.features["tones"][i] for i in trained]).astype(float)
    assert checkpoint.normalizations["speech"].mean == pytest.approx(raw.mean(0), abs=1e-5)
    test = corpus.splits["test"]
    rows = pq.read_table(tmp_path / "run" / "predictions.parquet").to_pylist()
    there = [a.logits.argmax(-1).tolist() for a in predict_split(checkpoint, corpus, test)]
    assert [r["predicted"] for r in rows] == [corpus.labels.labels[y] for ys in there for y in ys]
    back = predict_split(checkpoint, corpus, test[::-1])[::-1]
    assert [a.logits.argmax(-1).tolist() for a in back] == there
    (tmp_path / "run" / "seed-0" / FILE).unlink()
    with pytest.raises(CheckpointError, match=r"normalization\.safetensors"):
        load_checkpoint(tmp_path / "run" / "seed-0")


def test_the_recognizer_measures_against_the_conversation(house: Path, tmp_path: Path) -> None:
    train(recipe(tmp_path, TEXT, shrink=2.0), house, tmp_path / "run")
    recognizer = Recognizer.load(tmp_path / "run" / "seed-0", device="cpu")
    texts = ("the bus leaves at nine", "hooray, we won", "how dare you, I am furious")
    turns = tuple(Utterance(f"t{n}", "Ada", text=t) for n, t in enumerate(texts))
    conversation = Conversation("talk", turns)
    corpus = dataclasses.replace(read_corpus("house", house), splits={})
    (same,) = predict_split(recognizer.checkpoint, corpus, [conversation])
    said = recognizer.recognize(conversation)
    assert [u.emotion for u in said.utterances] == [recognizer.labels[y] for y in same.logits.argmax(-1)]
    stranger = Conversation("talk", tuple(dataclasses.replace(u, speaker=None) for u in turns))
    one, other = ([u.confidence for u in recognizer.recognize(c).utterances] for c in (conversation, stranger))
    assert one != pytest.approx(other, abs=1e-6)
    single = recognizer.recognize(Conversation("one", turns[:1]))
    assert sum(single.utterances[0].probabilities.values()) == pytest.approx(1)
    moved = Path(shutil.copytree(tmp_path / "run" / "seed-0", tmp_path / "moved"))
    again = Recognizer.load(moved, device="cpu").recognize(conversation)
    assert [u.confidence for u in again.utterances] == pytest.approx(one, abs=1e-6)


@pytest.mark.parametrize("lasting", [False, True])
def test_training_normalises_as_analyze_does_unless_the_corpus_says_that_speakers_last(
    house: Path, tmp_path: Path, lasting: bool
) -> None:
    """The names of the tiny corpus, Ada and Ben, are in all of its conversations."""
    mine = Path(shutil.copytree(house, tmp_path / "mine"))
    if lasting:
        (mine / "corpus.json").write_text('{"speakers": "corpus"}')
    corpus, settings = read_corpus("house", mine), recipe(tmp_path, FEATURES)
    assert corpus.speakers == ("corpus" if lasting else "conversation")
    features, _, found = training_features(settings, corpus, tmp_path / "run", 0)
    split = corpus.splits["train"]
    same = [found["speech"].apply(corpus.features["tones"], [c]) for c in split]
    alone = np.stack([one[u.id] for one, c in zip(same, split, strict=True) for u in c])
    seen = np.stack([features["speech"][u.id] for c in split for u in c])
    assert np.array_equal(seen, alone) != lasting
    out = tmp_path / "again"
    assert call("convert", mine, out)[0] == 0
    assert read_corpus("house", out).speakers == corpus.speakers
    (mine / "corpus.json").write_text('{"speakers": true}')
    with pytest.raises(CorpusError, match=r'speakers must be "conversation" or "corpus" .*True'):
        read_corpus("house", mine)


def test_bad_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shrink must not be negative"):
        recipe(tmp_path, TEXT, shrink=-1.0)
    with pytest.raises(ConfigError, match="normalize"):
        recipe(tmp_path, TEXT, normalize="room")
