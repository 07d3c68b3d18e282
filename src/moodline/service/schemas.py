"""What requests hold and what is answered, field by field; OpenAPI is made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_TURNS = 2000
"""Turns of one conversation."""
MOST_CHARACTERS = 20_000
"""Characters of one turn."""

Share = Annotated[float, Field(ge=0, le=1)]
Format = Literal["json", "srt", "vtt", "rttm", "csv", "html"]
State = Literal["queued", "running", "done", "failed", "cancelled"]


class Strict(BaseModel):
    """No other fields than these."""

    model_config = ConfigDict(extra="forbid")


class Turn(Strict):
    """One turn of one speaker."""

    id: str | None = Field(None, min_length=1, max_length=200, description="Unique in the conversation; else u0, u1 …")
    speaker: str | None = Field(None, max_length=200)
    start: float | None = Field(None, ge=0, allow_inf_nan=False, description="Seconds.")
    end: float | None = Field(None, ge=0, allow_inf_nan=False, description="Seconds, not before start.")
    text: str | None = Field(None, max_length=MOST_CHARACTERS, description="The words; null where they are unknown.")


class ConversationRequest(Strict):
    """A conversation, its turns in order."""

    id: str = Field("conversation", min_length=1, max_length=200)
    turns: list[Turn] = Field(min_length=1, max_length=MOST_TURNS)
    model: str | None = Field(
        None, min_length=1, max_length=200, description="One of /v1/models; null for the default."
    )
    abstain_below: float | None = Field(
        None, ge=0, le=1, description="Confidence below which a turn is marked; null for the model's own threshold."
    )


class LabelProbability(Strict):
    """A label and its calibrated probability."""

    label: str
    probability: Share


class LookedAt(Strict):
    """A turn that a reasoning step looked at."""

    id: str
    weight: float


class _Answered(Strict):
    id: str
    speaker: str | None
    start: float | None = Field(description="Seconds.")
    end: float | None = Field(description="Seconds.")
    text: str | None
    weights: dict[str, float] = Field(description="Expert to the gate's weight of it.")
    modalities: list[str] = Field(description="What the model had of this turn: speech, text, visual.")
    uncertainty: dict[str, float] = Field(default_factory=dict, description="Only of models that report it.")
    attention: dict[str, list[list[LookedAt]]] = Field(default_factory=dict, description="Likewise.")
    guides: dict[str, float] = Field(default_factory=dict, description="Likewise.")
    contradiction: dict[str, str] = Field(
        default_factory=dict, description="Only where voice and words contradict each other: what each says by itself."
    )


class EmotionTurn(_Answered):
    """The emotion of a turn."""

    emotion: str
    confidence: Share
    abstained: bool = Field(description="True where the confidence is below the threshold.")
    probabilities: list[LabelProbability] = Field(description="The highest first.")
    experts: dict[str, dict[str, float]] = Field(description="Expert to its own probabilities.")


class ValueTurn(_Answered):
    """The value of a turn, of a model for values."""

    value: float
    interval: list[float] | None
    experts: dict[str, float] = Field(description="Expert to its own value.")


class Range(Strict):
    """The range of a model's values."""

    low: float
    high: float


class Event(Strict):
    """Something in a transcript that is no speech."""

    start: float | None = Field(description="Seconds.")
    end: float | None = Field(description="Seconds.")
    speaker: str | None
    text: str


class Answer(Strict):
    """The emotions of one conversation, in order: the JSON that ``moodline analyze`` writes."""

    format: int = Field(description="The version of this object.")
    conversation: str
    media: str | None = Field(description="The name of the recording; null for a conversation of turns.")
    model: str
    version: str
    licence: str | None = Field(description="Of the model's weights; null where it is not recorded.")
    limits: str | None = Field(description="What the model learnt from; null where it is not recorded.")
    labels: list[str]
    scale: Range | None
    interval_level: float | None
    notes: list[str] = Field(description="What the reader should know, one sentence each.")
    utterances: list[EmotionTurn | ValueTurn]
    events: list[Event] = Field(default_factory=list, description="Only where a transcript has some.")


class ErrorDetail(Strict):
    """What is wrong: the rule, the value that broke it, the fix."""

    message: str
    type: str
    param: str | None
    code: str
    rule: str
    value: str | None
    fix: str
    request_id: str


class ErrorBody(Strict):
    """A refused request."""

    error: ErrorDetail


class Progress(Strict):
    """How far a running job is."""

    stage: str = Field(description="What is being done, as moodline analyze names it.")
    done: int
    total: int


class JobError(Strict):
    """Why a job failed."""

    rule: str
    value: str | None
    fix: str


class Job(Strict):
    """A recording that is read while its client does something else."""

    id: str
    object: Literal["job"]
    state: State
    name: str = Field(description="Of the recording; empty once the job is cancelled.")
    seconds: float | None = Field(description="Of sound; null where the recording does not say.")
    created: float = Field(description="Seconds since 1970, as all times of a job.")
    started: float | None
    ended: float | None
    expires: float | None = Field(description="When the job and its answer are removed; null until it has ended.")
    position: int | None = Field(description="Jobs that wait in front of it; null unless it waits.")
    progress: Progress | None = Field(description="Only while it runs.")
    error: JobError | None = Field(description="Only if it failed.")
    result: Answer | None = Field(description="Only if it is done.")


class Model(Strict):
    """A model of this service."""

    id: str
    object: Literal["model"]
    created: int = Field(description="When the service started, seconds since 1970.")
    owned_by: Literal["moodline"]
    labels: list[str] = Field(description="None of a model for values.")
    languages: list[str] = Field(description="Of the words that it learned, as codes.")
    licence: str | None = Field(description="Of its weights; null where it is not known.")
    reads: list[str] = Field(description="speech, text, visual.")
    default_for: list[Literal["conversations", "recordings"]]


class Models(Strict):
    """All models of this service."""

    object: Literal["list"]
    data: list[Model]


class Health(Strict):
    """The process answers."""

    status: Literal["ok"]
    version: str


class Ready(Strict):
    """The service takes work."""

    status: Literal["ready"]
    models: list[str]


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: these statuses, each with an error object."""
    about = {
        400: "The body cannot be read.",
        401: "No key of this service.",
        404: "Nothing there, or not with this key.",
        408: "The body came too slowly.",
        409: "Not in this state.",
        413: "The body is too large.",
        415: "Not a kind of content that is read.",
        421: "A request for another host.",
        422: "The content is wrong.",
        429: "The queue is full; see Retry-After.",
        500: "A defect.",
        503: "The service is ending or not able to work.",
        507: "The disk is full.",
    }
    out: dict[int | str, dict[str, Any]] = {}
    for status in (*statuses, 421, 500, 503):
        out[status] = {"model": ErrorBody, "description": about[status]}
        if status == 429:
            out[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return out
