"""GoEmotions: the published layout, comments with several emotions, and broken files."""

from __future__ import annotations

from pathlib import Path

import pytest

from moodline.core.errors import CorpusError
from moodline.corpora.registry import detect_corpus, read_corpus

NAMES = "anger\ndisgust\nfear\njoy\nneutral\nsadness\nsurprise\n"


def write(directory: Path, **files: str) -> Path:
    given = {"train": "Well done!\t3\ta1\nWhy?\t0,6\ta2\n", "dev": "Fine.\t4\tb1\n", "test": "Oh no.\t5\tc1\n"} | files
    directory.mkdir(exist_ok=True)
    for split, text in given.items():
        (directory / f"{split}.tsv").write_text(text, encoding="utf-8")
    (directory / "labels.txt").write_text(given.get("labels", NAMES), encoding="utf-8")
    (directory / "labels.tsv").unlink(missing_ok=True)
    return directory


def test_comments_and_those_with_several_emotions(tmp_path: Path) -> None:
    corpus = read_corpus("goemotions", write(tmp_path / "go"))
    turns = [(u.id, u.text, u.emotion) for c in corpus.splits["train"] for u in c]
    assert turns == [("train/a1", "Well done!", "joy"), ("train/a2", "Why?", None)]
    assert [(d.kind, d.detail) for d in corpus.defects] == [("several emotions", "anger, surprise")]
    assert corpus.languages == ("en",)
    assert detect_corpus(tmp_path / "go") == "goemotions"


def test_repeated_ids_and_comments_without_words(tmp_path: Path) -> None:
    corpus = read_corpus("goemotions", write(tmp_path, train="One.\t3\ta\nTwo.\t3\ta\n \t3\tb\n"))
    assert len(corpus.splits["train"]) == 1
    assert [d.kind for d in corpus.defects] == ["repeated id", "no words"]


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        ({"train": "One.\t3\n"}, "train.tsv, line 1: expected three columns"),
        ({"train": "One.\t9\ta\n"}, "expected class numbers from 0 to 6"),
        ({"train": "One.\tx\ta\n"}, "expected class numbers"),
        ({"train": "\n"}, "holds no comment"),
        ({"labels": "joy\nsadness\n"}, "expected the names anger, disgust"),
    ],
)
def test_broken_files(tmp_path: Path, files: dict[str, str], rule: str) -> None:
    with pytest.raises(CorpusError, match=rule):
        read_corpus("goemotions", write(tmp_path, **files))


def test_a_folder_without_it(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"labels\.txt"):
        read_corpus("goemotions", tmp_path)
