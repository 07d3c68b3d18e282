"""JSON of programs and services that recognize speech: words, times and speakers as they tell them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moodline.conversation import Conversation
from moodline.transcripts import read_transcript

Told = list[tuple[str | None, float | None, float | None, str | None]]

SAID: Told = [("Anna", 0.0, 1.5, "We won!"), ("Ben", 1.5, 4.0, "I lost my keys: all of them.")]
SEGMENTS = [{"start": a, "end": b, "text": f" {words}", "speaker": who} for who, a, b, words in SAID]


def read(tmp_path: Path, data: Any) -> Conversation:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(data))
    (conversation,) = read_transcript(path)
    return conversation


def told(conversation: Conversation) -> Told:
    return [(u.speaker, u.start, u.end, u.text) for u in conversation]


EXTRA = {"id": 0, "seek": 0, "tokens": [1, 2], "temperature": 0.0, "avg_logprob": -0.2, "words": []}


@pytest.mark.parametrize(
    "data",
    [
        SEGMENTS,
        [EXTRA | row for row in SEGMENTS],
        [row | {"start": str(row["start"]), "end": str(row["end"])} for row in SEGMENTS],
        {"segments": [row | {"start": f"00:00:0{row['start']}"} for row in SEGMENTS]},
    ],
    ids=["plain", "with everything", "strings", "clock"],
)
def test_whispers_segments_keep_their_times_also_as_a_list(tmp_path: Path, data: Any) -> None:
    assert told(read(tmp_path, data)) == SAID


def test_words_of_whisperx_become_utterances(tmp_path: Path) -> None:
    words = [
        {"word": "We", "start": 0.0, "end": 0.5, "score": 0.9, "speaker": "Anna"},
        {"word": "won!", "start": "0.5", "end": "1.5", "speaker": "Anna"},
        {"word": "In", "start": 1.5, "end": 1.7, "speaker": "Ben"},
        {"word": "2024,"},
        {"word": "too.", "start": 2.0, "end": 2.5, "speaker": "Ben"},
        {"word": "Right?", "start": 3.6, "end": 4.0, "speaker": "Ben"},
    ]
    expected = [("Anna", 0.0, 1.5, "We won!"), ("Ben", 1.5, 2.5, "In 2024, too."), ("Ben", 3.6, 4.0, "Right?")]
    for data in (words, {"word_segments": words}):
        assert told(read(tmp_path, data)) == expected
    both = {"segments": SEGMENTS, "word_segments": words}
    assert told(read(tmp_path, both)) == SAID


def test_long_talk_in_words_ends_with_its_sentences(tmp_path: Path) -> None:
    words = [{"word": "no." if n % 10 == 9 else "no", "start": n / 2, "end": n / 2 + 0.5} for n in range(60)]
    got = read(tmp_path, words)
    assert [len((u.text or "").split()) for u in got] == [20, 20, 20]
    breathless = [word | {"word": "no"} for word in words]
    assert [len((u.text or "").split()) for u in read(tmp_path, breathless)] == [40, 20]


def test_chats_stay_chats(tmp_path: Path) -> None:
    for row in ({"role": "user", "content": "We won!"}, {"from": "user", "text": "We won!"}):
        assert told(read(tmp_path, [row])) == [("user", None, None, "We won!")]
    late = {"role": "user", "content": "We won!", "start": 3, "end": 4}
    assert told(read(tmp_path, [late])) == [("user", None, None, "We won!")]
    assert told(read(tmp_path, [{"from": "Ben", "text": "No.", "start": 3, "end": 4}])) == [("Ben", 3, 4, "No.")]
