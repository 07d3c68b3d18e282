"""JSON of programs and services that recognize speech: words, times and speakers as they tell them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation
from moodline.transcripts.read import read_transcript
from tests.transcripts.test_transcript_properties import try_to_read

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


def word(text: str, start: Any, end: Any, **more: Any) -> dict[str, Any]:
    return {"word": text, "start": start, "end": end, **more}


def item(text: str, start: str | None = None, end: str | None = None) -> dict[str, Any]:
    kind = "punctuation" if start is None else "pronunciation"
    times = {} if start is None else {"start_time": start, "end_time": end}
    return {"type": kind, "alternatives": [{"confidence": "1.0", "content": text}], **times}


def element(text: str, start: float | None = None, end: float | None = None) -> dict[str, Any]:
    return (
        {"type": "punct", "value": text}
        if start is None
        else {"type": "text", "value": text, "ts": start, "end_ts": end}
    )


def tagged(text: str, start: str, end: str, speaker: int | None = None) -> dict[str, Any]:
    return {"word": text, "startTime": start, "endTime": end} | ({} if speaker is None else {"speakerTag": speaker})


def matics(text: str, start: float, end: float, speaker: str, kind: str = "word") -> dict[str, Any]:
    best = {"content": text, "confidence": 1.0, "speaker": speaker}
    return {"type": kind, "start_time": start, "end_time": end, "alternatives": [best]}


def label(speaker: str, *times: tuple[str, str]) -> dict[str, Any]:
    items = [{"start_time": a, "end_time": b, "speaker_label": speaker} for a, b in times]
    return {"start_time": times[0][0], "end_time": times[-1][1], "speaker_label": speaker, "items": items}


GOOGLE = [tagged("We", "0.100s", "0.300s"), tagged("won.", "0.300s", "0.900s"), tagged("No!", "1s", "1.300s")]
SERVICES: dict[str, Any] = {
    "fireflies": [
        {"sentence": "We won.", "startTime": "00:00.1", "endTime": "00:00.9", "speaker_name": "A", "speaker_id": 0},
        {"sentence": "No!", "startTime": "00:01", "endTime": "00:01.3", "speaker_name": "B", "speaker_id": 1},
    ],
    "fireflies interface": {"data": {"transcript": {"title": "talk", "sentences": [
        {"index": 0, "speaker_name": "A", "speaker_id": 0, "text": "We won.", "start_time": "0.1", "end_time": 0.9},
        {"index": 1, "speaker_name": "B", "speaker_id": 1, "text": "No!", "start_time": 1, "end_time": 1.3},
    ]}}},
    "podcast": {"version": "1.0.0", "segments": [
        {"speaker": "A", "startTime": 0.1, "endTime": 0.9, "body": "We won."},
        {"speaker": "B", "startTime": 1, "endTime": 1.3, "body": "No!"},
    ]},
    "transformers": {"text": " We won. No!", "chunks": [
        {"timestamp": [0.1, 0.9], "text": " We won."}, {"timestamp": [1, 1.3], "text": " No!"},
    ]},
    "whisper.cpp": {"systeminfo": "", "transcription": [
        {"timestamps": {"from": "00:00:00,100"}, "offsets": {"from": 100, "to": 900}, "text": " We won."},
        {"offsets": {"from": 1000, "to": 1300}, "text": " No!"},
    ]},
    "json3": {"wireMagic": "pb3", "events": [
        {"tStartMs": 0, "dDurationMs": 5000, "id": 1},
        {"tStartMs": 100, "dDurationMs": 800, "segs": [{"utf8": "We"}, {"utf8": " won.", "tOffsetMs": 300}]},
        {"tStartMs": 900, "aAppend": 1, "segs": [{"utf8": "\n"}]},
        {"tStartMs": 1000, "dDurationMs": 300, "segs": [{"utf8": "No!"}]},
    ]},
    "youtube captions": [
        {"text": "We won.", "start": 0.1, "duration": 0.8}, {"text": "No!", "start": 1.0, "duration": 0.3},
    ],
    "assemblyai": {"acoustic_model": "x", "audio_duration": 6, "text": "We won. No!", "words": [], "utterances": [
        {"confidence": 0.9, "start": 100, "end": 900, "text": "We won.", "speaker": "A", "words": []},
        {"confidence": 0.9, "start": 1000, "end": 1300, "text": "No!", "speaker": "B", "words": []},
    ]},
    "assemblyai words": {"acoustic_model": "x", "audio_duration": 6, "text": "…", "utterances": None, "words": [
        {"text": "We", "start": 100, "end": 500, "confidence": 0.9, "speaker": "A"},
        {"text": "won.", "start": 500, "end": 900, "confidence": 0.9, "speaker": "A"},
        {"text": "No!", "start": 1000, "end": 1300, "confidence": 0.9, "speaker": "B"},
    ]},
    "openai words": {"text": "We won. No!", "words": [
        word("We", 0.1, 0.5), word("won.", 0.5, 0.9), word("No!", 2.0, 2.3),
    ]},
    "elevenlabs": {"language_code": "en", "text": "We won. (laughs) No!", "words": [
        {"text": "We", "start": 0.1, "end": 0.3, "type": "word", "speaker_id": "A"},
        {"text": " ", "start": 0.3, "end": 0.4, "type": "spacing", "speaker_id": "A"},
        {"text": "won.", "start": 0.4, "end": 0.9, "type": "word", "speaker_id": "A"},
        {"text": "(laughs)", "start": 0.9, "end": 1.0, "type": "audio_event", "speaker_id": "A"},
        {"text": "No!", "start": 1.0, "end": 1.3, "type": "word", "speaker_id": "B"},
    ]},
    "gladia": {"status": "done", "result": {"transcription": {"utterances": [
        {"text": "We won.", "start": 0.1, "end": 0.9, "confidence": 0.9, "channel": 0, "speaker": 0, "words": []},
        {"text": "No!", "start": 1, "end": 1.3, "confidence": 0.9, "channel": 0, "speaker": 1, "words": []},
    ]}}},
    "deepgram": {"metadata": {}, "results": {"channels": [{"alternatives": [{"transcript": "we won no", "words": [
        word("we", 0.1, 0.3, speaker=0, punctuated_word="We"), word("won", 0.3, 0.9, speaker=0, punctuated_word="won."),
        word("no", 1.0, 1.3, speaker=1, punctuated_word="No!"),
    ]}]}]}},
    "deepgram channels": {"results": {"channels": [{"alternatives": [{"words": words}]} for words in (
        [word("We", 0.1, 0.3), word("won.", 0.3, 0.9)], [word("No!", 1.0, 1.3)],
    )]}},
    "deepgram utterances": {"results": {"channels": [{}], "utterances": [
        {"start": 0.1, "end": 0.9, "channel": 0, "transcript": "We won.", "words": [], "speaker": 0, "id": "a"},
        {"start": 1.0, "end": 1.3, "channel": 0, "transcript": "No!", "words": [], "speaker": 1, "id": "b"},
    ]}},
    "amazon": {"jobName": "x", "results": {
        "transcripts": [{"transcript": "We won. No!"}],
        "speaker_labels": {"speakers": 2, "segments": [
            label("A", ("0.1", "0.3"), ("0.3", "0.9")), label("B", ("1.0", "1.3")),
        ]},
        "items": [item("We", "0.1", "0.3"), item("won", "0.3", "0.9"), item("."), item("No", "1.0", "1.3"), item("!")],
    }},
    "speechmatics": {"format": "2.9", "results": [
        matics("We", 0.1, 0.3, "A"), matics("won", 0.3, 0.9, "A"), matics(".", 0.9, 0.9, "A", "punctuation"),
        matics("No!", 1.0, 1.3, "B"),
    ]},
    "google": {"results": [
        {"alternatives": [{"transcript": "We won. No!", "confidence": 0.9, "words": GOOGLE}]},
        {"alternatives": [{"words": [w | {"speakerTag": n} for w, n in zip(GOOGLE, (1, 1, 2), strict=True)]}]},
    ]},
    "rev": {"monologues": [
        {"speaker": 0, "elements": [element("We", 0.1, 0.3), element(" "), element("won", 0.3, 0.9), element(". ")]},
        {"speaker": 1, "elements": [element("No", 1.0, 1.3), element("!")]},
    ]},
    "azure": {"source": "x", "recognizedPhrases": [
        {"speaker": 0, "offsetInTicks": 1e6, "durationInTicks": 8e6, "nBest": [{"display": "We won."}]},
        {"speaker": 1, "offsetInTicks": 10000000, "durationInTicks": 3000000, "nBest": [{"display": "No!"}]},
    ]},
    "azure fast": {"durationMilliseconds": 2000, "phrases": [
        {"speaker": 0, "offsetMilliseconds": 100, "durationMilliseconds": 800, "text": "We won.", "words": []},
        {"speaker": 1, "offsetMilliseconds": 1000, "durationMilliseconds": 300, "text": "No!", "words": []},
    ]},
}  # fmt: skip
NAMELESS = ("transformers", "whisper.cpp", "json3", "youtube captions", "openai words")
NUMBERED = (
    "gladia", "deepgram", "deepgram channels", "deepgram utterances", "google", "rev", "azure", "azure fast",
)  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_services(tmp_path: Path, name: str) -> None:
    names = [None, None] if name in NAMELESS else ["A", "B"]
    if name in NUMBERED:
        names = ["Speaker 1", "Speaker 2"] if name == "google" else ["Speaker 0", "Speaker 1"]
    second = (2.0, 2.3) if name == "openai words" else (1.0, 1.3)
    assert told(read(tmp_path, SERVICES[name])) == [(names[0], 0.1, 0.9, "We won."), (names[1], *second, "No!")]


def test_names_of_numbers_in_revs_json(tmp_path: Path) -> None:
    data = SERVICES["rev"] | {"speakers": [{"id": 0, "name": "Anna"}, {"id": 1, "name": "Ben"}]}
    assert [u.speaker for u in read(tmp_path, data)] == ["Anna", "Ben"]


def test_google_without_words(tmp_path: Path) -> None:
    data = {"results": [{"alternatives": [{"transcript": "We won."}], "resultEndTime": "0.9s"}]}
    assert told(read(tmp_path, data)) == [(None, None, 0.9, "We won.")]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just([]) | st.just({})


def damaged(data: Any, draw: st.DataObject) -> Any:
    """The same with one part of it replaced or missing."""
    if isinstance(data, dict | list) and data and draw.draw(st.integers(0, 5)):
        key = draw.draw(st.sampled_from(list(data) if isinstance(data, dict) else list(range(len(data)))))
        copy = data.copy()
        if draw.draw(st.integers(0, 5)):
            copy[key] = damaged(data[key], draw)
        else:
            del copy[key]
        return copy
    return draw.draw(scalars)


@given(name=st.sampled_from(list(SERVICES)), draw=st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_results_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, draw: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_text(json.dumps(damaged(SERVICES[name], draw)))
    try_to_read(path)
