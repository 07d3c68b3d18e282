"""``POST /v1/audio/transcriptions``: what OpenAI's clients send, answered in their formats, with emotions.

The formats json, text, srt, vtt, verbose_json and diarized_json are those of OpenAI's interface. Segments of the last
two also have the speaker, the emotion and its probabilities; subtitles have the emotion in front of the words.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from pydantic import Field

from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.listen.language import language_names
from moodline.service.errors import ServiceError
from moodline.service.fields import refuse_unknown_fields
from moodline.service.formats import MEDIA_TYPES, encoded, response
from moodline.service.models import Served, ServedModels
from moodline.service.readers import Readers
from moodline.service.recordings import choose
from moodline.service.rooms import Rooms
from moodline.service.schemas import Share, Strict, errors
from moodline.service.uploads import save
from moodline.service.waiting import unless_gone
from moodline.service.wish import Wish

OPENAI_MODELS = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize")
"""OpenAI's own names, which stand for the service's default here."""
Format = Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"]
WITHOUT_EFFECT = ("prompt", "temperature", "chunking_strategy", "known_speaker_names[]", "known_speaker_references[]")
"""Fields of OpenAI's that are taken and change nothing; a note says so."""


class Usage(Strict):
    """What was read."""

    type: Literal["duration"]
    seconds: float


class _Emotion(Strict):
    speaker: str | None
    emotion: str | None = Field(description="null of a model for values.")
    confidence: Share | None
    abstained: bool | None
    probabilities: dict[str, float]
    value: float | None = Field(description="Only of a model for values.")


class VerboseSegment(_Emotion):
    """A turn in verbose_json. What the recognizer does not measure is null."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float | None
    compression_ratio: float
    no_speech_prob: float | None


class DiarizedSegment(_Emotion):
    """A turn in diarized_json."""

    type: Literal["transcript.text.segment"]
    id: str
    start: float
    end: float
    text: str


class _Transcription(Strict):
    text: str
    usage: Usage
    notes: list[str]


class Transcription(_Transcription):
    """json: the words alone."""


class Verbose(_Transcription):
    """verbose_json."""

    task: Literal["transcribe"]
    language: str
    duration: float
    segments: list[VerboseSegment]


class Diarized(_Transcription):
    """diarized_json."""

    task: Literal["transcribe"]
    duration: float
    segments: list[DiarizedSegment]


@dataclass(frozen=True)
class Answering:
    """How a prediction is answered.

    Args:
        format_: which format.
        language: of the words, by name.
        seconds: of sound; None if the recording does not say.
        notes: beside those of the prediction.
    """

    format_: Format
    language: str
    seconds: float | None
    notes: tuple[str, ...]

    def content(self, p: Prediction) -> tuple[bytes, str]:
        """The answer and its media type."""
        if self.format_ in ("srt", "vtt"):
            return encoded(p, self.format_), self.format_
        words = " ".join(u.text for u in p.utterances if u.text)
        if self.format_ == "text":
            return f"{words}\n".encode("utf-8", "replace"), "text"
        seconds = self.seconds if self.seconds is not None else max((u.end or 0.0 for u in p.utterances), default=0.0)
        seconds = round(seconds, 3)
        usage = Usage(type="duration", seconds=seconds)
        answer: dict[str, Any] = {"text": words, "usage": usage, "notes": [*p.notes, *self.notes]}
        made: Strict
        if self.format_ == "json":
            made = Transcription(**answer)
        elif self.format_ == "verbose_json":
            segments = [_verbose(n, u) for n, u in enumerate(p.utterances)]
            made = Verbose(**answer, task="transcribe", language=self.language, duration=seconds, segments=segments)
        else:
            turns = [_diarized(u) for u in p.utterances]
            made = Diarized(**answer, task="transcribe", duration=seconds, segments=turns)
        return made.model_dump_json().encode(), "json"


def _emotion(u: UtterancePrediction) -> dict[str, Any]:
    classes = u.value is None
    return {
        "speaker": u.speaker,
        "emotion": u.emotion if classes else None,
        "confidence": round(u.confidence, 4) if classes else None,
        "abstained": u.abstained if classes else None,
        "probabilities": {k: round(v, 4) for k, v in u.probabilities.items()},
        "value": None if classes else round(u.value or 0.0, 4),
        "start": u.start or 0.0,
        "end": u.end or 0.0,
        "text": u.text or "",
    }


def _verbose(n: int, u: UtterancePrediction) -> VerboseSegment:
    data = (u.text or "").encode("utf-8", "replace")
    ratio = round(len(data) / len(zlib.compress(data)), 4) if data else 0.0
    empty: dict[str, Any] = {"avg_logprob": None, "no_speech_prob": None, "tokens": [], "seek": 0, "temperature": 0.0}
    return VerboseSegment(id=n, compression_ratio=ratio, **empty, **_emotion(u))


def _diarized(u: UtterancePrediction) -> DiarizedSegment:
    return DiarizedSegment(type="transcript.text.segment", id=u.id, **_emotion(u))


def _check(stream: bool | None, granularities: list[str], include: list[str], language: str, served: Served) -> None:
    """Refuse what cannot be given rather than leave it out.

    Raises:
        ServiceError: 422.
    """
    if stream:
        raise ServiceError(422, "answers are given whole", "stream true", "Leave stream out.", "stream")
    if "word" in granularities:
        fix = "Leave timestamp_granularities out: segments have times."
        raise ServiceError(422, "words have no times here", "word", fix, "timestamp_granularities")
    if include:
        raise ServiceError(422, "log probabilities are not given", ", ".join(include), "Leave include out.", "include")
    known = served.checkpoint.languages
    if language and known and language.lower() not in known:
        raise ServiceError(
            422, f"the model {served.id} reads {language_names(known)}", language, "See /v1/models.", "language"
        )


CONTENT = {MEDIA_TYPES[name].partition(";")[0]: {"schema": {"type": "string"}} for name in ("srt", "vtt", "text")}
OK: dict[int | str, dict[str, Any]] = {
    200: {"model": Diarized | Verbose | Transcription, "description": "In response_format.", "content": CONTENT}
}


def router(models: ServedModels, rooms: Rooms, readers: Readers, short: float) -> APIRouter:
    """The route.

    Args:
        models, rooms, readers: the parts of the service.
        short: seconds up to which a recording counts as short; longer ones take turns with jobs.
    """
    routes = APIRouter(dependencies=refuse_unknown_fields)

    @routes.post(
        "/v1/audio/transcriptions",
        response_model=None,
        responses={**OK, **errors(400, 401, 408, 413, 415, 422, 429, 507)},
        summary="OpenAI's transcriptions, with emotions",
    )
    async def transcriptions(
        request: Request,
        file: Annotated[UploadFile, File(description="Sound or film.")],
        model: Annotated[
            str, Form(min_length=1, max_length=200, description="One of /v1/models, or a name of OpenAI's.")
        ],
        response_format: Annotated[Format, Form()] = "json",
        language: Annotated[str, Form(max_length=20, description="A code, e.g. en.")] = "",
        speakers: Annotated[int | None, Form(ge=1, le=100, description="Not OpenAI's: how many speak.")] = None,
        stream: Annotated[bool | None, Form(description="Only false.")] = None,
        granularities: Annotated[
            list[Literal["word", "segment"]], Form(alias="timestamp_granularities[]", description="Only segment.")
        ] = [],  # noqa: B006  (FastAPI copies it)
        include: Annotated[list[str], Form(alias="include[]", description="Nothing.")] = [],  # noqa: B006
        prompt: Annotated[str | None, Form(description="Without effect.")] = None,
        temperature: Annotated[float | None, Form(description="Without effect.")] = None,
        chunking_strategy: Annotated[str | None, Form(description="Without effect.")] = None,
        names: Annotated[list[str], Form(alias="known_speaker_names[]", description="Without effect.")] = [],  # noqa: B006
        references: Annotated[list[str], Form(alias="known_speaker_references[]", description="Without effect.")] = [],  # noqa: B006
    ) -> Response:
        served = choose(models, None if model in OPENAI_MODELS else model)
        _check(stream, list(granularities), include, language, served)
        given = await request.form()
        idle = [name.removesuffix("[]") for name in WITHOUT_EFFECT if given.get(name) not in (None, "", "0", "auto")]
        notes = (f"Without effect here: {', '.join(idle)}.",) if idle else ()
        wish = Wish(served.id, "", speakers=speakers)
        folder, wish, seconds = await asyncio.to_thread(save, rooms, wish, file, None)
        known = served.checkpoint.languages
        spoken = language_names([language.lower()] if language else known) if language or len(known) == 1 else "unknown"
        answering = Answering(response_format, spoken.lower(), seconds, notes)
        is_short = seconds is not None and seconds <= short
        work = readers.read(served, wish, folder, seconds, answering.content, is_short)
        content, kind = await unless_gone(request, work)
        return response(content, kind)

    return routes
