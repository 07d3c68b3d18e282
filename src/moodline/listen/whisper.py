"""Whisper by way of faster-whisper (extra ``whisper``) or whisperX, for users who can download its weights.

Neither weights nor a model hub can be reached where Moodline is tested, so only the conversion of their results is
tested; the calls are those of faster-whisper 1.x and whisperX 3.x. Both tell the language, and read many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moodline.core.errors import MissingDependencyError
from moodline.listen.base import Recognized, Samples, Word


class FasterWhisper:
    """faster-whisper; see ``Transcriber``.

    Args:
        size: a size ("tiny", "small", "large-v3", …), a hub id, or a folder in CTranslate2's format.
    """

    languages: tuple[str, ...] = ()
    max_seconds = 30.0

    def __init__(self, size: str = "small") -> None:
        try:
            from faster_whisper import WhisperModel
        except ImportError:
            raise MissingDependencyError("faster-whisper", "whisper", "the transcriber whisper") from None
        self.id = f"whisper-{_name(size)}"
        self.model: Any = WhisperModel(size, device="auto", compute_type="default")

    def transcribe(self, samples: Samples) -> Recognized:
        """The words of a clip, with times."""
        segments, info = self.model.transcribe(samples, word_timestamps=True, condition_on_previous_text=False)
        return from_faster_whisper(segments, getattr(info, "language", None))


def from_faster_whisper(segments: Iterable[Any], language: str | None) -> Recognized:
    """faster-whisper's segments as one result."""
    found = list(segments)
    text = " ".join(" ".join(s.text for s in found).split())
    words = tuple(
        Word(w.word.strip(), float(w.start), float(w.end)) for s in found for w in (s.words or ()) if w.word.strip()
    )
    weights = [max(1, len(s.text)) for s in found]
    mean = sum(s.avg_logprob * n for s, n in zip(found, weights, strict=True)) / sum(weights) if found else None
    return Recognized(text, words, mean, language)


class WhisperX:
    """whisperX: Whisper in batches, words aligned by a phoneme model of the language; see ``Transcriber``.

    Args:
        size: as for ``FasterWhisper``.
    """

    languages: tuple[str, ...] = ()
    max_seconds = 30.0

    def __init__(self, size: str = "small") -> None:
        try:
            import whisperx
        except ImportError:
            raise MissingDependencyError("whisperx", None, "the transcriber whisperx") from None
        import torch

        self.package: Any = whisperx
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.id = f"whisperx-{_name(size)}"
        kind = "float16" if self.device == "cuda" else "int8"
        self.model: Any = whisperx.load_model(size, self.device, compute_type=kind)
        self.aligners: dict[str, Any] = {}

    def transcribe(self, samples: Samples) -> Recognized:
        """The words of a clip, with times."""
        found = self.model.transcribe(samples, batch_size=1)
        language = found.get("language")
        if found["segments"] and language:
            if language not in self.aligners:
                self.aligners[language] = self.package.load_align_model(language, self.device)
            found = self.package.align(found["segments"], *self.aligners[language], samples, self.device)
        return from_whisperx(found, language)


def from_whisperx(found: Mapping[str, Any], language: str | None) -> Recognized:
    """whisperX's result; words that it could not align get the times of their neighbours."""
    segments = found.get("segments") or []
    text = " ".join(" ".join(s.get("text", "") for s in segments).split())
    words = list[Word]()
    for segment in segments:
        last = float(segment.get("start") or (words[-1].end if words else 0.0))
        for word in segment.get("words") or ():
            start = float(word.get("start", last))
            last = max(start, float(word.get("end", start)))
            if word.get("word", "").strip():
                words.append(Word(word["word"].strip(), start, last))
    complete = len(words) == len(text.split())
    return Recognized(text, tuple(words) if complete else (), None, language)


def _name(size: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in size)[-60:]
