"""Sound and film files as streams of samples: whatever libsndfile or FFmpeg (through PyAV) opens, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.core.errors import MediaError, MissingDependencyError
from moodline.media.audio import check_whole, missing_bytes

Samples = NDArray[np.float32]

BLOCK = 1 << 16
"""Samples of each channel that are read in one go."""

GAP = 0.1
"""Seconds without sound inside a film from which on silence is filled in, so that its times stay true."""

LONGEST_GAP = 3600.0
"""A longer gap is a broken time stamp, not silence."""

RECORDINGS = frozenset(
    {
        ".aac",
        ".ac3",
        ".aif",
        ".aifc",
        ".aiff",
        ".amr",
        ".au",
        ".avi",
        ".caf",
        ".flac",
        ".flv",
        ".m2ts",
        ".m4a",
        ".m4b",
        ".m4v",
        ".mka",
        ".mkv",
        ".mov",
        ".mp2",
        ".mp3",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".mts",
        ".oga",
        ".ogg",
        ".ogv",
        ".opus",
        ".rf64",
        ".snd",
        ".ts",
        ".w64",
        ".wav",
        ".wave",
        ".webm",
        ".wma",
        ".wmv",
    }
)
"""Suffixes of sound and film files."""


@dataclass
class Source:
    """An opened recording.

    Args:
        path: the file.
        rate: samples per second.
        channels: how many at the start.
        seconds: how long it claims to last; None if it does not say.
        notes: what was wrong with it, complete once ``blocks`` has ended.
    """

    path: Path
    rate: int
    channels: int
    seconds: float | None
    notes: list[str] = field(default_factory=list)
    _reader: Any = None
    _begin: float = 0.0

    def blocks(self) -> Iterator[Samples]:
        """Samples float32 [N, C], from the first to the last that can be read.

        Raises:
            MediaError: nothing at all can be read.
        """
        with self._reader as file:
            yield from (self._from_libsndfile(file) if hasattr(file, "samplerate") else self._from_ffmpeg(file))

    def _from_libsndfile(self, file: Any) -> Iterator[Samples]:
        import soundfile

        done = 0
        try:
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                done += len(block)
                yield block
        except (soundfile.LibsndfileError, RuntimeError) as error:
            self._damaged(done / self.rate, error)
        else:
            # an unknown length is told as a very large one
            if done < file.frames < 1 << 62 or missing_bytes(self.path):
                self._damaged(done / self.rate, "the end of the file is missing")

    def _from_ffmpeg(self, container: Any) -> Iterator[Samples]:
        import av

        stream = container.streams.best("audio")
        resampler, done, broken = None, 0, 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                frames = [] if packet is None else packet.decode()
            except (av.error.FFmpegError, ValueError) as error:
                broken += 1
                if packet is None or broken > 10_000 or isinstance(error, av.error.EOFError):
                    break
                continue
            if packet is None:
                break
            for frame in frames:
                for block in self._frame_blocks(frame, done):
                    done += len(block)
                    yield block
        del resampler
        if broken:
            self.notes.append(f"{self.path.name}: {broken} damaged pieces of the sound were left out.")
        if self.seconds and done / self.rate < self.seconds - max(1.0, 0.01 * self.seconds):
            self._damaged(done / self.rate, f"it should last {self.seconds:.1f} s")

    def _frame_blocks(self, frame: Any, done: int) -> Iterator[Samples]:
        """One decoded frame, at the source's rate, with silence before it if the time stamps leave a gap."""
        if frame.time is not None:
            gap = frame.time - self._begin - done / self.rate
            if GAP < gap < LONGEST_GAP:
                missing = round(gap * self.rate)
                for start in range(0, missing, BLOCK):
                    yield np.zeros((min(BLOCK, missing - start), self.channels), np.float32)
        planes = frame.to_ndarray()
        count = len(frame.layout.channels)
        if not frame.format.is_planar:
            planes = planes.reshape(-1, count).T
        if planes.dtype == np.uint8:
            values = planes.astype(np.float32) / 128 - 1
        elif planes.dtype.kind == "i":
            values = planes.astype(np.float32) / float(-np.iinfo(planes.dtype).min)
        else:
            values = planes.astype(np.float32)
        if frame.sample_rate != self.rate:
            import soxr

            values = soxr.resample(values.T, frame.sample_rate, self.rate).T
        yield np.ascontiguousarray(values.T)

    def _damaged(self, seconds: float, reason: object) -> None:
        if seconds <= 0:
            raise MediaError(f"{self.path}: no sound in it can be read", reason, "Copy or download it again.")
        self.notes.append(f"{self.path.name} is damaged or cut off; its first {seconds:.1f} s were used ({reason}).")


def is_recording(path: Path) -> bool:
    """Whether a file is sound or film: told by its suffix, or else by its first bytes."""
    if path.suffix.lower() in RECORDINGS:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except (OSError, ValueError):
        return False
    starts = (
        b"RIFF",
        b"RF64",
        b"fLaC",
        b"OggS",
        b"ID3",
        b"FORM",
        b"\x1a\x45\xdf\xa3",
        b"\xff\xfb",
        b"\xff\xf1",
        b"caff",
    )
    return head.startswith(starts) or head[4:8] == b"ftyp"


def open_source(path: Path) -> Source:
    """Open a sound or film file.

    Raises:
        MediaError: missing, empty, not a recording, or a film without sound.
        MissingDependencyError: libsndfile cannot open it and PyAV is not installed.
    """
    import soundfile

    check_whole(path, whole=False)
    try:
        file = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
        return _open_with_ffmpeg(path, error)
    seconds = file.frames / file.samplerate if file.frames < 1 << 62 else None
    return Source(path, int(file.samplerate), int(file.channels), seconds, _reader=file)


def _open_with_ffmpeg(path: Path, reason: Exception) -> Source:
    try:
        import av
    except ImportError:
        raise MissingDependencyError("av", "listen", f"{path}: decoding this kind of file") from None
    av.logging.set_level(None)
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        text = getattr(error, "strerror", None) or error
        raise MediaError(
            f"{path}: neither sound nor film that can be read", text, "Copy it again, or convert it to WAV or FLAC."
        ) from None
    if not container.streams.audio:
        container.close()
        raise MediaError(f"{path}: expected sound in it", "a film without sound", "Pass a recording with sound.")
    stream: Any = container.streams.best("audio")
    context = stream.codec_context
    rate, channels = int(context.sample_rate or 0), int(context.channels or 0)
    if rate <= 0 or channels <= 0:
        container.close()
        raise MediaError(f"{path}: the sound in it cannot be decoded", context.name, "Convert it to WAV or FLAC.")
    length = container.duration / av.time_base if container.duration else None
    begin = (container.start_time or 0) / av.time_base  # times count from what players show first
    source = Source(path, rate, channels, length, _reader=container, _begin=begin)
    if (several := len(container.streams.audio)) > 1:
        source.notes.append(f"{path.name} has {several} sound tracks; number {stream.index} was used.")
    return source
