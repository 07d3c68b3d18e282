"""One bad row of a sound file is left out and named; --strict refuses the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moodline.core.errors import TranscriptError
from moodline.transcripts.read import read_transcript

CUE = "{n}\n00:00:0{n},000 --> 00:00:0{n},500\n{text}\n\n"
SRT = "".join(CUE.format(n=n, text=t) for n, t in ((1, "one"), (2, "two"), (3, "three")))
FILES = [
    ("a.srt", SRT.replace("02,500", "0x,500"), "line 6", 2),
    ("a.srt", SRT.replace("two", ""), "line 6", 2),
    ("a.srt", SRT.replace("02,500", "01,500"), "line 6", 2),
    ("a.csv", "text,start\none,1\ntwo,noon\nthree,3\n", "line 3", 2),
    ("a.csv", "text,start\none,1\ntwo,2,2\nthree,3\n", "line 3", 2),
    ("a.csv", "text,start,end\none,1,2\ntwo,2,1\nthree,3,4\n", "line 3", 2),
    ("a.json", json.dumps({"segments": [{"text": "a", "start": 1}, {"text": 1}, {"text": "c"}]}), "segment 1", 2),
    ("a.json", json.dumps({"utterances": [{"text": "a"}, {"text": ""}, {"text": "c"}]}), "utterance 1", 2),
    ("a.txt", "1\t2\tone\n2\tnoon\ttwo\n3\t4\tthree\n", "line 2", 2),
    ("a.txt", "Ann: one\nBen:\nAnn: two\n", "line 2", 2),
]


@pytest.mark.parametrize(("name", "content", "where", "left"), FILES)
def test_a_bad_row_is_left_out(tmp_path: Path, name: str, content: str, where: str, left: int) -> None:
    path = tmp_path / name
    path.write_text(content)
    (talk,) = read_transcript(path)
    assert len(talk) == left
    (note,) = talk.notes
    assert where in note
    assert "left out" in note
    assert str(tmp_path) not in note
    with pytest.raises(TranscriptError, match=where):
        read_transcript(path, strict=True)


def test_more_bad_rows_than_good_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,start\none,1\ntwo,noon\nthree,x\n")
    with pytest.raises(TranscriptError, match="line 3: start is not a time"):
        read_transcript(path)


def test_ids_that_repeat_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,id\na,1\nb,2\nc,1\n")
    (talk,) = read_transcript(path)
    assert [u.id for u in talk] == ["u0", "u1", "u2"]
    assert "repeat" in talk.notes[0]
