"""Names in front of the words, as meetings and their tools write them, and sentences that have colons, too."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation
from moodline.core.errors import TranscriptError
from moodline.transcripts.read import read_transcript
from moodline.transcripts.timestamped_text import only_times

quick = settings(max_examples=150, deadline=None)
KINDS = ("srt", "vtt", "txt")

DISPLAYED = [
    "Anna Smith (she/her)", "Anna Smith | ACME", "Anna Smith / ACME Ltd.", "Maria del Carmen Lopez", "anna",
    "smith, anna", "Smith, Anna (Guest)", "Anna & Ben", "anna.smith2", "ACME – Room 4.21",
    "Dr. Jean-Luc O’Neill (they/them)", "anna from support", "Ludwig van der Berg-Meyer | Sales, EMEA",
    "+49 170 xxx 12", "J. R. R. Tolkien", "Ana María de la Cruz 2", "you", "李雷 (Guest)", "Anna Smith 🎉",
    "User_17@acme.example",
]  # fmt: skip

SENTENCES = [
    ["I told him this: no.", "I told him this: never.", "I told him this: go."],
    ["Note: one.", "note: two.", "Note: three.", "note: four."],
    ["note that: one.", "Remember this: two.", "remember this: three.", "remember this: four."],
    ["the thing is: one.", "the thing is: two.", "What I mean is: three."],
    ["We meet at 10:30 today.", "We meet at 10:30 today.", "at 10:30 sharp", "at 10:30 sharp"],
    ["See https://a.example now", "see https://a.example now", "https://a.example", "https://a.example"],
    ["Is it you? then: go", "Is it you? then: stay", "Is it you? then: look"],
]


def written(kind: str, cues: list[str]) -> str:
    if kind == "txt":
        return "\n".join(cues)
    mark = "," if kind == "srt" else "."
    body = "\n\n".join(f"{n}\n00:00:0{n}{mark}000 --> 00:00:0{n}{mark}500\n{cue}" for n, cue in enumerate(cues, 1))
    return body if kind == "srt" else f"WEBVTT\n\n{body}"


def read(folder: Path, kind: str, cues: list[str], *, strict: bool = False) -> Conversation:
    path = folder / f"talk.{kind}"
    path.write_text(written(kind, cues), encoding="utf-8")
    (conversation,) = read_transcript(path, strict=strict)
    return conversation


def turns(conversation: Conversation) -> list[tuple[str | None, str | None]]:
    return [(u.speaker, u.text) for u in conversation]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", DISPLAYED)
def test_names_of_meetings(tmp_path: Path, kind: str, name: str) -> None:
    cues = [f"{name}: We won!", "Ben: At 10:30 I lost my keys: all of them.", f"{name}: No.", "Ben: note: it is so."]
    expected = [(name, "We won!"), ("Ben", "At 10:30 I lost my keys: all of them."), (name, "No."),
                ("Ben", "note: it is so.")]  # fmt: skip
    assert turns(read(tmp_path, kind, cues)) == expected
    only = [f"{name}: We won!", f"{name}: We did.", f"{name}: No."]
    assert turns(read(tmp_path, kind, only)) == [(name, cue.split(": ", 1)[1]) for cue in only]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cues", SENTENCES, ids=lambda cues: cues[0])
def test_sentences_with_colons_stay_words(tmp_path: Path, kind: str, cues: list[str]) -> None:
    assert turns(read(tmp_path, kind, cues)) == [(None, cue) for cue in cues]


def test_a_name_that_stands_once_needs_capitals(tmp_path: Path) -> None:
    cues = ["Anna Smith (she/her): a", "ben: b", "ben: c", "Maria del Carmen Lopez: d", "my friends, listen up: e"]
    assert turns(read(tmp_path, "srt", cues)) == [
        ("Anna Smith (she/her)", "a"), ("ben", "b"), ("ben", "c"), ("Maria del Carmen Lopez", "d"),
        ("Maria del Carmen Lopez", "my friends, listen up: e"),
    ]  # fmt: skip


def test_recurring_words_in_few_cues_are_no_names(tmp_path: Path) -> None:
    cues = ["anna: one", "So?", "anna: two", "Nothing."]
    assert turns(read(tmp_path, "srt", cues)) == [(None, cue) for cue in cues]


def test_names_that_were_not_taken_are_noted(tmp_path: Path) -> None:
    unsure = read(tmp_path, "srt", SENTENCES[1])
    (note,) = unsure.notes
    assert "read as words" in note
    assert "notes" not in unsure.to_dict()
    for cues in (["Anna: a", "Ben: b", "Anna: c"], ["Hi.", "No.", "Note: c", "Yes."], ["Hi there, she laughs"] * 3):
        assert read(tmp_path, "srt", cues).notes == ()


pieces = st.sampled_from(
    [*DISPLAYED, *(cue for cues in SENTENCES for cue in cues), "Anna", "Ben", "BEN", ": ", ":", " ", "- ", "no, never",
     "10:30", "hi", "why?", "：", "[SPEAKER_00]: ", "said", "Note", "[joy 0.81] "]
)  # fmt: skip
lines = st.lists(pieces, min_size=1, max_size=6).map(" ".join) | st.tuples(st.sampled_from(DISPLAYED), pieces).map(
    ": ".join
)


def letters(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


@pytest.mark.parametrize("kind", KINDS)
@given(cues=st.lists(lines, min_size=1, max_size=8))
@quick
def test_no_word_is_lost(tmp_path_factory: pytest.TempPathFactory, kind: str, cues: list[str]) -> None:
    """What is not in the text is in the speaker or an event; only marks of Moodline's own are taken off."""
    assume(kind != "txt" or not any(only_times(cue, "") for cue in cues))  # these are no words
    try:
        read_back = read(tmp_path_factory.getbasetemp(), kind, cues, strict=True)
    except TranscriptError as error:
        assert any(words in str(error) for words in ("is empty", "without speech"))  # noqa: PT017
        return
    assume(kind != "txt" or all(u.start is None for u in read_back))  # a line of plain text may begin with a time
    assume(not any("left out" in note for note in read_back.notes))  # a heading, which a note names
    said = "".join(letters(f"{u.speaker or ''}{u.text}") for u in read_back)
    said += "".join(letters(event.text) for event in read_back.events)
    written_out = Counter("".join(letters(cue.strip().removeprefix("[joy 0.81]")) for cue in cues))
    repeated = Counter(said) - written_out  # names that were carried over
    assert Counter(said) - repeated == written_out
    assert not repeated or any("given to the speaker" in note for note in read_back.notes)
