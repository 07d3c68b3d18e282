"""``moodline.nn.pretrained`` for encoders: errors name the encoder, and its spec says the revision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from moodline.encoders.settings import EncoderSpec
from moodline.nn import pretrained as hub
from moodline.nn.pretrained import ModelFiles as ModelFiles
from moodline.nn.pretrained import keep_every_layer as keep_every_layer
from moodline.nn.pretrained import leave_frozen_convolutions as leave_frozen_convolutions


def encoder_files(
    spec: EncoderSpec, source: str | Path, *needs: str, ask: bool = True
) -> tuple[ModelFiles, EncoderSpec]:
    """See ``moodline.nn.pretrained.model_files``; and the spec, which for a hub's model says the commit."""
    files = hub.model_files(source, f"encoder {spec.name}", needs, spec.revision, ask)
    return files, replace(spec, revision=files.commit) if files.commit else spec


def from_pretrained(auto: str, files: ModelFiles, name: str, **options: Any) -> Any:
    """See ``moodline.nn.pretrained.from_pretrained``; ``name`` is the encoder's."""
    return hub.from_pretrained(auto, files, f"encoder {name}", **options)
