"""The recording in the page: peaks to draw its waveform, and the sound itself, made small."""

from __future__ import annotations

import base64
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodline.errors import MediaError
from moodline.media.audio import audio_seconds, load_audio

LIMIT = 25_000_000
"""Bytes of sound that a page holds at most; what is larger is played from its own file."""
BLOCK = 60.0
"""Seconds that are in memory at once."""
PEAKS = 60_000
"""Bins of a waveform at most; 20 in a second where that is fewer."""

_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000)  # of MP3, up to what speech needs
_BYTES = 4_600  # of MP3 a second, about; higher than what comes out


@dataclass(frozen=True, slots=True)
class Sound:
    """What of a recording goes into a page.

    Args:
        seconds: how long it lasts.
        rate: bins a second.
        peaks: the loudest sample of each bin, 0 to 255 for silence to the loudest of all, as bytes.
        mp3: the recording, mono; None if it would be larger than allowed.
    """

    seconds: float
    rate: float
    peaks: bytes
    mp3: bytes | None

    def packed(self) -> str:
        """The peaks in base64."""
        return base64.b64encode(self.peaks).decode()


def read_sound(path: Path, limit: int = LIMIT) -> Sound:
    """Read a recording once, block by block, for its waveform and its MP3.

    Args:
        path: a sound file that ``media.audio`` reads.
        limit: bytes that the MP3 may have.

    Raises:
        MediaError: as ``media.audio`` does.
    """
    seconds = audio_seconds(path)
    rate = min(20.0, PEAKS / max(seconds, 1e-9))
    peaks = np.zeros(max(1, math.ceil(seconds * rate)), np.float32)
    with tempfile.TemporaryFile() as file:
        mp3 = _Mp3(file, _own_rate(path)) if seconds * _BYTES <= limit else None
        for start, samples, own in _blocks(path, seconds):
            bins = np.minimum(((start + np.arange(len(samples)) / own) * rate).astype(np.int64), len(peaks) - 1)
            np.maximum.at(peaks, bins, np.abs(samples))
            if mp3 is not None:
                mp3.write(samples)
        if mp3 is not None:
            mp3.close()
        data = _content(file) if mp3 is not None else None
    loudest = float(peaks.max())
    scaled = np.round(peaks / loudest * 255) if loudest > 0 else peaks
    kept = data if data is not None and len(data) <= limit else None
    return Sound(seconds, rate, scaled.astype(np.uint8).tobytes(), kept)


def _own_rate(path: Path) -> int:
    import soundfile

    try:
        return int(soundfile.info(str(path)).samplerate)
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        raise MediaError(f"{path}: not a sound file that can be read", error) from None


def _blocks(path: Path, seconds: float) -> Iterator[tuple[float, np.ndarray, int]]:
    """Start, samples at the file's own rate, and that rate, of every block."""
    own = _own_rate(path)
    for n in range(math.ceil(seconds / BLOCK)):
        start, end = n * BLOCK, min(seconds, (n + 1) * BLOCK)
        if round(start * own) < round(end * own):
            yield start, load_audio(path, own, start, end), own


class _Mp3:
    """An MP3 that is written block by block."""

    def __init__(self, file: Any, own: int) -> None:
        import soundfile
        import soxr

        rate = max((r for r in _RATES if r <= own), default=_RATES[0])
        self._stream = soxr.ResampleStream(own, rate, 1) if own != rate else None
        self._file = soundfile.SoundFile(
            file,
            "w",
            samplerate=rate,
            channels=1,
            format="MP3",
            subtype="MPEG_LAYER_III",
            compression_level=0.8,
            bitrate_mode="AVERAGE",
        )

    def write(self, samples: np.ndarray) -> None:
        """Add samples of the file's own rate."""
        self._put(samples if self._stream is None else self._stream.resample_chunk(samples))

    def close(self) -> None:
        """Write what is still held back."""
        if self._stream is not None:
            self._put(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))
        self._file.close()

    def _put(self, samples: np.ndarray) -> None:
        self._file.write(np.clip(samples, -1.0, 1.0))


def _content(file: Any) -> bytes:
    file.seek(0)
    return bytes(file.read())
