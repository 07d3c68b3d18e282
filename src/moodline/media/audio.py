"""Sound from files: any rate and any number of channels in, mono float32 at the wanted rate out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from moodline.core.errors import MediaError
from moodline.media.clip import clip_hash

RATE = 16_000
"""Samples per second that every speech encoder here expects."""

UNKNOWN = 0x7FFF_0000
"""A size from here on in a WAV's head is what programs write that do not know it yet."""


def load_audio(path: str | Path, rate: int = RATE, start: float | None = None, end: float | None = None) -> np.ndarray:
    """Read a sound file or a part of it.

    Args:
        path: anything libsndfile reads (WAV, FLAC, OGG, MP3 …).
        rate: samples per second of the result; resampled with soxr if the file has another.
        start: seconds from the beginning; None for the beginning.
        end: seconds, after ``start``; None for the end. An end after the file's own is cut to it.

    Returns:
        Mono float32 [N], channels averaged, N ≥ 1.

    Raises:
        MediaError: missing, not audio, truncated, without samples, not finite, or no samples between start and end.
    """
    import soundfile

    path = Path(path)
    low = 0.0 if start is None else start
    if low < 0 or (end is not None and end <= low):
        raise MediaError(f"{path.name}: expected 0 ≤ start < end in seconds", f"start {start}, end {end}")
    check_whole(path)
    try:
        with soundfile.SoundFile(path) as file:
            own, frames = int(file.samplerate), int(file.frames)
            first = round(low * own)
            last = frames if end is None else min(frames, round(end * own))
            if frames == 0:
                raise MediaError(f"{path}: the file has no samples", fix="Remove it or record it again.")
            if first >= last:
                raise MediaError(
                    f"{path}: no samples between {low:g} s and {'the end' if end is None else f'{end:g} s'}",
                    f"the file lasts {frames / own:.2f} s",
                    "Correct the utterance's times, in seconds.",
                )
            file.seek(first)
            data: Any = file.read(last - first, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise MediaError(f"{path}: not a sound file that can be read", error, "Convert it to WAV or FLAC.") from None
    if len(data) < last - first:
        raise MediaError(
            f"{path}: the file is truncated", f"{len(data)} of {last - first} samples", "Copy or download it again."
        )
    samples = np.asarray(data.mean(axis=1) if data.shape[1] > 1 else data[:, 0], dtype=np.float32)
    if not np.isfinite(samples).all():
        raise MediaError(f"{path}: samples must be finite", "NaN or infinity", "Convert it to 16-bit WAV or FLAC.")
    return resample(samples, own, rate)


def resample(samples: np.ndarray, rate: int, to: int = RATE) -> np.ndarray:
    """Change the sampling rate.

    Args:
        samples: mono float32 [N].
        rate: its samples per second.
        to: the wanted ones.

    Returns:
        Mono float32, at least one sample.
    """
    if rate == to:
        return np.ascontiguousarray(samples, dtype=np.float32)
    import soxr

    out = np.asarray(soxr.resample(samples, rate, to), dtype=np.float32)
    return out if len(out) else samples[:1].astype(np.float32)


def audio_seconds(path: str | Path) -> float:
    """How long a sound file lasts, from its head.

    Raises:
        MediaError: missing or not audio.
    """
    import soundfile

    path = Path(path)
    check_whole(path)
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise MediaError(f"{path}: not a sound file that can be read", error, "Convert it to WAV or FLAC.") from None
    return float(info.frames / info.samplerate)


@dataclass(frozen=True)
class AudioClip:
    """A sound file or a part of it, read when asked for.

    Args:
        path: the file.
        start: seconds; None for the beginning.
        end: seconds; None for the end.
    """

    path: Path
    start: float | None = None
    end: float | None = None

    def load(self, rate: int = RATE) -> np.ndarray:
        """The samples; see ``load_audio``."""
        return load_audio(self.path, rate, self.start, self.end)

    def seconds(self) -> float:
        """How long it lasts, without reading the samples."""
        whole = audio_seconds(self.path)
        return max(0.0, min(whole, whole if self.end is None else self.end) - (self.start or 0.0))

    def content_hash(self) -> str:
        """SHA-256 over the file's bytes and the times: what a feature store compares."""
        check_whole(self.path)
        return clip_hash(self.path, self.start, self.end)


def check_whole(path: Path, whole: bool = True) -> None:
    """Raise unless ``path`` is a file with something in it.

    Args:
        path: the file.
        whole: also refuse a WAV or OGG file whose end is missing.

    Raises:
        MediaError: missing, a folder, empty, out of reach, or cut off.
    """
    try:
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "nothing there"
            raise MediaError(f"{path}: expected a sound file", kind, "Check the path.")
        if path.stat().st_size == 0:
            raise MediaError(f"{path}: the file is empty", "0 bytes", "Copy or download it again.")
        missing = missing_bytes(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: the file cannot be read: {reason}", fix="Check its name and permissions.") from None
    if missing and whole:
        raise MediaError(f"{path}: the file is truncated", f"{missing} bytes missing", "Copy or download it again.")


def missing_bytes(path: Path) -> int:
    """At least how many bytes are missing at the end of a WAV or OGG file; 0 for other kinds."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"WAVE":
            return _missing_wav(file)
        return _missing_ogg(file) if head[:4] == b"OggS" else 0


def _missing_wav(file: BinaryIO) -> int:
    """Bytes by which a WAV's samples are longer than the file; libsndfile would read what is left without a word."""
    end = file.seek(0, os.SEEK_END)
    at = 12
    while at + 8 <= end:
        file.seek(at)
        name, size = file.read(4), int.from_bytes(file.read(4), "little")
        if name == b"data":  # of a stream, the size is not known
            return max(0, at + 8 + size - end) if size < UNKNOWN else 0
        at += 8 + size + size % 2
    return max(0, at - end)


def _missing_ogg(file: BinaryIO) -> int:
    """At least 1 if an OGG's last page is cut, or is not marked as the stream's end."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - 131_072))  # twice the longest page
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return 1
    lacing = tail[at + 27 : at + 27 + tail[at + 26]]
    return max(at + 27 + tail[at + 26] + sum(lacing) - len(tail), 0 if tail[at + 5] & 4 else 1)
