"""CHAT, SubStation, SBV, LRC, TTML, CTM, STM, oTranscribe, Word; standard input and files without a suffix."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation
from moodline.core.errors import MoodlineError, TranscriptError
from moodline.transcripts.cha_words import plain_words
from moodline.transcripts.read import read_transcript
from moodline.transcripts.sniff import sniff

CASES = Path(__file__).parent / "annotation_cases"
ROWS = re.findall(r"^\| (\d\S+) \| (.+) \|$", (CASES / "README.md").read_text(), re.MULTILINE)


def turns(conversation: Conversation) -> list[tuple[Any, ...]]:
    return [(u.speaker, u.start, u.end, u.text) for u in conversation]


def shown(conversation: Conversation) -> str:
    """The utterances as the table of the cases has them."""

    def number(value: float | None) -> str:
        return "-" if value is None else f"{value:g}"

    return " / ".join(f"{u.speaker or '-'} {number(u.start)}–{number(u.end)} {u.text}" for u in conversation)


def read(path: Path, content: str, **options: Any) -> Conversation:
    path.write_text(content, encoding="utf-8")
    (found,) = read_transcript(path, **options)
    return found


@pytest.mark.parametrize(("name", "expected"), ROWS)
def test_cases(name: str, expected: str) -> None:
    assert " ".join(map(shown, read_transcript(CASES / name))) == expected


def test_every_case_is_in_the_table() -> None:
    assert {name for name, _ in ROWS} == {p.name for p in CASES.iterdir()} - {"README.md"}


# -- CHAT ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words", "events"),
    [
        ("no [/] no I want <the red> [//] the green one !", "no I want the green one!", []),
        ("<I <I want> [/] want> [//] he goes .", "he goes.", []),
        ("and &-uh he said (be)cause that was fine .", "and he said because that was fine.", []),
        ("the boy is [*] reaching +...", "the boy is reaching…", []),
        ("+< yeah [<] .", "yeah.", []),
        ("so I was telling [>] him .", "so I was telling him.", []),
        ("&=laughs .", "", ["&=laughs"]),
        ("[=! shakes head] it is &=coughs gone [: lost] .", "it is gone.", ["&=shakes head", "&=coughs"]),
        ("xxx put it here .", "put it here.", []),
        ("la meua dona@s:cat all_gone choo+choo .", "la meua dona all gone choo choo.", []),
        ('he said +"/.', "he said.", []),
        ("0 .", "", []),
        ("well (.) no: way (1.5) really ?", "well no way really?", []),
        ("↑no↑ ⌈yes⌉ .", "no yes.", []),
    ],
)
def test_main_lines_of_chat(line: str, words: str, events: list[str]) -> None:
    assert plain_words(line) == (words, events)


CHAT = """@UTF8
@Begin
@Participants:\tMOT Ruth Mother, CHI Target_Child
*MOT:\tcome here . \x150_1800\x15
%mor:\tv|come adv|here .
*CHI:\txxx . \x151900_2500\x15
*CHI:\tno I want
\tthe &=laughs green one ! \x152600_4200\x15
*MOT:\toh dear . 5000_6000
@End
"""


def test_chat(tmp_path: Path) -> None:
    talk = read(tmp_path / "a.cha", CHAT)
    assert turns(talk) == [
        ("MOT", 0, 1.8, "come here."),
        ("CHI", 2.6, 4.2, "no I want the green one!"),
        ("MOT", 5, 6, "oh dear."),
    ]
    assert [(e.text, e.speaker, e.start) for e in talk.events] == [("xxx", "CHI", 1.9), ("&=laughs", "CHI", 2.6)]
    assert talk.notes[0] == "Speakers: MOT is Ruth (Mother), CHI is Target Child."
    with pytest.raises(TranscriptError, match="expected main lines of CHAT"):
        read(tmp_path / "b.cha", "@UTF8\n@Begin\n@End\n")


@settings(max_examples=200)
@given(st.text("ab <>[]/&=-+(.)0x@:\t\x15_12,?!*%", max_size=60))
def test_main_lines_never_fail(line: str) -> None:
    words, _ = plain_words(line)
    assert words == "" or any(c.isalnum() for c in words)


# -- subtitles ----------------------------------------------------------------------------------------------------

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial
Style: Signs,Arial

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,Ben: No, never.
Dialogue: 0,0:00:00.50,0:00:02.00,Default,,0,0,0,,{\\i1}Ada: It {\\b1}worked.\\Nreally
Comment: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,not said
Dialogue: 0,0:00:01.00,0:00:02.00,Signs,,0,0,0,,EXIT
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,{\\p1}m 0 0 l 1 1{\\p0}
"""


def test_substation(tmp_path: Path) -> None:
    talk = read(tmp_path / "a.ass", ASS)
    assert turns(talk) == [("Ada", 0.5, 2, "It worked. really"), ("Ben", 3, 4, "No, never.")]
    assert talk.notes == ("1 lines in styles of signs, titles or songs were passed over.",)
    broken = read(tmp_path / "b.ass", ASS.replace("0:00:03.00,0:00:04.00", "soon,later"))
    assert [u.text for u in broken] == ["It worked. really"]
    assert "line 11: expected a dialogue line" in broken.notes[-1]
    with pytest.raises(TranscriptError, match="lines that begin with Dialogue:"):
        read(tmp_path / "c.ass", "[Script Info]\n")
    old = ASS.replace("v4.00+", "v4.00").replace("V4+", "V4").replace("Layer", "Marked")
    assert len(read(tmp_path / "d.ssa", old)) == 2


def test_sbv_and_lrc(tmp_path: Path) -> None:
    sbv = "0:00:00.500,0:00:02.000\nAda: It worked[br]at last.\n\n0:00:02.400,0:00:04.000\nBen: No.\n"
    assert turns(read(tmp_path / "a.sbv", sbv)) == [("Ada", 0.5, 2, "It worked at last."), ("Ben", 2.4, 4, "No.")]
    lrc = "[ar:Us]\n[offset:+500]\n[00:01.50]Ada: <00:01.50>It <00:01.80>worked.\n[00:03.00]\n"
    lrc += "[00:05.25][00:09.25]Ben: No.\n"
    assert turns(read(tmp_path / "a.lrc", lrc)) == [
        ("Ada", 1.0, 2.5, "It worked."),
        ("Ben", 4.75, 8.75, "No."),
        ("Ben", 8.75, None, "No."),
    ]


TTML = """<?xml version="1.0"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata"
 xmlns:p="urn:p" p:frameRate="25" p:tickRate="1000">
<head><metadata><ttm:agent xml:id="a1" type="person"><ttm:name type="full">Ada</ttm:name></ttm:agent>
<ttm:agent xml:id="a2"/></metadata></head>
<body><div begin="10s"><p begin="0.5s" end="00:00:02.000" ttm:agent="a1">It <span>worked</span>.<br/>Really.</p>
<p begin="00:00:02:10" dur="1600t" ttm:agent="a2">No.</p></div></body></tt>"""


def test_ttml(tmp_path: Path) -> None:
    assert turns(read(tmp_path / "a.ttml", TTML)) == [("Ada", 10.5, 12, "It worked. Really."), ("a2", 12.4, 14, "No.")]
    with pytest.raises(TranscriptError, match=r"not a time of TTML .found: soon"):
        read(tmp_path / "b.ttml", TTML.replace("0.5s", "soon"))
    with pytest.raises(TranscriptError, match="document type"):
        read(tmp_path / "c.ttml", '<!DOCTYPE tt [<!ENTITY x "ha">]>' + TTML.split("?>")[1])


# -- NIST, oTranscribe, Word --------------------------------------------------------------------------------------


def test_ctm(tmp_path: Path) -> None:
    text = ";; made by a tool\n" + "".join(
        f"talk {c} {s} 0.3 {w} 0.9\n"
        for c, s, w in [("A", 0, "we"), ("A", 0.3, "won"), ("B", 0.7, "no"), ("A", 3, "yes")]
    )
    assert turns(read(tmp_path / "a.ctm", text)) == [
        ("Channel A", 0, 0.6, "we won"),
        ("Channel B", 0.7, 1.0, "no"),
        ("Channel A", 3, 3.3, "yes"),
    ]
    first, second = read_transcript(
        _write(
            tmp_path / "b.ctm",
            text
            + "other 1 0 1 <ALT_BEGIN>\nother 1 0 1 hi\nother 1 0 1 <ALT>\nother 1 0 1 ho\nother 1 0 1 <ALT_END>\n",
        )
    )
    assert (first.id, second.id, turns(second)) == ("talk", "other", [(None, 0, 1, "hi")])


def _write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_stm(tmp_path: Path) -> None:
    text = (
        ";; a header\ntalk A ada 0.5 2 <o,f0,female> we (uh) won { it / that }\ntalk A inter_segment_gap 2 3 <o,,>\n"
        "talk A ben 3 4 no\ntalk A x 4 5 <o,,> IGNORE_TIME_SEGMENT_IN_SCORING\n"
    )
    assert turns(read(tmp_path / "a.stm", text)) == [("ada", 0.5, 2, "we uh won it"), ("ben", 3, 4, "no")]


def test_otranscribe(tmp_path: Path) -> None:
    stamp = '<span class="timestamp" contenteditable="false" data-timestamp="{}">0:01</span>'
    html = (
        f"<p>{stamp.format(1.25)} Ada: It&nbsp;worked <b>well</b>. {stamp.format(3)} and again</p>"
        f"<p>{stamp.format(5.5)}</p><p>Ben: No.</p><p>Ada: yes {stamp.format(9)} Ben: never</p>"
    )
    talk = read(tmp_path / "a.otr", json.dumps({"text": html, "media": "a.mp3", "media-time": 9}))
    assert turns(talk) == [
        ("Ada", 1.25, None, "It worked well. and again"),
        ("Ben", 5.5, None, "No."),
        ("Ada", None, None, "yes"),
        ("Ben", 9, None, "never"),
    ]
    for broken in ("{", "[]", '{"text": 3}', '{"text": "<p></p>"}'):
        with pytest.raises(TranscriptError):
            read(tmp_path / "b.otr", broken)


def word(path: Path, paragraphs: list[str], table: list[list[str]] | None = None) -> Path:
    import docx

    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    if table:
        grid = document.add_table(len(table), len(table[0]))
        for row, cells in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    document.save(str(path))
    return path


def test_word_documents(tmp_path: Path) -> None:
    path = word(tmp_path / "a.docx", ["Ada: Did it work?", "Ben: It did not.", "Ada: Oh no."])
    (talk,) = read_transcript(path)
    assert [(u.speaker, u.text) for u in talk] == [("Ada", "Did it work?"), ("Ben", "It did not."), ("Ada", "Oh no.")]
    table = [["Time", "Speaker", "Transcript"], ["00:00:01", "Ada", "Did it work?"], ["00:00:04", "Ben", "It did not."]]
    (talk,) = read_transcript(word(tmp_path / "b.docx", [], table))
    assert [(u.speaker, u.start, u.text) for u in talk] == [("Ada", 1, "Did it work?"), ("Ben", 4, "It did not.")]
    rows = [
        ["1", "Ada", "Did it work at all?"],
        ["2", "Ben", "It did not."],
        ["3", "Ada", "Oh no."],
        ["4", "Ben", "Well."],
    ]
    (talk,) = read_transcript(word(tmp_path / "c.docx", [], rows))
    assert [(u.speaker, u.text) for u in talk][:2] == [("Ada", "Did it work at all?"), ("Ben", "It did not.")]
    (tmp_path / "d.docx").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(TranscriptError, match="a Word document that cannot be read"):
        read_transcript(tmp_path / "d.docx")
    with pytest.raises(TranscriptError, match="the document has no text"):
        read_transcript(word(tmp_path / "e.docx", []))


# -- what a file is -----------------------------------------------------------------------------------------------

SAMPLES = {
    "cha": CHAT,
    "ass": ASS,
    "ttml": TTML,
    "sbv": "0:00:00.500,0:00:02.000\nAda: It worked.\n\n0:00:02.400,0:00:04.000\nBen: No.\n",
    "lrc": "[ar:Us]\n[00:01.50]Ada: It worked.\n[00:03.00]Ben: no.\n",
    "ctm": "talk 1 0.1 0.3 we 0.9\ntalk 1 0.4 0.3 won 0.8\n",
    "stm": "talk A ada 0.5 2.0 <o,f0,female> we won\ntalk A ben 3 4 <o,,> no\n",
    "rttm": "SPEAKER talk 1 0.1 0.3 <NA> <NA> ada <NA> <NA>\n",
    "srt": "1\n00:00:01,000 --> 00:00:02,000\nAda: hi\n",
    "vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\nAda: hi\n",
    "json": '{"segments": [{"start": 0, "end": 1, "text": "hi"}]}',
    "jsonl": '{"text": "hi", "start": 0}\n{"text": "ho", "start": 1}\n',
    "otr": json.dumps({"text": '<p><span class="timestamp" data-timestamp="1">0:01</span> Ada: hi</p>'}),
    "csv": "speaker,text\nAda,hi\nBen,ho\n",
    "eaf": '<?xml version="1.0"?>\n<ANNOTATION_DOCUMENT AUTHOR=""></ANNOTATION_DOCUMENT>',
    "exb": '<?xml version="1.0"?>\n<basic-transcription></basic-transcription>',
    "textgrid": 'File type = "ooTextFile"\nObject class = "TextGrid"\n',
    "txt": "Ada: hi there\nBen: [laughs] oh: well\n",
}


@pytest.mark.parametrize("name", SAMPLES)
def test_what_a_text_is(name: str) -> None:
    assert sniff(SAMPLES[name]) == name


@pytest.mark.parametrize("name", [n for n in SAMPLES if n not in ("eaf", "exb", "textgrid")])
def test_files_without_a_suffix(name: str, tmp_path: Path) -> None:
    bare, named = _write(tmp_path / "talk", SAMPLES[name]), _write(tmp_path / f"talk.{name}", SAMPLES[name])
    expected = read_transcript(named)
    found = read_transcript(bare)
    assert list(map(turns, found)) == list(map(turns, expected))
    assert f"read as .{name}" in " ".join(found[0].notes)


def test_a_word_document_without_a_suffix(tmp_path: Path) -> None:
    path = word(tmp_path / "a.docx", ["Ada: Did it work?", "Ben: It did not."])
    assert len(read_transcript(path.rename(tmp_path / "a"))[0]) == 2


def test_standard_input() -> None:
    code = (
        "from pathlib import Path; from moodline.transcripts.read import read_transcript; "
        "print([(c.id, [(u.speaker, u.text) for u in c]) for c in read_transcript(Path('-'))])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], input=SAMPLES["srt"], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[('stdin', [('Ada', 'hi')])]"


# -- cut off ------------------------------------------------------------------------------------------------------


def _docx() -> bytes:
    file = io.BytesIO()
    import docx

    document = docx.Document()
    document.add_paragraph("Ada: hi")
    document.save(file)
    return file.getvalue()


@pytest.mark.parametrize("name", [*SAMPLES, "docx"])
def test_cut_at_every_byte(name: str, tmp_path: Path) -> None:
    """One line that says what is wrong, or utterances; never another error."""
    data = _docx() if name == "docx" else SAMPLES[name].encode()
    sizes = range(0, len(data), 97) if name == "docx" else range(len(data))
    path = tmp_path / f"a.{name}"
    for size in sizes:
        path.write_bytes(data[:size])
        try:
            found = read_transcript(path)
        except MoodlineError as error:
            assert "\n" not in str(error), size  # noqa: PT017  (most lengths are refused, some are read)
        else:
            assert all(len(c) for c in found)


def test_headings_of_word_documents(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_heading("Interview 3")
    for name, text in [("Ada", "Did it work?"), ("Ben", "It did not."), ("Ada", "Oh no."), ("Ben", "Well.")]:
        document.add_heading(name, 2)
        document.add_paragraph(text)
    document.save(str(tmp_path / "a.docx"))
    (talk,) = read_transcript(tmp_path / "a.docx")
    assert [(u.speaker, u.text) for u in talk][:2] == [("Ada", "Did it work?"), ("Ben", "It did not.")]
    assert talk.notes[0] == "Headings of the document are no words: “Interview 3”."


def test_lines_of_chat_without_any_words(tmp_path: Path) -> None:
    text = "@Begin\n*CHN:\t0 \x150_110\x15\n\t&=vocalization \x15110_410\x15\n*SIL:\t0 . \x15410_900\x15\n"
    text += "*FAN:\t0 . \x15900_1800\x15\n@End\n"
    talk = read(tmp_path / "a.cha", text)
    assert turns(talk) == [("CHN", 0, 0.41, None), ("FAN", 0.9, 1.8, None)]
    assert "the lines say who speaks when" in talk.notes[0]


def test_a_broken_line_of_times_in_sbv(tmp_path: Path) -> None:
    sbv = "0:00:00.500,0:00:02.000\nOne.\n\n0:00:13.f89,0:00:15.489\nTwo.\n\n0:00:16.000,0:00:17.000\nThree.\n"
    talk = read(tmp_path / "a.sbv", sbv)
    assert [u.text for u in talk] == ["One.", "Three."]
    assert "line 4: expected two times" in talk.notes[0]
