"""Files of annotation and diarization programs: TextGrid, ELAN, Audacity, RTTM; and Moodline's own results."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation
from moodline.core.errors import ConversationError, TranscriptError
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.transcripts.read import read_transcript
from tests.transcripts.test_transcript_properties import try_to_read

Read = Callable[..., list[Conversation]]
quick = settings(max_examples=80, deadline=None)

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "Ann"
        xmin = 0
        xmax = 3.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1.25
            text = "she said ""no"",
and left ! <exists> 7"
        intervals [2]:
            xmin = 1.25
            xmax = 2
            text = ""
        intervals [3]:
            xmin = 2
            xmax = 3.5
            text = "你好"
    item [2]:
        class = "TextTier"
        name = "tones"
        xmin = 0
        xmax = 3.5
        points: size = 1
        points [1]:
            number = 1.1
            mark = "H*"
    item [3]:
        class = "IntervalTier"
        name = "Bo"
        xmin = 0
        xmax = 3.5
        intervals: size = 1
        intervals [1]:
            xmin = 1e-1
            xmax = 3.5
            text = "yes"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
3.5
<exists>
3
"IntervalTier"
"Ann"
0
3.5
3
0
1.25
"she said ""no"",
and left ! <exists> 7"
1.25
2
""
2
3.5
"你好"
"TextTier"
"tones"
0
3.5
1
1.1
"H*"
"IntervalTier"
"Bo"
0
3.5
1
0.1
3.5
"yes" ! a comment
"""
TURNS = [
    ("Ann", 0, 1.25, 'she said "no", and left ! <exists> 7'),
    ("Bo", 0.1, 3.5, "yes"),
    ("Ann", 2, 3.5, "你好"),
]
EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-01T00:00:00Z" FORMAT="3.0" VERSION="3.0">
    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>
    <TIME_ORDER>
        <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/>
        <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1250"/>
        <TIME_SLOT TIME_SLOT_ID="ts3"/>
        <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="3500"/>
    </TIME_ORDER>
    <TIER LINGUISTIC_TYPE_REF="t" PARTICIPANT="Ann" TIER_ID="A_utt">
        <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
            <ANNOTATION_VALUE>Fish &amp; chips &lt;again&gt;?</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
        <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
            <ANNOTATION_VALUE/></ALIGNABLE_ANNOTATION></ANNOTATION>
    </TIER>
    <TIER LINGUISTIC_TYPE_REF="t" TIER_ID="Bo">
        <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts4">
            <ANNOTATION_VALUE>yes</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    </TIER>
    <TIER LINGUISTIC_TYPE_REF="s" PARENT_REF="Bo" TIER_ID="Bo translation">
        <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a3">
            <ANNOTATION_VALUE>ja</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
    </TIER>
</ANNOTATION_DOCUMENT>
"""
RTTM = """;; made by a tool
SPKR-INFO call 1 <NA> <NA> <NA> unknown B <NA> <NA>
SPEAKER call 1 2.50 1.25 <NA> <NA> B <NA> <NA>
speaker call 1 0.1 0.2 <NA> <NA> <NA> <NA>

SPEAKER\tcall\t1\t0.3\t0\t<NA>\t<NA>\tA\t<NA>
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def write_and_read(name: str, content: str | bytes, **options: object) -> list[Conversation]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_transcript(path, **options)

    return write_and_read


def turns(conversation: Conversation) -> list[tuple[str | None, float | None, float | None, str | None]]:
    return [(u.speaker, u.start, u.end, u.text) for u in conversation]


@pytest.mark.parametrize("text", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_textgrids_in_both_forms_and_encodings(read: Read, text: str, encoding: str) -> None:
    for ends in ("\n", "\r\n"):
        (conversation,) = read("talk.TextGrid", text.replace("\n", ends).encode(encoding))
        assert (conversation.id, turns(conversation)) == ("talk", TURNS)


def test_textgrids_of_praatio_are_read(read: Read, tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    grid = textgrid.Textgrid(0, 9)
    grid.addTier(textgrid.IntervalTier("Ann", [(0, 1.5, 'a "b"'), (1.5, 2.25, "c")], 0, 9))
    grid.addTier(textgrid.PointTier("p", [(1, "x")], 0, 9))
    grid.addTier(textgrid.IntervalTier("Bo", [(0.5, 8, "d")], 0, 9))
    for form in ("long_textgrid", "short_textgrid"):
        grid.save(str(tmp_path / "a.TextGrid"), form, includeBlankSpaces=True)
        (conversation,) = read_transcript(tmp_path / "a.TextGrid")
        assert turns(conversation) == [("Ann", 0, 1.5, 'a "b"'), ("Bo", 0.5, 8, "d"), ("Ann", 1.5, 2.25, "c")]


def tier(name: str, *labels: str) -> str:
    rows = "".join(f'{n}\n{n + 1}\n"{label}"\n' for n, label in enumerate(labels))
    return f'"IntervalTier"\n"{name}"\n0\n9\n{len(labels)}\n{rows}'


def grid(*tiers: str) -> str:
    return f'File type = "ooTextFile"\n"TextGrid"\n0\n9\n<exists>\n{len(tiers)}\n' + "".join(tiers)


def test_tiers_that_are_no_speakers(read: Read) -> None:
    (words,) = read("a.TextGrid", grid(tier("words", "hi", "there"), tier("phones", "h", "aI")))
    assert turns(words) == [(None, 0, 2, "hi there")]
    assert words.notes == (
        "Tiers read: words (words, put together); passed over: phones (parts of words). Choose with --tier NAME.",
    )
    with pytest.raises(TranscriptError, match=r"no tier holds what is said .found: Ann - phones"):
        read("a.TextGrid", grid(tier("Ann - phones", "h")))
    (two,) = read("a.TextGrid", grid(tier("Ann - phones", "h"), tier("Ann", "hi")))
    assert turns(two) == [("Ann", 0, 1, "hi")]


def test_labels_that_are_names_of_a_diarizer(read: Read) -> None:
    (one,) = read("a.TextGrid", grid(tier("speakers", "SPEAKER_00", "", "speaker 1")))
    assert turns(one) == [("SPEAKER_00", 0, 1, None), ("speaker 1", 2, 3, None)]
    (two,) = read("a.txt", "0\t1.5\tSPEAKER_00\n1.5\t2\t[SPEAKER_01]:\n")
    assert turns(two) == [("SPEAKER_00", 0, 1.5, None), ("SPEAKER_01", 1.5, 2, None)]


def test_elan(read: Read) -> None:
    expected = [("Ann", 0, 1.25, "Fish & chips <again>?"), ("Bo", 1.25, 3.5, "yes")]
    assert turns(read("a.eaf", EAF)[0]) == expected
    assert turns(read("a.eaf", "\ufeff" + EAF)[0]) == expected
    assert turns(read("a.eaf", EAF.replace('"UTF-8"', '"UTF-16"').encode("utf-16"))[0]) == expected
    untimed = EAF.replace('TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts4"', 'TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3"')
    assert turns(read("a.eaf", untimed)[0])[1] == ("Bo", 1.25, None, "yes")


def test_elan_files_of_pympi_are_read(tmp_path: Path) -> None:
    pympi = pytest.importorskip("pympi.Elan")
    eaf = pympi.Eaf(author="me")
    eaf.add_tier("Ann")
    eaf.add_tier("Bo", part="Bob")
    eaf.add_annotation("Ann", 0, 1500, "a & b")
    eaf.add_annotation("Bo", 1000, 1250, "c")
    eaf.to_file(str(tmp_path / "a.eaf"))
    (conversation,) = read_transcript(tmp_path / "a.eaf")
    assert turns(conversation) == [("Ann", 0, 1.5, "a & b"), ("Bob", 1, 1.25, "c")]


def test_rttm_of_one_recording_and_of_several(read: Read) -> None:
    (one,) = read("talk.rttm", RTTM)
    assert one.id == "talk"
    assert turns(one) == [(None, 0.1, 0.3, None), ("A", 0.3, 0.3, None), ("B", 2.5, 3.75, None)]
    first, second = read("talk.rttm", RTTM + "SPEAKER other 1 0 1 <NA> <NA> A <NA>\n")
    assert (first.id, len(first), second.id, len(second)) == ("call", 3, "other", 1)
    assert turns(read("talk.rttm", RTTM, skip_empty=True)[0]) == turns(one)


LABELS = "0.000000\t1.500000\tAnn: Did you?\n\\\t100.0\t2000.0\n1,5\t2\tben: no: never\n2\t2.5\t  well \n"


def test_audacity_labels_are_told_from_plain_text(read: Read) -> None:
    expected = [("Ann", 0, 1.5, "Did you?"), ("ben", 1.5, 2, "no: never"), (None, 2, 2.5, "well")]
    assert turns(read("a.txt", LABELS)[0]) == expected
    assert turns(read("a.dat", LABELS, format="audacity")[0]) == expected
    plain = "1 2 three\n10\tis a number\n"
    assert [u.text for u in read("a.txt", plain)[0]] == ["1 2 three", "10 is a number"]


def result() -> Prediction:
    scores = {"joy": 0.7, "neutral": 0.3}
    utterances = tuple(
        UtterancePrediction(f"x{n}", who, n, n + 0.5, text, scores, n == 1, {"text": scores}, {"text": 1.0}, ("text",))
        for n, (who, text) in enumerate([("Ann", "hi"), (None, None)])
    )
    return Prediction("call", "tiny", "0.1.0", ("neutral", "joy"), utterances, media=Path("call.wav"), notes=("n",))


def test_results_are_read_as_transcripts_without_their_answers(read: Read, tmp_path: Path) -> None:
    data = result().to_dict()
    for name, content in (("r.json", json.dumps(data)), ("r.jsonl", json.dumps(data) + "\n")):
        (conversation,) = read(name, content)
        assert (conversation.id, conversation.media) == ("call", None)
        assert [u.id for u in conversation] == ["x0", "x1"]
        assert turns(conversation) == [("Ann", 0, 0.5, "hi"), (None, 1, 1.5, None)]
        assert {u.emotion for u in conversation} == {None}
    (tmp_path / "call.wav").touch()
    assert read("r.json", json.dumps(data))[0].media == tmp_path / "call.wav"
    assert [c.id for c in read("r.json", json.dumps([data, {**data, "conversation": "b"}]))] == ["call", "b"]


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><ANNOTATION_DOCUMENT>&y;</ANNOTATION_DOCUMENT>'
BAD = [
    ("a.TextGrid", "Ann: hi", 'line 1: expected a TextGrid: File type = "ooTextFile" (found: Ann: hi)'),
    ("a.TextGrid", 'File type = "ooTextFile"\n"Pitch 1"', "line 2: expected a TextGrid (found: 'Pitch 1')"),
    ("a.TextGrid", '"Praat chronological TextGrid text file"\n0 1', "ends too early, expected the number of tiers"),
    ("a.TextGrid", LONG[:400], "the TextGrid ends too early, expected"),
    ("a.TextGrid", LONG.replace("xmax = 1.25", "xmax = soon"), "expected xmax (a number) (found:"),
    ("a.TextGrid", LONG.replace("xmin = 1e-1", "xmin = -1"), "line 44: xmin must not be negative"),
    ("a.TextGrid", LONG.replace("xmin = 1e-1", "xmin = 9"), "end must not be before start"),
    ("a.TextGrid", LONG.replace("xmin = 1e-1", "xmin = 1e999"), "xmin must be a finite number"),
    ("a.TextGrid", LONG.replace("intervals: size = 3", "intervals: size = -3"), "line 14: the number of intervals"),
    ("a.TextGrid", LONG.replace("intervals: size = 3", "intervals: size = 1e300"), "a whole number"),
    ("a.TextGrid", LONG.replace('"yes"', '"yes'), "line 46: a quotation mark is never closed"),
    ("a.TextGrid", LONG.replace('"TextTier"', '"Tier"'), "line 29: a tier must be an IntervalTier or a TextTier"),
    ("a.TextGrid", grid(tier("Ann", "", " ")), "no tier holds what is said (found: Ann (empty))"),
    ("a.TextGrid", grid().replace("<exists>", "<absent>"), "the TextGrid has no interval tier"),
    ("a.eaf", "hello", "line 1: broken XML"),
    ("a.eaf", "<a/>", "expected an ELAN file: <ANNOTATION_DOCUMENT> (found: <a>)"),
    ("a.eaf", EAF[:900], "broken XML"),
    ("a.eaf", BOMB, "without a document type (found: <!DOCTYPE or <!ENTITY)"),
    ("a.eaf", "<!doctype x SYSTEM 'file:///etc/passwd'><x/>", "without a document type"),
    ("a.eaf", "<ANNOTATION_DOCUMENT/>", "no annotation with times in the file (found: no tier)"),
    ("a.eaf", EAF.replace('TIME_SLOT_REF1="ts2"', 'TIME_SLOT_REF1="ts9"'), "its start names no time slot of the file"),
    ("a.eaf", EAF.replace('TIME_VALUE="1250"', 'TIME_VALUE="soon"'), "ts2 must have whole milliseconds (found: soon)"),
    ("a.eaf", EAF.replace('TIME_VALUE="1250"', 'TIME_VALUE="-5"'), "must not be negative"),
    ("a.eaf", EAF.replace('TIME_VALUE="3500"', 'TIME_VALUE="50"'), "end must not be before start"),
    ("a.rttm", "Ann: hi", "line 1: expected an RTTM line: SPEAKER file channel"),
    ("a.rttm", "SPEAKER a 1 0 1 <NA> <NA>", "line 1: expected 9 or 10 fields"),
    ("a.rttm", ";; nothing\n", "no turn in the file"),
    ("a.rttm", "SPEAKER a 1 zero 1 <NA> <NA> A <NA>", "line 1: start is not a time (found: zero)"),
    ("a.rttm", "SPEAKER a 1 0 -1 <NA> <NA> A <NA>", "line 1: duration must not be negative"),
    ("a.rttm", "SPEAKER a 1 <NA> 1 <NA> <NA> A <NA>", "line 1: start is missing"),
    ("a.rttm", "SPEAKER a 1 nan 1 <NA> <NA> A <NA>", "start must be a finite number"),
    ("a.txt", "0\t1\thi\nAnn: hi\n", "line 2: expected a label: start TAB end TAB words"),
    ("a.txt", "0\t1\thi\n1\tnoon\tho\n", "line 2: end is not a time (found: noon)"),
    ("a.txt", "2\t1\thi\n", "end must not be before start"),
    ("a.txt", "0\t1\t\n", "line 1: the utterance is empty"),
    ("a.txt", "0\t1\thi\n\t2\tho", "line 2: the label lacks a time"),
    ("a.json", '{"conversation": 3.5, "model": "m", "utterances": [{"text": "a"}]}', "id must be a string"),
    ("a.json", '{"conversation": "c", "model": "m", "utterances": [3]}', "utterance 0: expected an object"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "message"), BAD)
def test_bad_files(read: Read, tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises((TranscriptError, ConversationError)) as caught:
        read(name, content, strict=True)
    said = str(caught.value)
    assert message in said
    assert said.startswith(str(tmp_path / name))
    assert "\n" not in said
    assert len(said) < 420 + len(str(tmp_path)) * 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("annotation")


WHOLE = {"TextGrid": LONG, "eaf": EAF, "rttm": RTTM, "txt": LABELS}


@pytest.mark.parametrize("kind", WHOLE)
@given(data=st.data())
@quick
def test_damaged_files_are_read_or_refused(folder: Path, kind: str, data: st.DataObject) -> None:
    text = WHOLE[kind]
    for _ in range(data.draw(st.integers(1, 3))):
        low, high = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        text = (
            text[:low] + data.draw(st.sampled_from(["", '"', "<", "-", "nan", "\n", "\ud800", "9" * 400])) + text[high:]
        )
    path = folder / f"damaged.{kind}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try_to_read(path)


@pytest.mark.parametrize("tail", ["<NA> <NA>", "<NA>", "0.93 <NA>"])
def test_rttm_with_spaces_in_names(read: Read, tail: str) -> None:
    lines = [f"SPEAKER my call 2 1 {n}.5 1.25 <NA> <NA> {who} {tail}" for n, who in enumerate(["Ada Lee", "speaker 1"])]
    (talk,) = read("talk.rttm", "\n".join(lines))
    assert turns(talk) == [("Ada Lee", 0.5, 1.75, None), ("speaker 1", 1.5, 2.75, None)]
    first, second = read("talk.rttm", lines[0] + "\nSPEAKER other call 1 0 1 <NA> <NA> Bo <NA> <NA>\n")
    assert (first.id, second.id) == ("my call 2", "other call")
