"""Recordings with one speaker on each channel."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from moodline.conversation import Utterance
from moodline.errors import StorageError
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


def _level(file: Any, span: Span) -> float:
    file.seek(min(round(span.start * RATE), file.frames))
    samples = file.read(round(span.seconds * RATE), dtype="float32")
    return 10 * float(np.log10(np.mean(np.square(samples)) + 1e-10)) if len(samples) else -100.0


def cut_turns(utterances: Sequence[Utterance], sounds: Sequence[Path], folder: Path) -> list[Utterance]:
    """Give each utterance the sound of its own channel, in a file of its own.

    Args:
        utterances: with times; speakers "S1", "S2", … are channels 0, 1, ….
        sounds: the channels.
        folder: the files are written to ``turns`` in it.
    """
    import soundfile

    place, out = folder / "turns", list[Utterance]()
    try:
        place.mkdir(exist_ok=True)
        with ExitStack() as stack:
            files = [stack.enter_context(soundfile.SoundFile(s)) for s in sounds]
            for u in utterances:
                if u.start is None or u.end is None or u.speaker is None:
                    out.append(u)
                    continue
                channel, first, last = int(u.speaker[1:]) - 1, round(u.start * RATE), round(u.end * RATE)
                path = place / f"{channel}-{first}-{last}.wav"
                if not path.exists():
                    files[channel].seek(min(first, files[channel].frames - 1))
                    part = path.with_suffix(".part")
                    samples = files[channel].read(max(1, last - first), dtype="int16")
                    soundfile.write(part, samples, RATE, format="WAV")
                    part.replace(path)
                out.append(replace(u, audio=path))
    except OSError as error:
        raise StorageError.writing(place, error) from None
    return out
