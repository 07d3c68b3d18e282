"""The models that a service answers with: loaded once, one recognizer for each thread that computes."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from moodline.core.conversation import Conversation, Utterance
from moodline.core.device import default_device
from moodline.core.errors import MoodlineError, UnknownNameError
from moodline.models.registry import DEFAULT_MODEL, PRETRAINED, RECORDING_MODEL, packaged_model
from moodline.pipeline.checkpoint import Checkpoint, load_checkpoint
from moodline.pipeline.recognizer import Recognizer, model_directory
from moodline.service.settings import ServiceSettings

if TYPE_CHECKING:
    from moodline.listen.diarizer import Diarizer
    from moodline.listen.transcriber import Transcriber

Use = Literal["conversations", "recordings"]


@dataclass(frozen=True)
class Served:
    """One model.

    Args:
        id: its name in requests.
        checkpoint: the weights, which all threads share.
        licence: of the weights; None where it is not known.
        default_for: what it answers where a request names no model.
    """

    id: str
    checkpoint: Checkpoint
    licence: str | None
    default_for: tuple[Use, ...]


class ServedModels:
    """The models of a service.

    Args:
        settings: names, device and threads.

    Raises:
        UnknownNameError, CheckpointError: there is no such model, or it is not complete.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.created = int(time.time())
        self.device, self.threads = default_device(settings.device), settings.threads
        self.transcriber, self.diarizer = settings.transcriber, settings.diarizer
        names = settings.models or ((DEFAULT_MODEL, RECORDING_MODEL) if settings.recordings else (DEFAULT_MODEL,))
        self._models: dict[str, Served] = {}
        for n, name in enumerate(names):
            uses: tuple[Use, ...] = ("conversations", "recordings") if n == 0 else ()
            if not settings.models:
                uses = ("conversations",) if n == 0 else ("recordings",)
            checkpoint = load_checkpoint(model_directory(name), self.device)
            id_ = name if name in PRETRAINED else checkpoint.name
            self._models.setdefault(
                id_, Served(id_, checkpoint, packaged_model(name).licence if name in PRETRAINED else None, uses)
            )

    def all(self) -> list[Served]:
        """Every model, the default first."""
        return list(self._models.values())

    def choose(self, name: str | None, use: Use) -> Served:
        """The model of a request.

        Args:
            name: as the request names it; None for the default.
            use: what it is for.

        Raises:
            UnknownNameError: the service has no such model.
        """
        if name is None:
            return next(m for m in self._models.values() if use in m.default_for)
        if name not in self._models:
            raise UnknownNameError("model", name[:200], self._models, "See: /v1/models.")
        return self._models[name]

    def recognizers(self) -> Lane:
        """Recognizers for one thread."""
        return Lane(self)


class Lane:
    """The recognizers of one thread. The weights are shared; encoders are loaded for each.

    Args:
        models: what is served.
    """

    def __init__(self, models: ServedModels) -> None:
        self._models = models
        self._recognizers: dict[str, Recognizer] = {}
        self._transcriber: Transcriber | None = None
        self._diarizer: Diarizer | None = None

    def get(self, served: Served) -> Recognizer:
        """The recognizer of a model, made when first asked for."""
        if served.id not in self._recognizers:
            models = self._models
            self._recognizers[served.id] = Recognizer(served.checkpoint, models.device, models.threads)
        return self._recognizers[served.id]

    def transcriber(self) -> Transcriber:
        """What recognizes words, loaded when first asked for."""
        from moodline.listen.transcriber import load_transcriber

        if self._transcriber is None:
            self._transcriber = load_transcriber(self._models.transcriber)
        return self._transcriber

    def diarizer(self) -> Diarizer:
        """What tells speakers apart, likewise."""
        from moodline.listen.diarizer import load_diarizer

        if self._diarizer is None:
            self._diarizer = load_diarizer(self._models.diarizer)
        return self._diarizer

    def warm(self, served: Served, sound: Path | None = None) -> None:
        """Load a model's encoders, and compute once.

        Args:
            served: which model.
            sound: a sound file, to load the encoder of voices too.
        """
        recognizer = self.get(served)
        with suppress(MoodlineError):  # a model that reads neither loads with its first request
            recognizer.recognize(Conversation("warm", (Utterance("1", text="Good morning.", audio=sound),)))
        recognizer.forget()
