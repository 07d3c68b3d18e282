"""More layouts of services: channels, other units, names beside the words, and JSON that no layout fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moodline.transcripts.read import read_transcript

WON = [("A", 0.5, 1.5, "We won."), ("B", 2.0, 3.0, "No!")]


def read(tmp_path: Path, data: Any) -> tuple[list[tuple[Any, ...]], tuple[str, ...]]:
    path = tmp_path / "talk.json"
    path.write_text(json.dumps(data))
    (talk,) = read_transcript(path)
    return [(u.speaker, u.start, u.end, u.text) for u in talk], talk.notes


def stamps(*rows: tuple[str, float, float]) -> list[list[Any]]:
    return [list(row) for row in rows]


SERVICES: dict[str, Any] = {
    "azure live": [
        {"DisplayText": "We won.", "Offset": 5000000, "Duration": 10000000, "SpeakerId": "A"},
        {"DisplayText": "No!", "Offset": 20000000, "Duration": 10000000, "SpeakerId": "B"},
    ],
    "azure batch in text": {"recognizedPhrases": [
        {"speaker": "A", "offset": "PT0.5S", "duration": "PT1S", "nBest": [{"display": "We won."}]},
        {"speaker": "B", "offset": "PT2S", "duration": "PT1S", "nBest": [{"display": "No!"}]},
    ]},
    "watson": {
        "results": [
            {"final": True, "alternatives": [{"transcript": "We won.", "timestamps": stamps(
                ("We", 0.5, 1.0), ("won.", 1.0, 1.5))}]},
            {"final": True, "alternatives": [{"transcript": "No!", "timestamps": stamps(("No!", 2.0, 3.0))}]},
        ],
        "speaker_labels": [
            {"from": 0.5, "to": 1.0, "speaker": "A"}, {"from": 1.0, "to": 1.5, "speaker": "A"},
            {"from": 2.0, "to": 3.0, "speaker": "B"},
        ],
    },
    "lhotse": [
        {"id": "a", "recording_id": "r", "start": 0.5, "duration": 1.0, "text": "We won.", "speaker": "A"},
        {"id": "b", "recording_id": "r", "start": 2.0, "duration": 1.0, "channel": 0, "text": "No!", "speaker": "B"},
    ],
    "lhotse cuts": [
        {"id": "c", "start": 0.5, "duration": 9, "channel": 0, "type": "MonoCut", "supervisions": [
            {"id": "a", "recording_id": "r", "start": 0, "duration": 1.0, "text": "We won.", "speaker": "A"},
            {"id": "b", "recording_id": "r", "start": 1.5, "duration": 1.0, "text": "No!", "speaker": "B"},
        ]},
    ],
    "nemo manifest": [
        {"audio_filepath": "a.wav", "offset": 0.5, "duration": 1.0, "text": "We won.", "speaker": "A"},
        {"audio_filepath": "a.wav", "offset": 2.0, "duration": 1.0, "text": "No!", "speaker": "B"},
    ],
    "vosk": [
        {"result": [{"conf": 1, "start": 0.5, "end": 1.0, "word": "We"}, {"start": 1.0, "end": 1.5, "word": "won."}],
         "text": "We won.", "speaker": "A"},
        {"result": [{"start": 2.0, "end": 3.0, "word": "No!"}], "text": "No!", "speaker": "B"},
    ],
    "call analytics": {"JobStatus": "COMPLETED", "Transcript": [
        {"ParticipantRole": "A", "Content": "We won.", "BeginOffsetMillis": 500, "EndOffsetMillis": 1500, "Id": "x"},
        {"ParticipantRole": "B", "Content": "No!", "BeginOffsetMillis": 2000, "EndOffsetMillis": 3000, "Id": "y"},
    ]},
    "funasr object": {"text": "We won. No!", "sentence_info": [
        {"sentence": "We won.", "start": 500, "end": 1500, "spk": "A"},
        {"sentence": "No!", "start": 2000, "end": 3000, "spk": "B"},
    ]},
    "dashscope": {"transcripts": [{"channel_id": 0, "text": "…", "sentences": [
        {"begin_time": 500, "end_time": 1500, "text": "We won.", "speaker_id": "A", "sentence_id": 1},
        {"begin_time": 2000, "end_time": 3000, "text": "No!", "speaker_id": "B", "sentence_id": 2},
    ]}]},
    "names beside": {"speakers": [{"id": 1, "name": "A"}, {"id": 2, "name": "B"}], "segments": [
        {"speaker": 1, "start": 0.5, "end": 1.5, "text": "We won."},
        {"speaker": 2, "start": 2, "end": 3, "text": "No!"},
    ]},
    "unknown service": {"job": 3, "payload": {"turns": [
        {"spk": "A", "t": {"x": 1}, "startMs": 500, "endMs": 1500, "asr_text": "We won.", "words": [{"w": "We"}]},
        {"spk": "B", "t": {"x": 1}, "startMs": 2000, "endMs": 3000, "asr_text": "No!", "words": []},
    ]}},
    "utterances of a service": {"utterances": [
        {"speaker": "A", "start": 0.5, "end": 1.5, "transcript": "We won.", "confidence": 0.9},
        {"speaker": "B", "start": 2, "end": 3, "transcript": "No!", "confidence": 0.9},
    ]},
    "milliseconds unsaid": {"segments": [
        {"speaker": "A", "start": 500, "end": 1500, "text": "We won."},
        {"speaker": "B", "start": 2000, "end": 3000, "text": "No!"},
    ]},
    "milliseconds by the duration": {"duration": 3.2, "segments": [
        {"speaker": "A", "start": 500, "end": 1500, "text": "We won."},
        {"speaker": "B", "start": 2000, "end": 3000, "text": "No!"},
    ]},
    "lists of lists": {"monologues": [
        {"speaker": "A", "elements": [{"type": "text", "value": "We won", "timestamp": "00:00:00,500",
                                       "end_timestamp": "00:00:01,500"}, {"type": "punct", "value": "."}]},
        {"speaker": "B", "elements": [{"type": "text", "value": "No!", "timestamp": "00:00:02,000",
                                       "end_timestamp": "00:00:03,000"}]},
    ]},
    "deepgram paragraphs": {"results": {"channels": [{"alternatives": [{"transcript": "We won. No!", "paragraphs": {
        "paragraphs": [
            {"speaker": "A", "sentences": [{"text": "We won.", "start": 0.5, "end": 1.5}]},
            {"speaker": "B", "sentences": [{"text": "No!", "start": 2, "end": 3}]},
        ]}}]}]}},
    "speechmatics channels": {"results": [
        {"type": "word", "start_time": 0.5, "end_time": 1.0, "channel": "A", "alternatives": [{"content": "We"}]},
        {"type": "word", "start_time": 1.0, "end_time": 1.5, "channel": "A", "alternatives": [{"content": "won."}]},
        {"type": "word", "start_time": 2.0, "end_time": 3.0, "channel": "B", "alternatives": [{"content": "No!"}]},
    ]},
    "whisper.cpp diarized": {"transcription": [
        {"offsets": {"from": 500, "to": 1500}, "text": " We won.", "speaker": "A"},
        {"offsets": {"from": 2000, "to": 3000}, "text": " No!", "speaker": "B"},
    ]},
    "speechmatics of before": {
        "speakers": [{"name": "A", "time": "0.5", "duration": "1.2"}, {"name": "B", "time": "2.0", "duration": "1.0"}],
        "words": [
            {"name": "We", "time": "0.50", "duration": "0.5"}, {"name": "won", "time": "1.00", "duration": "0.5"},
            {"name": ".", "time": "1.50", "duration": "0.0"}, {"name": "No!", "time": "2.00", "duration": "1.0"},
        ]},
    "words and paragraphs": {
        "words": [
            {"id": 0, "text": "We", "start": 0.5, "end": 1.0}, {"id": 1, "text": "won.", "start": 1.0, "end": 1.5},
            {"id": 2, "text": "No", "start": 2.0, "end": 2.5}, {"id": 3, "text": "!", "start": 2.5, "end": 3.0},
        ],
        "paragraphs": [
            {"id": 0, "start": 0.5, "end": 1.6, "speaker": "A"}, {"id": 1, "start": 2.0, "end": 3.0, "speaker": "B"},
        ]},
    "words and segmentation": {"retval": {
        "words": [
            {"word": "we", "punct": "We", "start": 0.5, "end": 1.0},
            {"word": "won", "punct": "won.", "start": 1.0, "end": 1.5},
            {"word": "no", "punct": "No", "start": 2.0, "end": 2.5}, {"word": "!", "start": 2.5, "end": 3.0,
                                                                     "punct": "!"},
        ],
        "segmentation": {"segments": [
            {"start": 0, "duration": 1.7, "speaker": {"@id": "A"}},
            {"start": 1.9, "duration": 2, "speaker": {"@id": "B"}},
        ]}}},
    "tokens with their spaces": {"paragraphs": [
        {"speaker": "A", "tokens_of": [
            {"text": " We", "start": 0.5, "end": 1.0}, {"text": " wo", "start": 1.0, "end": 1.2},
            {"text": "n", "start": 1.2, "end": 1.4}, {"text": ".", "start": 1.4, "end": 1.5},
        ]},
        {"speaker": "B", "tokens_of": [
            {"text": " N", "start": 2.0, "end": 2.5}, {"text": "o!", "start": 2.5, "end": 3},
        ]},
    ]},
    "watson of several requests": {"results": [{
        "results": [
            {"alternatives": [{"transcript": "We won.", "timestamps": stamps(("We", 0.5, 1.0), ("won.", 1.0, 1.5))}]},
            {"alternatives": [{"transcript": "No!", "timestamps": stamps(("No!", 2.0, 3.0))}]},
        ],
        "speaker_labels": [
            {"from": 0.5, "to": 1.0, "speaker": "A"}, {"from": 1.0, "to": 1.5, "speaker": "A"},
            {"from": 2.0, "to": 3.0, "speaker": "B"},
        ]}]},
}  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_layouts(tmp_path: Path, name: str) -> None:
    rows, notes = read(tmp_path, SERVICES[name])
    assert rows == WON
    noted = name in (
        "unknown service", "call analytics", "dashscope", "utterances of a service", "milliseconds unsaid",
        "milliseconds by the duration", "words and paragraphs", "words and segmentation", "tokens with their spaces",
    )  # fmt: skip
    assert bool(notes) == noted


def test_several_recordings_are_several_conversations(tmp_path: Path) -> None:
    path = tmp_path / "supervisions.jsonl"
    rows = [
        {"id": n, "recording_id": f"r{n // 2}", "start": n, "duration": 0.5, "text": f"line {n}", "speaker": "A"}
        for n in range(4)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows))
    assert [(c.id, [u.text for u in c]) for c in read_transcript(path)] == [
        ("r0", ["line 0", "line 1"]), ("r1", ["line 2", "line 3"]),
    ]  # fmt: skip


def test_channels_with_several_speakers(tmp_path: Path) -> None:
    phrases = [
        {"channel": c, "speaker": s, "offsetMilliseconds": 1000 * n, "durationMilliseconds": 500, "text": f"line {n}"}
        for n, (c, s) in enumerate([(0, 1), (0, 2), (1, 1)])
    ]
    rows, _ = read(tmp_path, {"phrases": phrases})
    assert [row[0] for row in rows] == ["Channel 0, Speaker 1", "Channel 0, Speaker 2", "Channel 1, Speaker 1"]


def test_google_channels(tmp_path: Path) -> None:
    results = [
        {"channelTag": n, "alternatives": [{"transcript": t, "words": [
            {"word": t, "startTime": {"seconds": str(n)}, "endTime": {"seconds": str(n), "nanos": 500000000}}]}]}
        for n, t in ((1, "yes"), (2, "no"))
    ]  # fmt: skip
    rows, _ = read(tmp_path, {"response": {"results": results}})
    assert rows == [("Channel 1", 1.0, 1.5, "yes"), ("Channel 2", 2.0, 2.5, "no")]


def test_a_speaker_that_is_not_used_is_noted(tmp_path: Path) -> None:
    data = {
        "segments": [{"text": f"line {n}", "start": n, "end": n + 0.5, "extra": {"speaker_tag": n}} for n in range(3)]
    }
    _, notes = read(tmp_path, data)
    assert any("'speaker_tag' may say who speaks" in note for note in notes)


def test_chats_with_dates_stay_chats(tmp_path: Path) -> None:
    for stamp in ("2024-01-05T10:00:00Z", "1512085950.000216", 1512085950):
        rows, _ = read(tmp_path, [{"user": "A", "text": "hi", "ts": stamp}, {"user": "B", "text": "ho", "ts": stamp}])
        assert rows == [("A", None, None, "hi"), ("B", None, None, "ho")]
