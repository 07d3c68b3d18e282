"""Which tiers of TextGrids, ELAN's and EXMARaLDA's files are read, as what, and what the note says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError, TranscriptError
from moodline.transcripts.read import read_transcript
from moodline.transcripts.tier_contents import look
from moodline.transcripts.tier_names import Kind, split_tier

Labels = Sequence[tuple[float, float, str]]


def turns(conversation: Conversation) -> list[tuple[Any, ...]]:
    return [(u.speaker, u.start, u.end, u.text) for u in conversation]


def words(text: str, start: float = 0.0, each: float = 0.25) -> Labels:
    """Words that follow each other; ``|`` is a pause of two seconds."""
    out = []
    for word in text.split():
        if word == "|":
            start += 2.0
            continue
        out.append((start, start + each, word))
        start += each
    return out


def textgrid(path: Path, *tiers: tuple[str, Labels] | tuple[str, Labels, str]) -> Path:
    parts = [f'File type = "ooTextFile"\n"TextGrid"\n0\n99\n<exists>\n{len(tiers)}\n']
    for name, labels, *kind in tiers:
        points = bool(kind)
        rows = "".join(f'{a}\n{"" if points else f"{b}"}\n"{text}"\n' for a, b, text in labels)
        parts.append(f'"{"TextTier" if points else "IntervalTier"}"\n"{name}"\n0\n99\n{len(labels)}\n{rows}')
    path.write_text("".join(parts))
    return path


def eaf(path: Path, *tiers: dict[str, Any]) -> Path:
    """Tiers of ``name``, ``labels`` (aligned) or ``refs`` (number of the parent's annotation, text), ``parent``, …"""
    slots, nodes, types = [], [], {}
    for tier in tiers:
        name, kind = tier["name"], tier.get("type", "default-lt")
        types[kind] = tier.get("constraint", "")
        notes = ""
        for n, (start, end, text) in enumerate(tier.get("labels", [])):
            slots += [
                f'<TIME_SLOT TIME_SLOT_ID="{name}{n}{k}" TIME_VALUE="{round(t * 1000)}"/>'
                for k, t in (("a", start), ("b", end))
            ]
            notes += (
                f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}-{n}" TIME_SLOT_REF1="{name}{n}a" '
                f'TIME_SLOT_REF2="{name}{n}b"><ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>'
            )
        for n, (above, text) in enumerate(tier.get("refs", [])):
            notes += (
                f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{name}-{n}" ANNOTATION_REF="{tier["parent"]}-{above}">'
                f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
            )
        parent = f'PARENT_REF="{tier["parent"]}"' if "parent" in tier else ""
        who = f'PARTICIPANT="{tier["who"]}"' if "who" in tier else ""
        nodes.append(f'<TIER TIER_ID="{name}" LINGUISTIC_TYPE_REF="{kind}" {parent} {who}>{notes}</TIER>')
    ends = "".join(f'<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="{k}" CONSTRAINTS="{c}"/>' for k, c in types.items())
    path.write_text(
        f"<ANNOTATION_DOCUMENT><HEADER/><TIME_ORDER>{''.join(slots)}</TIME_ORDER>{''.join(nodes)}{ends}</ANNOTATION_DOCUMENT>"
    )
    return path


TALK: Labels = [(0.0, 1.5, "I thought that it worked."), (3.0, 4.5, "Then it broke again.")]
REPLY: Labels = [(1.6, 2.8, "Did it really?")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("words", ("", Kind.WORDS)),
        ("Ada - words", ("Ada", Kind.WORDS)),
        ("W-Words", ("W", Kind.WORDS)),
        ("words@CHI", ("CHI", Kind.WORDS)),
        ("Speaker 1 - phone", ("Speaker 1", Kind.PARTS)),
        ("MAU", ("", Kind.PARTS)),
        ("A_phrase-segnum-en", ("A", Kind.REFERENCES)),
        ("ft@SPK", ("SPK", Kind.TRANSLATION)),
        ("Übersetzung", ("", Kind.TRANSLATION)),
        ("Äußerung", ("", Kind.UTTERANCES)),
        ("Gaze left", ("left", Kind.GESTURES)),
        ("Ada_transcription", ("Ada", Kind.UTTERANCES)),
        ("speaker_one", ("speaker_one", Kind.UNKNOWN)),
        ("speakers", ("", Kind.SPEAKERS)),
        ("MOT", ("MOT", Kind.UNKNOWN)),
        ("61", ("61", Kind.UNKNOWN)),
        ("Ada Lovelace", ("Ada Lovelace", Kind.UNKNOWN)),
        ("emotion", ("", Kind.LABELS)),
        ("TRANSCRIPTION_Speaker_0001", ("Speaker_0001", Kind.UTTERANCES)),
        ("ref@SP-tx@SP", ("SP", Kind.UTTERANCES)),
        ("SpL eyebrows", ("SpL", Kind.GESTURES)),
        ("Commentaires", ("", Kind.NOTES)),
    ],
)
def test_names_of_tiers(name: str, expected: tuple[str, Kind]) -> None:
    assert split_tier(name) == expected


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ("HH AH0 L OW1 sil W ER1 L D", Kind.PARTS),
        ("h ə l əʊ w ɜː l d", Kind.PARTS),
        ("pro v adv n v det n", Kind.PARTS),
        ("abc.001 abc.002 abc.003 abc.004", Kind.REFERENCES),
        ("joy anger neutral joy neutral", Kind.LABELS),
        ("CDS ADS CDS ODS CDS", Kind.LABELS),
        ("1 1 1", Kind.TURNS),
        ("and then we went home again yesterday", Kind.WORDS),
        ("yeah no", Kind.UNKNOWN),
    ],
)
def test_looks_of_labels(texts: str, kind: Kind) -> None:
    labels = texts.split()
    assert look(labels, [0.2] * len(labels), [0.0] * (len(labels) - 1), set()) is kind


def test_short_answers_are_no_codes() -> None:
    answers = ["yeah", "mhm", "okay", "yeah", "no", "mhm", "right"] * 5
    assert look(answers, [0.4] * 35, [3.0] * 34, set()) is not Kind.LABELS


def test_words_of_several_speakers_are_put_together(tmp_path: Path) -> None:
    path = textgrid(
        tmp_path / "a.TextGrid",
        ("Ada - words", words("sil we won <p:> the match | and then sp we lost")),
        ("Ada - phones", words("W IY1 W AH1 N DH AH0 M AE1 CH", each=0.1)),
        ("Ben - words", words("oh no", start=1.0)),
    )
    (talk,) = read_transcript(path)
    assert [(u.speaker, u.text) for u in talk] == [
        ("Ada", "we won the match"),
        ("Ben", "oh no"),
        ("Ada", "and then we lost"),
    ]
    assert talk.notes == (
        "Tiers read: Ada - words (words, put together), Ben - words (words, put together); passed over: Ada - phones "
        "(parts of words). Choose with --tier NAME.",
    )


def test_words_beside_their_phrases_are_passed_over(tmp_path: Path) -> None:
    said = words("we won the match today")
    for names in (("phrase", "word"), ("word", "phrase"), ("Ada - utterances", "Ada - words")):
        tiers = dict.fromkeys(names)
        path = textgrid(
            tmp_path / "a.TextGrid",
            *((n, [(0, 1.25, "we won the match today")] if "w" not in n.split()[-1][0] else said) for n in tiers),
        )
        (talk,) = read_transcript(path)
        assert [u.text for u in talk] == ["we won the match today"]


def test_translations_references_gestures_and_notes(tmp_path: Path) -> None:
    path = textgrid(
        tmp_path / "a.TextGrid",
        ("Ada", TALK),
        ("Ben", REPLY),
        ("Ada translation", [(a, b, "Das ist anders.") for a, b, _ in TALK]),
        ("gestures", [(0.5, 1.0, "left hand up"), (2.0, 3.0, "rest")]),
        ("comments", [(0.0, 9.0, "the microphone is far away")]),
        ("ids", [(a, b, f"u.{n}") for n, (a, b, _) in enumerate(TALK)]),
    )
    (talk,) = read_transcript(path)
    assert turns(talk) == sorted([("Ada", *x) for x in TALK] + [("Ben", *x) for x in REPLY], key=lambda x: x[1])
    assert (
        "passed over: Ada translation (translation), gestures (gestures), comments (notes), ids (references)"
        in talk.notes[0]
    )


def test_a_parallel_tier_is_no_second_speaker(tmp_path: Path) -> None:
    rows = [(n * 2.0, n * 2.0 + 1.5, f"this is sentence {n} of it") for n in range(6)]
    path = textgrid(
        tmp_path / "a.TextGrid", ("English", rows), ("Quechua", [(a, b, f"kay {t[-8:]} ima") for a, b, t in rows])
    )
    (talk,) = read_transcript(path)
    assert [u.text for u in talk] == [t for _, _, t in rows]
    assert "Quechua (same times as another tier)" in talk.notes[0]
    (other,) = read_transcript(path, tiers=["quechua"])
    assert other.utterances[0].text == "kay 0 of it ima"


def test_a_tier_of_speakers_gives_the_names(tmp_path: Path) -> None:
    path = textgrid(
        tmp_path / "a.TextGrid",
        ("speaker", [(0, 1.6, "Ada"), (1.6, 2.9, "Ben"), (2.9, 4.6, "Ada")]),
        ("text", sorted([*TALK, *REPLY])),
    )
    assert [u.speaker for u in read_transcript(path)[0]] == ["Ada", "Ben", "Ada"]


def test_tiers_without_words_say_who_speaks_when(tmp_path: Path) -> None:
    path = textgrid(tmp_path / "a.TextGrid", ("CHI", [(0, 1, "1"), (2, 3, "1")]), ("MOT*", [(1, 2, "1")]))
    (talk,) = read_transcript(path)
    assert turns(talk) == [("CHI", 0, 1, None), ("MOT*", 1, 2, None), ("CHI", 2, 3, None)]
    assert "who speaks when" in talk.notes[0]


def test_point_tiers(tmp_path: Path) -> None:
    points: Labels = [(1.0, 0, "it fell down"), (4.0, 0, "and broke")]
    path = textgrid(
        tmp_path / "a.TextGrid", ("tones", [(0.5, 0, "H*"), (1.5, 0, "L%")], "point"), ("Ada", points, "point")
    )
    assert turns(read_transcript(path)[0]) == [("Ada", 1.0, None, "it fell down"), ("Ada", 4.0, None, "and broke")]
    path = textgrid(tmp_path / "b.TextGrid", ("Ben", REPLY), ("Ada", points, "point"))
    assert [u.speaker for u in read_transcript(path)[0]] == ["Ben"]
    assert [u.speaker for u in read_transcript(path, tiers=["*"])[0]] == ["Ada", "Ben", "Ada"]


def test_overlaps_in_brackets_are_words(tmp_path: Path) -> None:
    path = textgrid(
        tmp_path / "a.TextGrid",
        ("A", [(0, 2, "I said it be[fore you did]"), (4, 5, "[no no]")]),
        ("B", [(1, 2, "[when was] that now"), (5, 6, "ea[sy the]re")]),
    )
    assert [u.text for u in read_transcript(path)[0]] == [
        "I said it before you did",
        "when was that now",
        "no no",
        "easy there",
    ]


def test_chosen_tiers(tmp_path: Path) -> None:
    path = textgrid(tmp_path / "a.TextGrid", ("Ada", TALK), ("Ben", REPLY), ("notes", [(0, 9, "a fine day")]))
    assert [u.text for u in read_transcript(path, tiers=["notes"])[0]] == ["a fine day"]
    assert [u.speaker for u in read_transcript(path, tiers=["B*"])[0]] == ["Ben"]
    with pytest.raises(TranscriptError, match=r"no tier 'Eva' \(found: Ada, Ben, notes\)"):
        read_transcript(path, tiers=["Eva"])
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhi\n")
    with pytest.raises(ConfigError, match="--tier goes with textgrid, eaf, exb"):
        read_transcript(tmp_path / "a.srt", tiers=["Ada"])


def test_only_phones_are_refused(tmp_path: Path) -> None:
    path = textgrid(tmp_path / "a.TextGrid", ("Mary", words("HH AH0 L OW1 W ER1 L D", each=0.1)))
    with pytest.raises(TranscriptError, match=r"no tier holds what is said .*Mary \(parts of words\)"):
        read_transcript(path)


# -- ELAN ---------------------------------------------------------------------------------------------------------


def test_gestures_and_nested_tiers_of_elan(tmp_path: Path) -> None:
    sub = {"constraint": "Symbolic_Subdivision"}
    path = eaf(
        tmp_path / "a.eaf",
        {"name": "W-Spch", "labels": TALK, "type": "utterance"},
        {"name": "K-Spch", "labels": REPLY, "type": "utterance", "who": "Kim"},
        {
            "name": "W-Words",
            "parent": "W-Spch",
            "type": "wd",
            "refs": [(0, w) for w in str.split("I thought that it worked")],
            **sub,
        },
        {
            "name": "W-POS",
            "parent": "W-Words",
            "type": "pos",
            "refs": [(0, "pro"), (1, "v")],
            "constraint": "Symbolic_Association",
        },
        {"name": "W-RGU", "labels": [(0, 9, "R Gesture Unit 1")], "type": "gestures"},
        {"name": "XY", "labels": [(0, 9, "both hands up")], "type": "gesture_phrase"},
    )
    (talk,) = read_transcript(path)
    assert {u.speaker for u in talk} == {"W", "Kim"}
    assert [u.text for u in talk] == [t for _, _, t in sorted([*TALK, *REPLY])]
    assert "W-RGU (gestures), XY (gestures)" in talk.notes[0]
    (split,) = read_transcript(path, tiers=["W-Words"])
    assert turns(split) == [("W", 0.0, 1.5, "I thought that it worked")]


def test_words_below_references(tmp_path: Path) -> None:
    path = eaf(
        tmp_path / "a.eaf",
        {"name": "ref@SPK", "labels": [(a, b, f"talk.{n:03}") for n, (a, b, _) in enumerate(TALK)], "who": "Ada"},
        {"name": "tx@SPK", "parent": "ref@SPK", "refs": [(n, t) for n, (_, _, t) in enumerate(TALK)]},
        {"name": "mb@SPK", "parent": "tx@SPK", "refs": [(0, "I"), (0, "think-PST")]},
        {"name": "ft@SPK", "parent": "ref@SPK", "refs": [(0, "Ich dachte, es geht."), (1, "Dann ging es nicht.")]},
    )
    (talk,) = read_transcript(path)
    assert turns(talk) == [("Ada", *x) for x in TALK]
    assert "Tiers read: tx@SPK" in talk.notes[0]


def test_types_of_elan_tell_words_from_codes(tmp_path: Path) -> None:
    codes = [(a, b, f"possible cause {n}") for n, (a, b, _) in enumerate(TALK)]
    path = eaf(
        tmp_path / "a.eaf",
        {"name": "BRI", "labels": TALK, "type": "orthography"},
        {"name": "LIN", "labels": REPLY, "type": "orthography", "who": "Lin"},
        {"name": "BRI belief", "labels": codes, "type": "belief"},
    )
    (talk,) = read_transcript(path)
    assert {u.speaker for u in talk} == {"BRI", "Lin"}
    assert "BRI belief (notes)" in talk.notes[0]


def test_two_tiers_of_words_of_nobody_over_each_other(tmp_path: Path) -> None:
    path = textgrid(
        tmp_path / "a.TextGrid", ("sentence", [(0.0, 2.0, "Something short.")]), ("transcription", [*TALK, (5, 9, "_")])
    )
    (talk,) = read_transcript(path)
    assert [u.text for u in talk] == [text for _, _, text in TALK]
    assert "sentence (same times as another tier)" in talk.notes[0]


def test_segments_without_words_of_elan(tmp_path: Path) -> None:
    path = eaf(
        tmp_path / "a.eaf",
        {"name": "CHI", "labels": [(0, 1, "0."), (2, 3, "0.")]},
        {"name": "vcm@CHI", "parent": "CHI", "refs": [(0, "C"), (1, "N")]},
        {"name": "code_num", "labels": [(0, 60, "random3"), (90, 150, "random7")]},
    )
    assert turns(read_transcript(path)[0]) == [("CHI", 0, 1, None), ("CHI", 2, 3, None)]
    path = eaf(
        tmp_path / "b.eaf",
        {"name": "CHI", "labels": [(0, 1, ""), (2, 3, "")]},
        {"name": "vcm@CHI", "parent": "CHI", "refs": [(0, "C"), (1, "N")]},
    )
    assert turns(read_transcript(path)[0]) == [("CHI", 0, 1, None), ("CHI", 2, 3, None)]


def test_vocalizations_beside_words_are_events(tmp_path: Path) -> None:
    path = eaf(tmp_path / "a.eaf", {"name": "CHI", "labels": [(0, 1, "0."), (2, 3, "a fish.")]})
    (talk,) = read_transcript(path)
    assert turns(talk) == [("CHI", 2, 3, "a fish.")]
    assert [(e.text, e.start) for e in talk.events] == [("0.", 0)]


def test_a_participant_that_is_shared_is_none(tmp_path: Path) -> None:
    path = eaf(
        tmp_path / "a.eaf",
        {"name": "FA2", "labels": TALK, "who": "MULTI"},
        {"name": "MA1", "labels": REPLY, "who": "MULTI"},
    )
    assert {u.speaker for u in read_transcript(path)[0]} == {"FA2", "MA1"}


def test_tiers_that_hang_from_each_other_in_a_circle(tmp_path: Path) -> None:
    path = eaf(
        tmp_path / "a.eaf",
        {"name": "A", "labels": TALK},
        {"name": "B", "parent": "C", "refs": [(0, "hello there now")]},
        {"name": "C", "parent": "B", "refs": [(0, "hello there again")]},
    )
    assert [u.text for u in read_transcript(path)[0]] == [t for _, _, t in TALK]


# -- EXMARaLDA ----------------------------------------------------------------------------------------------------

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<basic-transcription><head><meta-information><project-name/></meta-information><speakertable>
<speaker id="SPK0"><abbreviation>Ada</abbreviation></speaker>
<speaker id="SPK1"><abbreviation>Ben</abbreviation></speaker>
</speakertable></head><basic-body><common-timeline>
<tli id="T0" time="0.0"/><tli id="T1" time="1.0"/><tli id="T2"/><tli id="T3" time="3.0"/><tli id="T4" time="5.0"/>
</common-timeline>"""
_TIERS = [
    ("SPK0", "v", "t", "Ada [v]", "T0 T1 We thought /T1 T2 that it worked. /T3 T4 Then it broke."),
    ("SPK0", "en", "a", "Ada [en]", "T0 T2 some translation of it"),
    ("SPK1", "v", "t", "Ben [v]", "T1 T2 Oh no! "),
    ("SPK1", "nv", "d", "Ben [nv]", "T2 T3 nods"),
]
EXB = _HEAD
for _who, _category, _kind, _name, _events in _TIERS:
    EXB += f'<tier id="{_name[:3]}" speaker="{_who}" category="{_category}" type="{_kind}" display-name="{_name}">'
    for _start, _end, _text in (event.split(" ", 2) for event in _events.split("/")):
        EXB += f'<event start="{_start}" end="{_end}">{_text}</event>'
    EXB += "</tier>"
EXB += "</basic-body></basic-transcription>"


def test_exmaralda(tmp_path: Path) -> None:
    (tmp_path / "a.exb").write_text(EXB)
    (talk,) = read_transcript(tmp_path / "a.exb")
    assert turns(talk) == [
        ("Ada", 0.0, 2.0, "We thought that it worked."),
        ("Ben", 1.0, 2.0, "Oh no!"),
        ("Ada", 3.0, 5.0, "Then it broke."),
    ]
    assert [(e.text, e.speaker, e.start, e.end) for e in talk.events] == [("nods", "Ben", 2.0, 3.0)]
    assert "Tiers read: Ada [v], Ben [v]; passed over: Ada [en] (notes)" in talk.notes[0]
    (english,) = read_transcript(tmp_path / "a.exb", tiers=["Ada [en]"])
    assert [u.text for u in english] == ["some translation of it"]
    (tmp_path / "b.exb").write_text(EXB.replace('start="T3"', 'start="T9"'))
    with pytest.raises(TranscriptError, match=r"names no point of the time line .found: 'T9'"):
        read_transcript(tmp_path / "b.exb")


def test_an_exb_cut_at_every_byte_is_refused_in_one_line(tmp_path: Path) -> None:
    data, path = EXB.encode(), tmp_path / "a.exb"
    for size in range(1, len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(TranscriptError) as caught:
            read_transcript(path)
        assert "\n" not in str(caught.value)


def test_long_files_take_time_in_proportion(tmp_path: Path) -> None:
    """Each of these loops over two tiers was once quadratic; now ten thousand labels are a matter of a second."""
    count = 10_000
    text = [(n * 2.0, n * 2 + 1.8, f"this is sentence number {n} here") for n in range(count)]
    other = [(n * 2 + 0.3, n * 2 + 1.9, f"line {n} here") for n in range(count)]
    speakers = [(n * 4.0, n * 4 + 4.0, ("Ada", "Ben")[n % 2]) for n in range(count // 2)]
    path = textgrid(tmp_path / "a.TextGrid", ("text", text), ("sentence", other), ("speaker", speakers))
    (talk,) = read_transcript(path)
    assert len(talk) == count
    assert [u.speaker for u in talk][:4] == ["Ada", "Ada", "Ben", "Ben"]
