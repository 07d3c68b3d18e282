"""A recording decoded once: a 16 kHz mono WAV of 16 bits that everything else reads, in bounded memory."""

from __future__ import annotations

import json
import shutil
import wave
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from moodline.core.errors import MediaError, StorageError
from moodline.core.files import replacing, write_text
from moodline.core.progress import ProgressCallback
from moodline.media.audio import RATE
from moodline.media.ffmpeg import SILENT, Samples
from moodline.media.source import open_source

CLIPPED, CLIPPED_SHARE, CANCELLED = 0.999, 0.001, 0.01
"""Level at which a sample counts as clipped; share of such samples worth a note; share of the
channels' power left in their average below which they cancel each other out."""

SPARE = 64 << 20
"""Bytes of the disk that are left alone."""

LONGEST = (1 << 32) - (1 << 16)
"""Bytes that a WAV file can hold: 37 hours."""


@dataclass(frozen=True)
class Decoded:
    """A decoded recording.

    Args:
        folder: where all that belongs to it is kept.
        sound: mono WAV, 16 kHz, 16 bits, the channels' average.
        channels: the same for each channel alone, if they were kept apart; else empty.
        seconds: how long it lasts.
        notes: what the reader should know, one sentence each.
    """

    folder: Path
    sound: Path
    channels: tuple[Path, ...]
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass
class _Levels:
    """What is measured while samples pass by."""

    samples: int = 0
    clipped: int = 0
    broken: int = 0
    peak: float = 0.0
    power: float = 0.0
    mixed: float = 0.0

    def see(self, block: Samples, mix: Samples) -> None:
        size = np.abs(block)
        self.samples += block.size
        self.clipped += int((size >= CLIPPED).sum())
        self.peak = max(self.peak, float(size.max(initial=0)))
        self.power += float(np.square(block, dtype=np.float64).mean(axis=1).sum())
        self.mixed += float(np.square(mix, dtype=np.float64).sum())


class _Wav:
    """A mono WAV of 16 bits.

    Args:
        file: open for writing.
        name: for messages.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name, self.file = name, wave.open(file, "wb")  # noqa: SIM115  (closed by _writing_wav)
        self.file.setparams((1, 2, RATE, 0, "NONE", ""))

    def write(self, samples: Samples) -> None:
        """Append mono samples; values beyond ±1 are cut."""
        values = np.clip(np.rint(samples * 32_768.0), -32_768, 32_767).astype("<i2")
        if self.file.tell() * 2 + values.nbytes > LONGEST:
            raise MediaError(f"{self.name}: a recording may last 37 hours", fix="Cut it into parts.")
        self.file.writeframesraw(values.tobytes())


@contextmanager
def _writing_wav(path: Path) -> Iterator[_Wav]:
    """A WAV that is complete at ``path`` when the block ends without an error, and is not there otherwise."""
    with replacing(path) as file:
        wav = _Wav(file, path.name)
        with closing(wav.file):
            yield wav


def decode(
    path: Path,
    folder: Path,
    split: bool = False,
    progress: ProgressCallback | None = None,
    track: int | None = None,
) -> Decoded:
    """Decode a recording into ``folder``, or find it decoded there already.

    Args:
        path: anything libsndfile or PyAV opens, of any rate and any number of channels.
        folder: made if it is not there; one folder for one recording and one value of ``split`` and ``track``.
        split: keep each channel as well, for recordings with one speaker on each.
        progress: called with (title, seconds done, seconds in all).
        track: which of its sound tracks, from 1; None for the first that is not silent.

    Raises:
        MediaError: not a recording, without sound, without a sample, silent, or longer than 37 hours.
        MissingDependencyError: PyAV is needed and not installed.
        StorageError: the disk is full or refuses.
    """
    if (known := _read(folder)) is not None:
        return known
    source = open_source(path, track)
    _make(folder, source.seconds, 1 + (source.channels if split else 0))
    names = [f"channel-{n}.wav" for n in range(source.channels)] if split else []
    levels = _Levels()
    with ExitStack() as stack:
        files = [stack.enter_context(_writing_wav(folder / name)) for name in ("sound.wav", *names)]
        seconds = _stream(source, files, levels, progress)
        notes = _judge(path, source.rate, source.channels, split, levels, source.notes, seconds)
    facts = {"seconds": seconds, "channels": names, "notes": notes, "levels": asdict(levels), "name": path.name}
    write_text(folder / "decoded.json", json.dumps(facts, ensure_ascii=False))
    return Decoded(folder, folder / "sound.wav", tuple(folder / n for n in names), seconds, tuple(notes))


def read_json(path: Path) -> Any:
    """What a JSON file holds; None if there is nothing or it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _read(folder: Path) -> Decoded | None:
    facts = read_json(folder / "decoded.json")
    if not isinstance(facts, dict):
        return None
    names = ["sound.wav", *facts["channels"]]
    if not all((folder / name).is_file() for name in names):
        return None
    paths = tuple(folder / name for name in facts["channels"])
    return Decoded(folder, folder / "sound.wav", paths, float(facts["seconds"]), tuple(facts["notes"]))


def _make(folder: Path, seconds: float | None, files: int) -> None:
    """The folder, on a disk with room for what is known to come."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise StorageError.writing(folder, error) from None
    need = SPARE + round((seconds or 0.0) * RATE * 2) * files
    if free < need:
        raise StorageError(
            f"the decoded recording needs {need >> 20} MB in {folder}",
            f"{free >> 20} MB free",
            "Free some space, or set MOODLINE_CACHE to a folder on another disk.",
        )


def _stream(source: Any, files: Sequence[_Wav], levels: _Levels, progress: ProgressCallback | None) -> float:
    """Pass all samples through the resampler into the files; gives the seconds written."""
    import soxr

    count = len(files)
    resampler = soxr.ResampleStream(source.rate, RATE, count, dtype="float32") if source.rate != RATE else None
    total, read, written = round(source.seconds or 0), 0, 0

    def put(rows: Samples, last: bool = False) -> int:
        out = rows if resampler is None else resampler.resample_chunk(rows[:, 0] if count == 1 else rows, last=last)
        out = np.asarray(out).reshape(-1, count)
        for n, file in enumerate(files):
            file.write(out[:, n])
        return len(out)

    for block in source.blocks():
        if not np.isfinite(block).all():
            levels.broken += int((~np.isfinite(block)).sum())
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        mix = block.mean(axis=1)
        levels.see(block, mix)
        rows = mix[:, None]
        if count > 1:  # a film's channels may change on the way: those that are missing are silent
            kept = np.zeros((len(block), count - 1), np.float32)
            kept[:, : block.shape[1]] = block[:, : count - 1]
            rows = np.concatenate([rows, kept], axis=1)
        written += put(np.ascontiguousarray(rows, np.float32))
        read += len(block)
        if progress is not None and total:
            progress("decoding (s)", min(total - 1, read // source.rate), total)
    if resampler is not None:
        written += put(np.zeros((0, count), np.float32), last=True)
    if progress is not None and total:
        progress("decoding (s)", total, total)
    return written / RATE


def _judge(
    path: Path, rate: int, channels: int, split: bool, levels: _Levels, notes: Sequence[str], seconds: float
) -> list[str]:
    """Notes on what was heard; refuses what nobody could hear."""
    if not levels.samples or seconds <= 0:
        raise MediaError(f"{path}: the recording has no samples", fix="Record it again.")
    if levels.peak < SILENT:
        raise MediaError(
            f"{path}: the recording is silent", f"highest level {levels.peak:.5f} of 1", "Check the recording's source."
        )
    out = list(notes)
    share = levels.clipped / levels.samples
    if share >= CLIPPED_SHARE:
        out.append(f"The sound is clipped: {share:.1%} of the samples are at full scale, which alters voices.")
    if levels.broken:
        out.append(f"{levels.broken} samples were not numbers and count as silence.")
    if rate < RATE:
        out.append(f"The recording has {rate} samples a second, as telephones do; voices and words are less sure.")
    if channels > 1 and not split and levels.power and levels.mixed / levels.power < CANCELLED:
        out.append("The channels cancel each other out when averaged; keep them apart with --channels split.")
    return out
