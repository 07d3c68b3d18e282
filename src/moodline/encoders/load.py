"""Load an encoder by its name: packaged, of transformers, SALMONN, tokens or fine-tuned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from moodline.encoders.base import Encoder
from moodline.encoders.settings import EncoderSpec

if TYPE_CHECKING:
    pass
from moodline.encoders.backbones import load_backbone
from moodline.encoders.registry import ENCODERS


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
        from moodline.encoders.speech.opensmile import OpenSmileEncoder

        return OpenSmileEncoder(spec.name, spec)
    if spec.name == "faces":
        from moodline.encoders.vision.faces import FaceEncoder

        return FaceEncoder(spec, ENCODERS["faces"]["revision"], device)
    if prefix == "tokens" and rest:
        from moodline.encoders.text.model_tokens import ModelTokens

        return ModelTokens(spec)
    if prefix == "finetuned" and rest:
        from moodline.encoders.finetuning.saved import load_finetuned

        return load_finetuned((base_dir or Path()) / rest, device=device, base_dir=base_dir)
    backbone = load_backbone(spec, base_dir, device)
    from moodline.encoders.backbone import PooledEncoder

    return PooledEncoder(backbone)
