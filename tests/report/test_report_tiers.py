"""TextGrid and ELAN: what is written can be read again, by us and by others, whatever the turns are like."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.errors import ConversationError
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.write import check_times, write_prediction
from moodline.transcripts.nonspeech import split_sounds
from moodline.transcripts.read import read_transcript

Make = Callable[..., Prediction]
SCORES = {"joy": 0.8125, "neutral": 0.1875}
UNITS = {".TextGrid": 6, ".eaf": 3, ".exb": 3}  # decimals of a second
both = pytest.mark.parametrize("suffix", list(UNITS))


def talk(*turns: tuple[str | None, float, float, str | None]) -> Prediction:
    utterances = tuple(
        UtterancePrediction(f"u{n}", who, a, b, text, SCORES, n == 1, {"text": SCORES}, {"text": 1.0})
        for n, (who, a, b, text) in enumerate(turns)
    )
    return Prediction("talk", "tiny", "0.1.0", ("neutral", "joy"), utterances)


OVERLAPPING = talk(
    ("Ann", 0, 2, 'he said "hi"'),
    ("Ann", 1.5, 3, "& <b>"),
    ("Bo", 2, 2.5, None),
    ("Ann", 2, 4, "touching the first"),
    (None, 4, 4, "no length, no speaker"),
)


def test_praatio_reads_what_we_write(tmp_path: Path) -> None:
    textgrid = pytest.importorskip("praatio.textgrid")
    path = tmp_path / "a.TextGrid"
    write_prediction([OVERLAPPING], path)
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False, reportingMode="error")
    lanes = ("Ann", "Ann [overlap 2]", "Bo", "[no speaker]")
    assert grid.tierNames == tuple(name + part for name in lanes for part in ("", " [emotion]", " [confidence]"))
    assert [tuple(e) for e in grid.getTier("Ann").entries] == [(0, 2, 'he said "hi"'), (2, 4, "touching the first")]
    assert [tuple(e) for e in grid.getTier("Ann [overlap 2] [emotion]").entries] == [(1.5, 3, "joy?")]
    assert [tuple(e) for e in grid.getTier("Bo [confidence]").entries] == [(2, 2.5, "0.81")]
    assert [tuple(e) for e in grid.getTier("[no speaker]").entries] == [(4, 4.000001, "no length, no speaker")]
    whole = textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="error")
    for tier in whole.tiers:  # Praat wants intervals from end to end
        assert (tier.entries[0].start, tier.entries[-1].end) == (0, 4.000001)
        assert all(a.end == b.start for a, b in zip(tier.entries, tier.entries[1:], strict=False))


def test_pympi_reads_what_we_write(tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan")
    path = tmp_path / "a.eaf"
    (tmp_path / "sound").mkdir()
    media = tmp_path / "sound" / "my call.wav"
    write_prediction([dataclasses.replace(OVERLAPPING, media=media)], path)
    eaf = elan.Eaf(str(path))
    assert eaf.get_annotation_data_for_tier("Ann") == [(0, 2000, 'he said "hi"'), (2000, 4000, "touching the first")]
    assert eaf.get_ref_annotation_data_for_tier("Ann [emotion]") == [
        (0, 2000, "joy", 'he said "hi"'),
        (2000, 4000, "joy", "touching the first"),
    ]
    assert [a[2] for a in eaf.get_ref_annotation_data_for_tier("Ann [overlap 2] [emotion]")] == ["joy?"]
    assert [a[2] for a in eaf.get_ref_annotation_data_for_tier("Bo [confidence]")] == ["0.81"]
    assert eaf.get_parameters_for_tier("Ann [overlap 2]")["PARTICIPANT"] == "Ann"
    (linked,) = eaf.get_linked_files()
    assert linked["MEDIA_URL"] == media.as_uri()
    assert linked["RELATIVE_MEDIA_URL"] == "./sound/my call.wav"


def test_the_elan_file_refers_only_to_what_it_has(tmp_path: Path) -> None:
    write_prediction([OVERLAPPING], tmp_path / "a.eaf")
    root = ElementTree.parse(tmp_path / "a.eaf").getroot()
    ids = [a.get("ANNOTATION_ID") for a in root.iter() if a.get("ANNOTATION_ID")]
    assert len(ids) == len(set(ids)) == 15
    assert root.findtext("HEADER/PROPERTY") == "15"
    kinds = {k.get("LINGUISTIC_TYPE_ID"): k for k in root.iterfind("LINGUISTIC_TYPE")}
    constraints = {c.get("STEREOTYPE") for c in root.iterfind("CONSTRAINT")}
    tiers = {t.get("TIER_ID"): t for t in root.iterfind("TIER")}
    for name, tier in tiers.items():
        kind = kinds[tier.get("LINGUISTIC_TYPE_REF")]
        parent = tier.get("PARENT_REF")
        assert kind.get("CONSTRAINTS") in (constraints if parent else {None}), name
        refs = {a.get("ANNOTATION_REF") for a in tier.iter("REF_ANNOTATION")}
        assert refs == (
            {a.get("ANNOTATION_ID") for a in tiers[parent].iter("ALIGNABLE_ANNOTATION")} if parent else set()
        )


@both
def test_our_readers_read_what_we_write(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"talk{suffix}"
    write_prediction([OVERLAPPING], path)
    (read,) = read_transcript(path)
    assert [(u.speaker, u.text) for u in read] == [
        ("Ann", 'he said "hi"'),
        ("Ann", "& <b>"),
        ("Ann", "touching the first"),
        ("Bo", "…"),
        (None, "no length, no speaker"),
    ]


@both
def test_times_and_one_conversation_are_needed(make: Make, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    for act in (lambda p: write_prediction(p, path), lambda p: check_times(path, [x.utterances for x in p])):
        with pytest.raises(ConversationError, match=r"need turns with a start and an end: none has both"):
            act([make(timed=False)])
        with pytest.raises(ConversationError, match=r"hold one conversation \(found: 2 conversations\)"):
            act([make("a"), make("b")])
    assert list(tmp_path.iterdir()) == []
    check_times(tmp_path / "a.json", [make(timed=False).utterances])


words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)
speakers = st.sampled_from(["Ann", "text", "SPEAKER_00", "words", None]) | words.filter(
    lambda name: bool(name.strip()) and not name.rstrip().endswith("]")
)
said = words.filter(lambda text: not split_sounds(" ".join(text.split()))[1])  # what is no speech becomes an event
times = st.floats(0, 40_000, allow_nan=False)


@st.composite
def talks(draw: st.DrawFn) -> Prediction:
    rows = draw(st.lists(st.tuples(speakers, times, st.floats(0, 9), st.none() | said), min_size=1, max_size=9))
    return talk(*[(who, start, start + length, text) for who, start, length, text in rows])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiers")


def held(text: str | None) -> str:
    """What a file can hold of a text: one line, no control characters."""
    kept = "".join("�" if (ord(c) < 32 and not c.isspace()) or c in "\x7f\ufffe\uffff" else c for c in text or "…")
    return " ".join(kept.split()) or "…"


@both
@given(prediction=talks())
@settings(max_examples=80, deadline=None)
def test_any_turns_come_back(folder: Path, suffix: str, prediction: Prediction) -> None:
    path = folder / f"talk{suffix}"
    write_prediction([prediction], path)
    (read,) = read_transcript(path)
    unit = 10.0 ** -UNITS[suffix]
    expected = [
        (u.start or 0, None if u.speaker is None else held(u.speaker), held(u.text), u.end or 0)
        for u in prediction.utterances
    ]
    left = list(read)
    for start, speaker, text, end in expected:
        match = [
            u
            for u in left
            if (u.speaker, u.text) == (speaker, text)
            and abs((u.start or 0) - start) < unit
            and abs((u.end or 0) - end) < 2 * unit
        ]
        assert match, (start, speaker, text, end)
        left.remove(match[0])
    assert left == []


sentences = st.from_regex(r"\A[A-Z][a-z]{1,8}( [a-z]{2,8}){1,5}[.!?]\Z")
people = st.sampled_from(["Ann", "Bo Lee", "SPEAKER_00"])


@pytest.mark.parametrize(("suffix", "decimals"), [(".txt", 1), (".rttm", 3), (".srt", 3), (".vtt", 3)])
@given(rows=st.lists(st.tuples(people, st.integers(0, 50), st.integers(10, 90), sentences), min_size=2, max_size=8))
@settings(max_examples=60, deadline=None)
def test_turns_come_back_from_text(
    folder: Path, suffix: str, decimals: int, rows: list[tuple[str, int, int, str]]
) -> None:
    at, turns = 0.0, []
    for who, gap, length, text in rows:
        turns.append((who, round(at + gap / 10, 1), round(at + gap / 10 + length / 10, 1), text))
        at = turns[-1][2]
    path = folder / f"talk{suffix}"
    write_prediction([talk(*turns)], path)
    (read,) = read_transcript(path)
    for u, (who, start, end, text) in zip(read, turns, strict=True):
        assert u.speaker == (who.replace(" ", "_") if suffix == ".rttm" else who)
        assert u.text == (None if suffix == ".rttm" else text)
        assert (u.start, u.end) == pytest.approx((start, end), abs=0.6 * 10.0**-decimals)
