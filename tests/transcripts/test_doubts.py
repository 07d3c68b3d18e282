"""One look at what was read: what seems to be no words is noted, and sound transcripts stay without a note."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodline.transcripts.read import read_transcript


def notes(tmp_path: Path, text: str, name: str = "talk.txt") -> str:
    path = tmp_path / name
    path.write_text(text)
    return " ".join(note for talk in read_transcript(path) for note in talk.notes)


def srt(*cues: str, seconds: float = 0.9) -> str:
    return "\n\n".join(
        f"{n}\n00:00:{n:02d},000 --> 00:00:{n:02d},{round(seconds * 1000):03d}\n{cue}" for n, cue in enumerate(cues, 1)
    )


@pytest.mark.parametrize(
    ("text", "name", "doubt"),
    [
        ("So we met\nthen <12:30> it began\nand <12:40> went on\nuntil <13:00> here", "a.txt", "looks like a time"),
        (srt("one <q>two</q>", "<q>three</q>", "four", "five"), "a.srt", "looks like a tag"),
        (srt("*Ada*: one", "*Per*: two", "*Ada*: three", "four"), "a.srt", "in brackets in front"),
        ("Ada\nHi there, all of you\nPer\nHo\nAda\nWell then\nPer\nBye\nAda", "a.srt.txt", ""),
        (srt("Ada", "Hi there, all.", "Per", "Ho.", "Ada", "Well then.", "Per", "Bye."), "a.srt", "short and recur"),
        (srt("[Ada] One.", "Two.", "[Ada] Three."), "a.srt", "1 of 3 turns has no speaker"),
        (srt(*["one two three four five six"] * 4, seconds=0.1), "a.srt", "words a second"),
        ("a\tb c d\n\tx\ty\nz\t\n", "a.txt", "tabs"),
        ("Ada: " + "word " * 500 + "\nPer: no\n", "a.txt", "500 words"),
    ],
)
def test_doubts(tmp_path: Path, text: str, name: str, doubt: str) -> None:
    assert doubt in notes(tmp_path, text, name)


@pytest.mark.parametrize(
    "text",
    [
        "Ada: We met at 10:30.\nPer: No, at 11:15.\nAda: At 12:00 sharp.\nPer: Yes.\nAda: Yes.\nPer: Yes.",
        "Ada: I (really) did.\nPer: You [did] that.\nAda: x < y and y > z",
        "Yeah\nYeah\nYeah\nNo\n",
        "Ada: 5:30 pm works.\nPer: 6:15 am does not.",
    ],
)
def test_sound_transcripts_have_no_note(tmp_path: Path, text: str) -> None:
    assert notes(tmp_path, text) == ""
