"""What is a recording: by its suffix, or else by its first bytes."""

from __future__ import annotations

from pathlib import Path

from moodline.media.frames import adts_length, mpeg_frame

# fmt: off
RECORDINGS = frozenset((
    ".3ga", ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi", ".awb", ".caf",
    ".dts", ".eac3", ".f4v", ".flac", ".flv", ".gsm", ".m2ts", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2",
    ".mp3", ".mp4", ".mpeg", ".mpg", ".mpga", ".mts", ".nist", ".oga", ".ogg", ".ogv", ".opus", ".ra", ".rf64", ".snd",
    ".sph", ".spx", ".tak", ".ts", ".tta", ".voc", ".vob", ".w64", ".wav", ".wave", ".weba", ".webm", ".wma", ".wmv",
    ".wv",
))
# fmt: on
"""Suffixes of sound and film files."""

_STARTS = (
    b"RF64",
    b"fLaC",
    b"OggS",
    b"ID3",
    b"\x1a\x45\xdf\xa3",
    b"caff",
    b"NIST_1A\n",
    b"#!AMR",
    b".snd",
    b"FLV\x01",
    b"wvpk",
    b"MAC ",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF: wma, wmv
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"riff\x2e\x91\xcf\x11",  # W64
    b"Creative Voice File",
    b"\x0b\x77",  # AC-3
)


def is_recording(path: Path) -> bool:
    """Whether a file is sound or film, by its suffix, or else by its first bytes."""
    return path.suffix.lower() in RECORDINGS or sounds(path)


def sounds(path: Path) -> bool:
    """Whether a file begins as recordings do, whatever its name; false for what cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except (OSError, ValueError):
        return False
    if head.startswith(_STARTS) or head[4:8] in (b"ftyp", b"moov", b"mdat"):
        return True
    if head[:4] in (b"RIFF", b"FORM"):
        return head[8:12] in (b"WAVE", b"AVI ", b"AIFF", b"AIFC", b"8SVX")
    if head[:1] == b"\x47" and head[188:189] == b"\x47" and head[376:377] == b"\x47":  # MPEG transport stream
        return True
    return _frames(head)


def _frames(head: bytes) -> bool:
    """Whether MPEG audio or AAC without a container begins here: two frames behind each other."""
    frame = mpeg_frame(head, 0)
    if frame is not None:
        return len(head) < frame.length + 4 or mpeg_frame(head, frame.length) is not None
    length = adts_length(head, 0)
    return length > 0 and (len(head) < length + 7 or adts_length(head, length) > 0)
