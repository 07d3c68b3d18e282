"""What is said: stretches of one speaker's speech given to a recognizer, each result kept as soon as it is there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from moodline.core.errors import StorageError, UnknownNameError
from moodline.core.progress import ProgressCallback
from moodline.listen.base import Chunk, Recognized, Samples, Span, SpeakerSpan, Word
from moodline.media.audio import RATE

JOIN = 0.6
"""Pieces of one speaker with a shorter pause (seconds) between them are recognized together."""

PAD = 0.15
"""Seconds that a chunk is given before and after, where nobody else speaks."""


@runtime_checkable
class Transcriber(Protocol):
    """Recognizes the words of a clip. ``id`` names it and its version; what it gave is kept under that name.

    Args:
        languages: what it can read; a recognizer that tells the language itself names none.
        max_seconds: the longest clip that it is given.
    """

    id: str
    languages: tuple[str, ...]
    max_seconds: float

    def transcribe(self, samples: Samples) -> Recognized:
        """The words of a clip of mono samples at 16 kHz."""
        ...


def pieces(spans: Sequence[SpeakerSpan], segments: Sequence[Span], longest: float) -> list[SpeakerSpan]:
    """Speech of one speaker without pauses: each speaker's spans cut where there is no speech, and where too long.

    Args:
        spans: who speaks when; may overlap.
        segments: where there is speech, in order.
        longest: seconds; a longer piece is cut into equal parts.

    Returns:
        In order of their start. A span without any speech in it is kept whole: somebody said that there is some.
    """
    out, first = list[SpeakerSpan](), 0
    for span in sorted(spans):
        while first < len(segments) and segments[first].end <= span.start - 60:
            first += 1  # spans may overlap, but not by minutes
        inside, n = list[Span](), first
        while n < len(segments) and segments[n].start < span.end:
            start, end = max(span.start, segments[n].start), min(span.end, segments[n].end)
            if end - start > 0.02:
                inside.append(Span(start, end))
            n += 1
        for part in inside or [Span(span.start, span.end)]:
            count = max(1, -int(-part.seconds // longest))
            edges = [part.start + part.seconds * k / count for k in range(count)] + [part.end]
            out += [SpeakerSpan(a, b, span.speaker) for a, b in pairwise(edges)]
    return sorted(out)


def group(parts: Sequence[SpeakerSpan], longest: float, join: float = JOIN) -> list[list[SpeakerSpan]]:
    """Neighbouring pieces of one speaker that are recognized together, at most ``longest`` seconds from end to end."""
    out: list[list[SpeakerSpan]] = []
    for part in parts:
        last = out[-1] if out else None
        near = last is not None and last[-1].speaker == part.speaker and part.start - last[-1].end < join
        if last is not None and near and part.end - last[0].start <= longest:
            last.append(part)
        else:
            out.append([part])
    return out


def transcribe_groups(
    sound: Path,
    groups: Sequence[Sequence[SpeakerSpan]],
    transcriber: Transcriber,
    folder: Path | None = None,
    progress: ProgressCallback | None = None,
    channel: int | None = None,
) -> list[Chunk]:
    """Recognize groups of pieces; what was recognized before is taken from ``folder``.

    Args:
        sound: mono, 16 kHz.
        groups: see ``group``.
        folder: finished chunks are appended to a file there one by one, so that an interruption loses at most one.
        channel: which channel ``sound`` is, to be noted in the chunks.

    Returns:
        One chunk for each group, in order.
    """
    import soundfile

    tag = "mix" if channel is None else f"channel{channel}"
    log = None if folder is None else folder / f"words-{transcriber.id}-{tag}.jsonl"
    known = {} if log is None else read_log(log)
    out = []
    with soundfile.SoundFile(sound) as file:
        for n, parts in enumerate(groups):
            span = Span(parts[0].start, max(p.end for p in parts))
            before = groups[n - 1][-1].end if n else 0.0
            after = groups[n + 1][0].start if n + 1 < len(groups) else span.end + 2 * PAD
            low = max(0.0, span.start - max(0.0, min(PAD, (span.start - before) / 2)))
            high = span.end + max(0.0, min(PAD, (after - span.end) / 2))
            first, last = round(low * RATE), min(round(high * RATE), file.frames)
            heard = known.get((first, last))
            if heard is None:
                file.seek(min(first, max(0, file.frames - 1)))
                samples = file.read(max(1, last - first), dtype="float32")
                heard = transcriber.transcribe(samples)
                if log is not None:
                    append_log(log, first, last, heard)
            if progress is not None:
                progress("recognizing words", n + 1, len(groups))
            speech = tuple(Span(p.start, p.end) for p in parts)
            words = tuple(Word(w.text, first / RATE + w.start, first / RATE + w.end) for w in heard.words)
            moved = Recognized(heard.text, words, heard.confidence, heard.language)
            out.append(Chunk(span, parts[0].speaker or None, moved, speech, channel))
    return out


def read_log(path: Path) -> dict[tuple[int, int], Recognized]:
    """What was recognized before, by first and last sample; a line that was cut short by a crash is passed over."""
    out: dict[tuple[int, int], Recognized] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return out
    for line in lines:
        try:
            row: Any = json.loads(line)
            words = tuple(Word(str(t), float(a), float(b)) for t, a, b in row["words"])
            heard = Recognized(str(row["text"]), words, row["confidence"], row["language"])
            out[int(row["first"]), int(row["last"])] = heard
        except (ValueError, KeyError, TypeError):
            continue
    return out


def append_log(path: Path, first: int, last: int, heard: Recognized) -> None:
    """Add a result to the file of finished ones."""
    row = {"first": first, "last": last, "text": heard.text, "words": heard.words}
    line = json.dumps({**row, "confidence": heard.confidence, "language": heard.language}, ensure_ascii=False)
    try:
        with path.open("ab") as file:
            if file.tell() and not _ends_line(path):
                file.write(b"\n")  # after a line that a crash cut short
            file.write(line.encode() + b"\n")
            file.flush()
    except OSError as error:
        raise StorageError.writing(path, error) from None


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


TRANSCRIBERS = ("moonshine", "whisper", "whisperx")


def load_transcriber(name: str | None = None) -> Transcriber:
    """A recognizer by name.

    Args:
        name: "moonshine" (default; English), "whisper[:SIZE]" (faster-whisper) or "whisperx[:SIZE]"; the last two need
            the extra ``whisper`` or the package whisperx, and a model hub or a folder in place of SIZE.
    """
    kind, _, size = (name or "moonshine").partition(":")
    if kind == "moonshine" and not size:
        from moodline.listen.moonshine import Moonshine

        return Moonshine()
    if kind in ("whisper", "whisperx"):
        from moodline.listen.whisper import FasterWhisper, WhisperX

        return (FasterWhisper if kind == "whisper" else WhisperX)(size or "small")
    raise UnknownNameError("transcriber", str(name), TRANSCRIBERS)
