"""Decoding: every kind of file to one kind, in a stream, once; and files that are not what they seem."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from moodline.core.errors import MediaError, MissingDependencyError, StorageError
from moodline.media import decode as decoding
from moodline.media import source as sources
from moodline.media.decode import decode
from moodline.media.kinds import is_recording
from moodline.media.source import open_source

av = pytest.importorskip("av")


def voice(seconds: float = 2.0, rate: int = 44_100, level: float = 0.3) -> np.ndarray:
    """A tone that swells, so that shifts in time show."""
    t = np.arange(round(seconds * rate)) / rate
    return (level * (0.2 + 0.8 * t / seconds) * np.sin(2 * np.pi * 220 * t)).astype(np.float32)


def encode(path: Path, samples: np.ndarray, rate: int, codec: str, picture: bool = False, **options: Any) -> Path:
    """Write with FFmpeg; samples [N] or [N, C]."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[samples.shape[1]]
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        film = container.add_stream("mpeg4", rate=5) if picture else None
        if film is not None:
            film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
            for n in range(round(len(samples) / rate * 5)):
                picture_frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 + n, np.uint8), "rgb24")
                container.mux(film.encode(picture_frame))
            container.mux(film.encode(None))
        for start in range(0, len(samples), 1024):
            part = np.ascontiguousarray(samples[start : start + 1024].reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(part, format="flt", layout=layout)
            frame.sample_rate, frame.pts = rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16_000
    assert samples.ndim == 1
    assert soundfile.info(path).subtype == "PCM_16"
    return samples


def shape_of(samples: np.ndarray, parts: int = 20) -> np.ndarray:
    """The loudness over time."""
    return np.array([np.sqrt(np.mean(p**2)) for p in np.array_split(samples, parts)])


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.m4a", "aac"), ("a.mp4", "aac"), ("a.mkv", "libopus"), ("a.mka", "flac"), ("a.mov", "pcm_s16le")],
)
def test_what_only_ffmpeg_reads(tmp_path: Path, name: str, codec: str) -> None:
    rate = 48_000
    path = encode(tmp_path / name, voice(rate=rate), rate, codec, picture=name in ("a.mp4", "a.mkv"))
    found = decode(path, tmp_path / "out")
    samples = read(found.sound)
    assert abs(found.seconds - 2) < 0.1
    assert abs(len(samples) / 16_000 - found.seconds) < 1e-6
    np.testing.assert_allclose(shape_of(samples[:32_000]), shape_of(voice(rate=16_000)), atol=0.02)
    assert found.notes == ()


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_what_libsndfile_reads(tmp_path: Path, name: str, rate: int) -> None:
    soundfile.write(tmp_path / name, voice(rate=rate), rate)
    found = decode(tmp_path / name, tmp_path / "out")
    np.testing.assert_allclose(shape_of(read(found.sound)), shape_of(voice(rate=16_000)), atol=0.03)
    assert bool(found.notes) == (rate == 8000)


def test_sixteen_bits_at_sixteen_thousand_stay_as_they_are(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(rate=16_000), 16_000, subtype="PCM_16")
    found = decode(tmp_path / "a.wav", tmp_path / "out")
    np.testing.assert_array_equal(read(found.sound), soundfile.read(tmp_path / "a.wav", dtype="float32")[0])


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_channels_are_averaged_or_kept_apart(tmp_path: Path, channels: int) -> None:
    tones = np.stack([0.2 * np.sin(np.arange(32_000) * 0.05 * (k + 1)) for k in range(channels)], 1)
    soundfile.write(tmp_path / "a.wav", tones, 16_000, subtype="PCM_16")
    mixed = decode(tmp_path / "a.wav", tmp_path / "mix")
    np.testing.assert_allclose(read(mixed.sound), tones.mean(axis=1), atol=1e-4)
    assert mixed.channels == ()
    apart = decode(tmp_path / "a.wav", tmp_path / "split", split=True)
    assert len(apart.channels) == channels
    for k, path in enumerate(apart.channels):
        np.testing.assert_allclose(read(path), tones[:, k], atol=1e-4)


def test_eight_channels_of_a_film(tmp_path: Path) -> None:
    tones = np.stack([voice(1.0, 48_000) * (k + 1) / 8 for k in range(8)], 1)
    path = encode(tmp_path / "a.mkv", tones, 48_000, "flac")
    apart = decode(path, tmp_path / "out", split=True)
    levels = [float(np.abs(read(p)).max()) for p in apart.channels]
    np.testing.assert_allclose(levels, 0.3 * np.arange(1, 9) / 8, atol=0.02)


def test_channels_that_cancel_are_noted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([voice(), -0.99 * voice()], 1), 44_100)
    assert any("cancel" in n for n in decode(tmp_path / "a.wav", tmp_path / "mix").notes)
    assert not any("cancel" in n for n in decode(tmp_path / "a.wav", tmp_path / "split", split=True).notes)


def test_small_blocks_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.mka", voice(3.0), 44_100, "flac")
    soundfile.write(tmp_path / "a.wav", voice(3.0), 44_100)
    for n, file in enumerate((path, tmp_path / "a.wav")):
        monkeypatch.setattr(sources, "BLOCK", 1 << 16)
        whole = read(decode(file, tmp_path / f"whole{n}").sound)
        monkeypatch.setattr(sources, "BLOCK", 777)
        np.testing.assert_array_equal(read(decode(file, tmp_path / f"small{n}").sound), whole)


def test_decoded_once(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, voice(), 44_100)
    first, calls = decode(path, tmp_path / "out"), list[tuple[str, int, int]]()
    path.unlink()  # nobody reads it again
    assert decode(path, tmp_path / "out", progress=lambda *c: calls.append(c)) == first
    assert calls == []


def test_progress_ends_at_its_total(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(10), 44_100)
    calls = list[tuple[str, int, int]]()
    decode(tmp_path / "a.wav", tmp_path / "out", progress=lambda *c: calls.append(c))
    assert calls[-1][1:] == (10, 10)
    assert [c[1] for c in calls] == sorted(c[1] for c in calls)


class _StopError(Exception):
    """What ends a decoding in the middle."""


def test_interrupted_decoding_leaves_nothing_half(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(10), 44_100)

    def stop(*_: object) -> None:
        raise _StopError

    with pytest.raises(_StopError):
        decode(tmp_path / "a.wav", tmp_path / "out", progress=stop)
    assert list((tmp_path / "out").iterdir()) == []
    assert abs(decode(tmp_path / "a.wav", tmp_path / "out").seconds - 10) < 0.01


def test_a_lost_file_is_decoded_again(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(), 44_100)
    found = decode(tmp_path / "a.wav", tmp_path / "out")
    found.sound.unlink()
    assert decode(tmp_path / "a.wav", tmp_path / "out").sound.exists()
    (tmp_path / "out" / "decoded.json").write_text("{")
    assert decode(tmp_path / "a.wav", tmp_path / "out").seconds == found.seconds


# -- bad input --------------------------------------------------------------------------------------------------


def refused(path: Path, out: Path) -> str:
    with pytest.raises(MediaError) as error:
        decode(path, out)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    assert not (out / "decoded.json").exists()
    assert not list(out.glob("*.part"))
    return str(error.value)


def test_files_without_sound(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("this is not a sound" * 50)
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    soundfile.write(tmp_path / "header.wav", np.zeros(0, np.float32), 16_000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000, np.float32), 16_000)
    soundfile.write(tmp_path / "hum.wav", voice(level=0.0003), 44_100)
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        film = container.add_stream("mpeg4", rate=5)
        film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
        container.mux(film.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        container.mux(film.encode(None))
    for name, words in {
        "missing.wav": "nothing there",
        "empty.wav": "0 bytes",
        "text.wav": "neither sound nor film",
        "noise.mp4": "neither sound nor film",
        "header.wav": "no samples",
        "silent.wav": "is silent",
        "hum.wav": "is silent",
        "film.mp4": "without sound",
    }.items():
        assert words in refused(tmp_path / name, out), name
    assert "a folder" in refused(tmp_path, out)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.mkv"])
def test_a_cut_file_is_used_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    noisy = voice(20) + np.random.default_rng(0).normal(0, 0.02, 20 * 44_100).astype(np.float32)
    if name == "a.mkv":
        encode(path, noisy, 44_100, "aac")
    else:
        soundfile.write(path, noisy, 44_100)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * 0.6)])
    found = decode(path, tmp_path / "out")
    assert 8 < found.seconds < 16
    assert any("damaged or cut off" in n for n in found.notes), found.notes


def test_damage_in_the_middle_does_not_lose_the_rest(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", voice(20), 44_100, "aac")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = bytes(2000)
    path.write_bytes(data)
    found = decode(path, tmp_path / "out")
    assert abs(found.seconds - 20) < 1.0
    samples = read(found.sound)
    late = shape_of(samples[17 * 16_000 : 19 * 16_000], 4)
    np.testing.assert_allclose(late, shape_of(voice(20, 16_000)[17 * 16_000 : 19 * 16_000], 4), atol=0.03)


def test_a_film_whose_sound_begins_late_keeps_its_times(tmp_path: Path) -> None:
    path, rate = tmp_path / "late.mkv", 16_000
    with av.open(str(path), "w") as container:
        film = container.add_stream("mpeg4", rate=5)
        film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
        stream = container.add_stream("flac", rate=rate, layout="mono")
        for n in range(20):
            container.mux(film.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), n, np.uint8), "rgb24")))
        container.mux(film.encode(None))
        samples = (voice(2.0, rate) * 32_767).astype(np.int16)
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, 2 * rate + start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    heard = read(decode(path, tmp_path / "out").sound)
    assert abs(len(heard) / rate - 4.0) < 0.15
    assert np.abs(heard[: int(1.9 * rate)]).max() < 1e-3
    assert np.abs(heard[int(2.2 * rate) :]).max() > 0.1


def test_clipped_and_not_finite(tmp_path: Path) -> None:
    loud = np.clip(voice(level=3.0), -1, 1)
    soundfile.write(tmp_path / "loud.wav", loud, 44_100)
    assert any("clipped" in n for n in decode(tmp_path / "loud.wav", tmp_path / "a").notes)
    broken = voice()
    broken[1000:1100] = np.nan
    soundfile.write(tmp_path / "nan.wav", broken, 44_100, subtype="FLOAT")
    found = decode(tmp_path / "nan.wav", tmp_path / "b")
    assert any("100 samples were not numbers" in n for n in found.notes)
    assert np.isfinite(read(found.sound)).all()


def test_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", voice(), 44_100)
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(decoding.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="MOODLINE_CACHE"):
        decode(tmp_path / "a.wav", tmp_path / "out")


def test_a_disk_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", voice(), 44_100)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(decoding._Wav, "write", full)
    with pytest.raises(StorageError, match="No space left"):
        decode(tmp_path / "a.wav", tmp_path / "out")
    assert not (tmp_path / "out" / "decoded.json").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(), 44_100)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        decode(tmp_path / "a.wav", tmp_path / "file" / "out")


def test_too_long_for_a_wav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", voice(), 44_100)
    monkeypatch.setattr(decoding, "LONGEST", 20_000)
    with pytest.raises(MediaError, match="37 hours"):
        decode(tmp_path / "a.wav", tmp_path / "out")


def test_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = encode(tmp_path / "a.m4a", voice(rate=48_000), 48_000, "aac")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"\[listen\]"):
        decode(path, tmp_path / "out")


def test_what_is_a_recording(tmp_path: Path) -> None:
    for name in ("a.wav", "A.MP3", "b.mkv", "c.m4a"):
        assert is_recording(Path(name))
    soundfile.write(tmp_path / "sound.wav", voice(), 44_100)
    (tmp_path / "sound.wav").rename(tmp_path / "sound")
    assert is_recording(tmp_path / "sound")
    (tmp_path / "talk").write_text("Ada: hello there, how are you")
    assert not is_recording(tmp_path / "talk")
    assert not is_recording(tmp_path / "nowhere")
    assert not is_recording(tmp_path)


def test_facts_are_plain_json(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(), 44_100)
    decode(tmp_path / "a.wav", tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "decoded.json").read_text())
    assert facts["name"] == "a.wav"
    assert open_source(tmp_path / "a.wav").seconds == pytest.approx(2.0)


@pytest.mark.slow
def test_six_hours_in_bounded_memory(tmp_path: Path) -> None:
    import resource

    path, block = tmp_path / "long.flac", voice(60, 16_000)
    with soundfile.SoundFile(path, "w", 16_000, 2) as file:
        for _ in range(360):
            file.write(np.stack([block, block], 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = decode(path, tmp_path / "out")
    assert found.seconds == 6 * 3600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024
