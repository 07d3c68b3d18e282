"""Recordings behind each other, heads that are wrong, several tracks: everything is heard, or a note says what not."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moodline.core.errors import MediaError
from moodline.media.decode import Decoded, decode
from moodline.media.frames import mpeg_frame, mpeg_runs
from moodline.media.kinds import is_recording, sounds
from moodline.media.window import Window

av = pytest.importorskip("av")

CASES = Path(__file__).parent / "cases"
ROWS = re.findall(r"^\| (\d\S+) \| ([\d.]+) \| (.+) \|$", (CASES / "README.md").read_text(), re.MULTILINE)


def voice(seconds: float = 2.0, rate: int = 16_000) -> np.ndarray:
    """A tone that swells; its second half is noisy, so that encoders spend more on it."""
    t = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.05, len(t)) * (t > seconds / 2)
    return (0.3 * (0.2 + 0.8 * t / seconds) * np.sin(2 * np.pi * 220 * t) + noise).astype(np.float32)


def encoded(kind: str, seconds: float, rate: int = 16_000, **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, voice(seconds, rate), rate, format=kind, **options)
    return file.getvalue()


def film(path: Path, codec: str, seconds: float = 2.0, silent: tuple[bool, ...] = (False,), **options: Any) -> Path:
    """A file of FFmpeg's with a track for each value."""
    rate = 48_000
    with av.open(str(path), "w", **options) as container:
        streams = [container.add_stream(codec, rate=rate, layout="mono") for _ in silent]
        samples = voice(seconds, rate)
        for start in range(0, len(samples), 1024):
            for stream, quiet in zip(streams, silent, strict=True):
                part = np.ascontiguousarray((samples * (not quiet))[None, start : start + 1024])
                frame = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
                frame.sample_rate, frame.pts = rate, start
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    return path


def notes(found: Decoded) -> str:
    return " ".join(n for n in found.notes if "telephones" not in n)


@pytest.mark.parametrize(("name", "seconds", "note"), ROWS)
def test_cases(name: str, seconds: str, note: str, tmp_path: Path) -> None:
    found = decode(CASES / name, tmp_path / "out")
    assert found.seconds == pytest.approx(float(seconds), abs=0.06)
    assert (notes(found) == "") if note == "none" else note in notes(found)
    assert is_recording(CASES / name)
    bare = shutil.copy(CASES / name, tmp_path / "bare")
    assert sounds(bare)
    assert decode(bare, tmp_path / "again").seconds == found.seconds


def test_every_case_is_in_the_table() -> None:
    assert {name for name, _, _ in ROWS} == {p.name for p in CASES.iterdir()} - {"README.md"}


@pytest.mark.parametrize(
    ("kind", "options"),
    [("WAV", {}), ("AIFF", {}), ("FLAC", {}), ("OGG", {}), ("OGG", {"subtype": "OPUS"}), ("MP3", {})],
)
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_joined_files_are_heard_to_the_end(kind: str, options: dict[str, Any], rate: int, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(encoded(kind, 2, **options) + encoded(kind, 3, rate, **options) + encoded(kind, 1, **options))
    found = decode(path, tmp_path / "out")
    assert found.seconds == pytest.approx(6, abs=0.01)
    assert "3 recordings stand behind each other" in notes(found)
    samples, _ = soundfile.read(found.sound)
    loud = [np.abs(part).max() for part in np.split(samples[: 6 * 16_000], 12)]
    assert min(loud) > 0.02
    assert loud[4] < 0.2 < loud[9]  # the second one begins softly and ends loudly


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.webm", "libopus"), ("a.mkv", "flac")])
def test_joined_films(name: str, codec: str, tmp_path: Path) -> None:
    path = film(tmp_path / name, codec)
    assert notes(decode(path, tmp_path / "one")) == ""
    path.write_bytes(path.read_bytes() * 3)
    found = decode(path, tmp_path / "out")
    assert found.seconds == pytest.approx(6, abs=0.1)
    assert "3 recordings stand behind each other" in notes(found)


@pytest.mark.parametrize("size", [0, 16_000, 0x7FFFF000, 0xFFFFFFFF, 0xFFFFFFFF - 36])
def test_sizes_in_wav_heads(size: int, tmp_path: Path) -> None:
    data = bytearray(encoded("WAV", 2))
    at = data.find(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    (tmp_path / "a.wav").write_bytes(data)
    found = decode(tmp_path / "a.wav", tmp_path / "out")
    assert found.seconds == 2
    assert ("counts 0.5 s, but 2.0 s" in notes(found)) if size == 16_000 else notes(found) == ""
    np.testing.assert_array_equal(soundfile.read(found.sound, dtype="int16")[0], np.frombuffer(data[at + 4 :], "<i2"))
    (tmp_path / "b.wav").write_bytes(data * 2)
    assert decode(tmp_path / "b.wav", tmp_path / "joined").seconds == 4


def test_chunks_behind_the_samples_are_no_sound(tmp_path: Path) -> None:
    data = bytearray(encoded("WAV", 2)) + b"LIST" + struct.pack("<I", 4001) + bytes(4002) + b"id3 " + bytes(4)
    (tmp_path / "a.wav").write_bytes(data + b"TAG" + bytes(125))
    found = decode(tmp_path / "a.wav", tmp_path / "out")
    assert (found.seconds, notes(found)) == (2, "")


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
def test_mp3_of_varying_bitrate_without_a_table(rate: int, tmp_path: Path) -> None:
    data = encoded("MP3", 20, rate, bitrate_mode="VARIABLE", compression_level=0.5)
    run = mpeg_runs(data)[0]
    table = mpeg_frame(data, run.start)
    assert table is not None
    assert run.claimed == run.frames
    (tmp_path / "a.mp3").write_bytes(data[run.start + table.length :])
    found = decode(tmp_path / "a.mp3", tmp_path / "out")
    assert found.seconds == pytest.approx(20, abs=0.2)
    assert notes(found) == ""
    tagged = b"ID3\x04\0\0\0\0\x10\0" + bytes(2048) + data + b"TAG" + bytes(125)
    (tmp_path / "b.mp3").write_bytes(tagged)
    found = decode(tmp_path / "b.mp3", tmp_path / "tagged")
    assert (round(found.seconds, 1), notes(found)) == (20, "")


def test_aac_without_a_container(tmp_path: Path) -> None:
    path = film(tmp_path / "a.aac", "aac", 5, format="adts")
    found = decode(path, tmp_path / "one")
    assert found.seconds == pytest.approx(5, abs=0.1)
    assert notes(found) == ""
    data = path.read_bytes()
    path.write_bytes(data * 2)
    assert decode(path, tmp_path / "two").seconds == pytest.approx(10, abs=0.2)
    path.write_bytes(data[:-40])
    assert "damaged or cut off" in notes(decode(path, tmp_path / "cut"))


@pytest.mark.parametrize(
    ("silent", "number"), [((False, False), 1), ((True, False), 2), ((False, True), 1), ((True, True, False), 3)]
)
def test_the_first_track_that_is_not_silent(silent: tuple[bool, ...], number: int, tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", "aac", silent=silent)
    found = decode(path, tmp_path / "out")
    assert f"{len(silent)} sound tracks; number {number} was used" in notes(found)
    assert notes(decode(path, tmp_path / "chosen", track=number)) == ""
    for n, quiet in enumerate(silent, 1):
        if quiet:
            with pytest.raises(MediaError, match="is silent"):
                decode(path, tmp_path / f"silent{n}", track=n)
    with pytest.raises(MediaError, match="--track 9"):
        decode(path, tmp_path / "none", track=9)


def test_only_one_track(tmp_path: Path) -> None:
    assert decode(CASES / ROWS[0][0], tmp_path / "one", track=1).seconds == 4
    with pytest.raises(MediaError, match="--track 2 is not in the recording"):
        decode(CASES / ROWS[0][0], tmp_path / "two", track=2)


def test_the_other_library_goes_on_where_one_stops(tmp_path: Path) -> None:
    data = bytearray(encoded("FLAC", 20))
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    (tmp_path / "a.flac").write_bytes(data)
    found = decode(tmp_path / "a.flac", tmp_path / "out")
    assert found.seconds == pytest.approx(20, abs=0.6)
    assert "damaged in the middle" in notes(found)


def test_damage_between_frames_of_mp3_is_no_second_recording(tmp_path: Path) -> None:
    data = bytearray(encoded("MP3", 20))
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    (tmp_path / "a.mp3").write_bytes(data)
    found = decode(tmp_path / "a.mp3", tmp_path / "out")
    assert 18 < found.seconds < 20
    assert notes(found) == "a.mp3 is damaged in the middle; what can be decoded was used."


def test_a_sphere_file_that_is_cut(tmp_path: Path) -> None:
    (tmp_path / "a.sph").write_bytes(encoded("NIST", 3, 8000, subtype="ULAW")[:-9000])
    assert "damaged or cut off; its first 1.9 s were used" in notes(decode(tmp_path / "a.sph", tmp_path / "out"))


@pytest.mark.parametrize("name", [name for name, _, _ in ROWS])
def test_cut_anywhere_gives_one_line_or_sound(name: str, tmp_path: Path) -> None:
    data = (CASES / name).read_bytes()
    for n, size in enumerate([*range(1, 120, 7), *np.linspace(120, len(data) - 1, 25).astype(int)]):
        path = tmp_path / name
        path.write_bytes(data[:size])
        with contextlib.suppress(MediaError):
            assert 0 < decode(path, tmp_path / str(n)).seconds <= 6.1


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_window_is_a_file(tmp_path: Path, data: st.DataObject) -> None:
    content, head = data.draw(st.binary(max_size=60)), data.draw(st.binary(max_size=20))
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, len(content)))
    (tmp_path / "a").write_bytes(content)
    whole = head + content[start:stop]
    with Window(tmp_path / "a", start, stop, head) as file:
        buffered = io.BufferedReader(file)
        assert buffered.read() == whole
        at = data.draw(st.integers(0, len(whole)))
        buffered.seek(at)
        assert buffered.read() == whole[at:]
        assert buffered.seek(0, 2) == len(whole)
