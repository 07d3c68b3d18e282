"""Plain text with times, and chats: what recorders of meetings, messengers and language models write."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodline.conversation import Conversation
from moodline.errors import MoodlineError, TranscriptError
from moodline.transcripts import read_transcript
from moodline.transcripts.common import Source
from moodline.transcripts.stamped import stamped

Told = list[tuple[str | None, float | None, float | None, str | None]]


def read(tmp_path: Path, text: str, name: str = "talk.txt") -> Conversation:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    (conversation,) = read_transcript(path)
    return conversation


def told(conversation: Conversation) -> Told:
    return [(u.speaker, u.start, u.end, u.text) for u in conversation]


SAID: Told = [("Anna", 1.0, None, "We won!"), ("Ben", 63.0, None, "I lost my keys: all of them.")]
NO_TIMES: Told = [(who, None, None, words) for who, _, _, words in SAID]


@pytest.mark.parametrize(
    "text",
    [
        "[00:00:01] Anna: We won!\n[00:01:03] Ben: I lost my keys: all of them.\n",
        "(0:01) Anna: We won!\n(1:03) Ben: I lost my keys: all of them.",
        "0:01 Anna: We won!\n1:03 Ben: I lost my keys: all of them.",
        "00:00:01.000 - Anna: We won!\n00:01:03,000 - Ben: I lost my keys: all of them.",
        "Anna (0:01): We won!\nBen (1:03): I lost my keys: all of them.",
        "Anna [0:01] We won!\nBen [1:03] I lost my keys: all of them.",
        "Anna  0:01\nWe won!\n\nBen  1:03\nI lost my keys:\nall of them.\n",
        "Anna (0:01):\nWe won!\n\nBen (1:03):\nI lost my keys: all of them.\n",
        "0:01\nAnna: We won!\n1:03\nBen: I lost my keys: all of them.",
    ],
)
def test_times_before_the_words_and_behind_the_names(tmp_path: Path, text: str) -> None:
    assert told(read(tmp_path, text)) == SAID


@pytest.mark.parametrize(
    "text",
    [
        "[12.03.24, 21:15:33] Anna: We won!\n[12.03.24, 21:16:01] Ben: I lost my keys:\nall of them.",
        "12/03/24, 9:15 PM - Anna: We won!\n12/03/24, 9:16 PM - Ben: I lost my keys: all of them.",
        "\u200e[2024-03-12 21:15] \u200eAnna: We won!\n[2024-03-12 21:16] Ben: I lost my keys: all of them.",
    ],
)
def test_dates_are_no_times_of_a_recording(tmp_path: Path, text: str) -> None:
    assert told(read(tmp_path, text)) == NO_TIMES


def test_stretches_have_an_end(tmp_path: Path) -> None:
    got = read(tmp_path, "[0:01 - 0:02.5] Anna: We won!\n00:03 --> 00:04 Ben: No.")
    assert told(got) == [("Anna", 1.0, 2.5, "We won!"), ("Ben", 3.0, 4.0, "No.")]


def test_words_without_names(tmp_path: Path) -> None:
    got = read(tmp_path, "0:00\nhello there\n0:04\nand welcome\nto the show")
    assert told(got) == [(None, 0.0, None, "hello there"), (None, 4.0, None, "and welcome to the show")]


@pytest.mark.parametrize(
    "text",
    [
        "Anna: We won!\nBen: At 10:30 I lost my keys.",
        "We met at 10:30\nand again at 11:15",
        "10:30 is when we met.\nThen we talked.\nThen we left.",
        "Genesis 1:1\nIn the beginning",
        "(laughs) No.\n(sighs) Yes.",
    ],
)
def test_other_text_stays_one_utterance_a_line(tmp_path: Path, text: str) -> None:
    got = read(tmp_path, text)
    assert len(got) == len(text.split("\n"))
    assert all(u.start is None for u in got)


def test_what_is_no_time_is_said(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match=r"line 2: start is not a time"):
        read(tmp_path, "[0:01] Anna: We won!\n[0:75] Ben: No.")


def test_an_end_before_the_start_is_said(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match="line 1"):
        read(tmp_path, "[0:05 - 0:01] Anna: We won!")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30), max_size=6))
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    numbered = [(n, line) for n, line in enumerate(lines, start=1) if line.strip()]
    with contextlib.suppress(TranscriptError):
        cues = stamped(Source(Path("talk.txt"), "\n".join(lines)), numbered)
        assert cues is None or len(cues) <= len(numbered)


MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "I am so sad today."},
    {"role": "assistant", "content": [{"type": "text", "text": "I am "}, {"type": "text", "text": "sorry."}]},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
]


@pytest.mark.parametrize("data", [MESSAGES, {"messages": MESSAGES}, {"id": "talk", "model": "x", "messages": MESSAGES}])
def test_chats_of_language_models(tmp_path: Path, data: Any) -> None:
    got = read(tmp_path, json.dumps(data), "talk.json")
    assert (got.id, told(got)) == (
        "talk",
        [("user", None, None, "I am so sad today."), ("assistant", None, None, "I am sorry.")],
    )


def test_a_name_says_more_than_a_role(tmp_path: Path) -> None:
    got = read(tmp_path, json.dumps([{"role": "user", "name": "Anna", "content": "We won!"}]), "talk.json")
    assert told(got) == [("Anna", None, None, "We won!")]


def test_chats_a_line(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(json.dumps({"messages": MESSAGES}) for _ in range(2)))
    assert [(c.id, len(c)) for c in read_transcript(path)] == [("chats-0", 2), ("chats-1", 2)]


def test_chats_of_messengers(tmp_path: Path) -> None:
    data = {
        "name": "Anna",
        "messages": [
            {"id": 1, "type": "message", "date": "2024-03-12T21:15:33", "from": "Anna", "text": "We won!"},
            {"id": 2, "type": "message", "from": "Ben", "text": ["Look: ", {"type": "link", "text": "here"}]},
            {"id": 3, "type": "message", "from": "Ben", "text": ""},
        ],
    }
    got = read(tmp_path, json.dumps(data), "result.json")
    assert told(got) == [("Anna", None, None, "We won!"), ("Ben", None, None, "Look: here")]


@pytest.mark.parametrize(
    "data", [[{"role": "system", "content": "x"}], {"messages": [{"role": "user", "content": " "}]}]
)
def test_a_chat_in_which_nobody_says_anything(tmp_path: Path, data: Any) -> None:
    with pytest.raises(MoodlineError, match="no utterance"):
        read(tmp_path, json.dumps(data), "talk.json")


@pytest.mark.parametrize("data", [{"messages": []}, {"messages": [1]}, {"messages": {"a": 1}}, [{"role": "user"}]])
def test_what_is_no_chat_is_refused(tmp_path: Path, data: Any) -> None:
    with pytest.raises(TranscriptError, match="expected an object"):
        read(tmp_path, json.dumps(data), "talk.json")
