"""Plain text with times, and chats: what recorders of meetings, messengers and language models write."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodline.core.conversation import Conversation
from moodline.core.errors import MoodlineError, TranscriptError
from moodline.transcripts.common import Source
from moodline.transcripts.read import read_transcript
from moodline.transcripts.timestamped_text import stamped

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
        "Anna: [0:01] We won!\nBen: [0:1:3.0] I lost my keys: all of them.",
        "[Anna] 0:01\nWe won!\n[Ben] 0:1:3\nI lost my keys: all of them.",
        "0:01 From Anna to Everyone:\n\tWe won!\n1:03 From Ben to Anna: I lost my keys: all of them.",
        "Weekly talk\nMay 7, 2024, 3:00PM\nAnna started transcription\nAnna   0:01\nWe won!\nBen   1:03\n"
        "I lost my keys:\nall of them.\nAnna stopped transcription",
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


def test_names_of_meetings_before_times(tmp_path: Path) -> None:
    names = ["Maria del Carmen Lopez", "Anna Smith (she/her)", "Jones, Ben (Guest)", "anna.smith", "Ben | ACME"]
    got = read(tmp_path, "\n\n".join(f"{name}   0:0{n}\nI see." for n, name in enumerate(names)))
    assert told(got) == [(name, n, None, "I see.") for n, name in enumerate(names)]


def test_a_telephone_number_may_write_and_a_picture_says_nothing(tmp_path: Path) -> None:
    text = (
        "12.03.24, 21:14 - Messages are encrypted.\n12.03.24, 21:15 - Anna: We won!\n12.03.24, 21:15 - Anna: "
        "<Media omitted>\n12.03.24, 21:16 - +49 170 1234567: Did you?\n12.03.24, 21:17 - Ben: \u200eimage omitted\n"
        "12.03.24, 21:18 - Anna: Yes."
    )
    got = read(tmp_path, text)
    assert [(u.speaker, u.text) for u in got] == [
        ("Anna", "We won!"),
        ("+49 170 1234567", "Did you?"),
        ("Anna", "Yes."),
    ]
    assert got.notes == ("3 messages that nobody wrote, or without words, were left out.",)


@pytest.mark.parametrize(
    "date",
    [
        "3/12/24, 9:15\u202fPM - ", "12/3/24, 9:15 p. m. - ", "12/03/2024 à 21:15 - ", "12/03/24, 21.15 - ",
        "2024/3/12 下午9:15 - ", "12.03.24 um 21:15 - ", "12-03-2024 21:15 - ",
    ],
)  # fmt: skip
def test_dates_of_many_countries(tmp_path: Path, date: str) -> None:
    got = read(tmp_path, f"{date}Anna: We won!\n{date}Ben: I lost my keys:\nall of them.\n")
    assert told(got) == NO_TIMES


STRETCHES: Told = [
    ("Anna Smith", 3.8, 6.0, "We won!"), ("Ben", 6.5, 9.123456, "I lost my keys: all of them."),
    ("Anna Smith", 9.5, 70.25, "Oh no."),
]  # fmt: skip


@pytest.mark.parametrize("mark", [".", ","])
@pytest.mark.parametrize("form", ["0:0:{} --> 0:0:{}", "00:00:0{} --> 00:00:0{}"])
@pytest.mark.parametrize("kind", ["name below.txt", "name before.txt", "a.vtt", "a.srt"])
def test_times_of_one_digit_and_of_many(tmp_path: Path, mark: str, form: str, kind: str) -> None:
    times = [form.format(*t) for t in (("3.8", "6.0"), ("6.5", "9.123456"))] + ["0:0:9.5 --> 0:1:10.25"]
    between = "\n" if kind == "name below.txt" else ": "
    blocks = [f"{t.replace('.', mark)}\n{s[0]}{between}{s[3]}" for t, s in zip(times, STRETCHES, strict=True)]
    got = read(tmp_path, ("WEBVTT\n\n" if kind == "a.vtt" else "") + "\n\n".join(blocks), kind)
    assert told(got) == STRETCHES


def test_stretches_of_youtube(tmp_path: Path) -> None:
    got = read(tmp_path, "0:00:00.599,0:00:04.160\nWe won!\n\n0:00:04.160,0:00:06.770\nNo.\n")
    assert told(got) == [(None, 0.599, 4.16, "We won!"), (None, 4.16, 6.77, "No.")]


def test_seconds_in_brackets(tmp_path: Path) -> None:
    got = read(tmp_path, "[0.00s -> 2.50s]  We won!\n[2.50s -> 4.00s]  No.\n")
    assert told(got) == [(None, 0.0, 2.5, "We won!"), (None, 2.5, 4.0, "No.")]


def test_no_line_of_times_is_an_utterance(tmp_path: Path) -> None:
    got = read(tmp_path, "Anna: We won!\nBen: I know.\n0:0:5.5 --> 0:0:7\nAnna: Yes.\nBen: 98:95, no less.\n0:09\n")
    assert told(got) == [
        ("Anna", None, None, "We won!"), ("Ben", None, None, "I know."), ("Anna", 5.5, 7.0, "Yes."),
        ("Ben", None, None, "98:95, no less."),
    ]  # fmt: skip
    assert told(read(tmp_path, "How did it end?\n98:95\nOh no!"))[1] == (None, None, None, "98:95")
    with pytest.raises(TranscriptError, match="no utterance"):
        read(tmp_path, "0:01\n")


def test_minutes_of_a_meeting_have_a_heading_and_few_times(tmp_path: Path) -> None:
    text = (
        "Weekly talk - Transcript\nAttendees\nAnna, Ben, Maria del Carmen Lopez\nTranscript\n00:00:00\n\n"
        "Anna: We won!\nBen: I lost my keys:\nall of them.\nAnna: Oh no.\n00:05:00\n\nMaria del Carmen Lopez: Hi.\n"
        "Meeting ended after 00:05:09 👋\nThis editable transcript was computer generated and might contain errors.\n"
    )
    got = read(tmp_path, text)
    assert told(got) == [
        ("Anna", 0.0, None, "We won!"), ("Ben", None, None, "I lost my keys: all of them."),
        ("Anna", None, None, "Oh no."), ("Maria del Carmen Lopez", 300.0, None, "Hi."),
    ]  # fmt: skip
    assert got.notes == ("The heading, 4 lines before the transcript's first time, was left out.",)


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
        "It was a long day.\nWe met at 10:30\nand again at 11:15\nThe end.",
        "It was long.\nWe met at 10:30\nThe talk was on.\nThen a break at 11:15\nThe end.",
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
        found = stamped(Source(Path("talk.txt"), "\n".join(lines)), numbered)
        assert found is None or len(found.cues) <= len(numbered)


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


def test_chats_of_corpora(tmp_path: Path) -> None:
    data = {"conversations": [{"from": "Anna", "value": "We won!"}, {"from": "Ben", "value": "No."}]}
    assert told(read(tmp_path, json.dumps(data), "talk.json")) == [
        ("Anna", None, None, "We won!"), ("Ben", None, None, "No."),
    ]  # fmt: skip


def test_a_message_or_a_segment_a_line(tmp_path: Path) -> None:
    got = read(tmp_path, "\n".join(json.dumps(m) for m in MESSAGES), "talk.jsonl")
    assert [(u.speaker, u.text) for u in got] == [("user", "I am so sad today."), ("assistant", "I am sorry.")]
    rows = [{"start": 0, "end": 1.5, "text": " We won!", "speaker": "Anna"}, {"start": 1.5, "end": 2, "text": "No."}]
    got = read(tmp_path, "\n\n".join(map(json.dumps, rows)), "talk.jsonl")
    assert told(got) == [("Anna", 0.0, 1.5, "We won!"), (None, 1.5, 2.0, "No.")]


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


def test_chats_of_slack_and_discord(tmp_path: Path) -> None:
    anna = {"id": "2", "name": "anna", "nickname": "Anna"}
    discord = {
        "guild": {"id": "1"},
        "messages": [
            {"id": "1", "type": "GuildMemberJoin", "content": "Joined the server.", "author": anna},
            {"id": "2", "type": "Default", "content": "We won!", "author": anna},
            {"id": "3", "type": "Reply", "content": "No.", "author": {"id": "3", "name": "Ben", "nickname": None}},
        ],
    }
    slack = [
        {"type": "message", "subtype": "channel_join", "user": "U02", "text": "<@U02> has joined the channel"},
        {"type": "message", "user": "U01", "text": "We won!", "ts": "1.2", "user_profile": {"real_name": "Anna"}},
        {"type": "message", "user": "Ben", "text": "No.", "ts": "1.3"},
    ]
    for data in (discord, slack):
        expected = [("Anna", None, None, "We won!"), ("Ben", None, None, "No.")]
        assert told(read(tmp_path, json.dumps(data), "talk.json")) == expected


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
