"""``moodline.hub`` for encoders: errors name the encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodline import hub
from moodline.hub import keep_every_layer as keep_every_layer
from moodline.hub import model_revision as model_revision


def from_pretrained(auto: str, source: str | Path, name: str, **options: Any) -> Any:
    """See ``moodline.hub.from_pretrained``; ``name`` is the encoder's."""
    return hub.from_pretrained(auto, source, f"encoder {name}", **options)
