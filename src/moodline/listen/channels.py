"""Recordings with one speaker on each channel."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.conversation import Utterance
from moodline.core.errors import StorageError
from moodline.core.files import replacing
from moodline.listen.base import Span
from moodline.media.audio import RATE

CROSSTALK = 12.0
"""Speech that is this much (dB) quieter than another channel's at the same time is that one's, heard from afar."""


def own_speech(sounds: Sequence[Path], segments: Sequence[Sequence[Span]]) -> list[list[Span]]:
    """Each channel's segments without those in which another channel is much louder."""
    import soundfile

    out: list[list[Span]] = []
    with ExitStack() as stack:
        files = [stack.enter_context(soundfile.SoundFile(s)) for s in sounds]
        for own, spans in enumerate(segments):
            kept = []
            for span in spans:
                levels = [_level(file, span) for file in files]
                if levels[own] >= max(levels) - CROSSTALK:
                    kept.append(span)
            out.append(kept)
    return out


TIE = 0.1
"""Channels whose mean levels differ by less (dB) are equally loud."""


def _level(file: Any, span: Span) -> float:
    file.seek(min(round(span.start * RATE), file.frames))
    samples = file.read(round(span.seconds * RATE), dtype="float32")
    return 10 * float(np.log10(np.mean(np.square(samples)) + 1e-10)) if len(samples) else -100.0


def channels_of(utterances: Sequence[Utterance], sounds: Sequence[Path]) -> list[int | None]:
    """The channel on which each utterance is said: the one on which its speaker is loudest, over all his turns.

    Args:
        utterances: those without times get no channel; where the speaker is not known, each turn stands for itself.
        sounds: the channels.
    """
    import soundfile

    sums: dict[str | int, list[float]] = {}
    lengths: dict[str | int, float] = {}
    keys: list[str | int | None] = []
    with ExitStack() as stack:
        files = [stack.enter_context(soundfile.SoundFile(s)) for s in sounds]
        for n, u in enumerate(utterances):
            if u.start is None or u.end is None:
                keys.append(None)
                continue
            span, key = Span(u.start, u.end), u.speaker or n
            known = sums.setdefault(key, [0.0] * len(files))
            sums[key] = [a + span.seconds * _level(f, span) for a, f in zip(known, files, strict=True)]
            lengths[key] = lengths.get(key, 0.0) + span.seconds
            keys.append(key)
    return [None if key is None else _loudest(sums[key], lengths[key]) for key in keys]


def _loudest(sums: Sequence[float], seconds: float) -> int:
    """The loudest channel; the first of those within ``TIE``, so that rounding never decides.

    Args:
        sums: of each channel, its level (dB, usually negative) times the seconds measured.
        seconds: the sum of these seconds.
    """
    return next(n for n, total in enumerate(sums) if total >= max(sums) - TIE * seconds)


def cut_turns(
    utterances: Sequence[Utterance], places: Sequence[int | None], sounds: Sequence[Path], folder: Path
) -> list[Utterance]:
    """Give each utterance the sound of its own channel, in a file of its own.

    Args:
        utterances: with times, where they have a channel.
        places: the channel of each, from 0; None leaves it as it is.
        sounds: the channels.
        folder: the files are written to ``turns`` in it.
    """
    import soundfile

    place, out = folder / "turns", list[Utterance]()
    try:
        place.mkdir(exist_ok=True)
        with ExitStack() as stack:
            files = [stack.enter_context(soundfile.SoundFile(s)) for s in sounds]
            for u, channel in zip(utterances, places, strict=True):
                if u.start is None or u.end is None or channel is None:
                    out.append(u)
                    continue
                first, last = round(u.start * RATE), round(u.end * RATE)
                path = place / f"{channel}-{first}-{last}.wav"
                if not path.exists():
                    files[channel].seek(min(first, files[channel].frames - 1))
                    samples = files[channel].read(max(1, last - first), dtype="int16")
                    with replacing(path) as file:
                        soundfile.write(file, samples, RATE, format="WAV")
                out.append(replace(u, audio=path))
    except OSError as error:
        raise StorageError.writing(place, error) from None
    return out
