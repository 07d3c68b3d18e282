"""openSMILE's acoustic functionals, the field's standard before learned features (research licence, non-commercial)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Literal

import numpy as np

from moodline.core.errors import MissingDependencyError
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech.sound import clip_samples
from moodline.media.audio import RATE

SETS = {"egemaps": ("eGeMAPSv02", 88), "compare": ("ComParE_2016", 6373), "is10": ("IS10", 1582)}
SHORTEST = RATE // 10
"""Samples; shorter clips are filled up with silence, or openSMILE has no window to measure."""


class OpenSmileEncoder:
    """Functionals of a clip, an ``Encoder``: eGeMAPSv02 (Eyben et al. 2016), ComParE 2016 (Schuller et al.
    2016), or the set of the INTERSPEECH 2010 paralinguistic challenge.

    Values have the units of their functionals and very different scales: standardise them on the training set.
    Values that openSMILE leaves undefined (no voiced frame) are zero.

    Args:
        name: ``"egemaps"``, ``"compare"`` or ``"is10"``.
        spec: only ``max_seconds`` is read.

    Raises:
        MissingDependencyError: the extra ``opensmile`` is not installed.
    """

    modality = "speech"
    kind: Literal["utterance", "frames"] = "utterance"

    def __init__(self, name: str, spec: EncoderSpec) -> None:
        try:
            opensmile: Any = importlib.import_module("opensmile")
        except ImportError:
            raise MissingDependencyError("opensmile", "opensmile", f"the encoder {name}") from None
        features, self.dim = SETS[name]
        self.id, self.revision, self.spec = name, f"opensmile-{version('opensmile')}", spec
        self._smile = opensmile.Smile(getattr(opensmile.FeatureSet, features), opensmile.FeatureLevel.Functionals)

    @property
    def settings(self) -> dict[str, Any]:
        """See ``Encoder.settings``."""
        return {"max_seconds": self.spec.max_seconds}

    def encode(self, inputs: Sequence[Any]) -> list[np.ndarray]:
        """See ``Encoder.encode``; float32 [D]."""
        clips = (clip_samples(item, self.spec.max_seconds, SHORTEST) for item in inputs)
        rows = (self._smile.process_signal(clip, RATE).to_numpy(np.float32)[0] for clip in clips)
        return [np.nan_to_num(row, nan=0.0) for row in rows]
