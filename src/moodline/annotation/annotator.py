"""One item in, one result out: what a worker of any engine does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moodline.annotation.item import Item
from moodline.annotation.keys import FORMAT
from moodline.core.cache import temporary_recordings
from moodline.core.conversation import Conversation
from moodline.core.errors import ConversationError

if TYPE_CHECKING:
    from moodline.core.prediction import Prediction
    from moodline.pipeline.recognizer import Recognizer


@dataclass(frozen=True)
class AnnotationSettings:
    """How items are annotated. All but ``threads``, ``keep`` and ``device`` are part of a result's key.

    Args:
        model: a name of ``moodline models`` or a directory; None for the default model of recordings or transcripts.
        speakers, channels, transcriber, diarizer, track: see ``Recognizer.listen``.
        abstain_below: see ``Recognizer.recognize``.
        reports: also an HTML report for each item.
        keep: keep decoded recordings and recognized words in the cache, for other runs.
        threads: processor threads of each worker; one, so that results do not depend on the number of workers.
        device: cpu, cuda, …
        encoding, strict, tiers: of transcripts, see ``read_transcript``; tiers of those that have some.
    """

    model: str | None = None
    speakers: int | None = None
    channels: str = "mix"
    transcriber: str | None = None
    diarizer: str | None = None
    abstain_below: float | None = None
    reports: bool = False
    keep: bool = False
    threads: int = 1
    device: str = "auto"
    track: int | None = None
    encoding: str | None = None
    strict: bool = False
    tiers: tuple[str, ...] = ()

    def of_key(self) -> dict[str, Any]:
        """The settings that a result depends on."""
        unused = {"keep", "threads", "device", "reports"}
        newer = {
            "track": None,
            "encoding": None,
            "strict": False,
            "tiers": (),
        }  # by default left out: keys of older results hold
        return {k: v for k, v in asdict(self).items() if k not in unused and (k not in newer or v != newer[k])}


class Annotator:
    """Reads items with models that are loaded once.

    Args:
        settings: see ``AnnotationSettings``.
    """

    def __init__(self, settings: AnnotationSettings) -> None:
        self.settings = settings
        self._recognizers: dict[bool, Recognizer] = {}

    def recognizer(self, recording: bool) -> Recognizer:
        """The model for recordings, or for transcripts; loaded when first asked for."""
        from moodline.pipeline.recognizer import Recognizer

        if recording not in self._recognizers:
            s = self.settings
            loaded = Recognizer.load(s.model, s.device, recording=recording, threads=s.threads)
            if s.abstain_below is not None:
                loaded.task.check_threshold(loaded.checkpoint.name, s.abstain_below)
            self._recognizers[recording] = loaded
        return self._recognizers[recording]

    def annotate(self, item: Item, key: str, report: Path | None = None) -> bytes:
        """The content of the item's result file; the same bytes whatever was annotated before.

        Args:
            item: what to read.
            key: see ``keys.KeyMaker``.
            report: where to write an HTML report; None for none.

        Raises:
            MoodlineError: the item cannot be read; see ``read_transcript``, ``Recognizer.listen`` and ``recognize``.
        """
        with nullcontext() if self.settings.keep else temporary_recordings():
            predictions = self.predict(item)
            if report is not None:
                from moodline.core.files import make_folder
                from moodline.report.write import write_prediction

                make_folder(report.parent)
                write_prediction(predictions, report)
        data = {
            "format": FORMAT,
            "key": key,
            "recording": item.recording is not None,
            "predictions": [p.to_dict() | {"media": None} for p in predictions],
        }
        return (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")

    def predict(self, item: Item) -> list[Prediction]:
        """The predictions of an item, one for each of its conversations; a recording is one."""
        recognizer = self.recognizer(item.recording is not None)
        recognizer.forget()  # so that the last bits do not depend on what was read before
        transcripts = self._transcripts(item)
        if item.recording is None:
            return [recognizer.recognize(c, self.settings.abstain_below) for c in transcripts]
        if len(transcripts) > 1:
            raise ConversationError(
                f"{item.transcript}: the transcript of a recording holds one conversation",
                len(transcripts),
                "Split the file.",
            )
        s = self.settings
        return [
            recognizer.listen(
                item.recording,
                transcripts[0] if transcripts else None,
                speakers=s.speakers,
                channels="split" if s.channels == "split" else "mix",
                transcriber=s.transcriber,
                diarizer=s.diarizer,
                abstain_below=s.abstain_below,
                track=s.track,
            )
        ]

    def _transcripts(self, item: Item) -> list[Conversation]:
        from moodline.transcripts.read import TIERED, read_transcript

        if item.transcript is not None:
            s = self.settings
            tiers = s.tiers if item.transcript.suffix.lower().removeprefix(".") in TIERED else ()
            return read_transcript(item.transcript, encoding=s.encoding, strict=s.strict, tiers=tiers)
        if item.turns:
            return [_conversation(item)]
        return []


def _conversation(item: Item) -> Conversation:
    rows: list[Mapping[str, Any]] = [{"id": str(n), **turn} for n, turn in enumerate(item.turns, 1)]
    return Conversation.from_dict({"id": item.path.stem, "utterances": rows}, f"{item.path}: its rows in the manifest")
