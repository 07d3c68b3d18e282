"""The recording in the page: peaks to draw its waveform, and the sound itself, made small."""

from __future__ import annotations

import base64
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.media.source import open_source

LIMIT = 25_000_000
"""Bytes of sound that a page holds at most; what is larger is played from its own file."""
RATE = 20
"""Bins of a waveform in a second."""
PEAKS = 60_000
"""Bins at most; of a longer recording several become one."""

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
        notes: what was wrong with it, in sentences.
    """

    seconds: float
    rate: float
    peaks: bytes
    mp3: bytes | None
    notes: tuple[str, ...] = ()

    def packed(self) -> str:
        """The peaks in base64."""
        return base64.b64encode(self.peaks).decode()


def read_sound(path: Path, limit: int = LIMIT) -> Sound:
    """Read a recording once, block by block, for its waveform and its MP3.

    Args:
        path: a sound or film file.
        limit: bytes that the MP3 may have.

    Raises:
        MediaError, MissingDependencyError: as ``media.source`` does.
    """
    source = open_source(path)
    done, bins = 0, list[NDArray[np.float32]]()
    with tempfile.TemporaryFile() as file:
        mp3 = _Mp3(file, source.rate) if (source.seconds or 0.0) * _BYTES <= limit and limit else None
        for block in source.blocks():
            samples = block.mean(axis=1)
            bins.append(_peaks(samples, done, source.rate))
            done += len(samples)
            if mp3 is not None:
                mp3.write(samples)
                if file.tell() > limit:
                    mp3.close()
                    mp3 = None
            if len(bins) > 1000:
                bins = [_joined(bins)]
        if mp3 is not None:
            mp3.close()
        data = _content(file) if mp3 is not None else None
    peaks, factor = _thinned(_joined(bins), PEAKS)
    loudest = float(peaks.max(initial=0.0))
    scaled = np.round(peaks / loudest * 255) if loudest > 0 else peaks
    kept = data if data is not None and len(data) <= limit else None
    return Sound(done / source.rate, RATE / factor, scaled.astype(np.uint8).tobytes(), kept, tuple(source.notes))


def _peaks(samples: NDArray[np.float32], done: int, rate: int) -> NDArray[np.float32]:
    """The loudest sample of each bin that a block touches; the first bin's number stands in front of them."""
    places = ((done + np.arange(len(samples))) * RATE) // rate
    first = done * RATE // rate
    out = np.zeros(int(places[-1]) - first + 2 if len(places) else 1, np.float32)
    out[0] = first
    np.maximum.at(out, places - first + 1, np.abs(samples))
    return out


def _joined(bins: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Blocks of bins as one; a bin that two blocks share has the louder of the two."""
    last = max((int(b[0]) + len(b) - 1 for b in bins), default=0)
    out = np.zeros(last + 1, np.float32)
    for b in bins:
        place = out[1 + int(b[0]) : int(b[0]) + len(b)]
        np.maximum(place, b[1:], out=place)
    return out


def _thinned(joined: NDArray[np.float32], most: int) -> tuple[NDArray[np.float32], int]:
    """At most so many bins, and how many became one."""
    peaks = joined[1:]
    factor = max(1, math.ceil(len(peaks) / most))
    padded = np.pad(peaks, (0, -len(peaks) % factor))
    return padded.reshape(-1, factor).max(axis=1) if len(padded) else padded, factor


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
