"""Converting: what is written reads back the same, and nothing is half written."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, CorpusError, FeatureError, LabelError, StorageError, UnknownNameError
from moodline.core.labels import MELD_7
from moodline.corpora import iemocap, meld, ravdess
from moodline.corpora import native as house
from moodline.corpora.base import Corpus, Defect
from moodline.corpora.convert import convert, write_house
from moodline.corpora.registry import read_corpus

from . import tuples
from .helpers import dump, meld_row, same_features, write_meld
from .test_feature_pickles import NAMES
from .test_iemocap import dialogue
from .test_mosi import mmsa
from .test_ravdess import clip

WORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(lambda t: t.strip())
TIMES = st.floats(0, 1e6, allow_nan=False)


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    splits, ids = {}, []
    for split in draw(st.lists(st.sampled_from(("train", "dev", "test")), min_size=1, unique=True)):
        conversations = []
        for c in range(draw(st.integers(1, 2))):
            turns = []
            for n in range(draw(st.integers(1, 3))):
                ids.append(f"{split}{draw(WORDS)}/{c}.{n}")
                start = draw(st.none() | TIMES)
                length = draw(st.none() | TIMES)
                end = None if start is None or length is None else start + length
                turn = Utterance(
                    ids[-1], draw(st.none() | WORDS), start, end, draw(st.none() | WORDS),
                    emotion=draw(st.none() | st.sampled_from(MELD_7.labels)), value=draw(st.none() | st.floats(-3, 3)),
                )  # fmt: skip
                turns.append(turn)
            conversations.append(Conversation(f"{split}-{c}", tuple(turns)))
        splits[split] = tuple(conversations)
    numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
    features = {}
    for name in draw(st.lists(st.sampled_from(("text", "speech", "visual.v2")), unique=True)):
        size, frames = draw(st.integers(1, 3)), draw(st.booleans())
        rows = {}
        for key in draw(st.lists(st.sampled_from(ids), min_size=1, unique=True)):
            shape = (draw(st.integers(1, 3)), size) if frames else (size,)
            values = draw(st.lists(numbers, min_size=math.prod(shape), max_size=math.prod(shape)))
            rows[key] = np.array(values, np.float32).reshape(shape)
        features[name] = rows
    defects = tuple(Defect(k, "here", "reported", k) for k in draw(st.lists(WORDS, max_size=2)))
    return Corpus("made", MELD_7, splits, features, defects, {}, {"options": {"a": 1}})


@settings(max_examples=60, deadline=None)
@given(corpus=corpora())
def test_round_trip(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("made") / "out"
    write_house(corpus, out)
    back = house.read(out)
    assert back.name == corpus.name
    assert back.labels == corpus.labels
    assert back.splits == corpus.splits
    assert back.defects == corpus.defects
    assert back.info == corpus.info
    assert dict(sorted(back.features.items())).keys() == corpus.features.keys()
    for name, rows in corpus.features.items():
        assert list(back.features[name]) == list(rows)
        assert all(np.array_equal(back.features[name][k], v) for k, v in rows.items())


def test_meld_with_media(tmp_path: Path) -> None:
    source = write_meld(tmp_path / "meld", train=[meld_row(0, 0, "it\x92s")])
    clip = source / "train_splits" / "dia0_utt0.mp4"
    clip.parent.mkdir()
    clip.write_bytes(b"x")
    said = convert(source, tmp_path / "out" / "house", labels="sentiment")
    assert said["splits"]["train"] == {"conversations": 1, "utterances": 1}
    assert said["corpus"] == "meld"
    first, back = (
        meld.read(source, labels="sentiment"),
        read_corpus("meld", tmp_path / "out" / "house", labels="sentiment"),
    )
    assert back.labels == first.labels
    assert back.splits["dev"] == first.splits["dev"]
    assert back.defects == first.defects
    assert back.info == first.info
    assert back.languages == read_corpus("meld", source).languages == ("en",)
    video = back.splits["train"][0].utterances[0].video
    assert video is not None
    assert video.resolve() == clip.resolve()
    assert json.loads((tmp_path / "out" / "house" / "corpus.json").read_text())["read_from"] == first.files
    assert str(tmp_path) not in (tmp_path / "out" / "house" / "train.jsonl").read_text()


def test_pickles(tmp_path: Path) -> None:
    for corpus, data in (("iemocap", tuples.make(NAMES, tuples.iemocap())), ("mosi", mmsa())):
        path = dump(tmp_path / corpus / "f.pkl", data)
        convert(path, tmp_path / f"{corpus}-out", corpus)
        first, back = read_corpus(corpus, path), read_corpus(corpus, tmp_path / f"{corpus}-out")
        assert back.splits == first.splits
        assert same_features(Corpus("", MELD_7, {}, dict(sorted(first.features.items()))), back)


def test_a_house_directory_in_place_of_a_corpus(tmp_path: Path) -> None:
    write_meld(tmp_path / "meld")
    out = tmp_path / "meld-house"
    convert(tmp_path / "meld", out, "meld")
    assert read_corpus("meld", out, labels="emotion", action_units=True).name == "meld"
    with pytest.raises(LabelError, match="expected the labels negative, neutral, positive"):
        read_corpus("meld", out, labels="sentiment")
    with pytest.raises(ConfigError, match="was written with action_units=True"):
        read_corpus("meld", out, action_units=False)
    with pytest.raises(LabelError, match="expected the labels joyful"):
        read_corpus("emorynlp", out)
    (out / "labels.json").unlink()
    assert read_corpus("meld", out).labels is MELD_7
    again = tmp_path / "again"
    assert convert(out, again)["corpus"] == "meld"


def parted(corpus: Corpus) -> dict[str, list[str]]:
    return {split: [u.id for c in conversations for u in c] for split, conversations in corpus.splits.items()}


@pytest.fixture(params=["iemocap", "iemocap release", "ravdess"])
def folded(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, int]:
    """A corpus whose reader has folds, where it lies, and how many."""
    if request.param == "ravdess":
        for actor in range(1, 25):
            clip(tmp_path / "files", actor, emotion=actor % 8 + 1)
            clip(tmp_path / "files", actor, emotion=(actor + 1) % 8 + 1)
        return "ravdess", tmp_path / "files", ravdess.FOLDS
    names = [f"Ses0{n}{s}_impro0{k}" for n in range(1, 6) for s in "MF" for k in (2, 1)]
    if request.param == "iemocap":
        sizes = {**tuples.IEMOCAP, **dict.fromkeys(names, 2)}
        elements = {**tuples.parts(sizes, 6), "train": set(sizes) - set(tuples.TEST), "test": tuples.TEST}
        dump(tmp_path / "files" / "iemocap.pkl", tuples.make(NAMES, elements))
    else:
        for name in names:
            dialogue(tmp_path / "files", name, [("F000", 1.0, 2.0, "sad", "Oh."), ("M000", 3.0, 4.0, "ang", "No.")])
    return "iemocap", tmp_path / "files", iemocap.FOLDS


def test_all_folds_are_converted(folded: tuple[str, Path, int], tmp_path: Path) -> None:
    name, source, count = folded
    choices: tuple[dict[str, Any], ...] = ({}, {"fold": 2})
    for chosen in choices:
        out = tmp_path / f"{name}-{len(chosen)}"
        convert(source, out, name, **chosen)
        assert parted(read_corpus(name, out)) == parted(read_corpus(name, source, **chosen))
        for fold in range(count):
            first, back = read_corpus(name, source, fold=fold), read_corpus(name, out, fold=fold)
            assert parted(back) == parted(first)
            assert back.speakers == first.speakers == "corpus"
            assert (back.info["options"]["fold"], back.folds) == (fold, first.folds)
            assert not {"dev", "actors"} & set(back.info)
        convert(out, tmp_path / f"{name}-{len(chosen)}-again")
        assert parted(read_corpus("house", tmp_path / f"{name}-{len(chosen)}-again", fold=1)) == parted(
            read_corpus(name, source, fold=1)
        )
        with pytest.raises(ConfigError, match=f"fold must be 0 to {count - 1}"):
            read_corpus(name, out, fold=count)
        (out / "folds.json").unlink()
        with pytest.raises(ConfigError, match=r"with fold=\w+ \(found: fold=4\). Convert the original files again"):
            read_corpus(name, out, fold=4)
    with pytest.raises(ConfigError, match=r"was written with fold=2 \(found: fold=None\)"):
        read_corpus(name, out, fold=None)


def test_folds_of_dialogues_with_other_names_are_not_written(tmp_path: Path) -> None:
    names = {"SesXX_a": 2, "SesXX_b": 2, "Ses01M_impro01": 2}
    elements = {**tuples.parts(names, 6), "train": ["SesXX_a", "Ses01M_impro01"], "test": ["SesXX_b"]}
    convert(dump(tmp_path / "iemocap.pkl", tuples.make(NAMES, elements)), tmp_path / "out", "iemocap")
    assert not (tmp_path / "out" / "folds.json").exists()


def test_out_must_be_free(tmp_path: Path) -> None:
    write_meld(tmp_path / "meld")
    out = tmp_path / "out"
    out.mkdir()
    convert(tmp_path / "meld", out)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(CorpusError, match="is in use"):
        convert(tmp_path / "meld", out)
    with pytest.raises(CorpusError, match="is in use"):
        write_house(meld.read(tmp_path / "meld"), out)
    with pytest.raises(CorpusError, match="is in use"):
        convert(tmp_path / "meld", out / "corpus.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_nothing_is_left_of_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_meld(tmp_path / "meld")
    corpus = meld.read(tmp_path / "meld")
    bad = Corpus("x", corpus.labels, corpus.splits, {"speech": {"train/dia0_utt0": np.array([np.nan])}})
    with pytest.raises(FeatureError):
        write_house(bad, tmp_path / "out")

    def full(self: Path, *args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError, match=r"could not write .*out: No space left"):
        write_house(corpus, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["meld"]


def test_half_characters(tmp_path: Path) -> None:
    turn = Utterance("1", text="oh \ud83d", emotion="joy")
    with pytest.raises(CorpusError, match="lone surrogate"):
        write_house(Corpus("x", MELD_7, {"test": (Conversation("c", (turn,)),)}), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="paths differ")
def test_a_file_in_the_way(tmp_path: Path) -> None:
    write_meld(tmp_path / "meld")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError):
        convert(tmp_path / "meld", tmp_path / "file" / "out")


def test_what_cannot_be_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no corpus is known by these files"):
        convert(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(CorpusError, match="there is no file or folder"):
        convert(tmp_path / "none", tmp_path / "out")
    with pytest.raises(UnknownNameError, match="Did you mean meld"):
        convert(tmp_path / "empty", tmp_path / "out", "mled")
    write_meld(tmp_path / "both")
    (tmp_path / "both" / "Actor_01").mkdir()
    with pytest.raises(CorpusError, match=r"more than one corpus fits.*meld, ravdess"):
        convert(tmp_path / "both", tmp_path / "out")
