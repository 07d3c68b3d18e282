"""Speech encoders: Moonshine against onnxruntime and transformers, small models of other families, openSMILE."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError, MediaError, MissingDependencyError
from moodline.encoders.backbones import load_backbone
from moodline.encoders.inputs import content_hash, speech_inputs
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech import moonshine as moonshine
from moodline.encoders.speech.ort_file import OrtFile
from moodline.media.audio import AudioClip, load_audio


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(EncoderSpec("moonshine-tiny"))


@pytest.fixture(scope="module")
def reading() -> np.ndarray:
    """Real speech that comes with moonshine-voice."""
    return load_audio(moonshine.packaged_weights().parent.parent / "beckett.wav", end=6.0)


def last_state(backbone, samples: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        states, mask = backbone(backbone.prepare([samples]))
    return states[-1][0][mask[0]].numpy()


def test_moonshine_is_what_onnxruntime_computes(backbone, reading: np.ndarray) -> None:
    """The original also quantizes activations, so that it is only near: cosine over all frames at least 0.999."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(moonshine.packaged_weights()))
    feed = {"input_values": reading[None], "attention_mask": np.ones((1, len(reading)), np.int64)}
    original, ours = session.run(None, feed)[0][0], last_state(backbone, reading)
    assert ours.shape == original.shape == (248, 288)
    assert (ours * original).sum() / np.linalg.norm(ours) / np.linalg.norm(original) >= 0.999


def test_moonshine_is_what_transformers_computes(backbone, reading: np.ndarray) -> None:
    from transformers import MoonshineConfig
    from transformers.models.moonshine.modeling_moonshine import MoonshineEncoder

    theirs = MoonshineEncoder(MoonshineConfig()).eval()
    theirs.load_state_dict(backbone.network.state_dict())
    with torch.inference_mode():
        expected = theirs(torch.from_numpy(reading)[None], output_hidden_states=True)
        states, _ = backbone(backbone.prepare([reading]))
    assert len(states) == 7
    for a, b in zip(states[:-1], expected.hidden_states, strict=False):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * float(b.abs().max()))
    torch.testing.assert_close(states[-1], expected.last_hidden_state, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"pooling": "mean_std"}, {"pooling": "none"}, {"layer_norm": True}])
def test_moonshine_in_any_company(options: dict, clips: list[np.ndarray], reading: np.ndarray) -> None:
    encoder = load_encoder(EncoderSpec("moonshine-tiny", **options))
    assert encoder.dim == 7 * 288 * (2 if options.get("pooling") == "mean_std" else 1)
    inputs = [*clips, reading]
    for item, array in zip(inputs, encoder.encode(inputs), strict=True):
        (alone,) = encoder.encode([item])
        assert alone.shape == array.shape
        assert np.isfinite(array).all()
        # values reach 300: 1e-5 of the largest
        np.testing.assert_allclose(array, alone, rtol=1e-4, atol=1e-5 * np.abs(alone).max())


def test_moonshine_layers_and_lengths(clips: list[np.ndarray]) -> None:
    some = load_encoder(EncoderSpec("moonshine-tiny", layers=(2, 3)))
    all_layers = load_encoder(EncoderSpec("moonshine-tiny")).encode(clips[:1])[0]
    np.testing.assert_allclose(some.encode(clips[:1])[0], all_layers[2 * 288 : 4 * 288], rtol=1e-5)
    assert load_encoder(EncoderSpec("moonshine-tiny", layers=(2, 3), combine="average")).dim == 288
    frames = load_encoder(EncoderSpec("moonshine-tiny", pooling="none", layers="last", max_seconds=1.0))
    assert [len(f) for f in frames.encode(clips)] == [40, 11, 40, 1]


def test_packaged_weights_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(moonshine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"\[listen\]"):
        moonshine.packaged_weights()


@pytest.mark.parametrize("size", [0, 7, 100, 5000, 10_000_000, -1])
def test_damaged_ort_files(tmp_path: Path, size: int) -> None:
    path = tmp_path / "encoder_model.ort"
    data = moonshine.packaged_weights().read_bytes()
    path.write_bytes(data[:size] if size >= 0 else b"RIFF" * 100)
    with pytest.raises(CheckpointError, match=r"encoder_model\.ort"):
        moonshine.read_weights(path, moonshine.MoonshineConfig())


def test_ort_file_has_named_weights() -> None:
    file = OrtFile(moonshine.packaged_weights())
    assert file.tensors["conv2.bias"].shape == (576,)
    assert file.matmul("/layers.0/mlp/fc1/MatMul_quant").shape == (1152, 288)
    with pytest.raises(CheckpointError, match="nowhere"):
        file.matmul("nowhere")


@pytest.mark.parametrize("pooling", ["mean", "none"])
@pytest.mark.parametrize(
    "name",
    [
        "wav2vec2-group",
        "wav2vec2-layer",
        "hubert-layer",
        "wavlm-layer",
        "unispeech-layer",
        "unispeech-sat-layer",
        "data2vec",
        "whisper",
    ],
)
def test_hf_speech_in_any_company(name: str, pooling: str, speech_models: dict[str, Path], clips) -> None:
    encoder = load_encoder(EncoderSpec(f"hf-speech:{speech_models[name]}", pooling=pooling, layers=(0, -1)))
    assert encoder.dim == 64
    assert encoder.modality == "speech"
    seconds = [len(c) / 16_000 for c in clips]
    for item, long, array in zip(clips, seconds, encoder.encode(clips), strict=True):
        (alone,) = encoder.encode([item])
        assert alone.shape == array.shape
        if pooling == "none":
            assert abs(len(array) - 50 * max(long, 0.05)) <= 2
        np.testing.assert_allclose(array, alone, atol=1e-5, rtol=1e-5)


def test_hf_speech_limits(speech_models: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match="30 s"):
        load_encoder(EncoderSpec(f"hf-speech:{speech_models['whisper']}", max_seconds=40))
    with pytest.raises(CheckpointError):
        load_encoder(EncoderSpec(f"hf-speech:{speech_models['whisper'].parent}"))


@pytest.mark.parametrize(("name", "dim"), [("egemaps", 88), ("compare", 6373), ("is10", 1582)])
def test_opensmile(name: str, dim: int, clips: list[np.ndarray]) -> None:
    pytest.importorskip("opensmile")
    encoder = load_encoder(EncoderSpec(name))
    rows = encoder.encode([*clips, np.zeros(16_000, np.float32)])
    assert encoder.dim == dim
    assert all(row.shape == (dim,) and row.dtype == np.float32 and np.isfinite(row).all() for row in rows)
    np.testing.assert_array_equal(rows[1], encoder.encode([clips[1]])[0])


def test_opensmile_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(MissingDependencyError, match=r"\[opensmile\]"):
        load_encoder(EncoderSpec("egemaps"))


def test_clips_from_files(tmp_path: Path, clips: list[np.ndarray]) -> None:
    whole = tmp_path / "talk.wav"
    soundfile.write(whole, np.concatenate([clips[0], clips[2]]), 16_000, subtype="FLOAT")
    encoder = load_encoder(EncoderSpec("moonshine-tiny", layers="last"))
    conversation = Conversation(
        "talk",
        (
            Utterance("a", start=0.0, end=1.0, text="One."),
            Utterance("b", start=1.0, end=9.0),
            Utterance("c", text="Three."),
            Utterance("d", start=1.0, end=1.0),
        ),
        media=whole,
    )
    inputs = speech_inputs(conversation)
    assert inputs == [AudioClip(whole, 0.0, 1.0), AudioClip(whole, 1.0, 9.0), None, None]
    from_files, from_arrays = encoder.encode(inputs[:2]), encoder.encode([clips[0], clips[2]])
    np.testing.assert_allclose(from_files, from_arrays, atol=1e-5)
    assert content_hash(inputs[0]) != content_hash(inputs[1])


def test_samples_that_are_none(backbone) -> None:
    for bad in (np.zeros(0, np.float32), np.zeros((2, 100), np.float32), np.array([0.0, np.nan])):
        with pytest.raises(MediaError):
            backbone.prepare([bad])
