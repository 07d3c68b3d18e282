"""What every reader of transcripts shares: the decoded file, and making checked conversations of its rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from moodline.core.conversation import Conversation, Event, Utterance
from moodline.core.errors import ConversationError, TranscriptError
from moodline.transcripts.nonspeech import split_sounds

SKIP_FIX = "Give it some words, or leave such utterances out with --skip-empty."
"""What to do about an utterance without words."""

_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Source:
    """A transcript file that was decoded.

    Args:
        path: the file, as the user named it; error messages begin with it.
        text: its contents, byte order mark removed, lines ending in ``\\n``.
        notes: what the user should know of how it was read, one sentence each; readers append to it.
        strict: refuse a bad row instead of leaving it out.
        bad: the errors of rows that were left out; see ``row``.
        tiers: names of the tiers to read, where the format has some; none to find out.
    """

    path: Path
    text: str
    notes: list[str] = field(default_factory=list)
    strict: bool = False
    bad: list[TranscriptError] = field(default_factory=list)
    tiers: tuple[str, ...] = ()

    def at(self, line: int) -> str:
        """A place in the file for an error message; lines count from 1."""
        return f"{self.path}, line {line}"

    def note(self, sentence: str) -> None:
        """Add a note, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    @contextmanager
    def row(self) -> Iterator[None]:
        """Around the reading of one row: a bad one is left out, unless the reading is strict.

        Raises:
            TranscriptError: of the block, if the reading is strict.
        """
        try:
            yield
        except TranscriptError as error:
            self.leave_out(error)

    def leave_out(self, error: TranscriptError) -> None:
        """Leave a bad row out, to be reported.

        Raises:
            TranscriptError: this one, if the reading is strict.
        """
        if self.strict:
            raise error
        self.bad.append(error)


@dataclass(frozen=True, slots=True)
class Row:
    """An utterance as it stands in a file, not yet checked.

    Args:
        place: file and line, for error messages.
        text: the words; may still be empty; None where the format has none (a diarization).
        speaker: who speaks; None if unknown.
        start: seconds; None if unknown.
        end: seconds; None if unknown.
        id: the utterance's own id; None to number it ``u0, u1, …``.
        event: it is no speech (a sound, a gesture, a remark): kept as an event, not judged.
    """

    place: str
    text: str | None
    speaker: str | None = None
    start: float | None = None
    end: float | None = None
    id: str | None = None
    event: bool = False


def check_text(value: str, place: str, name: str) -> None:
    """Raise if ``value`` holds a character that no text file and no tokenizer takes."""
    bad = None if value.isascii() and "\x00" not in value else _UNWRITABLE.search(value)
    if bad:
        raise TranscriptError(
            f"{place}: the {name} holds a character that is not text", f"U+{ord(bad[0]):04X}", "Remove it."
        )


def squeeze(text: str) -> str:
    """The text on one line, every run of white space made a single space."""
    return " ".join(text.split())


def conversation(source: Source, rows: Iterable[Row], *, skip_empty: bool, id: str | None = None) -> Conversation:
    """Check rows and make them a conversation.

    Utterances without an id are numbered by their place in the file, counting those that are left out, so that
    ``skip_empty`` changes no id. Ids that repeat give way to such numbers. What is no speech (see ``nonspeech``)
    becomes an event. The conversation is named after the file unless ``id`` is given.

    Raises:
        TranscriptError: there is no good row; or, if the reading is strict, an utterance is empty, its end is before
            its start, or an id is repeated.
    """
    utterances: list[Utterance] = []
    numbers: list[int] = []
    events: list[Event] = []
    sounds = Counter[str]()
    seen: dict[str, str] = {}
    repeats, number = False, -1
    for number, row in enumerate(rows):
        text = row.text
        try:
            if text is not None and not text.strip():
                if skip_empty:
                    continue
                raise TranscriptError(f"{row.place}: the utterance is empty", fix=SKIP_FIX)
            name = row.id or f"u{number}"
            for what, value in (("text", text or ""), ("speaker", row.speaker or ""), ("id", name)):
                check_text(value, row.place, what)
            if row.id or seen:
                repeats = _seen(source, seen, name, row.place) or repeats
            utterance = Utterance(name, row.speaker or None, row.start, row.end, text)
            words, marks = (text, []) if text is None else ("", [text]) if row.event else split_sounds(text)
        except ConversationError as error:
            source.leave_out(TranscriptError(f"{row.place}: {error.rule}", error.found, error.fix))
            continue
        except TranscriptError as error:
            source.leave_out(error)
            continue
        for mark in marks:
            events.append(Event(mark, row.speaker or None, row.start, row.end))
            sounds[mark] += 1
        if words != text and words:
            utterance = replace(utterance, text=words)
        if words != "":
            utterances.append(utterance)
            numbers.append(number)
    if not utterances:
        if source.bad:
            raise source.bad[0]
        found = f"{number + 1} {'without speech' if events else 'empty ones'}, all left out" if number >= 0 else None
        raise TranscriptError(f"{source.path}: no utterance in the file", found, "Pass a file with at least one.")
    if repeats or (seen and len({u.id for u in utterances}) < len(utterances)):
        source.note("Ids of utterances repeat: they were numbered instead.")
        utterances = [replace(u, id=f"u{n}") for u, n in zip(utterances, numbers, strict=True)]
    if sounds:
        source.note(_sounds_note(sounds))
    return Conversation(id or source.path.stem, tuple(utterances), events=tuple(events))


def _seen(source: Source, seen: dict[str, str], name: str, place: str) -> bool:
    """Whether an id was there before; it is remembered.

    Raises:
        TranscriptError: it was, and the reading is strict.
    """
    before = seen.setdefault(name, place)
    if before != place and source.strict:
        raise TranscriptError(
            f"{place}: utterance ids must be unique", f"'{name[:40]}', also in {before}", "Rename one."
        )
    return before != place


def _sounds_note(sounds: Counter[str]) -> str:
    marks = [mark if len(mark) < 40 else f"{mark[:36]} …" for mark, _ in sounds.most_common(3)]
    shown = ", ".join(marks) + (", …" if len(sounds) > 3 else "")
    count = sum(sounds.values())
    which = "1 mark that is no speech was" if count == 1 else f"{count} marks that are no speech were"
    return f"{which} not judged and kept as events: {shown}."


def bad_rows_note(source: Source) -> str | None:
    """A note that names the rows that were left out; None if there are none."""
    if not source.bad:
        return None
    named = []
    for error in source.bad[:3]:
        found = "" if error.found is None else f" (found: {error.found})"
        rule = error.rule.removeprefix(str(source.path)).lstrip(",: ")
        named.append(f"{rule}{found}")
    more = f"; and {len(source.bad) - 3} more" if len(source.bad) > 3 else ""
    count = "A row was" if len(source.bad) == 1 else f"{len(source.bad)} rows were"
    return f"{count} left out ({'; '.join(named)}{more}); --strict refuses such a file."
