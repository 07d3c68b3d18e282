"""The encoders of a recipe or of a saved model, loaded and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from moodline.core.device import default_device
from moodline.core.errors import CheckpointError, ConfigError
from moodline.encoders.base import Encoder
from moodline.encoders.load import load_encoder
from moodline.pipeline.recipe import ModalitySpec


def encoder_for(modality: str, spec: ModalitySpec, base: Path | None, device: str = "auto") -> Encoder:
    """The encoder of a modality: fine-tuned, from ``base/encoder-<modality>``, or as its name says."""
    device = default_device(device)
    assert spec.encoder is not None
    if spec.finetune is not None:
        from moodline.encoders.finetuning import load_finetuned

        if base is None:
            raise ConfigError(f"{modality}: a fine-tuned encoder needs the directory that holds it")
        return load_finetuned(base / f"encoder-{modality}", device=device)
    return load_encoder(spec.encoder, device=device)


def load_encoders(
    modalities: Mapping[str, ModalitySpec], base: Path, revisions: Mapping[str, str], device: str = "auto"
) -> dict[str, Encoder]:
    """The encoders of a saved model, the same that it was trained with.

    Args:
        modalities: of the checkpoint.
        base: its directory.
        revisions: modality to the encoder's revision in training; one that is not named is not checked.
        device: see ``default_device``.

    Raises:
        CheckpointError: an encoder has changed since.
    """
    found = {m: encoder_for(m, spec, base, device) for m, spec in modalities.items() if spec.encoder is not None}
    for m, encoder in found.items():
        if revisions.get(m, encoder.revision) != encoder.revision:
            raise CheckpointError(
                f"{base.name}: the model was trained with revision {revisions[m]} of the {m} encoder {encoder.id}",
                encoder.revision,
                "Use the same weights of the encoder, or train again.",
            )
    return found
