"""The readers on the real corpora: the published counts. Nothing of the corpora is written here."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from moodline.core.errors import ConfigError
from moodline.corpora.convert import convert
from moodline.corpora.inspect import summarize
from moodline.corpora.registry import READERS, read_corpus

from .helpers import same_features

pytestmark = pytest.mark.corpus

COUNTS: dict[str, dict[str, tuple[int, int]]] = {
    "meld": {"train": (1038, 9989), "dev": (114, 1109), "test": (280, 2610)},
    "emorynlp": {"train": (659, 7551), "dev": (89, 954), "test": (79, 984)},
    "iemocap": {"train": (108, 5163), "dev": (12, 647), "test": (31, 1623)},
    "mosi": {"train": (52, 1228), "dev": (10, 219), "test": (31, 752)},
    "ravdess": {"train": (960, 960), "dev": (240, 240), "test": (240, 240)},
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str, data: Path) -> None:
    corpus = read_corpus(name, data)
    assert {s: (len(c), sum(map(len, c))) for s, c in corpus.splits.items()} == COUNTS[name]
    every = [u for c in corpus.splits.values() for x in c for u in x]
    assert len({u.id for u in every}) == len(every)
    assert all(u.emotion in corpus.labels.labels for u in every)
    assert summarize(corpus)["name"] == name


def test_counts_of_goemotions(data: Path) -> None:
    corpus = read_corpus("goemotions", data)
    assert {s: len(c) for s, c in corpus.splits.items()} == {"train": 43410, "dev": 5426, "test": 5427}
    labels = Counter(u.emotion for c in corpus.splits["train"] for u in c)
    assert (labels[None], labels["joy"], labels["fear"]) == (3855, 15216, 541)


def kinds(name: str, data: Path, **options: Any) -> Counter[tuple[str, str]]:
    return Counter((d.kind, d.where.split("/")[0]) for d in read_corpus(name, data, **options).defects)


def test_known_defects_of_meld(data: Path) -> None:
    found = kinds("meld", data)
    assert found["missing dialogue number", "train"] == 1
    assert found["gap in utterance numbers", "train"] == 72
    assert found["end not after start", "test"] == 1
    assert found["very long utterance", "test"] == 2
    corpus = read_corpus("meld", data)
    zero = sum(n for (kind, _), n in found.items() if kind == "action units all zero or not finite")
    assert len(corpus.features["visual"]) + zero == 9610 + 1108 + 2610
    assert read_corpus("meld", data, labels="sentiment").labels.labels == ("negative", "neutral", "positive")


def test_iemocap(data: Path) -> None:
    corpus = read_corpus("iemocap", data)
    assert sum(sum(map(len, c)) for c in corpus.splits.values()) == 7433
    assert sum(u.emotion == "happy" for c in corpus.splits.values() for x in c for u in x) == 648
    with pytest.raises(ConfigError, match="has no utterance ids"):
        read_corpus("iemocap", data, xxx_as_happy=False)
    tested: list[str] = []
    for fold in range(5):
        splits = read_corpus("iemocap", data, fold=fold).splits
        assert sum(map(len, splits.values())) == 151
        assert 14 <= len(splits["dev"]) <= 16
        assert {c.id[:5] for c in splits["test"]} == {f"Ses0{fold + 1}"}
        tested += [u.id for c in splits["test"] for u in c]
    assert len(set(tested)) == len(tested) == 7433


@pytest.mark.parametrize("fold", range(6))
def test_ravdess_folds(fold: int, data: Path) -> None:
    splits = read_corpus("ravdess", data, fold=fold).splits
    assert {s: len(c) for s, c in splits.items()} == {"train": 960, "dev": 240, "test": 240}


@pytest.mark.parametrize("name", COUNTS)
def test_converting(name: str, data: Path, tmp_path: Path) -> None:
    convert(data / next(p.name for p in data.iterdir() if p.name.startswith(name)), tmp_path / "out")
    first, back = read_corpus(name, data), read_corpus(name, tmp_path / "out")
    assert back.labels.labels == first.labels.labels
    assert back.defects == first.defects
    assert back.info == first.info
    for split, conversations in first.splits.items():
        for a, b in zip(conversations, back.splits[split], strict=True):
            assert a.id == b.id
            if name == "ravdess":
                assert a.utterances[0].audio.resolve() == b.utterances[0].audio.resolve()
            else:
                assert a == b
    assert same_features(type(first)("", first.labels, {}, dict(sorted(first.features.items()))), back)


def test_every_reader_was_tried() -> None:
    """Those of which no copy is at hand are tested with made-up files only."""
    assert set(COUNTS) == set(READERS) - {"goemotions", "house", "mosei", "sims", "simsv2", "cherma", "mse-adapter"}
