"""JSON of services that list single words with times; the words are put together, see ``words``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from moodline.transcripts.json_fields import best, first, names_in, objects, segment, word
from moodline.transcripts.speaker_spans import speaker_at, speaker_spans
from moodline.transcripts.words import Word, turns

Segments = Iterable[dict[str, Any]]


def _assembly_words(data: Any, place: str) -> Segments | None:
    """AssemblyAI's ``words`` alone, milliseconds."""
    words = objects(data, "words")
    if objects(data, "utterances") or objects(data, "sentences"):
        return None
    if words is None or not {"audio_url", "audio_duration", "acoustic_model", "speech_model"} & set(data):
        return None
    if not all("text" in w for w in words):
        return None
    return turns(
        word(w.get("text"), first(w, "speaker", "channel"), w.get("start"), w.get("end"), place, 1e-3) for w in words
    )


def _words(data: Any, place: str) -> Segments | None:
    """``{"text", "words": […]}``: OpenAI's with ``word``, ElevenLabs' with ``text`` and ``type``, NeMo's."""
    words = objects(data, "words")
    if words is None or {"utterances", "segments"} & set(data):
        return None
    timed = all("start" in w or "start_time" in w or "startTime" in w for w in words)
    if not timed or not all("word" in w or "type" in w or ("text" in w and "start_time" in w) for w in words):
        return None
    said = [w for w in words if w.get("type", "word") in ("word", "punctuation")]
    keys = ("speaker", "speaker_id", "speaker_label", "speaker_tag", "spk", "channel")
    spans = [] if any(first(w, *keys) is not None for w in said) else speaker_spans(data)
    starts = [span[0] for span in spans]
    found = [
        word(
            first(w, "punctuated_word", "word", "text"),
            first(w, *keys),
            first(w, "start", "start_time", "startTime"),
            first(w, "end", "end_time", "endTime"),
            place,
            glued=w.get("type") == "punctuation",
        )
        for w in said
    ]
    return turns(replace(w, speaker=w.speaker or speaker_at(spans, starts, w.start, w.end)) for w in found)


def _speechmatics_1(data: Any, place: str) -> Segments | None:
    """Speechmatics of before: ``{"words": [{"name", "time", "duration"}], "speakers": [{"name", "time", …}]}``."""
    words = objects(data, "words")
    if words is None or not all("name" in w and "time" in w and "duration" in w for w in words):
        return None
    spans = speaker_spans({"speakers": data.get("speakers")})
    starts = [span[0] for span in spans]
    out = []
    for w in words:
        made = word(w["name"], None, w["time"], w["duration"], place, glued=w["name"] in (".", ",", "?", "!"))
        end = None if made.start is None or made.end is None else round(made.start + made.end, 6)
        out.append(replace(made, end=end, speaker=speaker_at(spans, starts, made.start, end)))
    return turns(out)


def _deepgram_words(data: Any, place: str) -> Segments | None:
    """``{"results": {"channels": [{"alternatives": [{"words": […]}]}]}}``."""
    channels = objects(data, "results", "channels")
    if channels is None:
        return None
    out: list[dict[str, Any]] = []
    for n, channel in enumerate(channels):
        voice = n if len(channels) > 1 else None
        several = f"Channel {n}, speaker {{}}" if voice is not None else None
        words = objects(best(channel), "words") or []
        alone = voice is not None and len({str(w.get("speaker")) for w in words}) < 2
        sentences = [] if words else _paragraphs(best(channel), voice)
        out += sentences or turns(
            word(
                first(w, "punctuated_word", "word"),
                voice if alone else several.format(w.get("speaker")) if several else w.get("speaker"),
                w.get("start"),
                w.get("end"),
                place,
            )
            for w in words
        )  # fmt: skip
    return sorted(out, key=lambda row: row["start"] or 0.0)


def _paragraphs(alternative: dict[str, Any], voice: int | None) -> list[dict[str, Any]]:
    """Deepgram's paragraphs, where the words themselves were left out; or its transcript alone."""
    rows = objects(alternative, "paragraphs", "paragraphs") or []
    out = [
        segment(s.get("text"), voice if voice is not None else r.get("speaker"), s.get("start"), s.get("end"))
        for r in rows
        for s in objects(r, "sentences") or []
    ]
    out = [row for row in out if all(t is None or isinstance(t, int | float) for t in (row["start"], row["end"]))]
    return out or ([segment(alternative["transcript"], voice, None, None)] if alternative.get("transcript") else [])


def _amazon(data: Any, place: str) -> Segments | None:
    """Amazon Transcribe: ``items``; who speaks is in them, in ``speaker_labels`` or in ``channel_labels``."""
    items = objects(data, "results", "items")
    channels = objects(data, "results", "channel_labels", "channels")
    if items is None and channels is None:
        return None
    labels = {
        str(item.get("start_time")): item.get("speaker_label")
        for part in objects(data, "results", "speaker_labels", "segments") or []
        for item in objects(part, "items") or []
    }
    streams: list[tuple[Any, list[dict[str, Any]]]] = [(None, items or [])]
    if channels and len(channels) > 1:
        streams = [(first(c, "channel_label") or f"ch_{n}", objects(c, "items") or []) for n, c in enumerate(channels)]
    out: list[dict[str, Any]] = []
    for voice, listed in streams:
        out += turns(
            word(
                best(item).get("content"),
                voice or first(item, "speaker_label", "channel_label") or labels.get(str(item.get("start_time"))),
                item.get("start_time"),
                item.get("end_time"),
                place,
                glued=item.get("type") == "punctuation",
            )
            for item in listed
        )
    return sorted(out, key=lambda row: row["start"] or 0.0) if len(streams) > 1 else out


def _speechmatics(data: Any, place: str) -> Segments | None:
    """``{"results": [{"type", "start_time", "end_time", "channel", "alternatives": [{"content", "speaker"}]}]}``."""
    rows = objects(data, "results")
    if rows is None or not all("content" in best(r) for r in rows):
        return None
    many = len({str(r.get("channel")) for r in rows}) > 1
    said: dict[Any, list[Word]] = {}
    for r in rows:
        speaker = best(r).get("speaker")
        who = r.get("channel") if many else speaker
        said.setdefault(who if many else None, []).append(
            word(
                best(r)["content"],
                who,
                r.get("start_time"),
                r.get("end_time"),
                place,
                glued=r.get("type") == "punctuation" and r.get("attaches_to", "previous") == "previous",
            )
        )
    out = [row for words in said.values() for row in turns(words)]
    return sorted(out, key=lambda row: row["start"] or 0.0) if many else out


def _watson(data: Any, place: str) -> Segments | None:
    """IBM Watson: ``{"results": [{"alternatives": [{"timestamps": [["word", 0, 1]]}]}], "speaker_labels": […]}``."""
    rows = objects(data, "results")
    listed = objects(data, "speaker_labels") or []
    if rows is not None and all(objects(r, "results") for r in rows):  # of several requests
        listed = [row for r in rows for row in objects(r, "speaker_labels") or []]
        rows = [inner for r in rows for inner in objects(r, "results") or []]
    if rows is None or not any("transcript" in best(r) and isinstance(best(r).get("timestamps"), list) for r in rows):
        return None
    labels = {str(row.get("from")): row.get("speaker") for row in listed}
    out: list[dict[str, Any]] = []
    for r in rows:
        timed = [t for t in best(r).get("timestamps") or [] if isinstance(t, list) and len(t) >= 3]
        out += turns(word(t[0], labels.get(str(t[1])), t[1], t[2], place) for t in timed)
    return out


def _google(data: Any, place: str) -> Segments | None:
    """Google: ``{"results": [{"alternatives": [{"transcript", "words": […]}], "channelTag"}]}``.

    Words with tags of speakers are those of the last result, which repeats all.
    """
    rows = objects(data, "results")
    if rows is None or not any("transcript" in best(r) for r in rows):
        return None
    tags = [first(r, "channelTag", "channel_tag") for r in rows]
    many = len({str(t) for t in tags if t is not None}) > 1
    words = [(w, tag) for r, tag in zip(rows, tags, strict=True) for w in objects(best(r), "words") or []]
    tagged = objects(best(rows[-1]), "words") or []
    again = len(rows) > 1 and 2 * len(tagged) == len(words)
    if tagged and all(_tag(w) for w in tagged) and (again or not all(_tag(w) for w, _ in words)):
        words = [(w, None) for w in tagged]
    if not words:
        named = [f"Channel {t}" if many and t is not None else None for t in tags]
        ends = ("resultEndTime", "resultEndOffset", "result_end_time")
        return (
            segment(best(r).get("transcript"), who, None, first(r, *ends))
            for r, who in zip(rows, named, strict=True)
        )  # fmt: skip
    said: dict[Any, list[Word]] = {}
    for w, tag in words:
        who = f"Channel {tag}" if many else _tag(w)
        start, end = first(w, "startTime", "start_time", "startOffset"), first(w, "endTime", "end_time", "endOffset")
        said.setdefault(tag if many else None, []).append(
            word(w.get("word"), who, 0.0 if start is None and end is not None else start, end, place)
        )
    out = [row for listed in said.values() for row in turns(listed)]
    return sorted(out, key=lambda row: row["start"] or 0.0) if many else out


def _tag(w: dict[str, Any]) -> Any:
    return first(w, "speakerTag", "speaker_tag", "speakerLabel", "speaker_label") or None


def _rev(data: Any, place: str) -> Segments | None:
    """Rev: ``{"monologues": [{"speaker", "elements": [{"type", "value", "ts", "end_ts"}]}]}``."""
    rows = objects(data, "monologues")
    if rows is None:
        return None
    names = names_in(data)
    said: list[Word] = []
    for r in rows:
        elements = objects(r, "elements") or []
        who = names.get(given) or given if isinstance(given := r.get("speaker"), int | str) else r.get("speaker_name")
        found = [
            word(
                e.get("value"),
                who,
                first(e, "ts", "timestamp"),
                first(e, "end_ts", "end_timestamp"),
                place,
                glued=e.get("type") == "punct",
            )
            for e in elements
        ]
        if found and all(w.start is None for w in found):  # the times of the whole
            start, end = first(r, "start_time", "start", "ts"), first(r, "end_time", "end", "end_ts")
            whole = word("", who, start, end, place)
            found = [replace(w, start=whole.start, end=whole.end) for w in found]
        said += found
    return turns(said)


WORD_LAYOUTS: tuple[Callable[[Any, str], Segments | None], ...] = (
    _assembly_words,
    _words,
    _speechmatics_1,
    _deepgram_words,
    _amazon,
    _speechmatics,
    _watson,
    _google,
    _rev,
)
