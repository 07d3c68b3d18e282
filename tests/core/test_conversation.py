"""The words of L0: what a conversation may be, and what is said when it is not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConversationError, MoodlineError

times = st.none() | st.floats(0, 1e6)
texts = st.none() | st.text(min_size=1).filter(str.strip)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    rows = []
    for n in range(draw(st.integers(1, 5))):
        start, length = draw(times), draw(st.floats(0, 100))
        end = None if start is None else start + length
        rows.append(Utterance(f"u{n}", draw(st.none() | st.text(min_size=1)), start, end, draw(texts)))
    return Conversation("c", tuple(rows))


@settings(max_examples=60, deadline=None)
@given(conversations())
def test_the_house_format_keeps_everything(conversation: Conversation) -> None:
    assert Conversation.from_dict(conversation.to_dict(), "here") == conversation


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"text": "  "}, "text is empty"),
        ({"text": "a", "start": 3.0, "end": 1.0}, "end must not be before start"),
        ({"text": "a", "start": -1.0}, "not be negative"),
        ({"text": "a", "start": math.nan}, "finite"),
        ({"text": "a", "end": math.inf}, "finite"),
        ({"text": "a", "start": "1:00"}, "must be a number"),
        ({"text": "a", "start": True}, "must be a number"),
        ({"text": "a", "start": 10**400}, "too large"),
        ({"text": 7}, "must be a string"),
        ({"text": "a", "audio": 3}, "path as a string"),
        ({"text": "a", "colour": "red"}, "unknown field 'colour'"),
        ("a", "expected an object"),
    ],
)
def test_a_wrong_utterance_is_one_line_with_its_place(row: Any, words: str) -> None:
    with pytest.raises(ConversationError, match=r"file\.json: ") as error:
        Conversation.from_dict({"id": "c", "utterances": [row]}, "file.json")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "expected an object"),
        ({"utterances": "none"}, "list 'utterances'"),
        ({"utterances": []}, "no utterances"),
        ({"utterances": [{"text": "a", "id": "x"}, {"text": "b", "id": "x"}]}, "must be unique"),
        ({"utterances": [{"text": "a"}], "media": ["a.wav"]}, "path as a string"),
        ({"utterances": [{"text": "a"}], "title": "t"}, "unknown field"),
    ],
)
def test_a_wrong_conversation_is_one_line(data: Any, words: str) -> None:
    with pytest.raises(MoodlineError, match=words):
        Conversation.from_dict(data, "file.json")


def test_media_paths_are_relative_to_the_file() -> None:
    data = {"id": "c", "media": "call.wav", "utterances": [{"id": "u", "audio": "u.wav", "text": "hello"}]}
    conversation = Conversation.from_dict(data, "here", Path("folder"))
    assert conversation.media == Path("folder/call.wav")
    assert conversation.utterances[0].audio == Path("folder/u.wav")
