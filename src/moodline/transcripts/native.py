"""JSON: Moodline's own format (``.json``, ``.jsonl``) and results; what recognizers and messengers write, by look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from moodline.core.conversation import Conversation
from moodline.core.errors import ConversationError, TranscriptError
from moodline.transcripts.chat import chat
from moodline.transcripts.common import SKIP_FIX, Source, check_text
from moodline.transcripts.guessed_json import guessed_segments, is_utterance_list, note_unused
from moodline.transcripts.nonspeech import sounds_only
from moodline.transcripts.services import service_segments
from moodline.transcripts.times import seconds, shown
from moodline.transcripts.units import in_seconds
from moodline.transcripts.whisper import read_segments, segments

_EXPECTED = (
    'an object {"id", "utterances": […]}, a list of such objects, a Whisper transcript {"segments": […]}, '
    'or a chat {"messages": […]}'
)


def read_json(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read a conversation, a list of conversations, a result of Moodline, a chat, or what recognizers of speech write.

    Raises:
        TranscriptError: broken JSON, or something else in it.
        ConversationError: utterances that contradict each other.
    """
    try:
        data = _loads(source.text, source, 1)
    except TranscriptError:
        if _is_lines(source.text):
            source.note("The file holds one JSON object a line, and was read as .jsonl.")
            return read_jsonl(source, skip_empty=skip_empty)
        data = _one_after_the_other(source.text)
        if data is None:
            raise
        source.note(f"The file holds {len(data)} JSON objects behind each other; they were read as a list.")
    if isinstance(data, list) and data and all(isinstance(part, list) for part in data):  # lists of segments
        data = [row for part in data for row in part]
    found = _recognized(data, source)
    if found is not None:
        return read_segments(source, found, skip_empty=skip_empty)
    talk = chat(data)
    if talk is None and not _is_native(data) and (found := guessed_segments(data, source)) is not None:
        return read_segments(source, found, skip_empty=skip_empty)
    data = talk or data
    if isinstance(data, list) and not data:
        raise TranscriptError(f"{source.path}: no conversation in the file", "an empty list", f"Expected {_EXPECTED}.")
    if not isinstance(data, dict | list):
        raise TranscriptError(
            f"{source.path}: expected {_EXPECTED}", type(data).__name__, "See docs/how-to/recordings.md."
        )
    objects = data if isinstance(data, list) else [data]
    many = len(objects) > 1
    places = [f"{source.path}, conversation {n}" if many else str(source.path) for n in range(len(objects))]
    return _conversations(source, list(zip(places, objects, strict=True)), skip_empty)


def read_jsonl(source: Source, *, skip_empty: bool = False) -> list[Conversation]:
    """Read one conversation a line, or one utterance a line as recognizers and chats have them.

    Raises:
        TranscriptError: a line is not JSON.
        ConversationError: utterances that contradict each other, or two conversations with one id.
    """
    lines = [(n, line) for n, line in enumerate(source.text.split("\n"), start=1) if line.strip()]
    objects = [(source.at(n), _loads(line, source, n)) for n, line in lines]
    rows = [data for _, data in objects]
    if (found := _recognized(rows, source)) is not None:
        return read_segments(source, found, skip_empty=skip_empty)
    if (talk := chat(rows)) is not None:
        objects = [(str(source.path), talk)]
    return _conversations(source, objects, skip_empty)


def _is_lines(text: str) -> bool:
    """Whether the first lines are JSON objects, each by itself."""
    lines = [line for line in text[:100_000].split("\n") if line.strip()][:3]
    try:
        return len(lines) > 1 and all(isinstance(json.loads(line), dict) for line in lines[:2])
    except (ValueError, RecursionError):
        return False


def _one_after_the_other(text: str) -> list[Any] | None:
    """The objects of a text that is several of them without a list around; None if it is something else."""
    out, at, decoder = [], 0, json.JSONDecoder()
    try:
        while at < len(text):
            value, at = decoder.raw_decode(text, at)
            out.append(value)
            while at < len(text) and text[at] in " \n\t\r,":
                at += 1
    except (ValueError, RecursionError):
        return None
    return out if len(out) > 1 and all(isinstance(value, dict) for value in out) else None


def _recognized(data: Any, source: Source) -> list[Any] | None:
    """The segments of a recognizer's JSON: of a layout that is known, or of rows with times."""
    found = service_segments(data, source)
    if found is None and (rows := segments(source, data)) is not None:
        objects = all(isinstance(row, dict) for row in rows)
        if objects and rows and not any(name in row for row in rows for name in ("start", "end", "words")):
            return guessed_segments(data, source, timed=True) or rows
        found = in_seconds(rows, source, data) if objects else rows
    if found is not None:
        note_unused(data, [row for row in found if isinstance(row, dict)], source)
        return found
    if (_is_native(data) and not is_utterance_list(data)) or _has_roles(data):
        return None
    return guessed_segments(data, source, timed=True)


def _has_roles(data: Any) -> bool:
    """Whether it is a chat with a language model."""
    rows = data.get("messages", data.get("conversations")) if isinstance(data, dict) else data
    return isinstance(rows, list) and any(isinstance(row, dict) and "role" in row for row in rows)


def _is_native(data: Any) -> bool:
    rows = data if isinstance(data, list) else [data]
    return any(isinstance(row, dict) and "utterances" in row for row in rows)


def _loads(text: str, source: Source, line: int) -> Any:
    """The parsed JSON; ``line`` is the file's line on which the text begins."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise TranscriptError(
            f"{source.at(line + error.lineno - 1)}, column {error.colno}: broken JSON: {error.msg}",
            fix="Correct it there, or write the file again.",
        ) from None
    except RecursionError:
        raise TranscriptError(
            f"{source.at(line)}: the JSON is nested too deeply", fix=f"Expected {_EXPECTED}."
        ) from None
    except ValueError:  # an integer of thousands of digits
        raise TranscriptError(
            f"{source.at(line)}: the JSON holds a number that is too long", fix="Shorten it."
        ) from None


def _conversations(source: Source, objects: list[tuple[str, Any]], skip_empty: bool) -> list[Conversation]:
    """Check and build the conversations; those without an id are named after the file (and numbered if many)."""
    out: list[Conversation] = []
    seen: dict[str, str] = {}
    for n, (place, data) in enumerate(objects):
        data = _checked(chat(data) or data, place, skip_empty, source)
        if not data["utterances"]:
            if (skip_empty or data.get("events")) and len(objects) > 1:
                continue
            if source.bad:
                raise source.bad[0]
        if data.get("id") in (None, ""):
            data["id"] = source.path.stem if len(objects) == 1 else f"{source.path.stem}-{n}"
        read = Conversation.from_dict(data, place, source.path.parent)
        if read.id in seen:
            raise ConversationError(
                f"{place}: conversation ids must be unique", f"'{read.id[:40]}', also in {seen[read.id]}", "Rename one."
            )
        seen[read.id] = place
        out.append(read)
    if not out:
        raise TranscriptError(f"{source.path}: no utterance in the file", "empty ones only", "Give at least one text.")
    return out


def _checked(data: Any, place: str, skip_empty: bool, source: Source) -> dict[str, Any]:
    """A copy of a conversation's object, checked where ``Conversation.from_dict`` looks no further.

    Empty utterances are refused or left out; what is no speech becomes an event, unless it has a label or a recording
    of its own; every utterance gets the id of its place in the list.
    """
    if not isinstance(data, dict) or not isinstance(data.get("utterances"), list):
        found = "fields " + ", ".join(map(repr, list(data)[:5])) if isinstance(data, dict) else type(data).__name__
        raise TranscriptError(f"{place}: expected {_EXPECTED}", found[:80], "See docs/how-to/recordings.md.")
    rows = []
    _strings(data, ("media",), place)
    base = source.path.parent
    data = _without_answers(data, place, base) if "conversation" in data and "model" in data else data
    _id(data, place)
    events = list(data.get("events") or [])
    for n, row in enumerate(data["utterances"]):
        with source.row():
            _check_row(row, n, place)
            if isinstance(row.get("text"), str) and not row["text"].strip():
                if skip_empty:
                    continue
                raise TranscriptError(f"{place}: utterance {n}: the utterance is empty", fix=SKIP_FIX)
            own = any(row.get(name) is not None for name in ("emotion", "value", "score", "audio", "video"))
            if isinstance(row.get("text"), str) and not own and sounds_only(row["text"].strip()):
                events.append({name: row.get(name) for name in ("start", "end", "speaker", "text")})
                source.note("Utterances that are no speech, such as [Music], were not judged; they are kept as events.")
                continue
            rows.append({**row, "id": f"u{n}" if row.get("id") in (None, "") else row["id"]})
    return {**data, "utterances": rows} | ({"events": events} if events else {})


def _check_row(row: Any, n: int, place: str) -> None:
    where = f"{place}: utterance {n}"
    if not isinstance(row, dict):
        raise TranscriptError(f"{where}: expected an object", type(row).__name__)
    _id(row, where)
    _strings(row, ("speaker", "text", "audio", "video", "emotion"), where)
    start, end = (seconds(row.get(name), where, name) for name in ("start", "end"))
    if start is not None and end is not None and end < start:
        raise TranscriptError(f"{where}: end must not be before start", f"start {start}, end {end}", "Correct it.")
    for name in ("value", "score"):  # ``score`` in older files
        value = row.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and abs(value) <= 1e9):
            raise TranscriptError(f"{where}: {name} must be a number such as -3 to 3", shown(value))


def _without_answers(data: dict[str, Any], place: str, base: Path) -> dict[str, Any]:
    """A result of Moodline (``Prediction.to_dict``) as a transcript: the answers are left out, they are no labels.

    The recording is kept if it is still there: a result names it as its user did, from wherever that was.
    """
    kept = ("id", "speaker", "start", "end", "text")
    rows = [{k: row.get(k) for k in kept} if isinstance(row, dict) else row for row in data["utterances"]]
    out: dict[str, Any] = {"id": data["conversation"], "utterances": rows}
    if isinstance(data.get("events"), list):
        out["events"] = data["events"]
    media = data.get("media")
    found = next((p for p in (base / media, Path(media).absolute()) if _is_file(p)), None) if media else None
    return out if found is None else {**out, "media": str(found.absolute())}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _strings(row: dict[str, Any], names: tuple[str, ...], place: str) -> None:
    """Raise unless the fields are strings (or left out) that can be written again."""
    for name in names:
        value = row.get(name)
        if value is not None and not isinstance(value, str):
            raise TranscriptError(f"{place}: {name} must be a string", shown(value))
        check_text(value or "", place, name)


def _id(row: dict[str, Any], place: str) -> None:
    """Raise unless the id is a string or an integer (or left out)."""
    value = row.get("id")
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise TranscriptError(f"{place}: id must be a string", shown(value))
    if isinstance(value, str):
        check_text(value, place, "id")
