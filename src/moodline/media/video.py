"""Pictures from video files at a set rate, read as a stream: one frame in memory at a time.

Times are seconds from the file's own start, as players show them, so that they agree with those of its sound.
Pictures are turned as the file's rotation says. A file whose end is missing is used as far as it goes.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.core.errors import MediaError, MissingDependencyError, NoPicturesError
from moodline.media.clip import clip_hash

LONGEST = 1280
"""Pixels of a picture's longer side, at most; larger ones are made smaller while they are decoded."""

CLOSE = 1e-4
"""Seconds by which times of frames are rounded in files."""

BROKEN = 200
"""Packets in a row that cannot be decoded, after which the rest of the file is given up."""


@dataclass(frozen=True)
class Picture:
    """One frame.

    Args:
        time: seconds from the file's start.
        pixels: RGB uint8 [height, width, 3], upright.
    """

    time: float
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class VideoClip:
    """A video file or a part of it, read when asked for.

    Args:
        path: the file.
        start: seconds; None for the beginning.
        end: seconds; None for the end.
    """

    path: Path
    start: float | None = None
    end: float | None = None

    def pictures(self, rate: float, most: float = math.inf) -> Iterator[Picture]:
        """The clip's pictures; see ``read_pictures``. What comes after ``most`` seconds is left out."""
        low = self.start or 0.0
        end = min(math.inf if self.end is None else self.end, low + most)
        return read_pictures(self.path, rate, self.start, None if math.isinf(end) else end)

    def content_hash(self) -> str:
        """SHA-256 over the file's bytes and the times: what a feature store compares."""
        _check(self.path)
        return clip_hash(self.path, self.start, self.end)


def read_pictures(
    path: str | Path, rate: float, start: float | None = None, end: float | None = None
) -> Iterator[Picture]:
    """Read a video, or a part of it, at a set rate.

    The part is cut into steps of ``1 / rate`` seconds, and the frame shown in the middle of each is taken; a frame
    that several steps share is given once. A part shorter than a step gives its middle.

    Args:
        path: anything FFmpeg reads (MP4, MKV, WebM, AVI, MOV …).
        rate: pictures per second, at most; never more than the file has.
        start: seconds from the beginning; None for the beginning.
        end: seconds, after ``start``; None for the end. An end after the file's own is cut to it.

    Yields:
        Pictures in order of time; none where the file shows nothing then, though it says that it lasts so long (its
        sound goes on, or its end is missing).

    Raises:
        NoPicturesError: the file has no video stream.
        MediaError: missing, not a video, shorter than ``start``, or damaged so that no picture can
            be decoded.
        MissingDependencyError: PyAV is not installed.
    """
    path = Path(path)
    low = 0.0 if start is None else start
    if low < 0 or (end is not None and end <= low):
        raise MediaError(f"{path.name}: expected 0 ≤ start < end in seconds", f"start {start}, end {end}")
    if not rate > 0:
        raise MediaError(f"{path.name}: the rate of pictures must be positive", rate)
    _check(path)
    av = _pyav()
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"{path}: not a video file that can be read, or its beginning is damaged", _words(error),
            "Copy or download it again, or convert it to MP4.",
        ) from None  # fmt: skip
    with container:
        if not container.streams.video:
            raise NoPicturesError(f"{path}: the file has no pictures", "no video stream", "Give a video file.")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        zero = (container.start_time or 0) / av.time_base
        seconds = (container.duration or 0) / av.time_base
        if 0 < seconds <= low:
            raise MediaError(
                f"{path}: no pictures between {low:g} s and {'the end' if end is None else f'{end:g} s'}",
                f"the file lasts {seconds:.2f} s",
                "Correct the utterance's times, in seconds.",
            )
        if low > 0:
            try:
                container.seek(int((zero + low) * av.time_base), backward=True)
            except (av.FFmpegError, OSError):
                container.seek(0)  # files without an index are read from the beginning
        frames = _decoded(av, container, stream, path, zero)
        for time, frame in _at_rate(frames, rate, low, math.inf if end is None else end):
            yield Picture(time, _pixels(frame))


def _at_rate(frames: Iterator[tuple[float, Any]], rate: float, low: float, high: float) -> Iterator[tuple[float, Any]]:
    """Of (time, frame) in order, those shown in the middles of the steps from ``low`` to ``high``."""
    steps = 0
    shown: tuple[float, Any] | None = None

    def middle() -> float:
        if high - low < 1 / rate:
            return (low + high) / 2 if steps == 0 else math.inf
        return low + (steps + 0.5) / rate

    for time, frame in frames:
        taken = False
        while middle() < min(time - CLOSE, high):  # the frame before this one is what is shown then
            if shown is not None and not taken:
                yield shown
                taken = True
            steps += 1
        if middle() >= high:
            return
        shown = (time, frame)
    if shown is not None:
        end = min(high, shown[0] + _lasts(shown[1]))
        if middle() < end or (steps == 0 and low < end):  # also of a file that is shorter than a step
            yield shown


def _lasts(frame: Any) -> float:
    """Seconds for which a frame is shown; a twenty-fifth where the file does not say."""
    duration, base = getattr(frame, "duration", None), getattr(frame, "time_base", None)
    return float(duration * base) if duration and base else 0.04


def _decoded(av: Any, container: Any, stream: Any, path: Path, zero: float) -> Iterator[tuple[float, Any]]:
    """All frames from here on with their times; packets that cannot be decoded are passed over."""
    packets, found, failed, trouble = container.demux(stream), 0, 0, ""
    last = -math.inf
    while failed <= BROKEN:
        try:
            packet = next(packets)
            decoded = packet.decode()
        except StopIteration:
            break
        except av.EOFError:
            break
        except (av.FFmpegError, OSError, ValueError) as error:
            failed, trouble = failed + 1, _words(error)
            continue
        failed = 0 if decoded else failed
        for frame in decoded:
            stamp = frame.pts if frame.pts is not None else frame.dts
            time = last if stamp is None else float(stamp * stream.time_base) - zero
            if time <= last:
                continue  # a time that steps back comes from damage
            found, last = found + 1, time
            yield time, frame
    if not found and trouble:
        raise MediaError(f"{path}: no picture can be decoded", trouble, "Copy or download it again.")


def _pixels(frame: Any) -> NDArray[np.uint8]:
    """A frame as RGB, not larger than ``LONGEST``, upright."""
    scale = min(1.0, LONGEST / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90) % 4))


def _check(path: Path) -> None:
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "nothing there"
        raise MediaError(f"{path}: expected a video file", kind, "Check the path.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty", "0 bytes", "Copy or download it again.")


def _pyav() -> Any:
    try:
        av: Any = importlib.import_module("av")
    except ImportError:
        raise MissingDependencyError("av", "vision", "reading video") from None
    return av


def _words(error: BaseException) -> str:
    """What FFmpeg says, without the path that it repeats."""
    return str(getattr(error, "strerror", None) or error).partition(":")[0]
