"""A real recording of two speakers, and longer ones made of it."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile


def clip() -> Path:
    """Two people on the telephone, 28 s; it comes with the package of the recognizer."""
    spec = find_spec("moonshine_voice")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "assets" / "endgame_nagg_nell.wav"


def wav(seconds: float, seed: int = 0) -> bytes:
    """The clip over and over, each time a little quieter or louder; other bytes for each seed."""
    samples, rate = soundfile.read(clip(), dtype="float32")
    whole = np.tile(samples, int(seconds * rate / len(samples)) + 1)[: round(seconds * rate)]
    out = io.BytesIO()
    soundfile.write(out, whole * (0.7 + 0.01 * seed), rate, format="WAV", subtype="PCM_16")
    return out.getvalue()
