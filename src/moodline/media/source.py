"""Sound and film files as streams of samples: whatever libsndfile or FFmpeg opens, to the end, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.errors import MediaError, MissingDependencyError
from moodline.media.audio import check_whole, missing_bytes
from moodline.media.ffmpeg import Samples, Track, open_track
from moodline.media.joined import Piece, pieces
from moodline.media.window import Window

BLOCK = 1 << 16
"""Samples of each channel that are read in one go."""

SHORT = 0.5
"""Seconds that may be missing at the end without a word: what encoders add and decoders leave out."""


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
    _pieces: Sequence[Piece] = ()
    _first: Any = None
    _track: int | None = None

    def blocks(self) -> Iterator[Samples]:
        """Samples float32 [N, C], from the first to the last that can be read.

        Raises:
            MediaError: nothing at all can be read.
        """
        done = 0
        for number, piece in enumerate(self._pieces):
            try:
                reader = self._first if number == 0 else _open(self.path, piece, self._track)
            except (MediaError, MissingDependencyError) as error:
                self._damaged(done / self.rate, error.rule)
                break
            for block in self._read(piece, reader, done):
                done += len(block)
                yield block
        if any(piece.goes_on for piece in self._pieces):
            self.notes.append(f"{self.path.name} is damaged in the middle; what can be decoded was used.")
        count = sum(not piece.goes_on for piece in self._pieces)
        if count > 1:
            self.notes.append(
                f"{count} recordings stand behind each other in {self.path.name}; all were used, "
                f"{done / self.rate:.1f} s."
            )
        short = [p for p in self._pieces if p.claimed is not None]
        if short:
            counted, real = (
                sum(s or 0.0 for s in t) for t in zip(*((p.claimed, p.seconds) for p in short), strict=True)
            )
            self.notes.append(
                f"The head of {self.path.name} counts {counted:.1f} s, but {real:.1f} s of sound follow; all were used."
            )

    def _read(self, piece: Piece, reader: Any, before: int) -> Iterator[Samples]:
        """One piece, at the source's rate: first with one library, then, where it stops too early, with the other."""
        done, reason = 0, ""
        reading = _Reading(reader, self.path, piece)
        for block in _at_rate(reading.blocks(), reading.rate, self.rate):
            done += len(block)
            yield block
        self.notes += reading.notes
        reason = reading.reason
        if not reason and piece.seconds is not None and done / self.rate < piece.seconds - SHORT:
            reason = f"it should last {piece.seconds:.1f} s"
        if reason and not isinstance(reader, Track) and not (piece.cut and reading.ended):
            stopped = done
            for block in self._rest(piece, done):
                done += len(block)
                yield block
            expected = piece.seconds or reading.seconds
            if done > stopped and expected is not None and done / self.rate >= expected - SHORT:
                if reading.reason:
                    self.notes.append(f"{self.path.name} is damaged in the middle; what can be decoded was used.")
                return
        if reason or piece.cut:
            self._damaged((before + done) / self.rate, reason or "the end of the file is missing")

    def _rest(self, piece: Piece, done: int) -> Iterator[Samples]:
        """What FFmpeg reads behind the samples that there are; nothing if it cannot."""
        try:
            reader = open_track(self.path, lambda: _file(self.path, piece), self._track)
        except (MediaError, MissingDependencyError):
            return
        reading = _Reading(reader, self.path, piece)
        at = 0
        for block in _at_rate(reading.blocks(), reading.rate, self.rate):
            at += len(block)
            if at > done:
                yield block[max(0, len(block) - (at - done)) :]

    def _damaged(self, seconds: float, reason: object) -> None:
        if seconds <= 0:
            raise MediaError(f"{self.path}: no sound in it can be read", reason, "Copy or download it again.")
        self.notes.append(f"{self.path.name} is damaged or cut off; its first {seconds:.1f} s were used ({reason}).")


class _Reading:
    """The samples of an opened piece, with what went wrong.

    Args:
        reader: of libsndfile or FFmpeg.
        path: the file.
        piece: which part of it.
    """

    def __init__(self, reader: Any, path: Path, piece: Piece) -> None:
        self.reader, self.path, self.piece = reader, path, piece
        self.rate: int = reader.rate if isinstance(reader, Track) else int(reader.samplerate)
        self.notes: list[str] = []
        self.reason, self.ended = "", False
        self.seconds: float | None = None
        if not isinstance(reader, Track) and reader.frames < 1 << 62:
            self.seconds = reader.frames / reader.samplerate

    def blocks(self) -> Iterator[Samples]:
        """All that can be read; ``reason`` is set where that is too little."""
        try:
            yield from self._from_ffmpeg() if isinstance(self.reader, Track) else self._from_libsndfile()
        finally:
            self.reader.close()

    def _from_libsndfile(self) -> Iterator[Samples]:
        import soundfile

        done, file = 0, self.reader
        try:
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                done += len(block)
                yield block
        except (soundfile.LibsndfileError, RuntimeError) as error:
            self.reason = str(error)
            return
        self.ended = True
        # an unknown length is given as a very large one; of MPEG audio it is a guess
        counted = self.piece.seconds is not None and not self.piece.head
        if (not counted and done < file.frames < 1 << 62) or (self.piece.whole and missing_bytes(self.path)):
            self.reason = "the end of the file is missing"

    def _from_ffmpeg(self) -> Iterator[Samples]:
        done, track = 0, self.reader
        for block in track.blocks(BLOCK):
            done += len(block)
            yield block
        if track.broken:
            self.notes.append(f"{self.path.name}: {track.broken} damaged pieces of the sound were left out.")
        seconds = track.seconds
        if seconds and done / self.rate < seconds - max(1.0, 0.01 * seconds):
            self.reason = f"it should last {seconds:.1f} s"


def open_source(path: Path, track: int | None = None) -> Source:
    """Open a sound or film file.

    Args:
        path: the file.
        track: which of its sound tracks, from 1; None for the first that is not silent.

    Raises:
        MediaError: missing, empty, not a recording, a film without sound, or without that track.
        MissingDependencyError: libsndfile cannot open it and PyAV is not installed.
    """
    check_whole(path, whole=False)
    parts = pieces(path)
    first = _open(path, parts[0], track)
    if isinstance(first, Track):
        seconds, rate, channels = first.seconds, first.rate, first.channels
    else:
        seconds = first.frames / first.samplerate if first.frames < 1 << 62 else None
        rate, channels = int(first.samplerate), int(first.channels)
    counted = [piece.seconds for piece in parts]
    whole = sum(s for s in counted if s is not None) if None not in counted else None
    source = Source(path, rate, channels, whole or (seconds if len(parts) == 1 else None))
    source._pieces, source._first, source._track = parts, first, track
    if isinstance(first, Track) and first.tracks > 1 and track is None:
        silent = " (those before it are silent)" if first.number > 1 else ""
        source.notes.append(
            f"{path.name} has {first.tracks} sound tracks; number {first.number} was used{silent}. "
            "Choose another with --track."
        )
    return source


def recording_seconds(path: Path, track: int | None = None) -> float | None:
    """How long a recording claims to last; None if it does not say.

    Raises:
        MediaError, MissingDependencyError: see ``open_source``.
    """
    source = open_source(path, track)
    source._first.close()
    return source.seconds


def _open(path: Path, piece: Piece, track: int | None) -> Any:
    """A piece opened with libsndfile, or else with FFmpeg."""
    import soundfile

    try:
        file = soundfile.SoundFile(_file(path, piece))
    except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError):
        return open_track(path, lambda: _file(path, piece), track)
    if track is not None and track > 1:
        file.close()
        raise MediaError(f"{path}: --track {track} is not in the recording", "one sound track", "Leave the option out.")
    return file


def _file(path: Path, piece: Piece) -> Any:
    return str(path) if piece.whole else Window(path, piece.start, piece.stop, piece.head)


def _at_rate(blocks: Iterator[Samples], rate: int, to: int) -> Iterator[Samples]:
    """Blocks at another rate, where the rates differ."""
    if rate == to:
        yield from blocks
        return
    import soxr

    resampler, channels = None, 0
    for block in blocks:
        if resampler is None or block.shape[1] != channels:
            channels = block.shape[1]
            resampler = soxr.ResampleStream(rate, to, channels, dtype="float32")
        yield np.asarray(resampler.resample_chunk(block)).reshape(-1, channels)
    if resampler is not None:
        yield np.asarray(resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True)).reshape(-1, channels)
