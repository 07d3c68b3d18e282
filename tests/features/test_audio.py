"""Reading sound: rates, channels, parts, and files that are not what they seem."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodline.core.errors import MediaError
from moodline.media.audio import AudioClip, audio_seconds, load_audio, resample


def tone(rate: int, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_rate_and_channels(tmp_path: Path, rate: int, channels: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.repeat(tone(rate)[:, None], channels, axis=1), rate, subtype="FLOAT")
    samples = load_audio(path)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert abs(len(samples) - 16_000) <= 1
    np.testing.assert_allclose(samples[2000:14_000], tone(16_000)[2000:14_000], atol=2e-3)
    assert audio_seconds(path) == 1.0


def test_channels_are_averaged(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([tone(16_000), -tone(16_000)], 1), 16_000, subtype="FLOAT")
    assert np.abs(load_audio(path)).max() < 1e-6


def test_parts(tmp_path: Path) -> None:
    path = tmp_path / "tone.flac"
    soundfile.write(path, tone(16_000), 16_000)
    whole = load_audio(path)
    np.testing.assert_array_equal(load_audio(path, start=0.25, end=0.5), whole[4000:8000])
    np.testing.assert_array_equal(load_audio(path, start=0.75, end=5), whole[12_000:])
    assert AudioClip(path, 0.25, 0.5).seconds() == 0.25
    assert AudioClip(path, 0.75, 5).seconds() == 0.25
    np.testing.assert_array_equal(AudioClip(path, end=0.5).load(), whole[:8000])
    for start, end in ((1.0, None), (2.0, 3.0), (0.0, 0.00001)):
        with pytest.raises(MediaError, match="no samples between"):
            load_audio(path, start=start, end=end)
    for start, end in ((-1.0, None), (0.5, 0.5), (0.5, 0.2)):
        with pytest.raises(MediaError, match="start < end"):
            load_audio(path, start=start, end=end)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    empty, text, header = tmp_path / "empty.wav", tmp_path / "text.wav", tmp_path / "header.wav"
    empty.touch()
    text.write_text("this is not a sound")
    soundfile.write(header, np.zeros(0, np.float32), 16_000)
    for path, word in (
        (tmp_path / "missing.wav", "nothing there"),
        (tmp_path, "a folder"),
        (empty, "empty"),
        (text, "not a sound file"),
        (header, "no samples"),
    ):
        with pytest.raises(MediaError, match=word) as error:
            load_audio(path)
        assert "\n" not in str(error.value)
    with pytest.raises(MediaError):
        audio_seconds(text)


def test_nan_samples(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    samples = tone(16_000)
    samples[100] = np.nan
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    with pytest.raises(MediaError, match="finite"):
        load_audio(path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_truncated_files_never_pass_as_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, np.random.default_rng(0).normal(size=16_000 * 3).astype(np.float32) * 0.1, 16_000)
    data = path.read_bytes()
    for share in (0.02, 0.3, 0.7):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(MediaError):
            load_audio(path)


def test_content_hash_notices_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(16_000), 16_000)
    before = AudioClip(path).content_hash()
    assert AudioClip(path, 0.0, 0.5).content_hash() != before
    soundfile.write(path, tone(16_000, 1.5), 16_000)
    assert AudioClip(path).content_hash() != before


def test_resample_keeps_at_least_one_sample() -> None:
    assert len(resample(np.ones(1, np.float32), 48_000)) >= 1
