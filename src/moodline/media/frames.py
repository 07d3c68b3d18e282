"""MPEG audio (MP1, MP2, MP3) and AAC without a container: frames behind each other, counted one by one."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field

JUNK = 65_536
"""Bytes between two frames, in which the next one is looked for."""

LITTLE = 512
"""Damaged bytes that decoders pass over by themselves."""

_KBITS = {  # version 1, layers 1 to 3; version 2, layers 1 and 2 or 3
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8000)}


Data = bytes | bytearray | mmap.mmap
"""Bytes, in memory or mapped."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of MPEG audio.

    Args:
        length: bytes.
        samples: of each channel.
        rate: samples per second.
        channels: 1 or 2.
    """

    length: int
    samples: int
    rate: int
    channels: int


@dataclass(slots=True)
class Run:
    """Frames that belong together.

    Args:
        start, stop: bytes; ``stop`` comes after the last whole frame.
        seconds: how long the frames last.
        claimed: how many frames its own table (Xing, VBRI) claims; None without one.
        frames: how many there are, without the table's.
        cut: bytes that the last frame lacks.
        kind: samples per second and channels.
        goes_on: it is no recording of its own: damaged bytes part it from the one before.
    """

    start: int
    stop: int
    seconds: float = 0.0
    claimed: int | None = None
    frames: int = 0
    cut: int = 0
    kind: tuple[int, int] = field(default=(0, 0))
    goes_on: bool = False


def mpeg_frame(data: Data, at: int) -> Frame | None:
    """The frame that begins here, by its head of four bytes; None if none does."""
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3 or head[3] & 3 == 2:
        return None
    first = version == 3
    kbits = _KBITS[(1, layer) if first else (2, min(layer, 2))][bits - 1]
    hertz, padding = _RATES[version][rate], head[2] >> 1 & 1
    if layer == 1:
        length, samples = (12_000 * kbits // hertz + padding) * 4, 384
    else:
        samples = 1152 if first or layer == 2 else 576
        length = samples * 125 * kbits // hertz + padding
    return Frame(length, samples, hertz, 1 if head[3] >> 6 == 3 else 2)


def adts_length(data: Data, at: int) -> int:
    """The bytes of the AAC frame that begins here; 0 if none does."""
    head = data[at : at + 7]
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 else 0


def mpeg_runs(data: Data) -> list[Run]:
    """MPEG audio as runs of frames: a new one at each table of frames, at tags in the middle, or another rate.

    Args:
        data: the whole file.

    Returns:
        Nothing if there are no frames, or only such of free length, which cannot be counted.
    """
    runs = list[Run]()
    at, new, damaged = 0, True, False
    while at < len(data):
        frame = mpeg_frame(data, at)
        if frame is None:
            tag = _tag(data, at)
            behind = tag or _next(data, at, _whole_mpeg)
            if not behind:
                break
            new = new or data[at : at + 3] == b"ID3"
            damaged = bool(runs) and not tag and behind - at > LITTLE
            at = behind
            continue
        claimed = _table(data, at, frame)
        kind = (frame.rate, frame.channels)
        if new or damaged or claimed is not None or runs[-1].kind != kind:
            goes_on = damaged and not new and claimed is None and runs[-1].kind == kind
            runs.append(Run(at, at, claimed=claimed, kind=kind, goes_on=goes_on))
            new = damaged = False
        run = runs[-1]
        if at + frame.length > len(data):
            run.cut = at + frame.length - len(data)
            break
        at += frame.length
        run.stop = at
        if claimed is None:
            run.frames += 1
            run.seconds += frame.samples / frame.rate
    return [run for run in runs if run.frames]


def adts_cut(data: Data) -> int:
    """Bytes that the last frame of an AAC file without a container lacks; 0 for other files."""
    at = _tag(data, 0) or 0
    if not adts_length(data, at):
        return 0
    while at < len(data):
        length = adts_length(data, at)
        if not length:
            at = _tag(data, at) or _next(data, at, _whole_adts)
            if not at:
                return 0
            continue
        at += length
    return at - len(data)


def _whole_mpeg(data: Data, at: int) -> bool:
    """Whether a frame begins here and another behind it."""
    frame = mpeg_frame(data, at)
    if frame is None or at + frame.length > len(data):
        return False
    return at + frame.length + 4 > len(data) or mpeg_frame(data, at + frame.length) is not None


def _whole_adts(data: Data, at: int) -> bool:
    length = adts_length(data, at)
    return length > 0 and (at + length + 7 > len(data) or adts_length(data, at + length) > 0)


def _next(data: Data, at: int, whole: Callable[[Data, int], bool]) -> int:
    """Where the next frame begins behind junk; 0 if none does."""
    end = min(len(data), at + JUNK)
    while (at := data.find(b"\xff", at + 1, end)) >= 0:
        if whole(data, at):
            return at
    return 0


def _tag(data: Data, at: int) -> int:
    """The byte behind a tag (ID3, APE, Lyrics) that begins here; 0 if none does."""
    head = data[at : at + 16]
    if head[:3] == b"ID3" and len(head) >= 10:
        size = 0
        for byte in head[6:10]:
            size = size << 7 | byte & 0x7F
        return at + 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:3] == b"TAG":
        return at + 128
    if head[:8] == b"APETAGEX" and len(head) == 16:
        return at + 32 + int.from_bytes(head[12:16], "little")
    return 0


def _table(data: Data, at: int, frame: Frame) -> int | None:
    """The number of frames in a table (Xing, Info, VBRI) that this frame holds; None if it holds none."""
    side = ((17 if frame.channels == 1 else 32) if frame.samples == 1152 else (9 if frame.channels == 1 else 17)) + 4
    head = data[at : at + min(frame.length, 64)]
    if head[side : side + 4] in (b"Xing", b"Info"):
        known = len(head) >= side + 12 and head[side + 7] & 1
        return int.from_bytes(head[side + 8 : side + 12], "big") if known else 0
    if head[36:40] == b"VBRI":
        return int.from_bytes(head[50:54], "big")
    return None
