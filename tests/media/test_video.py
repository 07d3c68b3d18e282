"""Pictures from videos: which frames, at what times, upright, from damaged files."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from moodline.core.errors import MediaError, MissingDependencyError
from moodline.media import video
from moodline.media.video import VideoClip, read_pictures
from tests.media.videos import RATE, Pixels, write_video

pytest.importorskip("av", reason="needs the extra vision")


def numbered(count: int = 40, width: int = 64, height: int = 48) -> list[Pixels]:
    """Grey pictures whose brightness tells their number: 20, 24, 28 …"""
    return [np.full((height, width, 3), 20 + 4 * n, dtype=np.uint8) for n in range(count)]


def numbers(pictures: list[video.Picture]) -> list[int]:
    return [round((float(p.pixels.mean()) - 20) / 4) for p in pictures]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, ten frames each."""
    return write_video(tmp_path_factory.mktemp("video") / "film.mp4", numbered())


@pytest.mark.parametrize(
    ("rate", "start", "end", "expected"),
    [
        (RATE, None, None, list(range(40))),
        (5, None, None, list(range(1, 40, 2))),
        (100, None, None, list(range(40))),  # no frame twice
        (1, None, None, [5, 15, 25, 35]),
        (5, 1.0, 2.0, [11, 13, 15, 17, 19]),
        (5, 3.3, None, [34, 36, 38]),
        (5, 2.0, 2.01, [20]),  # shorter than a step: its middle
        (5, 3.8, 60.0, [39]),
        (1, 0.0, 0.9, [4]),
    ],
)
def test_the_frames_shown_in_the_middle_of_each_step(
    film: Path, rate: float, start: float | None, end: float | None, expected: list[int]
) -> None:
    found = list(read_pictures(film, rate, start, end))
    assert numbers(found) == expected
    assert [p.time for p in found] == pytest.approx([n / RATE for n in expected], abs=0.02)


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".webm", ".mov"])
def test_other_containers(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"film{suffix}", numbered(20))
    assert numbers(list(read_pictures(path, 5, 0.6, 1.6))) == [7, 9, 11, 13, 15]


def test_parts_are_the_whole(film: Path) -> None:
    whole = list(read_pictures(film, 5))
    parts = [p for low in range(4) for p in read_pictures(film, 5, float(low), float(low + 1))]
    assert [p.time for p in parts] == [p.time for p in whole]
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)


def test_rotation_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = np.full((48, 96, 3), 100, dtype=np.uint8)
    marked[:16, :16] = 255  # the left upper corner; a quarter turn clockwise brings it to the right
    straight = next(read_pictures(write_video(tmp_path / "a.mp4", [marked] * 3), 5)).pixels
    turned = next(read_pictures(write_video(tmp_path / "b.mp4", [marked] * 3, turned=True), 5)).pixels
    assert (straight.shape, turned.shape) == ((48, 96, 3), (96, 48, 3))
    assert turned[:16, -16:].mean() > 230
    assert turned[:16, :16].mean() < 130
    np.testing.assert_array_equal(turned, np.rot90(straight, -1))
    monkeypatch.setattr(video, "LONGEST", 48)
    assert next(read_pictures(tmp_path / "b.mp4", 5)).pixels.shape == (48, 24, 3)


def test_it_is_a_stream(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are turned into pictures one by one, as they are asked for."""
    made = []
    pixels = video._pixels
    monkeypatch.setattr(video, "_pixels", lambda frame: made.append(frame.pts) or pixels(frame))
    assert len(list(itertools.islice(read_pictures(film, 5), 3))) == 3
    assert len(made) == 3


def test_a_file_whose_end_is_missing_is_used_as_far_as_it_goes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = [rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(40)]
    data = write_video(tmp_path / "whole.mkv", noisy).read_bytes()
    half = tmp_path / "half.mkv"
    half.write_bytes(data[: len(data) // 2])
    found = list(read_pictures(half, RATE))
    assert 10 <= len(found) <= 30
    assert list(read_pictures(half, RATE, 3.5, 3.9)) == []  # the head says that it lasts four seconds


def test_damage_in_the_middle_costs_only_what_it_hits(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.avi", numbered(40), gop="5")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    path.write_bytes(bytes(data))
    found = list(read_pictures(path, RATE))
    assert len(found) >= 25
    assert found[-1].time >= 3.7


def test_bad_files(tmp_path: Path, film: Path) -> None:
    def fails(path: Path, start: float | None = None, end: float | None = None, rate: float = 5) -> str:
        with pytest.raises(MediaError) as error:
            list(read_pictures(path, rate, start, end))
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "nothing there" in fails(tmp_path / "none.mp4")
    assert "a folder" in fails(tmp_path)
    (tmp_path / "empty.mp4").touch()
    assert "0 bytes" in fails(tmp_path / "empty.mp4")
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    assert "not a video file" in fails(tmp_path / "noise.mp4")
    data = film.read_bytes()
    (tmp_path / "headless.mp4").write_bytes(data[: len(data) // 2])  # MP4 has its index at the end
    assert "Copy or download it again" in fails(tmp_path / "headless.mp4")
    assert "0 ≤ start < end" in fails(film, 2.0, 1.0)
    assert "positive" in fails(film, rate=0)
    assert "the file lasts 4.00 s" in fails(film, 7.0, 8.0)


def test_a_sound_file_has_no_pictures(tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "sound.wav", np.zeros(1600, dtype=np.float32), 16000)
    with pytest.raises(MediaError, match="no video stream"):
        list(read_pictures(tmp_path / "sound.wav", 5))


def test_clips(film: Path, tmp_path: Path) -> None:
    assert numbers(list(VideoClip(film, 1.0).pictures(5, 1.0))) == [11, 13, 15, 17, 19]
    assert len(list(VideoClip(film).pictures(5))) == 20
    hashes = {VideoClip(film, *times).content_hash() for times in ((), (1.0,), (1.0, 2.0))}
    assert len(hashes) == 3
    copy = tmp_path / "other.mp4"
    copy.write_bytes(film.read_bytes())
    assert VideoClip(copy).content_hash() == VideoClip(film).content_hash()
    copy.write_bytes(film.read_bytes() + b"0")
    assert VideoClip(copy).content_hash() != VideoClip(film).content_hash()
    with pytest.raises(MediaError, match="nothing there"):
        VideoClip(tmp_path / "none.mp4").content_hash()


def test_without_pyav(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependencyError, match=r"\[vision\]"):
        next(read_pictures(film, 5))
