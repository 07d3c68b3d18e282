"""What recording does to a voice: level, noise, telephone, codec, room; to train against it and to measure it.

Every effect takes mono float32 [N] at 16 kHz and a random generator, and gives as many samples back.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from moodline.media.audio import RATE, resample

Samples = NDArray[np.float32]
Effect = Callable[[Samples, Generator], Samples]

PHONE = (300.0, 3400.0)
"""The telephone's band, in Hz."""


def level(samples: Samples, random: Generator, decibels: float) -> Samples:
    """Louder or quieter; what is then above full scale is clipped, as a recorder does."""
    return np.clip(samples * np.float32(10 ** (decibels / 20)), -1, 1)


def noise(samples: Samples, random: Generator, snr: float) -> Samples:
    """Pink noise (power falling as 1/f, like that of rooms and streets) ``snr`` decibels below the voice."""
    size = len(samples)
    spectrum = np.fft.rfft(random.standard_normal(size))
    spectrum[1:] /= np.sqrt(np.fft.rfftfreq(size, 1 / RATE)[1:])
    spectrum[0] = 0
    hiss = np.fft.irfft(spectrum, size)
    power = float(np.mean(np.square(hiss, dtype=np.float64)))
    wanted = float(np.mean(np.square(samples, dtype=np.float64))) / 10 ** (snr / 10)
    mixed = samples + hiss * np.sqrt(wanted / power if power > 0 else 0.0)
    return _unclipped(mixed)


def telephone(samples: Samples, random: Generator) -> Samples:
    """A telephone line: 300 to 3400 Hz, 8000 samples a second, 8-bit μ-law."""
    from scipy.signal import butter, sosfilt

    narrow = resample(samples, RATE, 8000)
    narrow = np.clip(sosfilt(butter(4, PHONE, "bandpass", fs=8000, output="sos"), narrow), -1, 1)
    steps = np.round(127 * np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)) / 127
    decoded = np.sign(steps) * np.expm1(np.abs(steps) * np.log(256)) / 255
    return _sized(resample(decoded.astype(np.float32), 8000, RATE), len(samples))


def codec(samples: Samples, random: Generator, strength: float) -> Samples:
    """MP3 and back.

    Args:
        samples, random: see the module.
        strength: 0 for the best quality to 1 for the fewest bits.
    """
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="MP3", compression_level=strength)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return _sized(decoded, len(samples))


def room(samples: Samples, random: Generator, seconds: float) -> Samples:
    """A room's echo: decaying noise after the direct sound, 60 dB down after ``seconds``."""
    from scipy.signal import fftconvolve

    count = int(seconds * RATE)
    tail = random.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
    response = np.concatenate([[1.0], 0.6 * tail / np.sqrt(np.sum(np.square(tail)))])
    return _unclipped(fftconvolve(samples, response)[: len(samples)])


EFFECTS: dict[str, Effect] = {
    "clean": lambda samples, random: samples,
    "quiet": partial(level, decibels=-25.0),
    "loud": partial(level, decibels=12.0),
    "noise-20": partial(noise, snr=20.0),
    "noise-10": partial(noise, snr=10.0),
    "noise-5": partial(noise, snr=5.0),
    "drowned": partial(noise, snr=-15.0),
    "telephone": telephone,
    "codec": partial(codec, strength=0.9),
    "room": partial(room, seconds=0.5),
}
"""Name to effect; ``noise-20`` has its noise 20 dB below the voice, ``drowned`` 15 dB above."""


def apply_effect(name: str, samples: Samples, seed: tuple[int, ...]) -> Samples:
    """One effect, the same for the same seed.

    Args:
        name: one of ``EFFECTS``.
        samples: mono float32 [N] at 16 kHz.
        seed: of what is random in it.
    """
    changed: Samples = EFFECTS[name](samples, np.random.default_rng(seed)).astype(np.float32)
    return changed


def _unclipped(samples: NDArray[np.floating]) -> Samples:
    """The same, turned down if it exceeds full scale."""
    peak = float(np.abs(samples).max(initial=0.0))
    return (samples / max(peak, 1.0)).astype(np.float32)


def _sized(samples: Samples, size: int) -> Samples:
    return np.pad(samples[:size], (0, max(0, size - len(samples)))).astype(np.float32)
