"""Sound through FFmpeg (PyAV): a container's tracks, and the samples of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.core.errors import MediaError, MissingDependencyError

Samples = NDArray[np.float32]

GAP = 0.1
"""Seconds without sound inside a film from which on silence is filled in, so that its times stay true."""

LONGEST_GAP = 3600.0
"""A longer gap is a broken time stamp, not silence."""

SILENT = 0.0005
"""Highest peak of silence."""

ESTIMATED = frozenset({"aac", "ac3", "amr", "amrnb", "amrwb", "dts", "eac3", "gsm", "loas", "mp3", "mpeg", "tta"})
"""Formats without a length in their head: what FFmpeg gives is an estimate."""


@dataclass
class Track:
    """One sound track of an opened container.

    Args:
        container: of PyAV; ``close`` closes it.
        stream: of PyAV.
        number: from 1, among the sound tracks.
        tracks: how many sound tracks there are.
        seconds: how long it claims to last; None if it does not say, or only guesses.
    """

    container: Any
    stream: Any
    number: int
    tracks: int
    seconds: float | None
    broken: int = field(default=0, init=False)

    @property
    def rate(self) -> int:
        """Samples per second."""
        return int(self.stream.codec_context.sample_rate)

    @property
    def channels(self) -> int:
        """How many at the start."""
        return int(self.stream.codec_context.channels)

    def close(self) -> None:
        """Close the file."""
        self.container.close()

    def blocks(self, size: int) -> Iterator[Samples]:
        """Samples [N, C] with silence where time stamps leave gaps; pieces that cannot be decoded are counted.

        Args:
            size: most samples of silence in one block.
        """
        begin = (self.container.start_time or 0) / 1_000_000  # times count from what players show first
        done = 0
        for frame in self._frames():
            gap = 0.0 if frame.time is None else frame.time - begin - done / self.rate
            if GAP < gap < LONGEST_GAP:
                missing = round(gap * self.rate)
                for start in range(0, missing, size):
                    silence = np.zeros((min(size, missing - start), self.channels), np.float32)
                    done += len(silence)
                    yield silence
            block = _samples(frame, self.rate)
            done += len(block)
            yield block

    def _frames(self) -> Iterator[Any]:
        import av

        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
                frames = [] if packet is None else packet.decode()
            except (av.error.FFmpegError, ValueError) as error:
                self.broken += 1
                if packet is None or self.broken > 10_000 or isinstance(error, av.error.EOFError):
                    return
                continue
            if packet is None:
                return
            yield from frames


def open_track(path: Path, open_file: Callable[[], Any], number: int | None = None) -> Track:
    """Open a recording and choose one of its sound tracks.

    Args:
        path: the file, for messages.
        open_file: gives what is to be read: a file opened anew, or its name.
        number: the track, from 1; None for the first that is not silent, or the first.

    Raises:
        MediaError: not a recording, without sound, without that track, or of a codec that is not known.
        MissingDependencyError: PyAV is not installed.
    """
    container = _open(path, open_file)
    count = len(container.streams.audio)
    if number is not None and number > count:
        container.close()
        raise MediaError(
            f"{path}: --track {number} is not in the recording", f"{count} sound tracks", f"Choose 1 to {count}."
        )
    if number is None and count > 1:
        number = _first_with_sound(container)
        container.close()
        container = _open(path, open_file)
    number = number or 1
    stream = container.streams.audio[number - 1]
    context = stream.codec_context
    if int(context.sample_rate or 0) <= 0 or int(context.channels or 0) <= 0:
        container.close()
        raise MediaError(f"{path}: the sound in it cannot be decoded", context.name, "Convert it to WAV or FLAC.")
    guessed = bool(ESTIMATED.intersection(container.format.name.split(",")))
    seconds = None if guessed or not container.duration else container.duration / 1_000_000
    return Track(container, stream, number, count, seconds)


def _open(path: Path, open_file: Callable[[], Any]) -> Any:
    try:
        import av
    except ImportError:
        raise MissingDependencyError("av", "listen", f"{path}: decoding this kind of file") from None
    av.logging.set_level(None)
    try:
        container = av.open(open_file(), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        text = getattr(error, "strerror", None) or error
        raise MediaError(
            f"{path}: neither sound nor film that can be read", text, "Copy it again, or convert it to WAV or FLAC."
        ) from None
    if not container.streams.audio:
        container.close()
        raise MediaError(f"{path}: expected sound in it", "a film without sound", "Pass a recording with sound.")
    return container


def _first_with_sound(container: Any) -> int:
    """The number of the first track that is not silent; 1 if all are."""
    import av

    streams: Sequence[Any] = container.streams.audio
    numbers = {stream.index: n for n, stream in enumerate(streams, 1)}
    audible = set[int]()
    try:
        for packet in container.demux(*streams):
            number = numbers[packet.stream.index]
            if number in audible:
                continue
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                continue
            if any(np.abs(_values(frame)).max(initial=0.0) >= SILENT for frame in frames):
                audible.add(number)
                if number == 1:
                    break
    except (av.error.FFmpegError, ValueError):
        pass
    return min(audible, default=1)


def _values(frame: Any) -> Samples:
    """A frame's samples [C, N], from −1 to 1."""
    planes = frame.to_ndarray()
    if not frame.format.is_planar:
        planes = planes.reshape(-1, len(frame.layout.channels)).T
    if planes.dtype == np.uint8:
        return np.asarray(planes.astype(np.float32) / 128 - 1)
    if planes.dtype.kind == "i":
        return np.asarray(planes.astype(np.float32) / float(-np.iinfo(planes.dtype).min))
    return np.asarray(planes.astype(np.float32))


def _samples(frame: Any, rate: int) -> Samples:
    """A frame's samples [N, C] at a rate."""
    values = _values(frame)
    if frame.sample_rate != rate:
        import soxr

        values = soxr.resample(values.T, frame.sample_rate, rate).T
    return np.ascontiguousarray(values.T)
