"""Recordings behind each other in one file, and heads that give a wrong length: every piece with its bytes."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from moodline.media.audio import UNKNOWN
from moodline.media.frames import Data, adts_cut, mpeg_frame, mpeg_runs

TAIL = 2048
"""Bytes behind the samples that are no chunk and not worth a note: tags, padding."""


@dataclass(frozen=True)
class Piece:
    """One recording in a file.

    Args:
        start, stop: its bytes in the file.
        head: bytes to read before them, in place of a wrong head.
        seconds: how long it lasts, where it was counted.
        cut: bytes that its end lacks.
        claimed: seconds that its head gives, where more follow.
        whole: it is all of the file, as it stands.
        goes_on: it is no recording of its own: damaged bytes part it from the one before.
    """

    start: int
    stop: int
    head: bytes = b""
    seconds: float | None = None
    cut: int = 0
    claimed: float | None = None
    whole: bool = False
    goes_on: bool = False


def pieces(path: Path) -> list[Piece]:
    """The recordings that stand behind each other in a file, at least one.

    Args:
        path: a file with at least one byte. Of a kind that is not known here, it is one piece.
    """
    size = path.stat().st_size
    everything = Piece(0, size, whole=True)
    with path.open("rb") as file:
        start = file.read(64)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with mapped as data:
        found = _pieces(start, data)
    if len(found) != 1:
        return found or [everything]
    only = found[0]
    return [only if only.head else replace(everything, seconds=only.seconds, cut=only.cut)]


def _pieces(start: bytes, data: mmap.mmap) -> list[Piece]:
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        return list(_waves(data))
    if start[:4] == b"OggS":
        return _between(data, list(_chains(data)))
    if start[:4] == b"fLaC":
        return _between(data, [m.start() for m in re.finditer(rb"fLaC[\x00\x80]\x00\x00\x22", data)])
    if start[:4] == b"\x1a\x45\xdf\xa3":
        begin = re.compile(rb"\x1a\x45\xdf\xa3.{1,80}?(?:webm|matroska)", re.DOTALL)
        return _between(data, [m.start() for m in begin.finditer(data)])
    if start[:5] == b"#!AMR":
        return _between(data, [m.start() for m in re.finditer(rb"#!AMR(?:-WB)?\n", data)])
    if start[:4] == b"FORM" and start[8:11] == b"AIF":
        return _between(data, list(_forms(data)))
    if start[4:8] == b"ftyp":
        return _between(data, list(_films(data)))
    if start[:3] == b"ID3" or mpeg_frame(start, 0) is not None:
        return _mpeg(data)
    if start[:8] == b"NIST_1A\n":
        return [Piece(0, len(data), cut=_sphere_cut(data))]
    return [Piece(0, len(data), cut=adts_cut(data))] if start[:1] == b"\xff" else []


def _between(data: Data, starts: Sequence[int]) -> list[Piece]:
    """Pieces that each end where the next begins."""
    return [Piece(a, b) for a, b in zip(starts, [*starts[1:], len(data)], strict=True)]


def _mpeg(data: mmap.mmap) -> list[Piece]:
    runs = mpeg_runs(data)
    if not runs:
        return [Piece(0, len(data), cut=adts_cut(data))]
    out = []
    for run in runs:
        missing = max(0, (run.claimed or 0) - run.frames)
        cut = run.cut or (missing if missing > 1 and len(runs) == 1 else 0)
        out.append(Piece(run.start, run.stop, seconds=run.seconds, cut=cut, goes_on=run.goes_on))
    return out


def _sphere_cut(data: mmap.mmap) -> int:
    """Bytes that a SPHERE file lacks, by its head; 0 for packed ones, whose length is not known."""
    head = data[:1024].decode("latin-1")
    numbers = {m[1]: int(m[2]) for m in re.finditer(r"(\w+) -(?:i|s\d+) (\d{1,12})\n", head)}
    if "coding" in head and not re.search(r"sample_coding -s\d+ (?:pcm|ulaw|alaw|mu-law)\n", head):
        return 0
    size = numbers.get("sample_count", 0) * numbers.get("sample_n_bytes", 0) * numbers.get("channel_count", 1)
    begin = re.match(r"NIST_1A\n\s*(\d{1,9})\n", head)
    return max(0, (int(begin[1]) if begin else 1024) + size - len(data))


def _chains(data: mmap.mmap) -> Iterator[int]:
    """Where a link of a chained Ogg begins: a page that starts a stream, behind one that does not."""
    at, starting = 0, False
    while at >= 0:
        head = data[at : at + 27]
        if len(head) < 27:
            return
        starts = bool(head[5] & 2)
        if starts and not starting:
            yield at
        starting = starts
        lacing = data[at + 27 : at + 27 + head[26]]
        behind = at + 27 + len(lacing) + sum(lacing)
        at = behind if data[behind : behind + 4] == b"OggS" else data.find(b"OggS", at + 4)


def _forms(data: Data) -> Iterator[int]:
    """Where an AIFF begins."""
    at = 0
    while data[at : at + 4] == b"FORM":
        yield at
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        at += data[at : at + 1] == b"\x00"


def _films(data: Data) -> Iterator[int]:
    """Where an MP4 begins: a box of its type, behind boxes of another."""
    at, last = 0, b""
    while at + 8 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name == b"ftyp" and last != b"ftyp":
            yield at
        last = bytes(name)
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size < 8:  # up to the end, or broken
            return
        at += size


def _waves(data: mmap.mmap) -> Iterator[Piece]:
    """WAVs behind each other; one whose head gives another length than its samples have gets a head that is right."""
    start = 0
    while start < len(data):
        samples, size, rate = _samples(data, start)
        if samples == 0:  # no samples that could be read: the libraries say what is wrong
            yield Piece(start, len(data))
            return
        stop, right = _end(data, samples, size)
        if right:
            yield Piece(start, stop, cut=max(0, samples + size - stop) if size < UNKNOWN else 0)
        else:
            head = bytearray(data[start:samples])
            real = min(stop - samples, 0xFFFF_FFFF - len(head))
            head[4:8] = (len(head) - 8 + real).to_bytes(4, "little")
            head[-4:] = real.to_bytes(4, "little")
            claimed = size / rate if rate and 0 < size < UNKNOWN else None
            yield Piece(samples, stop, bytes(head), (stop - samples) / rate if rate else None, claimed=claimed)
        start = stop


def _samples(data: Data, start: int) -> tuple[int, int, int]:
    """The first byte of a WAV's samples (0 if there are none), their size by its head, and bytes per second."""
    at, rate = start + 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"data":
            return at + 8, size, rate
        if name == b"fmt ":
            rate = int.from_bytes(data[at + 16 : at + 20], "little")
        at += 8 + size + size % 2
    return 0, 0, 0


def _end(data: mmap.mmap, samples: int, size: int) -> tuple[int, bool]:
    """The byte behind a WAV, and whether its head gives the size of its samples rightly."""
    if size < UNKNOWN:
        at = samples + size
        while at < len(data):
            if at % 2 != samples % 2 and data[at : at + 1] == b"\0":
                at += 1
            if _wave(data, at):
                return at, True
            head = data[at : at + 8]
            length = int.from_bytes(head[4:], "little")
            if not re.fullmatch(rb"[A-Za-z0-9_ ]{4}", head[:4]) or length > len(data) - at:
                break
            at += 8 + length + length % 2
        if len(data) - at <= (TAIL if size else 0):
            return len(data), True
    following = re.compile(rb"RIFF....WAVEfmt ", re.S).search(data, samples)
    stop = following.start() if following else len(data)
    return stop, stop - samples == size or (size >= UNKNOWN and not following)


def _wave(data: Data, at: int) -> bool:
    return data[at : at + 4] == b"RIFF" and data[at + 8 : at + 12] == b"WAVE"
