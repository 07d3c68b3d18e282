"""``POST /v1/conversations``: turns in, emotions out."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import MoodlineError, UnknownNameError
from moodline.service.batching import Batcher
from moodline.service.errors import ServiceError, of_moodline
from moodline.service.fields import refuse_unknown_fields
from moodline.service.formats import CONTENT, encoded, response
from moodline.service.models import ServedModels
from moodline.service.schemas import Answer, ConversationRequest, Format, errors
from moodline.service.waiting import unless_gone

OK: dict[int | str, dict[str, Any]] = {
    200: {"model": Answer, "description": "The emotions, in the format asked for.", "content": CONTENT}
}


def conversation_of(given: ConversationRequest) -> Conversation:
    """The conversation of a request.

    Raises:
        ServiceError: 422, turns contradict each other.
    """
    try:
        utterances = tuple(
            Utterance(
                id=turn.id or f"u{n}",
                speaker=turn.speaker or None,
                start=turn.start,
                end=turn.end,
                text=turn.text,
            )
            for n, turn in enumerate(given.turns)
        )
        return Conversation(given.id, utterances)
    except MoodlineError as error:
        raise of_moodline(error) from None


def router(models: ServedModels, batcher: Batcher) -> APIRouter:
    """The route.

    Args:
        models: what is served.
        batcher: what computes.
    """
    routes = APIRouter(dependencies=refuse_unknown_fields)

    @routes.post(
        "/v1/conversations",
        response_model=Answer,
        responses={**OK, **errors(400, 401, 408, 413, 415, 422, 429)},
        summary="The emotion of every turn of a conversation",
    )
    async def conversations(request: Request, given: ConversationRequest, format: Format = "json") -> Response:
        try:
            served = models.choose(given.model, "conversations")
        except UnknownNameError as error:
            raise ServiceError(422, error.rule, fix=error.fix, param="model") from None
        conversation = conversation_of(given)
        prediction = await unless_gone(request, batcher.recognize(served, conversation, given.abstain_below))
        return response(encoded(prediction, format), format)

    return routes
