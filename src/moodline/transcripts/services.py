"""JSON of services and programs that recognize speech, by look; each layout is one function.

They become segments as Whisper's are (``{"text", "speaker", "start", "end"}``, see ``whisper``), with ``conversation``
where a file holds several. Layouts that list single words are in ``service_words``; what is of no layout that is known
may still be understood by the names of its fields, see ``guessed_json``. Numbers for speakers become ``Speaker 0``,
channels ``Channel 0``; what has no words is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moodline.transcripts.common import Source
from moodline.transcripts.json_fields import TICK, best, first, lasting, names_in, objects, segment, time_of, voices
from moodline.transcripts.service_words import WORD_LAYOUTS
from moodline.transcripts.toolkit_json import TOOLKIT_LAYOUTS, TOOLKIT_WORDS
from moodline.transcripts.units import in_seconds
from moodline.transcripts.words import joined

Segments = Iterable[dict[str, Any]]


def service_segments(data: Any, source: Source) -> list[dict[str, Any]] | None:
    """The segments in a service's JSON, or None if it is of none that is known.

    Args:
        data: what a JSON file holds.
        source: the file, for error messages and notes.

    Raises:
        TranscriptError: a time of a word that is none.
    """
    place = str(source.path)
    for wrapper in ("response", "result", "data", "output", "transcript"):
        if isinstance(data, dict) and isinstance(data.get(wrapper), dict) and wrapper not in ("result", "data"):
            inner = service_segments(data[wrapper], source) if len(data) <= 12 else None
            if inner:
                return inner
    for layout in LAYOUTS:
        found = layout(data, place)
        if found is not None:
            kept = [row for row in found if str(row["text"] or "").strip()]
            return joined(in_seconds(kept, source, data))
    return None


def _fireflies(data: Any, place: str) -> Segments | None:
    """``[{"sentence", "startTime", "endTime", "speaker_name"}]``, or ``sentences`` of the interface."""
    rows = objects(data) or objects(data, "sentences") or objects(data, "data", "transcript", "sentences")
    if rows is None or not all(isinstance(first(r, "sentence", "text"), str) for r in rows):
        return None
    if not all("sentence" in r or "start_time" in r for r in rows):
        return None
    if any("begin_time" in r or "sentence_id" in r for r in rows):
        return None
    return (
        segment(
            first(r, "sentence", "text"),
            first(r, "speaker_name", "speaker_id", "speaker", "speaker_label", "spk"),
            first(r, "startTime", "start_time", "start"),
            first(r, "endTime", "end_time", "end"),
            1e-3 if "spk" in r else 1.0,
        )
        for r in rows
    )


def _podcast(data: Any, place: str) -> Segments | None:
    """The podcast namespace: ``{"segments": [{"speaker", "startTime", "endTime", "body"}]}``."""
    rows = objects(data, "segments")
    if rows is None or not all("body" in r for r in rows):
        return None
    return (segment(r["body"], r.get("speaker"), r.get("startTime"), r.get("endTime")) for r in rows)


def _transformers(data: Any, place: str) -> Segments | None:
    """The pipeline of transformers: ``{"chunks": [{"timestamp": [0, 1], "text"}]}``; ``speakers`` where diarized."""
    for key in ("speakers", "chunks"):
        rows = objects(data, key)
        timed = rows and all(isinstance(r.get("timestamp"), list) and len(r["timestamp"]) == 2 for r in rows)
        if rows and timed and (key == "chunks" or all(isinstance(r.get("text"), str) for r in rows)):
            return (segment(r.get("text"), r.get("speaker"), *r["timestamp"]) for r in rows)
    return None


def _whisper_cpp(data: Any, place: str) -> Segments | None:
    """``{"transcription": [{"offsets": {"from", "to"}, "text", "speaker"}]}``, milliseconds."""
    rows = objects(data, "transcription")
    if rows is None or not all(isinstance(r.get("offsets"), dict) for r in rows):
        return None
    return (
        segment(
            r.get("text"),
            int(s) if isinstance(s := r.get("speaker"), str) and s.isdecimal() else s,
            r["offsets"].get("from"),
            r["offsets"].get("to"),
            1e-3,
        )
        for r in rows
    )


def _youtube(data: Any, place: str) -> Segments | None:
    """YouTube's json3: ``{"events": [{"tStartMs", "dDurationMs", "segs": [{"utf8"}]}]}``."""
    rows = objects(data, "events")
    if rows is None or not any("tStartMs" in r for r in rows):
        return None
    return _youtube_events(rows)


def _youtube_events(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for r in rows:
        text = "".join(s["utf8"] for s in objects(r, "segs") or [] if isinstance(s.get("utf8"), str))
        yield lasting(text, None, r.get("tStartMs"), r.get("dDurationMs"), 1e-3)


def _assembly(data: Any, place: str) -> Segments | None:
    """AssemblyAI: ``utterances`` or ``sentences`` with words; whole numbers are milliseconds."""
    rows = objects(data, "utterances") or objects(data, "sentences")
    if rows is None or not all("confidence" in r and "words" in r and "text" in r for r in rows):
        return None
    whole = all(isinstance(r.get(name), int) for r in rows for name in ("start", "end"))
    unit = 1e-3 if whole else 1.0
    named = voices(rows)
    return (segment(r["text"], who, r.get("start"), r.get("end"), unit) for r, who in zip(rows, named, strict=True))


def _gladia(data: Any, place: str) -> Segments | None:
    """``{"result": {"transcription": {"utterances": […]}}}``, seconds."""
    rows = objects(data, "result", "transcription", "utterances") or objects(data, "transcription", "utterances")
    if rows is None:
        return None
    named = voices(rows)
    return (segment(r.get("text"), who, r.get("start"), r.get("end")) for r, who in zip(rows, named, strict=True))


def _deepgram(data: Any, place: str) -> Segments | None:
    """``{"results": {"utterances": [{"transcript", "speaker", "channel"}]}}``."""
    rows = objects(data, "results", "utterances")
    if rows is None:
        return None
    many = len({str(r.get("channel")) for r in rows}) > 1
    mixed = many and len({(str(r.get("channel")), str(r.get("speaker"))) for r in rows if "speaker" in r}) > len(
        {str(r.get("channel")) for r in rows}
    )
    named = voices(rows) if mixed else [first(r, "speaker", "channel") if many else r.get("speaker") for r in rows]
    if many and not mixed and len({str(n) for n in named}) < 2:  # speaker 0 on every channel
        named = [r.get("channel") for r in rows]
    return (segment(r.get("transcript"), who, r.get("start"), r.get("end")) for r, who in zip(rows, named, strict=True))


def _azure(data: Any, place: str) -> Segments | None:
    """Azure: ``recognizedPhrases`` in ticks, or ``phrases`` in milliseconds; speakers, or channels."""
    batch, fast = objects(data, "recognizedPhrases"), objects(data, "phrases")
    rows = batch or fast
    if rows is None or (batch is None and not all("offsetMilliseconds" in r or "offsetInTicks" in r for r in rows)):
        return None
    out = []
    for r, who in zip(rows, voices(rows), strict=True):
        text = best(r, "nBest").get("display") if batch else first(r, "text", "display")
        if "offsetInTicks" in r:
            out.append(lasting(text, who, r.get("offsetInTicks"), r.get("durationInTicks"), TICK))
        elif "offsetMilliseconds" in r:
            out.append(lasting(text, who, r.get("offsetMilliseconds"), r.get("durationMilliseconds"), 1e-3))
        else:
            out.append(lasting(text, who, time_of(r.get("offset")), time_of(r.get("duration"))))
    return sorted(out, key=_start)


def _azure_live(data: Any, place: str) -> Segments | None:
    """Azure's results one by one: ``[{"DisplayText" or "NBest", "Offset", "Duration", "SpeakerId", "Channel"}]``."""
    rows = objects(data)
    if rows is None or not all("Offset" in r and ("DisplayText" in r or "NBest" in r) for r in rows):
        return None
    named = voices(rows, "SpeakerId", "Channel")
    return (
        lasting(first(r, "DisplayText") or best(r, "NBest").get("Display"), who, r["Offset"], r.get("Duration"), TICK)
        for r, who in zip(rows, named, strict=True)
    )


def _teams(data: Any, place: str) -> Segments | None:
    """Stream's transcripts of Teams: ``{"entries": [{"text", "speakerDisplayName", "startOffset", "endOffset"}]}``."""
    rows = objects(data, "entries")
    if rows is None or not all("text" in r and "startOffset" in r for r in rows):
        return None
    return (
        segment(r["text"], first(r, "speakerDisplayName", "speakerId"), r["startOffset"], r.get("endOffset"))
        for r in rows
    )


def _named_speakers(data: Any, place: str) -> Segments | None:
    """Segments whose speakers are numbers, with the names in a list beside them."""
    names = names_in(data)
    rows = objects(data, "segments")
    if not names or rows is None or not all(isinstance(r.get("text"), str) and "start" in r for r in rows):
        return None
    return (
        segment(
            r["text"],
            names.get(who, who) if isinstance(who := first(r, "speaker", "speaker_id"), int | str) else None,
            r["start"],
            r.get("end"),
        )
        for r in rows
    )


def _start(row: dict[str, Any]) -> float:
    return row["start"] if isinstance(row["start"], int | float) else 0.0


LAYOUTS: tuple[Callable[[Any, str], Segments | None], ...] = (
    *TOOLKIT_LAYOUTS,
    _fireflies,
    _podcast,
    _transformers,
    _whisper_cpp,
    _youtube,
    _assembly,
    _gladia,
    _deepgram,
    _azure,
    _azure_live,
    _teams,
    _named_speakers,
    *WORD_LAYOUTS,
    *TOOLKIT_WORDS,
)
