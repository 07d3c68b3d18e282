"""From recognized stretches to utterances, and pieces to stretches: whatever comes in, what must hold."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from moodline.listen.base import Chunk, Recognized, Span, SpeakerSpan, Word
from moodline.listen.transcriber import group, pieces
from moodline.listen.turns import LONGEST, PAUSE, spread, turns


def chunk(start: float, end: float, speaker: str | None, text: str, words: tuple[Word, ...] = ()) -> Chunk:
    return Chunk(Span(start, end), speaker, Recognized(text, words), (Span(start, end),))


times = st.floats(0, 600).map(lambda x: round(x, 2))
texts = st.lists(st.sampled_from(["yes", "no.", "well,", "really?", "I", "think", "so!"]), max_size=40).map(" ".join)
spans = st.tuples(times, st.floats(0.05, 30)).map(lambda t: Span(t[0], round(t[0] + t[1], 3)))
chunks = st.lists(
    st.builds(lambda s, who, text: chunk(*s, who, text), spans, st.sampled_from(["S1", "S2", "S3", None]), texts),
    max_size=20,
)


@given(chunks)
def test_no_word_is_lost_or_given_to_another(given_: list[Chunk]) -> None:
    found = turns(given_)
    for who in {c.speaker for c in given_}:
        said = sorted(w for c in given_ if c.speaker == who for w in c.recognized.text.split())
        assert sorted(w for u in found if u.speaker == who for w in (u.text or "").split()) == said


@given(chunks)
def test_utterances_are_in_order_and_within_their_speech(given_: list[Chunk]) -> None:
    found = turns(given_)
    assert [u.id for u in found] == [f"u{n}" for n in range(len(found))]
    starts = [u.start or 0.0 for u in found]
    assert starts == sorted(starts)
    for u in found:
        assert u.start is not None
        assert u.end is not None
        own = [c.span for c in given_ if c.speaker == u.speaker]
        assert min(s.start for s in own) - 1e-3 <= u.start <= u.end <= max(s.end for s in own) + 1e-3


@given(chunks)
def test_without_words_voices_remain(given_: list[Chunk]) -> None:
    found = turns(given_, words=False)
    assert all(u.text is None for u in found)
    heard = {c.speaker for c in given_ if c.span.seconds >= 1}
    assert heard <= {u.speaker for u in found}


@given(texts.filter(bool), st.lists(st.tuples(st.floats(0.05, 5), st.floats(0.1, 3)), min_size=1, max_size=6))
def test_estimated_times_rise_and_stay_where_there_is_voice(text: str, parts: list[tuple[float, float]]) -> None:
    now, speech = 0.0, []
    for gap, length in parts:
        speech.append(Span(now + gap, now + gap + length))
        now += gap + length
    words = spread(text, speech)
    assert [w.text for w in words] == text.split()
    edges = [t for w in words for t in (w.start, w.end)]
    assert all(b >= a - 1e-6 for a, b in itertools.pairwise(edges))
    if len(words) >= len(speech):
        assert abs(words[0].start - speech[0].start) < 1e-6
        assert abs(words[-1].end - speech[-1].end) < 1e-6
    for w in words:  # no word reaches over a pause
        assert any(s.start - 1e-6 <= w.start <= w.end <= s.end + 1e-6 for s in speech)


def test_one_speaker_is_one_utterance_until_a_pause() -> None:
    near = [chunk(0, 1, "S1", "Hello there."), chunk(1.2, 2, "S1", "How are you?")]
    assert [u.text for u in turns(near)] == ["Hello there. How are you?"]
    far = [near[0], chunk(1 + PAUSE, 3, "S1", "How are you?")]
    assert [u.text for u in turns(far)] == ["Hello there.", "How are you?"]


def test_another_speaker_ends_an_utterance() -> None:
    found = turns([chunk(0, 1, "S1", "A."), chunk(1.1, 1.5, "S2", "B."), chunk(1.6, 2, "S1", "C.")])
    assert [(u.speaker, u.text) for u in found] == [("S1", "A."), ("S2", "B."), ("S1", "C.")]


def test_talking_into_anothers_speech_does_not_cut_it() -> None:
    long = chunk(0, 4, "S1", "one two three four five six seven eight")
    found = turns([chunk(1.5, 2.0, "S2", "Yes."), long])
    assert [(u.speaker, u.text) for u in found] == [("S1", long.recognized.text), ("S2", "Yes.")]


def test_monologues_are_cut_at_sentences() -> None:
    text = " ".join(f"This is sentence number {n}." for n in range(30))
    found = turns([chunk(12.0 * n, 12.0 * n + 11.9, "S1", text) for n in range(5)])
    assert len(found) > 5
    for u in found:
        assert u.text is not None
        assert u.text.endswith(".")
        assert (u.end or 0) - (u.start or 0) <= 12


def test_endless_sentences_are_cut_too() -> None:
    text = " ".join(["and"] * 60)
    found = turns([chunk(12.0 * n, 12.0 * n + 12, "S1", text) for n in range(10)])
    assert max((u.end or 0) - (u.start or 0) for u in found) <= LONGEST + 0.5


def test_given_word_times_are_used() -> None:
    words = (Word("Well,", 0.5, 0.8), Word("no.", 3.0, 3.4))
    found = turns([chunk(0, 4, "S1", "Well, no.", words)])
    assert [(u.start, u.end, u.text) for u in found] == [(0.5, 0.8, "Well,"), (3.0, 3.4, "no.")]


def test_a_laugh_is_an_utterance_and_a_click_is_none() -> None:
    found = turns([chunk(0, 1, "S1", ""), chunk(5, 5.2, "S1", "")])
    assert [(u.start, u.end, u.text) for u in found] == [(0, 1, None)]


who = st.lists(st.builds(lambda s, name: SpeakerSpan(*s, name), spans, st.sampled_from(["S1", "S2"])), max_size=12)


@given(who, st.lists(st.tuples(st.floats(0.05, 9), st.floats(0.2, 20)), max_size=30), st.floats(2, 30))
def test_pieces_and_groups(given_: list[SpeakerSpan], parts: list[tuple[float, float]], longest: float) -> None:
    now, segments = 0.0, []
    for gap, length in parts:
        segments.append(Span(now + gap, now + gap + length))
        now += gap + length
    found = pieces(given_, segments, longest)
    assert found == sorted(found)
    assert all(0 < p.end - p.start <= longest + 1e-6 for p in found)
    for span in given_:  # no span vanishes
        assert any(p.speaker == span.speaker and p.start < span.end and p.end > span.start for p in found)
    groups = group(found, longest)
    assert [p for g in groups for p in g] == found
    for g in groups:
        assert len({p.speaker for p in g}) == 1
        assert g[-1].end - g[0].start <= longest + 1e-6
