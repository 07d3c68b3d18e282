"""Names and what they stand for, as literal tables; nothing is imported until it is asked for."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from moodline.core.errors import UnknownNameError

MODELS = {
    "mister-e": "moodline.models.mister_e:MisterE",
    "sure": "moodline.models.sure:Sure",
    "egmf": "moodline.models.egmf:Egmf",
    "linear": "moodline.models.linear:Linear",
    "words-first": "moodline.models.words_first:WordsFirst",
}
"""Model name to its class. The class has ``Config``, ``reads`` (modality to "frames" or "tokens"; all others are
vectors), ``forward``, ``loss`` and ``fit_statistics``."""

MODEL_DESCRIPTIONS = {
    "mister-e": "MiSTER-E: one expert per modality, one fusion expert, a gate over their logits (arXiv 2602.23300).",
    "sure": "SURE: uncertainty-aware experts, iterative reasoning, a gate of transformers (ICASSP 2026).",
    "egmf": "EGMF: voice, face and words as pseudo tokens of a language model with LoRA (arXiv 2601.07565).",
    "linear": "Linear: each utterance by itself, a linear layer on its features; the baseline without context.",
    "words-first": "Words first: the words decide, a voice counts as far as it is like those it was trained on.",
}

PRETRAINED = {
    "meld-text": "pretrained/meld-text",
    "words-first": "pretrained/words-first",
    "voice-words": "pretrained/voice-words",
}
"""Packaged models, ready for ``moodline analyze --model NAME``."""

PRETRAINED_LICENCES = {
    "meld-text": "Apache-2.0; trained on MELD (GPL-3 data)",
    "words-first": "CC BY-NC-SA 4.0, not for commercial use: its voice was trained on RAVDESS",
    "voice-words": "CC BY-NC-SA 4.0, not for commercial use: trained on RAVDESS",
}
"""Packaged model to the licence of its weights."""

PRETRAINED_LIMITS = {
    "meld-text": "Learnt from a television comedy in English.",
    "words-first": "Words learnt from a television comedy in English, voices from actors; the words decide, a voice"
    " counts where it clearly shows an emotion and is like those actors.",
    "voice-words": "Words learnt from television comedies in English, voices from actors; worse than the words alone on"
    " real recordings.",
}
"""Packaged model to what every answer of it depends on, in a sentence that results show."""

DEFAULT_MODEL = "meld-text"
"""For a transcript."""
RECORDING_MODEL = "words-first"
"""For a recording."""


def model_class(name: str) -> type[Any]:
    """The class of a model.

    Raises:
        UnknownNameError: no such model.
    """
    if name not in MODELS:
        raise UnknownNameError("model", name, MODELS, "See: moodline models.")
    module, _, attribute = MODELS[name].partition(":")
    return getattr(import_module(module), attribute)


def model_reads(name: str) -> dict[str, str]:
    """Modality to "frames" or "tokens", where a model does not read vectors; nothing where its class does not say."""
    return dict(getattr(model_class(name), "reads", {}))


def pretrained_directory(name: str) -> Path | None:
    """The folder of a packaged model, or None if there is no such name."""
    return Path(str(files("moodline") / PRETRAINED[name])) if name in PRETRAINED else None
