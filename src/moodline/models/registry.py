"""Names and what they stand for, as literal tables; nothing is imported until it is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from moodline.core.errors import UnknownNameError

if TYPE_CHECKING:
    from moodline.nn.model import ConversationModel

MODELS = {
    "mister-e": "moodline.models.mister_e:MisterE",
    "sure": "moodline.models.sure:Sure",
    "egmf": "moodline.models.egmf:Egmf",
    "linear": "moodline.models.linear:Linear",
    "voice-evidence": "moodline.models.words_first:WordsFirst",
    "bc-lstm": "moodline.models.baselines.bc_lstm:BcLstm",
    "dialogue-rnn": "moodline.models.baselines.dialogue_rnn:DialogueRnn",
    "mmgcn": "moodline.models.baselines.graphs:Mmgcn",
    "mm-dfn": "moodline.models.baselines.graphs:MmDfn",
    "sdt": "moodline.models.baselines.sdt:Sdt",
    "hcam": "moodline.models.baselines.hcam:Hcam",
    "tfn": "moodline.models.baselines.tensor_fusion:Tfn",
    "lmf": "moodline.models.baselines.tensor_fusion:Lmf",
    "mult": "moodline.models.baselines.mult:MulT",
    "misa": "moodline.models.baselines.misa:Misa",
}
"""Model name to its class, a ``ConversationModel``, which describes itself."""

PRETRAINED = {
    "meld-text": "pretrained/meld-text",
    "words-first": "pretrained/words-first",
    "voice-words": "pretrained/voice-words",
}
"""Packaged models, ready for ``moodline analyze --model NAME``."""

DEFAULT_MODEL = "meld-text"
"""For a transcript."""
RECORDING_MODEL = "words-first"
"""For a recording."""


@dataclass(frozen=True)
class PackagedModel:
    """What stands in ``about.json`` of a packaged model's folder.

    Args:
        licence: of the weights.
        limits: what every answer depends on, in a sentence that results show.
    """

    licence: str
    limits: str


def packaged_model(name: str) -> PackagedModel:
    """Licence and limits of a packaged model.

    Raises:
        UnknownNameError: no packaged model has this name.
    """
    directory = pretrained_directory(name)
    if directory is None:
        raise UnknownNameError("model", name, PRETRAINED, "See: moodline models.")
    return PackagedModel(**json.loads((directory / "about.json").read_text(encoding="utf-8")))


def model_class(name: str) -> type[ConversationModel]:
    """The class of a model.

    Raises:
        UnknownNameError: no such model.
    """
    if name not in MODELS:
        raise UnknownNameError("model", name, MODELS, "See: moodline models.")
    module, _, attribute = MODELS[name].partition(":")
    kind: type[ConversationModel] = getattr(import_module(module), attribute)
    return kind


def model_reads(name: str) -> dict[str, str]:
    """Modality to "frames" or "tokens", where a model does not read vectors; nothing where its class does not say."""
    return dict(getattr(model_class(name), "reads", {}))  # a class that a program registered may lack it


def pretrained_directory(name: str) -> Path | None:
    """The folder of a packaged model, or None if there is no such name."""
    return Path(str(files("moodline") / PRETRAINED[name])) if name in PRETRAINED else None
