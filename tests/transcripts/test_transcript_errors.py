"""Bad transcripts: one line that names the file, the place, and what to do; never a traceback."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from moodline.core.errors import ConversationError, MoodlineError, TranscriptError, UnknownNameError
from moodline.transcripts.read import read_transcript

BAD = [
    # name, content, what the message must say
    ("a.srt", b"", "the file is empty"),
    ("a.txt", b" \r\n\t ", "the file is empty"),
    ("a.json", b"\xef\xbb\xbf", "the file is empty"),
    ("a.txt", b"\xff\xfea", "expected UTF-16 text"),
    ("a.txt", b"a\nb\x00\x01", "line 2: expected text, this looks like a binary file"),
    ("a.srt", "Just words.", "a.srt, line 1: expected a cue"),
    ("a.srt", "1\n00:00:01,000 -> 00:00:02,000\nhi", "a.srt, line 2: expected a timing line"),
    ("a.srt", "1\n00:01 --> 00:02\nhi\n\n2\n00:00:03,000 -> 00:00:04,000\nho", "a.srt, line 6: expected a timing line"),
    ("a.srt", "1\n00:00:01,000 --> soon\nhi", "a.srt, line 2: end is not a time (found: soon). Write seconds"),
    ("a.srt", "1\n00:00:61,000 --> 00:02:00,000\nhi", "line 2: start is not a time"),
    ("a.srt", "1\n00:60:00,000 --> 02:00:00,000\nhi", "line 2: start is not a time"),
    ("a.srt", "1\n00:00:03,000 --> 00:00:02,000\nhi", "line 2: utterance u0: end must not be before start"),
    (
        "a.srt",
        "1\n00:01 --> 00:02\n\n",
        "line 2: the utterance is empty. Give it some words, or leave such utterances out",
    ),
    ("a.vtt", "WEBVTT\n\nNOTE nothing\n", "no utterance"),
    ("a.vtt", "WEBVTT\n\nx\n00:01.000 --> nan\nhi", "line 4: end must be a finite number"),
    ("a.csv", "start,end\n1,2\n", "line 1: expected a header with a column for the words (found: start,end). Name it"),
    ("a.csv", "text,start\n", "no utterance"),
    ("a.csv", "text,start\nhi,nan\n", "line 2: start must be a finite number of seconds (found: nan)"),
    ("a.csv", "text,start\nhi,-inf\n", "line 2: start must be a finite number"),
    ("a.csv", "text,start\nhi,1e999\n", "line 2: start must be a finite number"),
    ("a.csv", "text,start\nhi,-1\n", "line 2: start must not be negative"),
    ("a.csv", "text,start\nok,1\n\nhi,noon\n", "line 4: start is not a time (found: noon)"),
    ("a.csv", 'text,start\n"a\nb",1\nhi,noon\n', "line 4: start is not a time"),
    ("a.csv", "text,start,end\nhi,2,1\n", "line 2: utterance u0: end must not be before start"),
    ("a.csv", "text,start\nhi, you,1\n", "line 2: expected 2 cells (found: 3). Put texts that hold the delimiter ','"),
    (
        "a.csv",
        'text,start\n"hi,1\nho,2\n',
        'line 2: the row cannot be read: unexpected end of data. Quote texts with "…"',
    ),
    ("a.csv", 'text,start\n"hi"x,1\n', "line 2: the row cannot be read"),
    ("a.csv", "text,start\n  ,1\n", "line 2: the utterance is empty"),
    ("a.csv", "text,id\na,1\nb,1\n", "line 3: utterance ids must be unique (found: '1', also in"),
    ("a.csv", "text,start\n" + "x" * 200_000 + ",1\n", "line 2: the row cannot be read: field larger"),
    ("a.txt", "Ann: hi\nBen:\n", "a.txt, line 2: the utterance is empty"),
    ("a.json", '{"utterances": [\n{"text": "a",}]}', "a.json, line 2, column 14: broken JSON"),
    ("a.json", "[" * 200_000, "nested too deeply"),
    ("a.json", "1" * 5000, "a number that is too long"),
    ("a.json", "[]", "no conversation in the file"),
    ("a.json", "3", "expected an object"),
    ("a.json", "null", "expected an object"),
    ("a.json", '{"text": "hi"}', 'expected an object {"id", "utterances": […]}'),
    ("a.json", "[3]", "(found: int)"),
    ("a.json", '[{"utterances": [{"text": "a"}]}, {}]', "a.json, conversation 1: expected"),
    ("a.json", '{"utterances": []}', "no utterances"),
    ("a.json", '{"utterances": [3]}', "utterance 0: expected an object (found: int)"),
    ("a.json", '{"utterances": [{"text": 3}]}', "utterance 0: text must be a string"),
    ("a.json", '{"utterances": [{"text": "a"}, {"text": " "}]}', "utterance 1: the utterance is empty"),
    ("a.json", '{"utterances": [{"text": "a", "start": NaN}]}', "start must be a finite number"),
    ("a.json", '{"utterances": [{"text": "a", "end": Infinity}]}', "end must be a finite number"),
    ("a.json", '{"utterances": [{"text": "a", "start": 1' + "0" * 400 + "}]}", "start must be a finite number"),
    ("a.json", '{"utterances": [{"text": "a", "score": 1' + "0" * 400 + "}]}", "score must be a number"),
    ("a.json", '{"utterances": [{"text": "a", "start": "1"}]}', "start must be a number of seconds"),
    ("a.json", '{"utterances": [{"text": "a", "start": true}]}', "start must be a number of seconds"),
    ("a.json", '{"utterances": [{"text": "a", "start": 2, "end": 1}]}', "end must not be before start"),
    ("a.json", '{"utterances": [{"text": "a", "mood": 1}]}', "unknown field 'mood'"),
    ("a.json", '{"utterances": [{"text": "a", "id": []}]}', "id must be a string"),
    ("a.json", '{"id": {}, "utterances": [{"text": "a"}]}', "id must be a string"),
    ("a.json", '{"media": 3, "utterances": [{"text": "a"}]}', "media must be a string"),
    ("a.json", '{"utterances": [{"text": "a\\ud800"}]}', "a character that is not text (found: U+D800)"),
    (
        "a.json",
        '{"utterances": [{"text": "a", "speaker": "\\u0000"}]}',
        "the speaker holds a character that is not text",
    ),
    ("a.json", '{"utterances": [{"text": "a", "id": "x"}, {"text": "b", "id": "x"}]}', "ids must be unique (found: x)"),
    ("a.jsonl", '{"utterances": [{"text": "a"}]}\n\n{"id":', "a.jsonl, line 3, column 7: broken JSON"),
    ("a.jsonl", '{"id": "x", "utterances": [{"text": "a"}]}\n' * 2, "a.jsonl, line 2: conversation ids must be unique"),
    ("a.json", '{"segments": {}}', "'segments' must be a list"),
    ("a.json", '{"segments": []}', "no utterance"),
    ("a.json", '{"segments": [{"start": 1}]}', "segment 0: text must be a string"),
    ("a.json", '{"segments": [{"text": "a", "words": [1]}]}', "words must be a list of objects"),
    ("a.json", '{"segments": [{"text": "a", "speaker": [1]}]}', "speaker must be a string"),
    ("a.json", '{"segments": [{"text": "a", "words": [{"start": "x"}]}]}', "start is not a time (found: x)"),
    ("a.json", '{"segments": [{"text": "a", "start": [1]}]}', "start must be a number of seconds (found: a list)"),
    ("a.json", '[{"text": "a", "start": "x", "end": 1}]', "a.json: segment 0: start is not a time (found: x)"),
    ("a.json", '[{"text": "a", "start": 2, "end": 1}]', "segment 0: utterance u0: end must not be before start"),
    ("a.json", '[{"word": "a", "start": -1}]', "a.json: word 0: start must not be negative"),
    ("a.json", '{"word_segments": {}}', "'word_segments' must be a list"),
    ("a.json", '{"word_segments": [{"text": "a"}]}', "word 0: expected an object with a string 'word' (found: a dict)"),
    ("a.mp3", b"ID3", "unknown kind of transcript (found: '.mp3'). Known: .json, .jsonl, .srt, .vtt, .csv, .tsv, .txt"),
    ("a.log", b"hi", "unknown kind of transcript (found: '.log')"),
]


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_bad_files(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((TranscriptError, ConversationError)) as caught:
        read_transcript(path, strict=True)
    said = str(caught.value)
    assert message in said
    assert said.startswith(str(path))
    assert "\n" not in said
    assert len(said) < 420 + len(str(path)) * 2


@pytest.mark.parametrize("field", ["text", "start", "score", "id", "media", "speaker"])
def test_deep_nesting_anywhere(tmp_path: Path, field: str) -> None:
    path = tmp_path / "a.json"
    for depth in range(800, 1000, 3):
        deep = "[" * depth + "]" * depth
        path.write_text(f'{{"utterances": [{{"{field}": {deep}}}]}}')
        with pytest.raises(MoodlineError):
            read_transcript(path)


@pytest.mark.parametrize("piece", ["<v ", "<i ", "[", "Ann ", "{\\", "-", " ", '"', "0:", "<v"])
@pytest.mark.parametrize("name", ["a.srt", "a.vtt", "a.csv", "a.txt"])
def test_long_lines_do_not_take_long(tmp_path: Path, name: str, piece: str) -> None:
    path = tmp_path / name
    for tail in (piece * 30_000, piece + " " * 90_000):
        path.write_text(f"{'text' if name == 'a.csv' else '00:01.000 --> 00:02.000'}\n{tail}\nhi\n")
        begin = time.process_time()
        with contextlib.suppress(MoodlineError):
            read_transcript(path)
        assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("talk1.srt", "no such file. Did you mean talk.srt?"),
        ("zzz.vtt", "no such file. Check the path."),
        ("no/talk.srt", "no such file. There is no folder"),
        ("talk.srt/x.srt", "no such file"),
        ("folder.srt", "expected a transcript file (found: a directory). Pass one file in it."),
        ("a\0b.srt", "the file cannot be read"),
        ("a" * 5000 + ".srt", "the file cannot be read"),
    ],
)
def test_what_is_no_file(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "talk.srt").write_text("1\n00:01 --> 00:02\nhi\n")
    (tmp_path / "folder.srt").mkdir()
    with pytest.raises(TranscriptError) as caught:
        read_transcript(tmp_path / name)
    assert message in str(caught.value)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.srt"
    path.write_text("x")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(TranscriptError, match="cannot be read: Permission denied"):
        read_transcript(path)


def test_an_unknown_format_suggests_the_near_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean jsonl or json"):
        read_transcript(tmp_path / "a", format="jsonll")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "text,start\n,1\n,2\n"),
        ("a.json", '{"utterances": [{"text": ""}]}'),
        ("a.jsonl", '{"utterances": [{"text": ""}]}\n{"utterances": [{"text": ""}]}\n'),
        ("a.srt", "1\n00:01 --> 00:02\n\n"),
    ],
)
def test_nothing_is_left_when_all_are_empty(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(MoodlineError, match="no utterance"):
        read_transcript(tmp_path / name, skip_empty=True)
