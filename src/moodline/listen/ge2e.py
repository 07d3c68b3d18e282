"""Voices as vectors: the GE2E speaker encoder with the weights of Resemblyzer 0.1.4 (Apache-2.0), in plain torch.

Wan et al. 2018 (arXiv 1710.10467): 40 mel bands of 25 ms every 10 ms, three LSTM layers, the last state projected,
rectified and normalised. Clips of one voice have a cosine of about 0.9, of two voices 0.5 to 0.65.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from moodline.listen.base import Samples
from moodline.media.audio import RATE

BANDS, FFT, HOP, HIDDEN, SIZE = 40, 400, 160, 256, 256
FRAMES = 160
"""Frames of a window: 1.6 s, what the network was trained on."""

LEVEL = 10 ** (-30 / 20)
"""Quieter clips are raised to this level (root mean square)."""


class SpeakerEncoder(nn.Module):
    """Windows of speech to vectors."""

    id = "ge2e-1"

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, HIDDEN, 3, batch_first=True)
        self.linear = nn.Linear(HIDDEN, SIZE)

    @classmethod
    def load(cls) -> SpeakerEncoder:
        """The packaged one."""
        network = cls()
        path = Path(str(files("moodline") / "pretrained" / "speaker-ge2e" / "model.safetensors"))
        network.load_state_dict({k: v.float() for k, v in load_file(path).items()})
        return network.eval()

    @torch.inference_mode()
    def embed(self, clips: Sequence[Samples]) -> NDArray[np.float32]:
        """One vector for each clip of up to 1.6 s; shorter ones are repeated until they fill it.

        Args:
            clips: mono, 16 kHz, at least one sample each.

        Returns:
            float32 [N, 256], of length 1.
        """
        rows = []
        for clip in clips:
            level = float(np.sqrt(np.mean(np.square(clip, dtype=np.float64))))
            clip = clip * (LEVEL / level) if 0 < level < LEVEL else clip
            length = FRAMES * HOP
            rows.append(np.resize(clip, length) if len(clip) < length else clip[:length])
        _, (hidden, _) = self.lstm(mel(torch.from_numpy(np.stack(rows).astype(np.float32))))
        return F.normalize(F.relu(self.linear(hidden[-1])), dim=1).numpy()


def mel(samples: torch.Tensor) -> torch.Tensor:
    """Power in mel bands (not logarithmic).

    Args:
        samples: float [N, FRAMES · HOP].

    Returns:
        float [N, FRAMES, BANDS]; frames are centred on multiples of 10 ms.
    """
    window = torch.hann_window(FFT)
    spectrum = torch.stft(samples, FFT, HOP, window=window, center=True, pad_mode="constant", return_complex=True)
    power = spectrum.abs().square()[:, :, :FRAMES]
    return (torch.from_numpy(mel_bands()) @ power).transpose(1, 2)


@cache
def mel_bands() -> NDArray[np.float32]:
    """Triangles on Slaney's mel scale with equal areas, [BANDS, FFT // 2 + 1]."""
    edges = np.linspace(_to_mel(0.0), _to_mel(RATE / 2), BANDS + 2)
    hertz = np.where(edges < 15, edges * 200 / 3, 1000 * np.exp((edges - 15) * np.log(6.4) / 27))
    bins = np.linspace(0, RATE / 2, FFT // 2 + 1)
    rise = (bins[None] - hertz[:-2, None]) / np.diff(hertz)[:-1, None]
    fall = (hertz[2:, None] - bins[None]) / np.diff(hertz)[1:, None]
    bands = np.maximum(0, np.minimum(rise, fall)) * (2 / (hertz[2:] - hertz[:-2]))[:, None]
    return np.asarray(bands, np.float32)


def _to_mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * float(np.log(hertz / 1000) / np.log(6.4))
