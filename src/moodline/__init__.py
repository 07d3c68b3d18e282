"""Moodline reads a conversation and says which emotion each utterance carries, how sure that is, and who decided.

from moodline import Recognizer, read_transcript

recognizer = Recognizer.load()
for conversation in read_transcript("talk.srt"):
    for utterance in recognizer.recognize(conversation).utterances:
        print(utterance.speaker, utterance.emotion, utterance.confidence, utterance.weights)
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Threads of torch that wait busily for each other are many times slower where anything else uses the processor. OpenMP
# reads this once, when torch is imported: import moodline first. See docs/how-to/deployment.md.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# onnxruntime gives each user an id and reports to its maker what it runs; it reads this when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PUBLIC = {
    "Batch": "moodline.core.batch",
    "Conversation": "moodline.core.conversation",
    "MoodlineError": "moodline.core.errors",
    "Output": "moodline.core.batch",
    "Prediction": "moodline.core.prediction",
    "Recognizer": "moodline.pipeline.recognizer",
    "Utterance": "moodline.core.conversation",
    "read_corpus": "moodline.corpora.registry",
    "read_transcript": "moodline.transcripts.read",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    """Import public names when they are first used: ``import moodline`` stays light."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'moodline' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
