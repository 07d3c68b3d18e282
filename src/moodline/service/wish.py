"""A recording and how it is to be read."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from moodline.core.conversation import Conversation
from moodline.core.errors import ConversationError
from moodline.core.prediction import Prediction
from moodline.core.progress import ProgressCallback
from moodline.service.formats import named
from moodline.service.models import Lane, Served
from moodline.transcripts.read import read_transcript

LONGEST_NAME = 80


@dataclass(frozen=True)
class Wish:
    """How a recording is to be read.

    Args:
        model: the id of a served model.
        recording: its file, below the folder of the request.
        transcript: likewise; None if there is none.
        name: of the recording, as the client gave it.
        speakers, channels, track: see ``moodline.listen.listen.listen``.
        abstain_below: see ``Recognizer.recognize``.
    """

    model: str
    recording: str
    transcript: str | None = None
    name: str = "recording"
    speakers: int | None = None
    channels: Literal["mix", "split"] = "mix"
    track: int | None = None
    abstain_below: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the store."""
        return asdict(self)

    def read(self, lane: Lane, served: Served, folder: Path, progress: ProgressCallback) -> Prediction:
        """The emotions in the recording.

        Args:
            lane: the recognizers of this thread.
            served: the model.
            folder: holds the files.
            progress: called with (title, done, total); what it raises ends the work.

        Raises:
            MoodlineError: the recording or the transcript cannot be read; see ``Recognizer.listen``.
        """
        recognizer = lane.get(served)
        recognizer.forget()
        try:
            prediction = recognizer.listen(
                folder / self.recording,
                None if self.transcript is None else _transcript(folder / self.transcript),
                speakers=self.speakers,
                channels=self.channels,
                transcriber=lane.transcriber(),
                diarizer=lane.diarizer(),
                abstain_below=self.abstain_below,
                progress=progress,
                track=self.track,
            )
        finally:
            recognizer.forget()
        return named(prediction, self.name)


def _transcript(path: Path) -> Conversation:
    """The conversation of an uploaded transcript, which may name no files of this machine."""
    conversations = read_transcript(path)
    if len(conversations) != 1:
        raise ConversationError(
            f"{path.name}: the transcript of a recording holds one conversation", len(conversations), "Split the file."
        )
    utterances = tuple(replace(u, audio=None, video=None) for u in conversations[0])
    return replace(conversations[0], utterances=utterances, media=None, sound=None)


def file_name(given: str | None, default: str) -> str:
    """The name of an uploaded file on this disk: the last part of the client's, with plain signs only.

    Args:
        given: as the client sent it.
        default: where nothing of it is left.
    """
    last = PureWindowsPath(PurePosixPath(given or "").name).name
    clean = re.sub(r"[^\w .()-]", "_", last).rstrip(" .")
    stem, dot, suffix = clean.rpartition(".")
    if not dot or len(suffix) > 10:
        stem, suffix = clean, ""
    short = stem.encode()[:LONGEST_NAME].decode(errors="ignore").strip(" .")
    return (short or default) + (f".{suffix}" if suffix else "")
