"""Real speech for tests: the recordings inside the package moonshine-voice, found without importing it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile

from moodline.media.audio import load_audio

PLAY_TURNS = (
    ("S1", 0.04, 1.02, "Do you hear me?"),
    ("S2", 1.54, 1.88, "Yes."),
    ("S1", 2.44, 3.39, "Do you hear me?"),
    ("S2", 3.91, 4.32, "Yes."),
    ("S1", 4.80, 8.16, "We laugh less heartily so, we have still that resource."),
    ("S2", 8.68, 11.45, "Laugh less heartily so, we have still that resource."),
    ("S1", 11.94, 14.11, "No, not heartily, just less heartily."),
    ("S2", 14.63, 17.08, "Ah, that's a good story. Ah, that's a good story."),
    ("S1", 17.57, 18.91, "What are you talking about?"),
    ("S2", 19.40, 19.84, "Laughing."),
    ("S1", 20.39, 21.98, "You thought you were in pain."),
    ("S2", 22.47, 23.23, "Not now."),
    ("S1", 23.72, 27.52, "Do you remember the day I went and fetched you from that ditch?"),
    ("S2", 28.00, 28.28, "No."),
)
"""What is said in ``play()``: two speakers in turn. No transcript of it is published: the words are those that the
recognizer gives most often over longer and shorter pieces, the times those of the voice activity."""


def packaged(name: str) -> Path:
    """A recording of the package."""
    found = find_spec("moonshine_voice")
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "assets" / name


def play() -> Path:
    """Two speakers on a stage, 28 s, 24 kHz."""
    return packaged("endgame_nagg_nell.wav")


def part(path: Path, end: float, start: float = 0.0) -> Path:
    """Write a part of ``play()`` as 16 kHz WAV."""
    soundfile.write(path, load_audio(play(), start=start, end=end), 16_000)
    return path


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """White noise: sound without speech."""
    return np.random.default_rng(seed).normal(0, 0.03, round(seconds * 16_000)).astype(np.float32)
