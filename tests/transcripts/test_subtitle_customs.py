"""What people do with subtitles: two speakers in a cue, names in other places, captions that roll, odd times."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.read import read_transcript


def srt(*cues: str) -> str:
    return "\n\n".join(f"{n}\n00:00:{n:02d},000 --> 00:00:{n:02d},900\n{cue}" for n, cue in enumerate(cues, 1))


def read(tmp_path: Path, text: str, name: str = "talk.srt") -> Conversation:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_transcript(path)[0]


CUSTOMS = [
    (["- One?\n- Two.", "Three."], [(None, "One?"), (None, "Two."), (None, "Three.")]),
    (["One?\n- Two.", "- Three."], [(None, "One?"), (None, "Two."), (None, "Three.")]),
    (["- One? - Two.", "– Three.\n– Four\nfive."],
     [(None, "One?"), (None, "Two."), (None, "Three."), (None, "Four five.")]),
    (["-One?\n-Two.", "It is -5 here."], [(None, "One?"), (None, "Two."), (None, "It is -5 here.")]),
    (["- Ada: One?\n- Per: Two.", "Ada: Three."], [("Ada", "One?"), ("Per", "Two."), ("Ada", "Three.")]),
    ([">> One?", ">> Two. >> Three."], [(None, "One?"), (None, "Two."), (None, "Three.")]),
    ([">> ADA: One?\n>> PER: Two.", ">> ADA: Three."], [("ADA", "One?"), ("PER", "Two."), ("ADA", "Three.")]),
    (["[Alba] One?", "Two.", "[Alba] Three.", "[Bruno] Four.", "[gasps]", "[Sobbing] Five."],
     [("Alba", "One?"), (None, "Two."), ("Alba", "Three."), ("Bruno", "Four."), (None, "Five.")]),
    (["(ALBA) One?", "Two.", "(ALBA) Three.", "(so he said) Four.", "(laughs) Five."],
     [("ALBA", "One?"), (None, "Two."), ("ALBA", "Three."), (None, "(so he said) Four."), (None, "Five.")]),
    (["(speaker 0) One?", "(speaker 1) Two.", "(speaker ?) Three."],
     [("speaker 0", "One?"), ("speaker 1", "Two."), (None, "Three.")]),
    (["OLGA\nOne?", "JIM\nTwo.", "OLGA\nThree.", "Four."],
     [("OLGA", "One?"), ("JIM", "Two."), ("OLGA", "Three."), (None, "Four.")]),
    (["OLGA:\nOne?", "JIM:\nTwo."], [("OLGA", "One?"), ("JIM", "Two.")]),
    (["Ada: One.", "Two.", "Three.", "Per: Four.", "Five.", "Ada: Six.", "Seven."],
     [("Ada", "One."), ("Ada", "Two."), ("Ada", "Three."), ("Per", "Four."), ("Per", "Five."), ("Ada", "Six."),
      ("Ada", "Seven.")]),
    (["One.", "MAN: Two.", "Three.", "WOMAN: Four.", "Five.", "MAN: Six.", "WOMAN: Seven.", "Eight.", "Nine."],
     [(None, "One."), ("MAN", "Two."), (None, "Three."), ("WOMAN", "Four."), (None, "Five."), ("MAN", "Six."),
      ("WOMAN", "Seven."), (None, "Eight."), (None, "Nine.")]),
    (["Rock &amp; roll &lt;3"], [(None, "Rock & roll <3")]),
    (["One [SPEAKER_TURN]", "Two."], [(None, "One"), (None, "Two.")]),
    (["The doctor — a friend", "— came late."], [(None, "The doctor — a friend"), (None, "came late.")]),
]  # fmt: skip


@pytest.mark.parametrize(("cues", "expected"), CUSTOMS, ids=lambda value: str(value)[:40])
def test_customs(tmp_path: Path, cues: list[str], expected: list[tuple[str | None, str]]) -> None:
    assert [(u.speaker, u.text) for u in read(tmp_path, srt(*cues))] == expected


def test_names_of_cues(tmp_path: Path) -> None:
    cue = "{name}\n00:00:0{n}.000 --> 00:00:0{n}.900\n{text}\n\n"

    def speakers(*names: str) -> list[str | None]:
        cues = (cue.format(name=name, n=n, text=f"line {n}") for n, name in enumerate(names, 1))
        return [u.speaker for u in read(tmp_path, "WEBVTT\n\n" + "".join(cues), "talk.vtt")]

    assert speakers("Ada", "Per", "Ada") == ["Ada", "Per", "Ada"]
    assert speakers("Speaker 1", "Speaker 2") == ["Speaker 1", "Speaker 2"]
    assert speakers('1 "Ada Okafor" (301)', '2 "Per" (302)') == ["Ada Okafor", "Per"]
    assert speakers("Introduction", "The Middle", "End") == [None] * 3
    assert speakers("1", "2", "3") == [None] * 3
    assert speakers("a1f0-33", "a1f0-34", "a1f0-35") == [None] * 3


def test_voices_without_a_name(tmp_path: Path) -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v ->One?</v>\n<v Ada>Two.</v>\n\n00:03.000 --> 00:04.000\n<v Ada>Three."
    assert [(u.speaker, u.text) for u in read(tmp_path, text, "a.vtt")] == [
        (None, "One?"),
        ("Ada", "Two."),
        ("Ada", "Three."),
    ]


def test_captions_that_grow(tmp_path: Path) -> None:
    cues = [(0, 1, "so"), (1, 2, "so I"), (2, 3, "so I went"), (3, 4, "home"), (4, 5, "home again"), (6, 7, "Good.")]
    text = "\n\n".join(f"00:00:0{a}.000 --> 00:00:0{b}.000\n{t}" for a, b, t in cues)
    talk = read(tmp_path, f"WEBVTT\n\n{text}", "talk.vtt")
    assert [(u.start, u.end, u.text) for u in talk] == [(0, 3, "so I went"), (3, 5, "home again"), (6, 7, "Good.")]
    assert "put together" in talk.notes[0]


def test_captions_that_roll_by_three_lines(tmp_path: Path) -> None:
    cues = ["one\ntwo\nthree", "two\nthree\nfour", "three\nfour\nfive", "four\nfive\nsix"]
    assert " ".join(u.text or "" for u in read(tmp_path, srt(*cues))) == "one two three four five six"


@pytest.mark.parametrize(
    ("timing", "start", "end"),
    [
        ("00:00:01,1000 --> 00:00:03,000", 2.0, 3.0),
        ("00:00:01,000 --> 00:00:59,1000", 1.0, 60.0),
        ("00:00:01:500 --> 00:00:03:250", 1.5, 3.25),
        ("00: 00: 01, 500 --> 00: 00: 03, 250", 1.5, 3.25),
        ("0:0:1.5-->0:0:3", 1.5, 3.0),
        ("00:00:01,500 --> 00:00:03,250 X1:40 X2:600", 1.5, 3.25),
    ],
)
def test_odd_times(tmp_path: Path, timing: str, start: float, end: float) -> None:
    talk = read(tmp_path, f"1\n{timing}\nHi.\n")
    assert [(u.start, u.end, u.text) for u in talk] == [(start, end, "Hi.")]


def test_arrows_between_words(tmp_path: Path) -> None:
    assert [u.text for u in read(tmp_path, srt("Settings --> Privacy", "a --> b"))] == [
        "Settings --> Privacy",
        "a --> b",
    ]


def test_no_cue_at_all(tmp_path: Path) -> None:
    with pytest.raises(TranscriptError, match="expected a cue"):
        read(tmp_path, "Settings --> Privacy")
