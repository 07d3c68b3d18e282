"""JSON of services and programs that recognize speech, by look; each layout is one function.

They become segments as Whisper's are (``{"text", "speaker", "start", "end"}``, see ``whisper``). Where a service lists
single words, these are put together (see ``words``). Numbers for speakers become ``Speaker 0``; what has no words is
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moodline.transcripts.times import number
from moodline.transcripts.words import Word, turns

Segments = Iterable[dict[str, Any]]

TICK = 1e-7
"""Seconds of Azure's ticks."""


def service_segments(data: Any, place: str) -> list[dict[str, Any]] | None:
    """The segments in a service's JSON, or None if it is of none that is known.

    Args:
        data: what a JSON file holds.
        place: the file, for error messages.

    Raises:
        TranscriptError: a time of a word that is none.
    """
    for layout in LAYOUTS:
        found = layout(data, place)
        if found is not None:
            return [row for row in found if str(row["text"] or "").strip()]
    return None


def _objects(data: Any, *path: str) -> list[dict[str, Any]] | None:
    """The list of objects at a path of keys, or None if there is none, or an empty one."""
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, list) and data and all(isinstance(row, dict) for row in data) else None


def _first(row: dict[str, Any], *names: str) -> Any:
    """The first of these fields that is there."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def _best(row: dict[str, Any], name: str = "alternatives") -> dict[str, Any]:
    """The first alternative of a result."""
    found = _objects(row, name)
    return found[0] if found else {}


def _speaker(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"Speaker {value}"
    return value if isinstance(value, str) and value else None


def _time(value: Any, unit: float = 1.0) -> Any:
    """Seconds of a number in other units, or of ``"1.4s"``; anything else as it is, to be refused later."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15:
        return value if unit == 1 else round(value * unit, 6)
    return value.removesuffix("s") if isinstance(value, str) else value


def _segment(text: Any, speaker: Any, start: Any, end: Any, unit: float = 1.0) -> dict[str, Any]:
    return {"text": text, "speaker": _speaker(speaker), "start": _time(start, unit), "end": _time(end, unit)}


def _lasting(text: Any, speaker: Any, start: Any, lasts: Any, unit: float) -> dict[str, Any]:
    """A segment of which it is told how long it lasts."""
    start, lasts = _time(start, unit), _time(lasts, unit)
    numbers = all(isinstance(t, int | float) for t in (start, lasts))
    return _segment(text, speaker, start, round(start + lasts, 6) if numbers else None)


def _word(text: Any, speaker: Any, start: Any, end: Any, place: str, unit: float = 1.0, glued: bool = False) -> Word:
    begins = number(_time(start, unit), f"{place}: a word", "start")
    ends = number(_time(end, unit), f"{place}: a word", "end")
    return Word(text if isinstance(text, str) else "", begins, ends, _speaker(speaker), glued)


def _fireflies(data: Any, place: str) -> Segments | None:
    """``[{"sentence", "startTime", "endTime", "speaker_name"}]``, or ``sentences`` of the interface."""
    rows = _objects(data) or _objects(data, "sentences") or _objects(data, "data", "transcript", "sentences")
    if rows is None or not all(isinstance(_first(r, "sentence", "text"), str) for r in rows):
        return None
    if not all("sentence" in r or "start_time" in r for r in rows):
        return None
    return (
        _segment(
            _first(r, "sentence", "text"),
            _first(r, "speaker_name", "speaker_id"),
            _first(r, "startTime", "start_time"),
            _first(r, "endTime", "end_time"),
        )
        for r in rows
    )


def _podcast(data: Any, place: str) -> Segments | None:
    """The podcast namespace: ``{"segments": [{"speaker", "startTime", "endTime", "body"}]}``."""
    rows = _objects(data, "segments")
    if rows is None or not all("body" in r for r in rows):
        return None
    return (_segment(r["body"], r.get("speaker"), r.get("startTime"), r.get("endTime")) for r in rows)


def _transformers(data: Any, place: str) -> Segments | None:
    """The pipeline of transformers: ``{"chunks": [{"timestamp": [0, 1], "text"}]}``."""
    rows = _objects(data, "chunks")
    if rows is None or not all(isinstance(r.get("timestamp"), list) and len(r["timestamp"]) == 2 for r in rows):
        return None
    return (_segment(r.get("text"), r.get("speaker"), *r["timestamp"]) for r in rows)


def _whisper_cpp(data: Any, place: str) -> Segments | None:
    """``{"transcription": [{"offsets": {"from", "to"}, "text"}]}``, milliseconds."""
    rows = _objects(data, "transcription")
    if rows is None or not all(isinstance(r.get("offsets"), dict) for r in rows):
        return None
    return (
        _segment(r.get("text"), r.get("speaker"), r["offsets"].get("from"), r["offsets"].get("to"), 1e-3) for r in rows
    )


def _youtube(data: Any, place: str) -> Segments | None:
    """YouTube's json3: ``{"events": [{"tStartMs", "dDurationMs", "segs": [{"utf8"}]}]}``."""
    rows = _objects(data, "events")
    if rows is None or not any("tStartMs" in r for r in rows):
        return None
    return _youtube_events(rows)


def _youtube_events(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for r in rows:
        text = "".join(s["utf8"] for s in _objects(r, "segs") or [] if isinstance(s.get("utf8"), str))
        yield _lasting(text, None, r.get("tStartMs"), r.get("dDurationMs"), 1e-3)


def _assembly(data: Any, place: str) -> Segments | None:
    """AssemblyAI: ``utterances`` or ``sentences`` with words, or ``words`` alone; whole numbers are milliseconds."""
    rows = _objects(data, "utterances") or _objects(data, "sentences")
    if rows is not None and all("confidence" in r and "words" in r and "text" in r for r in rows):
        whole = all(isinstance(r.get(name), int) for r in rows for name in ("start", "end"))
        unit = 1e-3 if whole else 1.0
        return (_segment(r["text"], r.get("speaker"), r.get("start"), r.get("end"), unit) for r in rows)
    words = _objects(data, "words")
    if rows is not None or words is None or not {"audio_url", "audio_duration", "acoustic_model"} & set(data):
        return None
    return turns(_word(w.get("text"), w.get("speaker"), w.get("start"), w.get("end"), place, 1e-3) for w in words)


def _words(data: Any, place: str) -> Segments | None:
    """``{"text", "words": […]}``: OpenAI's with ``word``, ElevenLabs' with ``text`` and ``type``."""
    words = _objects(data, "words")
    if (
        words is None
        or {"utterances", "segments"} & set(data)
        or not all("start" in w and ("word" in w or "type" in w) for w in words)
    ):
        return None
    said = (w for w in words if w.get("type", "word") == "word")
    return turns(
        _word(_first(w, "word", "text"), _first(w, "speaker", "speaker_id"), w["start"], w.get("end"), place)
        for w in said
    )


def _gladia(data: Any, place: str) -> Segments | None:
    """``{"result": {"transcription": {"utterances": […]}}}``, seconds."""
    rows = _objects(data, "result", "transcription", "utterances") or _objects(data, "transcription", "utterances")
    return rows and (_segment(r.get("text"), r.get("speaker"), r.get("start"), r.get("end")) for r in rows)


def _deepgram(data: Any, place: str) -> Segments | None:
    """``{"results": {"utterances": […], "channels": [{"alternatives": [{"words": […]}]}]}}``."""
    rows, channels = _objects(data, "results", "utterances"), _objects(data, "results", "channels")
    if rows is not None:
        many = len({str(r.get("channel")) for r in rows}) > 1
        return (
            _segment(
                r.get("transcript"),
                _first(r, "speaker", "channel") if many else r.get("speaker"),
                r.get("start"),
                r.get("end"),
            )
            for r in rows
        )
    if channels is None:
        return None
    out: list[dict[str, Any]] = []
    for n, channel in enumerate(channels):
        voice = n if len(channels) > 1 else None
        out += turns(
            _word(_first(w, "punctuated_word", "word"), w.get("speaker", voice), w.get("start"), w.get("end"), place)
            for w in _objects(_best(channel), "words") or []
        )
    return sorted(out, key=lambda segment: segment["start"] or 0.0)


def _amazon(data: Any, place: str) -> Segments | None:
    """Amazon Transcribe: ``{"results": {"items": […], "speaker_labels": {"segments": […]}}}``."""
    items = _objects(data, "results", "items")
    if items is None:
        return None
    labels = {
        str(item.get("start_time")): item.get("speaker_label")
        for segment in _objects(data, "results", "speaker_labels", "segments") or []
        for item in _objects(segment, "items") or []
    }
    return turns(
        _word(
            _best(item).get("content"),
            _first(item, "speaker_label", "channel_label") or labels.get(str(item.get("start_time"))),
            item.get("start_time"),
            item.get("end_time"),
            place,
            glued=item.get("type") == "punctuation",
        )
        for item in items
    )


def _speechmatics(data: Any, place: str) -> Segments | None:
    """``{"results": [{"type", "start_time", "end_time", "alternatives": [{"content", "speaker"}]}]}``."""
    rows = _objects(data, "results")
    if rows is None or not all("content" in _best(r) for r in rows):
        return None
    return turns(
        _word(
            _best(r)["content"],
            _best(r).get("speaker"),
            r.get("start_time"),
            r.get("end_time"),
            place,
            glued=r.get("type") == "punctuation",
        )
        for r in rows
    )


def _google(data: Any, place: str) -> Segments | None:
    """Google: ``{"results": [{"alternatives": [{"transcript", "words": […]}]}]}``; tagged words are the last."""
    rows = _objects(data, "results")
    if rows is None or not any("transcript" in _best(r) for r in rows):
        return None
    words = [w for r in rows for w in _objects(_best(r), "words") or []]
    tagged = _objects(_best(rows[-1]), "words") or []
    if tagged and all(_first(w, "speakerTag", "speaker_tag") for w in tagged):
        words = tagged
    if not words:
        return (_segment(_best(r).get("transcript"), None, None, _first(r, "resultEndTime")) for r in rows)
    return turns(
        _word(
            w.get("word"),
            _first(w, "speakerTag", "speaker_tag", "speakerLabel"),
            _first(w, "startTime", "start_time", "startOffset"),
            _first(w, "endTime", "end_time", "endOffset"),
            place,
        )
        for w in words
    )


def _rev(data: Any, place: str) -> Segments | None:
    """Rev: ``{"monologues": [{"speaker", "elements": [{"type", "value", "ts", "end_ts"}]}]}``."""
    rows = _objects(data, "monologues")
    if rows is None:
        return None
    names = {r.get("id"): r.get("name") for r in _objects(data, "speakers") or [] if isinstance(r.get("id"), int)}
    return turns(
        _word(
            e.get("value"),
            names.get(who := r.get("speaker")) or who if isinstance(r.get("speaker"), int | str) else None,
            _first(e, "ts", "timestamp"),
            _first(e, "end_ts", "end_timestamp"),
            place,
            glued=e.get("type") == "punct",
        )
        for r in rows
        for e in _objects(r, "elements") or []
    )


def _azure(data: Any, place: str) -> Segments | None:
    """Azure: ``recognizedPhrases`` in ticks, or ``phrases`` in milliseconds."""
    batch, fast = _objects(data, "recognizedPhrases"), _objects(data, "phrases")
    if batch is not None:
        told = ((r, _best(r, "nBest").get("display"), "offsetInTicks", "durationInTicks", TICK) for r in batch)
    elif fast is not None and all("offsetMilliseconds" in r for r in fast):
        told = ((r, r.get("text"), "offsetMilliseconds", "durationMilliseconds", 1e-3) for r in fast)
    else:
        return None
    out = []
    for r, text, at, lasts, unit in told:
        out.append(_lasting(text, r.get("speaker"), r.get(at), r.get(lasts), unit))
    return sorted(out, key=lambda s: s["start"] if isinstance(s["start"], int | float) else 0.0)


LAYOUTS: tuple[Callable[[Any, str], Segments | None], ...] = (
    _fireflies,
    _podcast,
    _transformers,
    _whisper_cpp,
    _youtube,
    _assembly,
    _words,
    _gladia,
    _deepgram,
    _amazon,
    _speechmatics,
    _google,
    _rev,
    _azure,
)
