"""The recognizer, with a tiny model over MiniLM."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError, ConversationError, UnknownNameError
from moodline.core.prediction import Prediction
from moodline.encoders.settings import EncoderSpec
from moodline.models.registry import PRETRAINED
from moodline.pipeline.recognizer import Recognizer
from tests.tiny import LABELS, SAYINGS


@pytest.fixture(scope="module")
def recognizer(tiny_model: Path) -> Recognizer:
    return Recognizer.load(tiny_model, device="cpu")


def talk(*texts: str | None, name: str = "talk") -> Conversation:
    return Conversation(
        name, tuple(Utterance(f"{name}-{n}", "Ada" if n % 2 else None, text=t) for n, t in enumerate(texts))
    )


TALK = talk("the bus leaves at nine", "what wonderful news, I am so happy", "how dare you, I am furious", "we won")


def scores(prediction: Prediction) -> list[float]:
    return [u.probabilities[label] for u in prediction.utterances for label in prediction.labels]


def test_a_prediction_is_whole(recognizer: Recognizer) -> None:
    prediction = recognizer.recognize(TALK)
    assert (prediction.conversation, prediction.labels, recognizer.labels) == ("talk", LABELS, LABELS)
    assert prediction.model == "tiny-text (seed 0)"
    assert [u.id for u in prediction.utterances] == [u.id for u in TALK]
    for answer, utterance in zip(prediction.utterances, TALK, strict=True):
        assert (answer.speaker, answer.text, answer.start) == (utterance.speaker, utterance.text, None)
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert list(answer.probabilities.values()) == sorted(answer.probabilities.values(), reverse=True)
        assert (answer.emotion, answer.confidence) == next(iter(answer.probabilities.items()))
        assert sum(answer.weights.values()) == pytest.approx(1)
        assert set(answer.weights) == set(answer.experts) == {"text"}
        for alone in answer.experts.values():
            assert sum(alone.values()) == pytest.approx(1)
        assert not answer.abstained
    json.dumps(prediction.to_dict(), allow_nan=False)


def test_it_has_learned_the_invented_corpus(recognizer: Recognizer) -> None:
    pairs = [(label, text) for label in LABELS for text in SAYINGS[label]]
    prediction = recognizer.recognize(talk(*(t for _, t in pairs)))
    right = sum(u.emotion == label for u, (label, _) in zip(prediction.utterances, pairs, strict=True))
    assert right >= 0.75 * len(pairs)


def test_the_same_every_time_and_in_any_company(recognizer: Recognizer, tiny_model: Path) -> None:
    first = recognizer.recognize(TALK)
    other = recognizer.recognize(talk("damn you, get out", name="other"))
    assert scores(recognizer.recognize(TALK)) == pytest.approx(scores(first), abs=1e-5)
    fresh = Recognizer.load(str(tiny_model), device="cpu")
    alone = fresh.recognize(talk("damn you, get out", name="other"))
    assert scores(alone) == pytest.approx(scores(other), abs=1e-5)
    assert scores(fresh.recognize(TALK)) == pytest.approx(scores(first), abs=1e-5)


def test_labels_of_the_conversation_are_not_read(recognizer: Recognizer) -> None:
    labelled = replace(TALK, utterances=tuple(replace(u, emotion="joy", value=1.0) for u in TALK))
    assert scores(recognizer.recognize(labelled)) == pytest.approx(scores(recognizer.recognize(TALK)), abs=1e-5)


def test_abstaining(recognizer: Recognizer) -> None:
    sure = recognizer.recognize(TALK)
    between = sorted(u.confidence for u in sure.utterances)[1:3]
    threshold = sum(between) / 2
    found = recognizer.recognize(TALK, abstain_below=threshold)
    assert [u.abstained for u in found.utterances] == [u.confidence < threshold for u in sure.utterances]
    assert sum(u.abstained for u in found.utterances) == 2
    assert all(u.abstained for u in recognizer.recognize(TALK, abstain_below=1.0).utterances)
    assert scores(found) == pytest.approx(scores(sure), abs=1e-5)


def test_one_utterance(recognizer: Recognizer) -> None:
    (answer,) = recognizer.recognize(talk("hooray")).utterances
    assert sum(answer.probabilities.values()) == pytest.approx(1)


def test_utterances_without_words_are_answered_from_their_context(recognizer: Recognizer) -> None:
    prediction = recognizer.recognize(talk(None, "I am furious", None))
    assert [u.text for u in prediction.utterances] == [None, "I am furious", None]
    for answer in prediction.utterances:
        assert sum(answer.probabilities.values()) == pytest.approx(1)
        assert sum(answer.weights.values()) == pytest.approx(1)


def test_nothing_to_read(recognizer: Recognizer) -> None:
    with pytest.raises(ConversationError, match=r"no utterance has what the model tiny-text .* It reads: text"):
        recognizer.recognize(talk(None, None))


def with_languages(model: Path, copy: Path, *languages: str) -> Path:
    shutil.copytree(model, copy, ignore=shutil.ignore_patterns("training"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "languages": languages}))
    return copy


def test_words_that_the_model_did_not_learn_are_noted(recognizer: Recognizer, tiny_model: Path, tmp_path: Path) -> None:
    german = talk("Ich hasse dich, verschwinde sofort aus meinem Haus!", "Nein, ich gehe nicht.")
    assert recognizer.checkpoint.languages == ()  # the corpus does not say
    assert recognizer.recognize(german).notes == ()
    english = Recognizer.load(with_languages(tiny_model, tmp_path / "en", "en"), device="cpu")
    (note,) = english.recognize(german).notes
    assert note.startswith("The words are probably German, not English")
    assert english.recognize(TALK).notes == ()
    assert Recognizer.load(with_languages(tiny_model, tmp_path / "de", "de")).recognize(german).notes == ()
    with pytest.raises(CheckpointError, match="languages"):
        Recognizer.load(with_languages(tiny_model, tmp_path / "odd", 3))  # type: ignore[arg-type]


def test_packaged_models_are_of_english() -> None:
    for name in PRETRAINED:
        assert Recognizer.load(name, device="cpu").checkpoint.languages == ("en",)


def test_turns_that_are_longer_than_the_encoder_reads_are_noted(tiny_model: Path, tmp_path: Path) -> None:
    def notes(*texts: str, **settings: int) -> tuple[str, ...]:
        folder = tmp_path / f"model-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(tiny_model, folder, ignore=shutil.ignore_patterns("training"))
        config = json.loads((folder / "config.json").read_text())
        config["modalities"]["text"]["encoder"] |= settings
        (folder / "config.json").write_text(json.dumps(config))
        return Recognizer.load(folder, device="cpu").recognize(talk(*texts)).notes

    short, long = "it is fine " * 4, "it is fine " * 5
    assert notes(short, short, max_tokens=16) == ()
    assert notes(long, short, long, max_tokens=16) == ()  # a long turn is read in parts
    assert notes("🎉" * 13, max_tokens=16, context_turns=2) == ()
    assert notes(short, short, window=2, max_tokens=32) == ()
    assert notes(short, long, "yes", window=3, max_tokens=24) == (
        "The model takes in 24 word pieces a window of turns: the end of 2 of 3 was not judged, talk-0, talk-1.",
    )


def test_sound_that_is_longer_than_the_encoder_takes_in_is_noted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "long.wav", rng.normal(0, 0.05, 33 * 16_000).astype(np.float32), 16_000)
    rows = (Utterance("a", start=0.0, end=31.0), Utterance("b", start=31.0, end=33.0))
    prediction = Recognizer.load("voice-words").recognize(Conversation("c", rows, tmp_path / "long.wav"))
    assert prediction.notes == ("The model takes in 30 s of sound a turn: the end of 1 of 2 was not judged, a.",)


def test_the_inputs_of_each_modality_are_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moodline.pipeline import features

    built: list[str] = []
    build = features.conversation_inputs

    def counting(conversation: Conversation, modality: str, spec: EncoderSpec) -> Sequence[Any]:
        built.append(modality)
        return build(conversation, modality, spec)

    monkeypatch.setattr(features, "conversation_inputs", counting)
    sound = np.random.default_rng(0).normal(0, 0.05, 2 * 16_000).astype(np.float32)
    soundfile.write(tmp_path / "two.wav", sound, 16_000)
    rows = (Utterance("a", start=0.0, end=1.0, text="hooray"), Utterance("b", start=1.0, end=2.0, text="we won"))
    found = Recognizer.load("voice-words").recognize(Conversation("c", rows, tmp_path / "two.wav"))
    assert [u.modalities for u in found.utterances] == [("speech", "text")] * 2
    assert sorted(built) == ["speech", "text"]


def test_a_recording_in_one_call(recognizer: Recognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.listen.clips import part

    monkeypatch.setenv("MOODLINE_CACHE", str(tmp_path / "cache"))
    clip = part(tmp_path / "clip.wav", 4.5)
    rows = (Utterance("a", "Nell", 0.0, 1.0, "Do you hear me?"), Utterance("b", "Nagg", 9.0, 9.5, "hooray, we won"))
    found = recognizer.listen(str(clip), Conversation("talk", rows), abstain_below=1.0)
    assert (found.conversation, found.media) == ("talk", clip)
    assert found.sound is not None
    assert found.sound.is_file()
    assert [u.text for u in found.utterances] == ["Do you hear me?", "hooray, we won"]
    assert all(u.abstained for u in found.utterances)
    assert "longer than the recording" in " ".join(found.notes)


def test_ten_thousand_utterances(recognizer: Recognizer) -> None:
    words = ("yes", "no", "hooray", "stop it")
    prediction = recognizer.recognize(talk(*(words[n % 4] for n in range(10_000))))
    assert len(prediction.utterances) == 10_000
    middle = recognizer.recognize(talk(*(words[n % 4] for n in range(40)))).utterances[20]
    assert prediction.utterances[5000].emotion == middle.emotion


def test_very_long_and_strange_texts(recognizer: Recognizer) -> None:
    strange = ("word " * 5000, "!" * 3000, "日本語のテキスト", "\u200b\u200bx", "a\x00b", "🎉" * 500, "ß" * 2000)
    for answer in recognizer.recognize(talk(*strange)).utterances:
        assert sum(answer.probabilities.values()) == pytest.approx(1)


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown model 'meld-txt'\. Did you mean meld-text\?"):
        Recognizer.load("meld-txt")
    with pytest.raises(CheckpointError, match="no model at"):
        Recognizer.load(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match=r"expected config\.json"):
        Recognizer.load(tmp_path)


def test_the_default_model_follows_the_input() -> None:
    assert Recognizer.load(device="cpu").checkpoint.directory.name == "meld-text"
    assert Recognizer.load(device="cpu", recording=True).checkpoint.directory.name == "words-first"
    assert Recognizer.load("meld-text", "cpu", recording=True).checkpoint.directory.name == "meld-text"


def test_unknown_devices(tiny_model: Path) -> None:
    for device in ("banana", "cuda:77", "meta:x"):
        with pytest.raises(ConfigError, match=f"device '{device}'"):
            Recognizer.load(tiny_model, device=device)


def test_a_model_over_corpus_features_cannot_read_conversations(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model", ignore=shutil.ignore_patterns("training")))
    config = json.loads((folder / "config.json").read_text())
    config["modalities"]["text"] = {"features": "text"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="its text features come from corpus files"):
        Recognizer.load(folder)


def test_a_model_for_another_encoder_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model", ignore=shutil.ignore_patterns("training")))
    config = json.loads((folder / "config.json").read_text())
    config["modalities"]["text"]["encoder"]["pooling"] = "mean_std"  # twice as wide
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(Exception, match="text of talk-0: expected 384 values"):
        Recognizer.load(folder).recognize(TALK)
