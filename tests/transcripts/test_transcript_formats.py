"""Every format, as it comes out of other people's programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from moodline.core.conversation import Conversation, Event
from moodline.transcripts.read import FORMATS, read_transcript

Read = Callable[..., list[Conversation]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(name: str, content: str | bytes, **options: object) -> list[Conversation]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_transcript(path, **options)

    return write_and_read


def turns(conversation: Conversation) -> list[tuple[str | None, str | None]]:
    return [(u.speaker, u.text) for u in conversation]


def times(conversation: Conversation) -> list[tuple[float | None, float | None]]:
    return [(u.start, u.end) for u in conversation]


SRT = """1
00:00:01,000 --> 00:00:02,500
Anna: Did you lock
the door?

2
01:00:03,250 --> 01:00:04,000 X1:10 X2:20
<i>Ben:</i> {\\an8}I <b>think</b> so <3
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_srt_in_every_encoding_and_with_every_line_ending(read: Read, encoding: str, newline: str) -> None:
    text = SRT.replace("\n", newline)
    data = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    (conversation,) = read("a.srt", data)
    assert conversation.id == "a"
    assert [u.id for u in conversation] == ["u0", "u1"]
    assert turns(conversation) == [("Anna", "Did you lock the door?"), ("Ben", "I think so <3")]
    assert times(conversation) == [(1.0, 2.5), (3603.25, 3604.0)]


def test_srt_without_numbers_or_blank_lines_and_with_blank_lines_inside(read: Read) -> None:
    text = (
        "00:00:01,000-->00:00:02,000\none\n\ntwo\n2\n00:00:03.000 --> 00:00:04.000\n42\n\n00:05 --> 00:06\nlast\n99\n"
    )
    (conversation,) = read("a.srt", text)
    assert [u.text for u in conversation] == ["one two", "42", "last 99"]
    assert times(conversation) == [(1, 2), (3, 4), (5, 6)]


def test_brackets_are_speakers_even_once_but_sounds_are_not(read: Read) -> None:
    cues = ["[SPEAKER_00]: hello", "[laughs] stop it", "[SPEAKER_01] fine", "nothing in front", "[Mr. X]:yes"]
    text = "\n\n".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},500\n{cue}" for n, cue in enumerate(cues, 1))
    assert turns(read("a.srt", text)[0]) == [
        ("SPEAKER_00", "hello"),
        (None, "stop it"),
        ("SPEAKER_01", "fine"),
        (None, "nothing in front"),
        ("Mr. X", "yes"),
    ]


@pytest.mark.parametrize(
    ("cues", "expected"),
    [
        (["Note: nothing here.", "Really?"], [(None, "Note: nothing here."), (None, "Really?")]),
        (["Note: one.", "Warning: two."], [(None, "Note: one."), (None, "Warning: two.")]),
        (["The thing is: no.", "What I mean: yes."], [(None, "The thing is: no."), (None, "What I mean: yes.")]),
        (["Berlin: cold.", "So?", "Nothing."], [(None, "Berlin: cold."), (None, "So?"), (None, "Nothing.")]),
        (["At 10:30 sharp", "See https://a.example"], [(None, "At 10:30 sharp"), (None, "See https://a.example")]),
        (["Ann: Note: go.", "BOB: ok", "Note: mad"], [("Ann", "Note: go."), ("BOB", "ok"), ("BOB", "Note: mad")]),
        (["- Ann: a\n- Bob: b", "Bob: c", "Ann: d"], [("Ann", "a"), ("Bob", "b"), ("Bob", "c"), ("Ann", "d")]),
        (["Ann: it has one\nProblem: us", "Bob: c"], [("Ann", "it has one Problem: us"), ("Bob", "c")]),
        (["李雷：你好", "韩梅梅：你好吗"], [("李雷", "你好"), ("韩梅梅", "你好吗")]),
        (["Dr. O’Brien: a", "Speaker 2: b", "Maria von Trapp: c"],
         [("Dr. O’Brien", "a"), ("Speaker 2", "b"), ("Maria von Trapp", "c")]),
        (["Ann:\nhello", "Bob: hi"], [("Ann", "hello"), ("Bob", "hi")]),
        (["[joy 0.81] Ann: a", "[sadness? 0.30] Bob: b"], [("Ann", "a"), ("Bob", "b")]),
    ],
)  # fmt: skip
def test_names_in_front_of_the_words(read: Read, cues: list[str], expected: list[tuple[str | None, str]]) -> None:
    text = "\n\n".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},500\n{cue}" for n, cue in enumerate(cues, 1))
    assert turns(read("a.srt", text)[0]) == expected


VTT = """WEBVTT - a title
Kind: captions

STYLE
::cue { color: --red }

REGION
id:fred

NOTE
Anna: this is no cue
00:00:00.000 and neither is this

opening
00:01.000 --> 00:02.000 align:start position:0%
<v.loud Anna Lee>Fish &amp; <c.red>chips</c> <00:00:01.500>again?</v>

NOTE one line

00:02.000 --> 01:00:00.000
<v Anna Lee>Yes.</v>
<v Ben>No!
Never.</v>

last
00:03.000 --> 00:03.500
[SPEAKER_02]: &lt;sighs&gt;
"""


def test_vtt_with_everything_the_standard_allows(read: Read) -> None:
    (conversation,) = read("a.vtt", "\ufeff" + VTT.replace("\n", "\r\n"))
    assert turns(conversation) == [
        ("Anna Lee", "Fish & chips again?"),
        ("Anna Lee", "Yes."),
        ("Ben", "No! Never."),
    ]
    assert times(conversation) == [(1, 2), (2, 3600), (2, 3600)]
    assert conversation.events == (Event("<sighs>", "SPEAKER_02", 3, 3.5),)


def test_vtt_is_forgiven_a_missing_header(read: Read) -> None:
    assert turns(read("a.vtt", "00:01.000 --> 00:02.000\nAnn: hi\n")[0]) == [("Ann", "hi")]
    assert turns(read("a.vtt", "WEBVTT\n00:01.000 --> 00:02.000\nAnn: hi\n")[0]) == [("Ann", "hi")]


ROLLING = """WEBVTT
Kind: captions

00:00:00.160 --> 00:00:02.389 align:start position:0%

hello<00:00:00.480><c> there</c>

00:00:02.389 --> 00:00:02.399 align:start position:0%
hello there


00:00:02.399 --> 00:00:04.000 align:start position:0%
hello there
and<00:00:02.600><c> welcome</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
and welcome


00:00:04.010 --> 00:00:06.000 align:start position:0%
and welcome
and<00:00:04.600><c> welcome</c>
"""


def test_captions_that_roll_up_say_everything_once(read: Read) -> None:
    expected = [(0.16, 2.389, "hello there"), (2.399, 4.0, "and welcome"), (4.01, 6.0, "and welcome")]
    srt = "\n".join(line.split(" align")[0] for line in ROLLING.replace("<c>", "").replace("</c>", "").split("\n")[3:])
    for name, text in (("a.vtt", ROLLING.replace("\n\n\n", "\n \n\n")), ("a.srt", srt)):
        assert [(u.start, u.end, u.text) for u in read(name, text)[0]] == expected


def test_who_says_the_same_again_is_heard_again(read: Read) -> None:
    cues = ["No!", "No!", "No!", "la la\nla", "la\nla la"]
    text = "\n\n".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},500\n{cue}" for n, cue in enumerate(cues, 1))
    assert [u.text for u in read("a.srt", text)[0]] == ["No!", "No!", "No!", "la la la", "la la la"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_tables_whatever_their_delimiter_and_columns(read: Read, delimiter: str, suffix: str) -> None:
    rows = [
        "Sr No.*END-TIME*Sentence*Start Time*Name",
        '1*00:00:02,500*"He said ""no"";*|, twice"*0.5*Anna',
        "2**fine**",
    ]
    text = "\n".join(row.replace("*", delimiter) for row in rows).replace("00:00:02,500", '"00:00:02,500"')
    (conversation,) = read(f"a.{suffix}", text)
    assert turns(conversation) == [("Anna", f'He said "no";{delimiter}|, twice'), (None, "fine")]
    assert times(conversation) == [(0.5, 2.5), (None, None)]


def test_a_table_may_hold_several_conversations_ids_and_line_breaks(read: Read) -> None:
    text = 'Dialogue_ID,Utterance_ID,Utterance\n7,0,"one\ntwo"\n7,1,three\n\n8,0,four\n7,2,five\n'
    first, second = read("a.csv", text)
    assert (first.id, [u.id for u in first]) == ("7", ["0", "1", "2"])
    assert [u.text for u in first] == ["one\ntwo", "three", "five"]
    assert (second.id, [u.text for u in second]) == ("8", ["four"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "start\tend\ttext\n0\t1500\tWe won the match.\n1500\t4000\tNo.\n"),  # Whisper's command line
        ("a.csv", "start,end,text\n0,1500,We won the match.\n1500,4000,No.\n"),
        ("a.csv", "text,id,start_ms,End ms\nWe won the match.,a,0,1500\nNo.,b,1500,4000\n"),
        ("a.csv", "Message;In;Out\nWe won the match.;0,0;1,5\nNo.;00:00:01,500;00:00:04\n"),
        ("a.tsv", "start\tend\ttext\n0\t1.5\tWe won the match.\n1.5\t4\tNo.\n"),
    ],
)
def test_tables_in_milliseconds(read: Read, name: str, text: str) -> None:
    assert times(read(name, text)[0]) == [(0, 1.5), (1.5, 4)]


def test_a_column_of_times_or_of_dates(read: Read) -> None:
    text = "Timestamp,Speaker,Text\n00:00:03,Ann,a\n1:05,Bob,b\n"
    assert times(read("a.csv", text)[0]) == [(3, None), (65, None)]
    for other in ("2024-03-12 21:15", "0:02", "noon", ""):
        assert times(read("a.csv", text.replace("1:05", other))[0]) == [(None, None)] * 2


def test_names_in_bold_letters(read: Read) -> None:
    for text in (
        "**Ann:** a: c\n\n**Bob**: b\n",
        "__Ann__: a: c\n__Bob:__ b",
        "**Ann:** [0:03] a: c\n**Bob:** [0:05] b",
    ):
        assert turns(read("a.txt", text)[0]) == [("Ann", "a: c"), ("Bob", "b")]
    assert turns(read("a.txt", "**Never** say: no\n**Well**")[0]) == [(None, "**Never** say: no"), (None, "**Well**")]


def test_whole_seconds_stay_seconds(read: Read) -> None:
    assert times(read("a.tsv", "start\tend\ttext\n0\t60\tNo.\n60\t125\tNever ever.\n")[0]) == [(0, 60), (60, 125)]


def test_a_table_of_one_column_needs_no_quotes(read: Read) -> None:
    assert [u.text for u in read("a.csv", "text\nwell, no; yes\nok\n")[0]] == ["well, no; yes", "ok"]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("12.5", 12.5), ("12,5", 12.5), (".5", 0.5), ("3", 3), ("1e-05", 1e-05), ("01:02", 62), ("90:00", 5400),
        ("00:16:16,059", 976.059), ("1:02:03.5", 3723.5), (" 4 ", 4),
    ],
)  # fmt: skip
def test_times(read: Read, time: str, seconds: float) -> None:
    assert read("a.tsv", f"text\tstart\nhi\t{time}\n")[0].utterances[0].start == pytest.approx(seconds, abs=1e-12)


def test_whisper_and_whisperx(read: Read) -> None:
    words = [
        {"word": "Hi", "start": 0.5, "end": 0.7, "score": float("nan"), "speaker": "S1"},
        {"word": "2"},
        {"word": "you", "speaker": "S1", "end": 1.5},
        {"word": "there", "speaker": "S0"},
    ]
    segments = [
        {"id": 0, "seek": 0, "start": 0.0, "end": 0.4, "text": " Hello\n there.", "speaker": "S0", "tokens": [1]},
        {"text": " Hi 2 you there", "words": words},
        {"start": 2, "end": 2, "text": "Bye", "words": None},
    ]
    (conversation,) = read("a.json", json.dumps({"text": "…", "segments": segments, "language": "en"}))
    assert turns(conversation) == [("S0", "Hello there."), ("S1", "Hi 2 you there"), (None, "Bye")]
    assert times(conversation) == [(0, 0.4), (0.5, 1.5), (2, 2)]


def test_house_format(read: Read, tmp_path: Path) -> None:
    one = {"id": "c", "media": "c.wav", "utterances": [{"id": "x", "text": "a", "emotion": "joy", "audio": "x.wav"}]}
    two = {"utterances": [{"speaker": "B", "start": 0, "end": 1.5, "text": "line\u2028break"}, {"id": 7, "text": None}]}
    for name, content in (
        ("a.json", json.dumps([one, two])),
        ("a.jsonl", json.dumps(one) + "\n\n" + json.dumps(two, ensure_ascii=False) + "\n"),
    ):
        first, second = read(name, content)
        assert (first.id, first.media, first.utterances[0].audio) == ("c", tmp_path / "c.wav", tmp_path / "x.wav")
        assert first.utterances[0].emotion == "joy"
        assert (second.id, [u.id for u in second]) == ("a-1", ["u0", "7"])
        assert turns(second) == [("B", "line\u2028break"), (None, None)]
    assert read("b.json", json.dumps(two))[0].id == "b"


def test_plain_text(read: Read) -> None:
    text = "anna: you said: tomorrow\n\nben (phone): no\nand a line without a name\n"
    expected = [("anna", "you said: tomorrow"), ("ben (phone)", "no"), ("ben (phone)", "and a line without a name")]
    assert turns(read("a.txt", text)[0]) == expected


def test_suffixes_in_capitals_and_a_named_format(read: Read) -> None:
    assert turns(read("A.SRT", SRT)[0]) == turns(read("noname", SRT, format="srt")[0])
    assert read("b.dat", "Ann: hi", format=".TXT")[0].id == "b"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.srt", "1\n00:01 --> 00:02\n\n2\n00:03 --> 00:04\nhi\n"),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann></v>\n\n00:03.000 --> 00:04.000\nhi\n"),
        ("a.csv", "text,start\n,1\nhi,3\n"),
        ("a.tsv", "start\ttext\n1\t \n3\thi\n"),
        ("a.txt", "Ann:\nBob: hi\n"),
        ("a.json", '{"utterances": [{"text": " "}, {"text": "hi"}]}'),
        ("a.jsonl", '{"utterances": [{"text": ""}]}\n{"id": "a", "utterances": [{"text": ""}, {"text": "hi"}]}\n'),
        ("w.json", '{"segments": [{"text": " "}, {"text": " hi"}]}'),
    ],
)
def test_empty_utterances_can_be_left_out_and_ids_stay(read: Read, name: str, content: str) -> None:
    (conversation,) = read(name, content, skip_empty=True)
    assert [(u.id, u.text) for u in conversation] == [("u1", "hi")]


def test_the_table_of_formats_is_known() -> None:
    known = (
        "json jsonl srt vtt csv tsv txt textgrid eaf exb cha rttm ctm stm sbv ass ssa ttml dfxp lrc otr docx audacity"
    )
    assert " ".join(FORMATS) == known
