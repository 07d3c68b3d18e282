"""Dialogue that two corpora share: copies with small changes are found, other conversations are not."""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation, Utterance
from moodline.core.labels import MELD_7
from moodline.corpora.base import Corpus
from moodline.corpora.overlap import COMMON, RUN, SHARED, find_overlap, overlapping, summarize_overlap, words
from moodline.corpora.registry import read_corpus
from tests.tiny import call

TALK = (
    "Where did you put the blue suitcase?", "Under the stairs, next to your grandmother's umbrella.",
    "There is nothing under the stairs but dust.", "Then somebody must have moved it on Tuesday!",
)  # fmt: skip
OTHER = (
    "Our train leaves in eleven minutes.", "I know, the taxi is already waiting downstairs.",
    "Have you locked the kitchen window?", "Twice, and I fed the neighbours' cat as well.",
)  # fmt: skip


def conversation(key: str, texts: tuple[str | None, ...] | list[str]) -> Conversation:
    return Conversation(key, tuple(Utterance(f"{key}_{n}", text=text) for n, text in enumerate(texts)))


def corpus(name: str, **splits: list[Conversation]) -> Corpus:
    return Corpus(name, MELD_7, {s: tuple(c) for s, c in splits.items()})


def test_words() -> None:
    assert words("C’mon, it's a déjà-vu!") == words("cmon its a DÉJÀ vu") == ["cmon", "its", "a", "déjà", "vu"]
    assert words("你好, world") == ["你", "好", "world"]
    assert words(None) == words(" … ?! _") == []


def test_a_conversation_in_two_corpora_is_found_by_split() -> None:
    cut = ("where did you put the blue suit-case Under the stairs", "next to your grandmothers umbrella")
    first = corpus("a", train=[conversation("a1", OTHER)], dev=[], test=[conversation("a2", TALK)])
    second = corpus(
        "b", train=[conversation("b1", cut), conversation("b2", ("Hello.",))], dev=[conversation("b3", OTHER)]
    )
    found = find_overlap(first, second)
    assert [(m.first_split, m.first, m.second_split, m.second) for m in found] == [
        ("train", "a1", "dev", "b3"),
        ("test", "a2", "train", "b1"),
    ]
    assert found[0].runs == len(words(" ".join(OTHER))) - RUN + 1
    assert overlapping(first, second) == {"b1"}
    assert overlapping(first, second, ("train",)) == {"b3"}
    report = summarize_overlap(first, second)
    assert json.loads(json.dumps(report)) == report
    assert {(r["target_split"], r["auxiliary_split"]): r["pairs"] for r in report["pairs"]} == {
        ("train", "train"): 0, ("train", "dev"): 1, ("dev", "train"): 0, ("dev", "dev"): 0, ("test", "train"): 1,
        ("test", "dev"): 0,
    }  # fmt: skip
    assert report["removed"]["dev and test"] == {"conversations": 1, "of": 3, "utterances": 2, "ids": ["b1"]}
    assert report["removed"]["all splits"]["ids"] == ["b1", "b3"]
    assert report["too_short"] == {"a": 0, "b": 1}


def test_common_phrases_and_missing_text_do_not_count() -> None:
    phrase = "well you know how it is with these things"
    left = corpus("a", test=[conversation(f"a{n}", (phrase, None)) for n in range(COMMON + 1)])
    right = corpus("b", train=[conversation("b", (None, phrase))])
    assert find_overlap(left, right) == ()
    few = corpus("a", test=list(left.splits["test"][:COMMON]))
    assert len(find_overlap(few, right)) == COMMON


def test_one_corpus_twice_tells_its_own_repetitions() -> None:
    one = corpus("a", train=[conversation("x", TALK), conversation("y", OTHER)], test=[conversation("z", TALK)])
    assert {(m.first, m.second) for m in find_overlap(one, one)} == {("x", "z"), ("z", "x")}


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(12, 80), st.data())
def test_a_copy_with_small_edits_is_found_and_strangers_are_not(
    rng: random.Random, size: int, data: st.DataObject
) -> None:
    """Any edits that leave ``SHARED`` runs whole: each changed, added or lost word spoils at most ``RUN``."""
    edits = data.draw(st.integers(0, (size - RUN + 1 - SHARED) // RUN))
    said = [f"w{n}" for n in rng.sample(range(10_000), size)]
    copy = list(said)
    for number in range(edits):
        place = rng.randrange(len(copy))
        kind = rng.choice(("change", "add", "lose"))
        copy[place : place + (kind != "add")] = [] if kind == "lose" else [f"new{number}"]
    strangers = [[f"s{c}x{n}" for n in range(size)] for c in range(3)]
    left = corpus("a", test=[conversation("original", cut(said, rng))])
    right = corpus("b", train=[conversation(f"stranger{n}", cut(s, rng)) for n, s in enumerate(strangers)])
    assert find_overlap(left, right) == ()
    right.splits["dev"] = (conversation("copy", [t.upper() + rng.choice("?!…") for t in cut(copy, rng)]),)
    assert overlapping(left, right) == {"copy"}
    assert overlapping(right, left, ("dev",)) == {"original"}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=0, max_size=30), st.lists(st.sampled_from("abcdefgh"), max_size=30)
)
def test_it_is_symmetric_and_counts_runs(first: list[str], second: list[str]) -> None:
    left = corpus("a", test=[conversation("x", [" ".join(first)] if first else ["-"])])
    right = corpus("b", test=[conversation("y", [" ".join(second)] if second else ["-"])])
    runs = [{tuple(w[i : i + RUN]) for i in range(len(w) - RUN + 1)} for w in (first, second)]
    there, back = find_overlap(left, right), find_overlap(right, left)
    assert [m.runs for m in there] == [m.runs for m in back]
    assert [m.runs for m in there] == [n for n in [len(runs[0] & runs[1])] if n >= SHARED]


def cut(said: list[str], rng: random.Random) -> list[str]:
    """Words as utterances of any length."""
    out: list[str] = []
    while said:
        n = rng.randint(1, 9)
        out.append(" ".join(said[:n]))
        said = said[n:]
    return out


def test_command(house: Path, tmp_path: Path) -> None:
    code, out, error = call("overlap", "house", "house", house, "--json")
    assert (code, error) == (0, "")
    assert json.loads(out)["target"] == "house"
    code, out, error = call("overlap", "house", "house", house, "--auxiliary-data", house)
    assert (code, error) == (0, "")
    assert "share dialogue" in out
    code, out, error = call("overlap", "house", "nothing", house)
    assert (code, out) == (2, "")
    assert "unknown corpus 'nothing'" in error


# -- MELD and EmoryNLP, both Friends: seasons, episodes and clocks know nothing of the words ----------------------


def episode(row: dict[str, str]) -> tuple[int, int]:
    return int(row["Season"]), int(row["Episode"])


@pytest.mark.corpus
def test_friends(data: Path) -> None:
    meld, emory = read_corpus("meld", data), read_corpus("emorynlp", data)
    aired = {}
    for split in meld.splits:
        with next(data.rglob(f"{split}_sent_emo.csv")).open(encoding="utf-8", errors="replace", newline="") as file:
            aired |= {f"{split}/dia{int(r['Dialogue_ID'])}": episode(r) for r in csv.DictReader(file)}
    found = find_overlap(meld, emory)
    same = [m for m in found if "s{:02d}_e{:02d}".format(*aired[m.first]) == m.second[:7]]
    assert (len(found), len(same)) == (401, 361)  # of the other 40, read by eye: 28 scenes shown again, 2 songs
    assert len(overlapping(meld, emory)) == 112
    assert len(overlapping(emory, meld)) == 79

    scenes = defaultdict(list)
    for scene in (c for conversations in emory.splits.values() for c in conversations):
        scenes[scene.id[:7]].append(scene)
    pairs = {(m.first, m.second) for m in found}
    sure = [
        (dialogue.id, scene.id)
        for dialogue in (c for conversations in meld.splits.values() for c in conversations)
        for scene in scenes["s{:02d}_e{:02d}".format(*aired[dialogue.id])]
        if same_time_and_speakers(dialogue, scene)
    ]
    assert len(sure) == 143
    assert set(sure) <= pairs


def same_time_and_speakers(dialogue: Conversation, scene: Conversation) -> bool:
    """At least three utterances, 70 % of a dialogue, begin within 6 s of one of the same speaker in the scene."""
    hits = 0
    for u in dialogue:
        at = [v.start for v in scene if v.start is not None and first_name(v) == first_name(u)]
        hits += u.start is not None and any(abs(u.start - t) <= 6 for t in at)
    return hits >= max(3, 0.7 * len(dialogue))


def first_name(utterance: Utterance) -> str:
    return (utterance.speaker or "?").split()[0].casefold()
