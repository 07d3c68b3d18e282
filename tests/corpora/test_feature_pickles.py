"""Tuples of features: which is which, and what contradicts itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodline.core.errors import ConfigError, CorpusError, UnsafePickleError
from moodline.corpora import emorynlp, feature_pickles, iemocap, meld
from moodline.corpora.feature_pickles import LAYOUTS

from . import tuples
from .helpers import dump

IEMOCAP = [(a, names) for a, corpora, names in LAYOUTS if "iemocap" in corpora]
MELD = [(a, names) for a, corpora, names in LAYOUTS if "meld" in corpora]


@pytest.mark.parametrize(("authors", "names"), IEMOCAP, ids=[f"{a}-{len(n)}" for a, n in IEMOCAP])
@pytest.mark.parametrize("protocol", [2, 4])
def test_iemocap_layouts(authors: str, names: tuple[str, ...], protocol: int, tmp_path: Path) -> None:
    elements = tuples.iemocap()
    if "dev" in names:
        elements["train"] = [t for t in tuples.TRAIN if t not in tuples.DEV]
    path = dump(tmp_path / "pickle" / "features.pkl", tuples.make(names, elements), protocol)
    corpus = iemocap.read(path.parent)
    assert corpus.info["layout"].startswith(f"{authors} (IEMOCAP): {len(names)} elements")
    assert {s: [c.id for c in cs] for s, cs in corpus.splits.items()} == {
        "train": ["Ses01F_impro01", "Ses02F_script01_1"],
        "dev": ["Ses01M_impro01", "Ses03F_impro01"],
        "test": ["Ses05F_impro01", "Ses05M_impro02"],
    }
    first = corpus.splits["train"][0]
    assert [u.speaker for u in first] == ["Ses01_F", "Ses01_M", "Ses01_F"]
    assert first.utterances[1].text == "Sentence 1 of Ses01F_impro01."
    assert [corpus.labels.index(u.emotion) for u in first] == elements["labels"]["Ses01F_impro01"]
    prefix = [u.id for u in first]
    assert prefix[1] == ("Ses01F_impro01_M001" if "ids" in names else "Ses01F_impro01_p001")
    assert list(corpus.features) == [n for n in names if n in tuples.SIZES]
    for name, rows in corpus.features.items():
        assert len(rows) == 11
        assert rows[prefix[1]].dtype == np.float32
        np.testing.assert_array_equal(rows[prefix[1]], elements[name]["Ses01F_impro01"][1])


@pytest.mark.parametrize(("authors", "names"), MELD, ids=[f"{a}-{len(n)}" for a, n in MELD])
def test_meld_layouts(authors: str, names: tuple[str, ...], tmp_path: Path) -> None:
    elements = tuples.meld()
    if "dev" in names:
        elements["train"] = list(range(18))
    path = dump(tmp_path / "p" / "features.pkl", tuples.make(names, elements))
    corpus = meld.read(path)
    assert corpus.info["layout"].startswith(f"{authors} (MELD)")
    assert {s: len(c) for s, c in corpus.splits.items()} == {"train": 18, "dev": 2, "test": 5}
    assert [c.id for c in corpus.splits["dev"]] == ["dia18", "dia19"]
    first = corpus.splits["train"][0]
    assert [u.emotion for u in first] == list(corpus.labels.labels)
    assert [u.speaker for u in first][:4] == ["speaker0", "speaker1", "speaker2", "speaker8"]
    assert first.utterances[2].id == "dia0_p002"
    if "sentiments" in names:
        elements["labels"] = {k: np.array(v) for k, v in elements["labels"].items()}
        dump(path, tuples.make(names, elements))
        corpus = meld.read(path, labels="sentiment")
        assert [u.emotion for u in corpus.splits["test"][0]] == [
            "neutral", "negative", "negative", "negative", "positive", "negative", "negative",
        ]  # fmt: skip
    else:
        with pytest.raises(ConfigError, match="holds no sentiments"):
            meld.read(path, labels="sentiment")


def test_meld_dev_is_the_official_one_where_the_file_has_all_dialogues(tmp_path: Path) -> None:
    lengths = dict.fromkeys(range(1160), 1)
    elements = tuples.parts(lengths, 7) | {"train": set(range(1152)), "test": list(range(1152, 1160))}
    elements["speakers"] = {k: ["Ann"] for k in lengths}
    names = next(n for a, n in MELD if len(n) == 10)
    corpus = meld.read(dump(tmp_path / "f.pkl", tuples.make(names, elements)))
    assert {s: len(c) for s, c in corpus.splits.items()} == {"train": 1038, "dev": 114, "test": 8}
    assert corpus.splits["dev"][0].id == "dia1038"


def test_emorynlp(tmp_path: Path) -> None:
    elements = tuples.parts(dict.fromkeys(range(6), 2), 7) | {"train": [0, 1], "dev": [2, 3], "test": [5, 4]}
    names = next(n for _, corpora, n in LAYOUTS if "emorynlp" in corpora)
    corpus = emorynlp.read(dump(tmp_path / "f.pkl", tuples.make(names, elements)))
    assert [c.id for c in corpus.splits["test"]] == ["4", "5"]
    assert corpus.name == "emorynlp"


NAMES = next(n for a, n in IEMOCAP if a == "MMGCN")


def changed(**changes: Any) -> tuple[Any, ...]:
    return tuples.make(NAMES, tuples.iemocap(**changes))


def without(part: str, key: str) -> dict[str, Any]:
    return {part: {k: v for k, v in tuples.iemocap()[part].items() if k != key}}


def rows(vector: Callable[[int], Any]) -> dict[str, list[Any]]:
    return {k: [vector(i) for i in range(n)] for k, n in tuples.IEMOCAP.items()}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"a": 1}, r"must hold a tuple.*found: mapping"),
        ((1, 2, 3), r"no known layout; known lengths: 6 \(COSMIC, text only\).*3 elements: int, int, int"),
        (tuple({"a": [np.ones(3)]} for _ in range(9)), r"no known layout.*9 elements: vectors \[3\]"),
        (changed()[::-1], "no known layout"),
        (changed(train=["Ses09F_impro09"]), "conversation Ses09F_impro09 is in a split but not among"),
        (changed(**without("text", "Ses01F_impro01")), "Ses01F_impro01 is in a split but not among the text"),
        (changed(test=[*tuples.TEST, "Ses01F_impro01"]), "Ses01F_impro01 is in two splits"),
        (changed(labels={k: [6] * n for k, n in tuples.IEMOCAP.items()}), r"labels must be 0 to 5 \(found: 6"),
        (changed(labels=rows(lambda i: i / 2)), "labels must be whole numbers"),
        (changed(sentences={k: ["a"] for k in tuples.IEMOCAP}), "parts must have the same length"),
        (changed(speech=rows(lambda i: np.ones(1 + i))), "speech must have one size"),
        (changed(visual=rows(lambda i: np.ones((2,) * (1 + i)))), "expected a vector"),
        (changed(visual=rows(lambda i: np.ones(2) if i == 0 else "loud")), "expected a vector"),
        (changed(sentences={**tuples.iemocap()["sentences"], "Ses03F_impro01": 3}), "parts must have the same length"),
        (changed(train=["Ses01F_impro01", 5]), "conversation 5 is in a split but not among"),
        (tuples.make(NAMES, {**tuples.parts({"dia0": 2}, 6), "train": ["dia0"], "test": []}), "ids start with Ses"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(data: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says) as error:
        iemocap.read(dump(tmp_path / "f.pkl", data))
    assert "\n" not in str(error.value)


def test_iemocap_is_no_meld(tmp_path: Path) -> None:
    names = next(n for a, n in MELD if len(n) == 10)
    path = dump(tmp_path / "f.pkl", tuples.make(names, tuples.iemocap()))
    with pytest.raises(CorpusError, match="looks like IEMOCAP's"):
        meld.read(path)


def test_vectors_that_are_not_finite_are_a_missing_modality(tmp_path: Path) -> None:
    elements = tuples.iemocap()
    elements["speech"]["Ses01F_impro01"][1][0] = np.nan
    corpus = iemocap.read(dump(tmp_path / "f.pkl", tuples.make(NAMES, elements)))
    assert "Ses01F_impro01_M001" not in corpus.features["speech"]
    assert "Ses01F_impro01_M001" in corpus.features["text"]
    assert ("speech features not finite", "Ses01F_impro01_M001", "dropped") in [
        (d.kind, d.where, d.action) for d in corpus.defects
    ]


def test_conversations_in_no_split_are_said(tmp_path: Path) -> None:
    corpus = iemocap.read(dump(tmp_path / "f.pkl", changed(train=[t for t in tuples.TRAIN if t != "Ses01F_impro01"])))
    assert ("conversation in no split", "Ses01F_impro01") in [(d.kind, d.where) for d in corpus.defects]


def test_a_hostile_tuple(tmp_path: Path) -> None:
    path = tmp_path / "f.pkl"
    path.write_bytes(b"(cos\nsystem\n(S'true'\ntRt.")
    with pytest.raises(UnsafePickleError, match=r"os\.system"):
        feature_pickles.recognise(path, "iemocap")
