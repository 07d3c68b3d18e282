"""pyannote.audio's diarization (extra ``pyannote``), for users who can download its gated weights.

Neither weights nor a model hub can be reached where Moodline is tested, so only the conversion of its result is tested;
the calls are those of pyannote.audio 3.x and 4.x. ``HF_TOKEN`` must hold a token that has accepted the model's terms.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from moodline.core.errors import ConfigError, MissingDependencyError
from moodline.core.progress import ProgressCallback
from moodline.listen.base import Span, SpeakerSpan

MODEL = "pyannote/speaker-diarization-3.1"


class Pyannote:
    """pyannote's pipeline; see ``Diarizer``.

    Args:
        name: a hub id, or a folder with a pipeline's ``config.yaml``.
    """

    id = "pyannote-1"

    def __init__(self, name: str = MODEL) -> None:
        try:
            from pyannote.audio import Pipeline
        except ImportError:
            raise MissingDependencyError("pyannote.audio", "pyannote", "the diarizer pyannote") from None
        token = os.environ.get("HF_TOKEN")
        try:
            self.pipeline: Any = Pipeline.from_pretrained(name, token=token)
        except TypeError:  # before 4.0
            self.pipeline = Pipeline.from_pretrained(name, use_auth_token=token)
        if self.pipeline is None:
            raise ConfigError(
                f"pyannote: the pipeline {name} could not be loaded",
                fix="Accept its terms on the hub and set HF_TOKEN, or pass a folder.",
            )

    def diarize(
        self,
        sound: Path,
        segments: Sequence[Span],
        speakers: int | None,
        folder: Path | None = None,
        progress: ProgressCallback | None = None,
    ) -> list[SpeakerSpan]:
        """See ``Diarizer``; ``segments`` are not needed, the pipeline has a voice activity detection of its own."""
        found = self.pipeline(str(sound), num_speakers=speakers)
        return from_annotation(getattr(found, "speaker_diarization", found))


def from_annotation(annotation: Any) -> list[SpeakerSpan]:
    """A ``pyannote.core.Annotation`` as spans, speakers numbered in order of appearance."""
    rows = sorted((float(s.start), float(s.end), str(name)) for s, _, name in annotation.itertracks(yield_label=True))
    names: dict[str, str] = {}
    return [SpeakerSpan(a, b, names.setdefault(name, f"S{len(names) + 1}")) for a, b, name in rows if b > a]
