"""The summary of a corpus."""

import json
from pathlib import Path

import numpy as np

from moodline.core.conversation import Conversation, Utterance
from moodline.core.labels import LabelSet
from moodline.corpora import meld
from moodline.corpora.base import Corpus, Defect
from moodline.corpora.inspect import corpus_hash, summarize

from .helpers import meld_row, write_meld


def test_summary() -> None:
    turns = tuple(
        Utterance(str(n), "ab"[n % 2], text="so it goes"[: n * 5 + 2], emotion=e)
        for n, e in enumerate(("x", None, "x"))
    )
    corpus = Corpus(
        "made", LabelSet("two", ("x", "y")),
        {"train": (Conversation("1", turns), Conversation("2", (Utterance("9"),))), "test": ()},
        {"speech": {"0": np.ones((4, 2)), "1": np.ones((6, 2))}, "text": {"0": np.ones(3)}, "none": {}},
        tuple(Defect("odd", str(n), "dropped", "d") for n in range(7)), {"f": "abc"}, {"k": 1},
    )  # fmt: skip
    found = summarize(corpus)
    json.dumps(found)
    assert found["splits"]["train"] == {
        "conversations": 2, "utterances": 4, "labels": {"x": 2, "y": 0}, "unlabelled": 2, "speakers": 2,
    }  # fmt: skip
    lengths = found["lengths"]["train"]
    assert (lengths["min"], lengths["median"], lengths["max"]) == (1, 2, 3)
    assert lengths["histogram"] == {"1": 1, "2-5": 1, "6-10": 0, "11-20": 0, "21-50": 0, "51+": 0}
    assert found["words"] == {"train": {"total": 7, "min": 1, "median": 3, "max": 3}, "test": {"total": 0}}
    assert found["features"] == {
        "speech": {"dim": 2, "utterances": 2, "frames": {"min": 4, "median": 5, "max": 6}},
        "text": {"dim": 3, "utterances": 1},
        "none": {"dim": 0, "utterances": 0},
    }
    assert found["defects"]["odd"]["count"] == 7
    assert len(found["defects"]["odd"]["examples"]) == 5
    assert found["hash"] == corpus_hash(corpus)


def test_the_hash_follows_the_files(tmp_path: Path) -> None:
    first = corpus_hash(meld.read(write_meld(tmp_path)))
    assert corpus_hash(meld.read(tmp_path)) == first
    assert corpus_hash(meld.read(write_meld(tmp_path, dev=[meld_row(0, 0, "Other.")]))) != first
