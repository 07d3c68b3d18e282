"""What is no speech is kept as an event and never judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moodline.core.conversation import Conversation, Event
from moodline.transcripts.nonspeech import sounds_only, split_sounds
from moodline.transcripts.read import read_transcript

SOUNDS = [
    "[BLANK_AUDIO]", "[Music]", "[ Silence ]", "(laughs)", "( wind blowing )", "♪ la la la ♪", "♪♪", "[door slams]",
    "(GUNSHOT)", "*coughs*", "sil", "xxx", "<p:>", "&=laughs", "[Música]", "（笑）", "【音楽】", "(speaks French)",
    "[inaudible] [crosstalk]", "(applause) ♪", "<laughter>", "[INDISTINCT CHATTER]", "[Applaus]", "<unk>", "[...]",
]  # fmt: skip
SPEECH = [
    "I know.", "(I know)", "(yeah)", "[I told you so.]", "xxx yyy zzz and more", "silly", "*really*", "<3",
    "(What?)", "Well (that is) it", "[he said it was fine]", "C# or F#",
]  # fmt: skip


@pytest.mark.parametrize("text", SOUNDS)
def test_sounds(text: str) -> None:
    assert sounds_only(text)
    assert split_sounds(text) == ("", [text])


@pytest.mark.parametrize("text", SPEECH)
def test_speech(text: str) -> None:
    assert not sounds_only(text)
    assert split_sounds(text) == (text, [])


def test_marks_between_words_are_taken_out() -> None:
    assert split_sounds("(sighs) Fine. [laughs]") == ("Fine.", ["[laughs]", "(sighs)"])
    assert split_sounds("♪ la la ♪ Hello there") == ("Hello there", ["♪ la la ♪"])
    assert split_sounds("I went to [Boston] (twice)") == ("I went to [Boston] (twice)", [])


def test_events_survive_json(tmp_path: Path) -> None:
    path = tmp_path / "talk.srt"
    path.write_text("1\n00:01 --> 00:02\n[Music]\n\n2\n00:03 --> 00:04\nHi.\n\n3\n00:05 --> 00:06\n(laughs)\n")
    (talk,) = read_transcript(path)
    assert [(u.id, u.text) for u in talk] == [("u1", "Hi.")]
    assert talk.events == (Event("[Music]", None, 1, 2), Event("(laughs)", None, 5, 6))
    assert "2 marks that are no speech" in talk.notes[0]
    again = tmp_path / "talk.json"
    again.write_text(json.dumps(talk.to_dict()))
    (back,) = read_transcript(again)
    assert back.events == talk.events
    assert Conversation.from_dict(talk.to_dict(), "x").events == talk.events


def test_native_sounds_become_events_unless_they_are_labelled(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    rows = [{"text": "[Music]"}, {"text": "Hi."}, {"text": "(laughs)", "emotion": "joy"}]
    path.write_text(json.dumps({"utterances": rows}))
    (talk,) = read_transcript(path)
    assert [u.text for u in talk] == ["Hi.", "(laughs)"]
    assert [e.text for e in talk.events] == ["[Music]"]
