"""What encoders are given: text with its context, clips of sound. Nothing heavy is imported here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moodline.conversation import Conversation
from moodline.encoders.settings import EncoderSpec
from moodline.errors import ConfigError
from moodline.media.audio import AudioClip


@dataclass(frozen=True)
class TextInput:
    """A turn and what was said before it.

    A tokenizer gets the pair (context turns joined by newlines, current turn), as in
    ``[CLS] context [SEP] current [SEP]`` for BERT; without context ``[CLS] current [SEP]``.

    Args:
        text: the current turn.
        context: previous turns, the oldest first.
    """

    text: str
    context: tuple[str, ...] = ()

    def content_hash(self) -> str:
        """SHA-256 of the content: what a feature store compares."""
        return hashlib.sha256(json.dumps([self.text, self.context]).encode()).hexdigest()


def text_inputs(conversation: Conversation, turns: int = 0, speakers: bool = False) -> list[TextInput | None]:
    """Each utterance with its context.

    Args:
        conversation: its utterances in order.
        turns: how many previous utterances with text are read along.
        speakers: put "NAME: " before each turn whose speaker is known.

    Returns:
        One input per utterance; None where an utterance has no text.
    """
    said: list[str] = []
    out: list[TextInput | None] = []
    for utterance in conversation:
        if utterance.text is None:
            out.append(None)
            continue
        line = utterance.text.strip()
        if speakers and utterance.speaker:
            line = f"{utterance.speaker}: {line}"
        out.append(TextInput(line, tuple(said[len(said) - turns :]) if turns else ()))
        said = [*said, line][-turns:] if turns else []
    return out


def speech_inputs(conversation: Conversation) -> list[AudioClip | None]:
    """Each utterance's sound: its own file, or its part of the recording; None where there is neither."""
    out: list[AudioClip | None] = []
    for utterance in conversation:
        if utterance.audio is not None:
            out.append(AudioClip(utterance.audio))
        elif conversation.media is not None and utterance.start is not None and utterance.end is not None:
            whole = utterance.end > utterance.start
            out.append(AudioClip(conversation.media, utterance.start, utterance.end) if whole else None)
        else:
            out.append(None)
    return out


def conversation_inputs(conversation: Conversation, modality: str, spec: EncoderSpec) -> Sequence[Any]:
    """The inputs of a conversation's utterances for an encoder; None where the modality is missing.

    Args:
        conversation: the conversation.
        modality: ``"text"`` or ``"speech"``.
        spec: the encoder's spec, for the context.

    Raises:
        ConfigError: no encoder reads this modality.
    """
    if modality == "text":
        return text_inputs(conversation, spec.context_turns, spec.context_speakers)
    if modality == "speech":
        return speech_inputs(conversation)
    raise ConfigError("encoders read the modalities text and speech", modality)


def content_hash(payload: Any) -> str:
    """The hash of an encoder's input, for ``features.encode_to_store``: text, clip or array of samples."""
    if isinstance(payload, TextInput | AudioClip):
        return payload.content_hash()
    if isinstance(payload, str):
        return TextInput(payload).content_hash()
    array = np.ascontiguousarray(payload, dtype=np.float32)
    return hashlib.sha256(array.tobytes()).hexdigest()
