"""Conversations with emotions: results of Moodline that a person corrected, and annotations in other files.

Read are Moodline's own JSON, CSV, subtitles, paragraphs, TextGrid, ELAN and EXMARaLDA files, Label Studio's exports,
the house format, and tables with a column ``emotion``. An answer from which the recognizer abstained is no label unless
somebody changed it.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import TranscriptError
from moodline.transcripts.common import Source, squeeze
from moodline.transcripts.elan import eaf_tiers
from moodline.transcripts.exmaralda import exb_tiers
from moodline.transcripts.label_studio import conversations_of_tasks, is_tasks
from moodline.transcripts.labelled_tables import table_labels
from moodline.transcripts.read import read_transcript
from moodline.transcripts.sniff import sniff
from moodline.transcripts.source_file import read_source
from moodline.transcripts.speakers import MARK
from moodline.transcripts.textgrid import textgrid_tiers
from moodline.transcripts.tier import Label, Tier, without_overflow
from moodline.transcripts.tier_choice import classify
from moodline.transcripts.tier_names import Kind, split_tier
from moodline.transcripts.tiers import EMOTION, NOBODY
from moodline.transcripts.times import clock

SHARED = 0.5
"""A label belongs to an utterance if it covers this share of it, or it of the label."""

FORMATS = ("json", "jsonl", "csv", "tsv", "textgrid", "eaf", "exb", "srt", "vtt", "txt")
"""Formats in which labels are looked for."""

_CUE = re.compile(r"^(\d[\d:.,]*)\s*-->[^\n]*\n(?:\s*<v[^>]*>)?(\[[^\[\]\n]*\])", re.MULTILINE)
_STAMP = re.compile(
    r"^#(\d{1,2}:\d{2}:\d{2})-(\d)#\s(?:(?:\[[^\[\]\n]*\]|[^:\[\]\n]*):\s)?(\[[^\[\]\n]*\])", re.MULTILINE
)
_NUMBER = re.compile(r"\s+[01]?\.[0-9]+$")


def read_labelled(path: Path, *, format: str | None = None, encoding: str | None = None) -> list[Conversation]:
    """Read the conversations of a file with the emotions that stand in it; None where an utterance has none.

    Args:
        path: the file.
        format: one of ``FORMATS``; None to go by the suffix, or by what stands in it.
        encoding: see ``read_transcript``.

    Raises:
        TranscriptError, ConversationError: see ``read_transcript``; or no utterance has an emotion.
    """
    path = Path(path)
    source = read_source(path, encoding=encoding)
    name = (format or path.suffix.removeprefix(".")).lower()
    name = name if name in FORMATS else sniff(source.text)
    if name in ("json", "jsonl") and (found := _of_json(source, name)) is not None:
        labelled = found
    else:
        read = read_transcript(path, format=name, encoding=encoding, skip_empty=True)
        labelled = _READERS.get(name, _as_they_are)(source, read)
    if not any(u.emotion is not None or u.value is not None for c in labelled for u in c):
        raise TranscriptError(f"{path}: no utterance has an emotion", fix="Pass a result of moodline, or labels.")
    return labelled


def clean_label(text: str | None) -> str | None:
    """A label as label sets write them, without a confidence behind it; None for none, and for ``joy?``."""
    found = _NUMBER.sub("", squeeze(text or "").strip("[]")).strip()
    return None if not found or found == "…" or found.endswith("?") else found.lower()


def _as_they_are(_: Source, read: list[Conversation]) -> list[Conversation]:
    return read


# -- JSON ---------------------------------------------------------------------------------------------------------


def _of_json(source: Source, name: str) -> list[Conversation] | None:
    """Results of Moodline and tasks of Label Studio; None for other JSON, such as the house format."""
    try:
        rows = [json.loads(line) for line in source.text.split("\n") if line.strip()] if name == "jsonl" else None
        data = json.loads(source.text) if rows is None else rows
    except (ValueError, RecursionError):
        return None
    if isinstance(data, dict) and isinstance(data.get("predictions"), list) and "key" in data:
        data = data["predictions"]  # of ``moodline annotate``
    objects = data if isinstance(data, list) else [data]
    if is_tasks(objects):
        return conversations_of_tasks(objects, str(source.path))
    if not objects or not all(isinstance(o, dict) and "conversation" in o and "model" in o for o in objects):
        return None
    return [_of_result(o, str(source.path), source.path.parent) for o in objects]


def _of_result(data: Mapping[str, Any], place: str, base: Path) -> Conversation:
    """A result of Moodline, its answers as labels."""
    utterances = data.get("utterances")
    if not isinstance(utterances, list) or not all(isinstance(u, dict) for u in utterances):
        raise TranscriptError(f"{place}: expected a result with a list 'utterances'", type(utterances).__name__)
    rows = []
    for u in utterances:
        row = {k: u.get(k) for k in ("id", "speaker", "start", "end", "text")}
        ranked = u.get("probabilities")
        first = ranked[0].get("label") if isinstance(ranked, list) and ranked and isinstance(ranked[0], dict) else None
        given = u.get("emotion") if isinstance(u.get("emotion"), str) else None
        unsure = u.get("abstained") is True and given == first
        value = u.get("value", u.get("score"))
        rows.append(
            row | {"emotion": None if unsure else clean_label(given)} | ({} if value is None else {"value": value})
        )
    whole: dict[str, Any] = {"id": str(data["conversation"]), "utterances": rows}
    if isinstance(data.get("media"), str):
        whole["media"] = data["media"]
    return Conversation.from_dict(whole, place, base)


# -- tables -------------------------------------------------------------------------------------------------------


def _of_table(source: Source, read: list[Conversation]) -> list[Conversation]:
    labels = table_labels(source)
    single = len(read) == 1

    def label(conversation: Conversation, u: Utterance) -> str | None:
        name = "" if single else conversation.id
        return clean_label(labels.get((name, u.id)) or (labels.get(("", u.id)) if single else None))

    return [_with(c, lambda u, c=c: label(c, u)) for c in read]  # type: ignore[misc]


# -- tiers --------------------------------------------------------------------------------------------------------


def _of_tiers(tiers_of: Callable[[Source], list[Tier]]) -> Callable[[Source, list[Conversation]], list[Conversation]]:
    def read_labels(source: Source, read: list[Conversation]) -> list[Conversation]:
        labels = [(who, _Index(found)) for who, found in _label_tiers(tiers_of(source))]
        return [_with(c, lambda u: _covering(u, labels)) for c in read]

    return read_labels


def _label_tiers(tiers: Sequence[Tier]) -> Iterator[tuple[str | None, list[Label]]]:
    """Speaker (None if unknown) and labels of each tier of emotions."""
    classify(tiers)
    for tier in tiers:
        if tier.name.endswith(EMOTION):
            name = without_overflow(tier.speaker or tier.name.removesuffix(EMOTION))
            yield (None if name == NOBODY else name), tier.spoken
        elif tier.kind is Kind.LABELS or split_tier(tier.name)[1] is Kind.LABELS:
            yield (tier.whose or None), tier.spoken


class _Index:
    """Labels by their starts.

    Args:
        labels: in any order; those without times are left out.
    """

    def __init__(self, labels: Sequence[Label]) -> None:
        timed = [(x.start, x.end, x.text) for x in labels if x.start is not None and x.end is not None]
        self.labels = sorted(timed)
        self.starts = [start for start, _, _ in self.labels]
        self.longest = max((end - start for start, end, _ in self.labels), default=0.0)

    def around(self, start: float, end: float) -> list[tuple[float, float, str]]:
        """The labels that may lie over a stretch."""
        low = bisect_left(self.starts, start - self.longest - 0.01)
        return self.labels[low : bisect_right(self.starts, end + 0.01)]


def _covering(u: Utterance, tiers: Sequence[tuple[str | None, _Index]]) -> str | None:
    """The label that covers most of an utterance, of its speaker's tier or of nobody's."""
    if u.start is None or u.end is None:
        return None
    best, most = None, 0.0
    for speaker, labels in tiers:
        if speaker is not None and u.speaker is not None and speaker != u.speaker:
            continue
        for start, end, text in labels.around(u.start, u.end):
            shared = min(u.end, end) - max(u.start, start)
            longest, shortest = max(u.end - u.start, end - start), min(u.end - u.start, end - start)
            near = abs(u.start - start) < 0.002 and abs(u.end - end) < 0.002
            score = 1.0 if near else shared / longest if longest > 0 and shared >= SHARED * shortest else 0.0
            if score > most:
                best, most = text, score
    return clean_label(best)


# -- text ---------------------------------------------------------------------------------------------------------


def _of_subtitles(source: Source, read: list[Conversation]) -> list[Conversation]:
    marks = {clock(m[1], str(source.path), "start"): m[2] for m in _CUE.finditer(source.text)}
    return [_with(c, lambda u: _of_mark(marks.get(u.start))) for c in read]


def _of_paragraphs(source: Source, read: list[Conversation]) -> list[Conversation]:
    marks = {clock(f"{m[1]}.{m[2]}", str(source.path), "start"): m[3] for m in _STAMP.finditer(source.text)}
    return [_with(c, lambda u: _of_mark(marks.get(u.start))) for c in read]


def _of_mark(mark: str | None) -> str | None:
    return clean_label(mark) if mark is not None and MARK.match(mark) else None


def _with(conversation: Conversation, label: Callable[[Utterance], str | None]) -> Conversation:
    rows = (replace(u, emotion=label(u) or u.emotion) for u in conversation)
    return replace(conversation, utterances=tuple(rows))


_READERS: dict[str, Callable[[Source, list[Conversation]], list[Conversation]]] = {
    "csv": _of_table,
    "tsv": _of_table,
    "textgrid": _of_tiers(textgrid_tiers),
    "eaf": _of_tiers(lambda source: eaf_tiers(source)[0]),
    "exb": _of_tiers(lambda source: exb_tiers(source)[0]),
    "srt": _of_subtitles,
    "vtt": _of_subtitles,
    "txt": _of_paragraphs,
}
"""Format to what puts its labels on the conversations that were read of it."""
