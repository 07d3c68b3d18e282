"""A user's transcript on the recording: times filled in, found and bounded."""

from __future__ import annotations

import difflib
import itertools
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodline.core.conversation import Utterance
from moodline.listen.align import LEAST, fit_times, is_timed, match, match_words, place, speakers_of
from moodline.listen.base import Span, SpeakerSpan, Word

SMALL = ("so", "we", "go", "now", "or", "stay")
words = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "g", "h"]), max_size=60)
moments = st.one_of(st.none(), st.floats(0, 100))


@given(words, words)
def test_matches_are_equal_words_in_order(a: list[str], b: list[str]) -> None:
    pairs = match(a, b, block=7)
    assert all(a[i] == b[j] for i, j in pairs)
    assert all(i < k and j < m for (i, j), (k, m) in itertools.pairwise(pairs))
    assert match(a, a) == [(n, n) for n in range(len(a))]


def test_matching_finds_what_difflib_finds_where_a_fifth_was_misheard() -> None:
    random_ = random.Random(0)
    vocabulary = [f"w{n}" for n in range(300)]
    said = random_.choices(vocabulary, k=3000)
    heard = [w if random_.random() > 0.2 else random_.choice(vocabulary) for w in said if random_.random() > 0.05]
    whole = difflib.SequenceMatcher(None, said, heard, autojunk=False).get_matching_blocks()
    assert len(match(said, heard)) >= 0.99 * sum(block.size for block in whole)


def test_hours_of_words_are_matched_in_seconds() -> None:
    random_ = random.Random(0)
    said = random_.choices([f"w{int(random_.paretovariate(0.6)) % 5000}" for _ in range(5000)], k=50_000)
    heard = [w if random_.random() > 0.1 else "what" for w in said]
    before = time.process_time()
    assert len(match(said, heard)) > 43_000
    assert time.process_time() - before < 10


def align_words(rows: list[Utterance], heard: list[Word], speech: list[Span]) -> list[Utterance]:
    """Times for a transcript without any, in the two steps that ``listen`` takes."""
    return place(rows, match_words(rows, heard), speech)


def utterances(*texts: str, speaker: str | None = "A") -> list[Utterance]:
    return [Utterance(f"u{n}", speaker, text=text) for n, text in enumerate(texts)]


def test_times_come_from_the_recognized_words() -> None:
    heard = [Word(w, n, n + 0.8) for n, w in enumerate(["good", "morning", "how", "our", "you", "eye", "am", "fine"])]
    found = align_words(utterances("Good morning!", "How are you?", "I am fine."), heard, [Span(0, 8)])
    assert [(u.start, u.end) for u in found] == [(0.0, 1.8), (2.0, 4.8), (6.0, 7.8)]
    assert [u.text for u in found] == ["Good morning!", "How are you?", "I am fine."]


def test_what_was_not_recognized_lies_between_its_neighbours() -> None:
    heard = [Word("first", 1, 2), Word("noise", 4, 5), Word("last", 10, 11)]
    found = align_words(utterances("first", "Kjzrq.", "last"), heard, [Span(1, 11)])
    assert found[1].start == 2
    assert found[1].end == 10


@given(
    st.lists(
        st.lists(st.sampled_from(SMALL), min_size=1, max_size=6).map(" ".join),
        min_size=1,
    ),
    st.lists(st.tuples(st.sampled_from(SMALL), st.floats(0.05, 2)), max_size=40),
)
def test_aligned_times_never_run_backwards(texts: list[str], said: list[tuple[str, float]]) -> None:
    now, heard = 0.0, []
    for word, length in said:
        heard.append(Word(word, now, now + length))
        now += length + 0.1
    found = align_words(utterances(*texts), heard, [Span(0, max(now, 1.0))])
    starts = [u.start for u in found if u.start is not None]
    assert len(starts) == len(texts)
    assert starts == sorted(starts)
    assert all(u.end is not None and u.start is not None and u.end >= u.start + LEAST - 2e-3 for u in found)


@given(st.lists(st.tuples(moments, moments), min_size=1, max_size=12), st.floats(1, 60))
def test_fitted_times_lie_in_the_recording(times: list[tuple[float | None, float | None]], seconds: float) -> None:
    rows = [
        Utterance(f"u{n}", "A", a, None if a is None or b is None else max(a, b), "hm")
        for n, (a, b) in enumerate(times)
    ]
    found, notes = fit_times(rows, seconds)
    assert sorted(u.id for u in found) == sorted(u.id for u in rows)
    timed = [u for u in found if u.start is not None]
    starts = [u.start or 0.0 for u in timed]
    assert starts == sorted(starts)
    for u in timed:
        assert u.end is not None
        assert 0 <= (u.start or 0.0) < u.end <= seconds
    beyond = sum(u.start is not None and u.start >= seconds - LEAST for u in rows)
    assert len(timed) == sum(u.start is not None for u in rows) - beyond
    assert any("longer than the recording" in n for n in notes) == bool(beyond)


def test_order_and_open_ends() -> None:
    rows = [
        Utterance("b", "A", 5.0, None, "second"),
        Utterance("a", "B", 1.0, 3.0, "first"),
        Utterance("x", "B", None, None, "after the first"),
        Utterance("c", "A", 7.0, None, "third"),
    ]
    found, notes = fit_times(rows, 60)
    assert [(u.id, u.start, u.end) for u in found] == [
        ("a", 1.0, 3.0),
        ("x", None, None),
        ("b", 5.0, 7.0),
        ("c", 7.0, 22.0),
    ]
    assert any("order of time" in n for n in notes)


def test_is_timed() -> None:
    assert is_timed([Utterance("a", start=1.0, text="x"), Utterance("b", text="x"), Utterance("c", start=2.0)])
    assert not is_timed(utterances("x", "y"))


def test_speakers_are_who_speaks_longest() -> None:
    spans = [SpeakerSpan(0, 100, "S1"), SpeakerSpan(3, 4.5, "S2"), SpeakerSpan(200, 201, "S3")]
    rows = [
        Utterance("a", None, 0.0, 2.0, "x"),
        Utterance("b", None, 99.0, 104.0, "x"),
        Utterance("c", None, 150.0, 151.0, "x"),
        Utterance("d", "Ann", 0.0, 1.0, "x"),
        Utterance("e", None, None, None, "x"),
    ]
    assert [u.speaker for u in speakers_of(rows, spans)] == ["S1", "S1", None, "Ann", None]


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_recognized(count: int) -> None:
    heard = [Word("zzz", 3, 4)] * count
    found = align_words(utterances("one two", "three four"), heard, [Span(2, 6)])
    assert found[0].start == 2
    assert found[-1].end is not None
    assert found[-1].end == pytest.approx(6, abs=0.1)


def test_what_is_cut_of_turns_without_an_end_is_said() -> None:
    rows = [Utterance("a", start=0.0), Utterance("b", start=10.0), Utterance("c", start=40.0, end=50.0)]
    found, notes = fit_times(rows, 60.0)
    assert [u.end for u in found] == [10.0, 25.0, 50.0]
    assert notes == ["Turns without an end are heard for 15 s at most; this cuts 1: b."]
    assert fit_times(rows[:1] + rows[2:], 60.0)[1] != []
    assert fit_times([Utterance("a", start=0.0), Utterance("b", start=10.0)], 20.0)[1] == []


def test_milliseconds_are_told_by_the_recording() -> None:
    rows = [Utterance(f"u{n}", None, 1000.0 * n, 1000.0 * n + 800, "words") for n in range(60)]
    found, notes = fit_times(rows, 60.0)
    assert [(u.start, u.end) for u in found[:2]] == [(0.0, 0.8), (1.0, 1.8)]
    assert "milliseconds" in notes[0]
    late = [Utterance(f"u{n}", None, float(n), n + 0.8, "words") for n in range(600)]
    assert not any("milliseconds" in note for note in fit_times(late, 60.0)[1])
