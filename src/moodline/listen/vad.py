"""Where somebody speaks: Silero VAD run over a decoded recording in a stream.

The package's own sequence model gives the same probabilities as its model for single windows, in a quarter of the time;
the rules that turn probabilities into segments are the package's.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.errors import CheckpointError, MissingDependencyError
from moodline.core.progress import ProgressCallback
from moodline.listen.base import Span
from moodline.media.audio import RATE

WINDOW, CONTEXT = 512, 64
BLOCK = 1000
"""Windows in one call: 32 s."""

THRESHOLD, SPEECH_MS, SILENCE_MS, PAD_MS = 0.5, 160, 100, 30


def onnx_session(path: Path) -> Any:
    """A model that runs on one thread, without complaints on standard error."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingDependencyError("onnxruntime", "listen", "listening to recordings") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def packaged_file(package: str, name: str, distribution: str) -> Path:
    """A file inside an installed package, found without importing it.

    Raises:
        MissingDependencyError: the package is not installed.
        CheckpointError: it is another version, without the file.
    """
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise MissingDependencyError(distribution.partition("==")[0], "listen", "listening to recordings")
    path = Path(found.submodule_search_locations[0]) / name
    if not path.is_file():
        raise CheckpointError(f"{package}: this version has no file {name}", fix=f"Run: pip install {distribution}.")
    return path


def speech_probabilities(sound: Path, progress: ProgressCallback | None = None, block: int = BLOCK) -> np.ndarray:
    """The probability of speech in each window of 32 ms.

    Args:
        sound: mono, 16 kHz.
        progress: called with (title, seconds done, seconds in all).
        block: windows that are looked at together; the result does not depend on it.

    Returns:
        float32 [windows].
    """
    import soundfile

    session = onnx_session(packaged_file("silero_vad", "data/silero_vad_16k_sequence.onnx", "silero-vad==6.2.3"))
    hidden = cell = np.zeros((1, 1, 128), np.float32)
    before = np.zeros(CONTEXT, np.float32)
    out = []
    with soundfile.SoundFile(sound) as file:
        total, done = file.frames // RATE, 0
        while len(samples := file.read(WINDOW * block, dtype="float32")):
            done += len(samples)
            samples = np.pad(samples, (0, -len(samples) % WINDOW))
            joined = np.concatenate([before, samples])
            windows = np.lib.stride_tricks.sliding_window_view(joined, WINDOW + CONTEXT)[::WINDOW]
            found, hidden, cell = session.run(None, {"input": np.ascontiguousarray(windows), "h": hidden, "c": cell})
            out.append(np.asarray(found, np.float32).reshape(-1))
            before = joined[-CONTEXT:]
            if progress is not None and total:
                progress("finding speech (s)", min(total, done // RATE), total)
    return np.concatenate(out) if out else np.zeros(0, np.float32)


def speech_segments(probabilities: np.ndarray, seconds: float, silence_ms: int = SILENCE_MS) -> list[Span]:
    """Segments of speech, in order and apart from each other.

    Args:
        probabilities: see ``speech_probabilities``.
        seconds: how long the recording lasts; no segment ends later.
        silence_ms: a shorter pause does not part two segments.
    """
    from silero_vad.utils_vad import get_speech_timestamps_from_probs

    found = get_speech_timestamps_from_probs(
        probabilities.tolist(),
        threshold=THRESHOLD,
        min_speech_duration_ms=SPEECH_MS,
        min_silence_duration_ms=silence_ms,
        speech_pad_ms=PAD_MS,
        audio_length_samples=round(seconds * RATE),
    )
    spans = [Span(s["start"] / RATE, min(s["end"] / RATE, seconds)) for s in found]
    return [s for s in spans if s.end > s.start]
