"""Conversations: what every reader gives and every recognizer takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from moodline.core.errors import ConversationError

MODALITIES = ("speech", "text", "visual")
"""The modality names, in the order used everywhere."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn of one speaker.

    Args:
        id: unique in its corpus (and so in its conversation).
        speaker: who speaks; None if unknown.
        start: seconds from the beginning of the recording; None if unknown.
        end: seconds; not before ``start``.
        text: the words; None where only media or features exist. Never an empty string.
        audio: a file that holds just this utterance, or None.
        video: likewise.
        emotion: the label's name; None if unlabelled.
        value: what a regression learns, such as sentiment from −3 to 3; None if there is none.
    """

    id: str
    speaker: str | None = None
    start: float | None = None
    end: float | None = None
    text: str | None = None
    audio: Path | None = None
    video: Path | None = None
    emotion: str | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        if not self.id:
            raise ConversationError("an utterance needs an id", fix="Give every utterance a unique, non-empty id.")
        if self.text is not None and not self.text.strip():
            raise ConversationError(
                f"utterance {self.id}: the text is empty",
                fix="Remove the utterance, or leave its text out (null) if it only has audio or video.",
            )
        for name, value in (("start", self.start), ("end", self.end), ("value", self.value)):
            if value is not None and not math.isfinite(value):
                raise ConversationError(f"utterance {self.id}: {name} must be a finite number", value)
        if self.start is not None and self.start < 0:
            raise ConversationError(f"utterance {self.id}: start must not be negative", self.start)
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ConversationError(
                f"utterance {self.id}: end must not be before start",
                f"start {self.start}, end {self.end}",
                "Correct the times, in seconds.",
            )


@dataclass(frozen=True, slots=True)
class Event:
    """Something in a conversation that is no speech: a sound, music, a gesture, a remark of who transcribed it.

    Args:
        text: the mark as it stands in the transcript, such as ``[door slams]``.
        speaker: whose it is; None if nobody's or unknown.
        start: seconds from the beginning of the recording; None if unknown.
        end: seconds; None if unknown.
    """

    text: str
    speaker: str | None = None
    start: float | None = None
    end: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The event as an object of JSON files."""
        return {"start": self.start, "end": self.end, "speaker": self.speaker, "text": self.text}


@dataclass(frozen=True)
class Conversation:
    """Utterances in the order in which they were said.

    Args:
        id: unique in its corpus.
        utterances: at least one, ids distinct.
        media: the recording of the whole conversation, or None.
        sound: a sound file of it with the same times, where ``media`` is one that encoders of speech cannot read, such
            as film; never written to files.
        notes: what its reader found doubtful, one sentence each; never written to files.
        events: what is no speech, in the order of the file; never judged.
    """

    id: str
    utterances: tuple[Utterance, ...]
    media: Path | None = None
    sound: Path | None = None
    notes: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        if not self.utterances:
            raise ConversationError(f"conversation {self.id}: no utterances", fix="Give at least one utterance.")
        if len({u.id for u in self.utterances}) < len(self.utterances):
            double = [i for i, n in Counter(u.id for u in self.utterances).items() if n > 1]
            raise ConversationError(
                f"conversation {self.id}: utterance ids must be unique",
                ", ".join(double[:3]),
                "Rename the repeated ids.",
            )

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    def unlabelled(self) -> Conversation:
        """The same conversation without emotions and values, as at inference."""
        return replace(self, utterances=tuple(replace(u, emotion=None, value=None) for u in self.utterances))

    def to_dict(self) -> dict[str, Any]:
        """The house format: one JSON object per conversation (``transcripts/native.py`` reads it back)."""
        rows = []
        for utterance in self.utterances:
            row = {k: (str(v) if isinstance(v, Path) else v) for k, v in asdict(utterance).items()}
            rows.append(
                {k: v for k, v in row.items() if v is not None or k in ("id", "speaker", "start", "end", "text")}
            )
        out: dict[str, Any] = {"id": self.id, "utterances": rows}
        if self.media is not None:
            out["media"] = str(self.media)
        if self.events:
            out["events"] = [event.to_dict() for event in self.events]
        return out

    @classmethod
    def from_dict(cls, data: Any, where: str, base: Path | None = None) -> Conversation:
        """Read one conversation of the house format.

        Args:
            data: a mapping ``{"id", "media"?, "utterances": [{"id", "speaker", "start", "end", "text", …}], "events"?:
                [{"start", "end", "speaker", "text"}]}``; utterances without an id are numbered ``u0, u1, …``.
            where: file (and line), for error messages.
            base: the folder that media paths are relative to.

        Raises:
            ConversationError: a field is missing or has the wrong type, or utterances contradict each other.
        """
        if not isinstance(data, dict) or not isinstance(data.get("utterances"), list):
            raise ConversationError(
                f"{where}: expected an object with a list 'utterances'",
                type(data).__name__,
                "See docs/how-to/your-data.md.",
            )
        unknown = set(data) - {"id", "media", "utterances", "events"}
        if unknown:
            raise ConversationError(
                f"{where}: unknown field '{sorted(unknown)[0]}'", fix="Known: id, media, utterances, events."
            )
        try:
            utterances = tuple(_utterance(row, n, where, base) for n, row in enumerate(data["utterances"]))
            media = _path(data.get("media"), base, f"{where}: media")
            events = tuple(_event(row, n, where) for n, row in enumerate(data.get("events") or ()))
            return cls(str(data.get("id") or Path(where).stem), utterances, media, events=events)
        except ConversationError as error:
            message = str(error)
            raise error if message.startswith(where) else ConversationError(f"{where}: {message}") from None


def some_ids(ids: Sequence[str], most: int = 3) -> str:
    """Ids for a note or a message: all of them, or the first few and ``…``."""
    return ", ".join(ids[:most]) + (", …" if len(ids) > most else "")


_FIELDS = tuple(Utterance.__dataclass_fields__)


def _path(value: Any, base: Path | None, place: str) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConversationError(f"{place} must be a path as a string", repr(value)[:40])
    return Path(value) if base is None or Path(value).is_absolute() else base / value


def _utterance(row: Any, number: int, where: str, base: Path | None) -> Utterance:
    place = f"{where}: utterance {number}"
    if not isinstance(row, dict):
        raise ConversationError(f"{place}: expected an object", type(row).__name__)
    if "score" in row:  # the name of ``value`` in older files
        row = {"value": row["score"]} | {k: v for k, v in row.items() if k != "score"}
    unknown = set(row) - set(_FIELDS)
    if unknown:
        raise ConversationError(f"{place}: unknown field '{sorted(unknown)[0]}'", fix=f"Known: {', '.join(_FIELDS)}.")
    values: dict[str, Any] = {"id": str(row["id"]) if row.get("id") is not None else f"u{number}"}
    for name in ("speaker", "text", "emotion"):
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            raise ConversationError(f"{place}: {name} must be a string", repr(value)[:40])
        values[name] = value
    for name in ("start", "end", "value"):
        values[name] = _number(row.get(name), place, name)
    for name in ("audio", "video"):
        values[name] = _path(row.get(name), base, f"{place}: {name}")
    return Utterance(**values)


def _number(value: Any, place: str, name: str) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ConversationError(f"{place}: {name} must be a number (seconds as a float)", repr(value)[:40])
    try:
        return None if value is None else float(value)
    except OverflowError:
        raise ConversationError(f"{place}: {name} is too large", f"{str(value)[:20]}…") from None


def _event(row: Any, number: int, where: str) -> Event:
    place = f"{where}: event {number}"
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise ConversationError(f"{place}: expected an object with a string 'text'", type(row).__name__)
    speaker = row.get("speaker")
    if speaker is not None and not isinstance(speaker, str):
        raise ConversationError(f"{place}: speaker must be a string", repr(speaker)[:40])
    return Event(row["text"], speaker, *(_number(row.get(name), place, name) for name in ("start", "end")))
