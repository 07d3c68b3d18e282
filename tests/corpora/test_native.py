"""The house format: layouts, and every rule broken once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from moodline.core.errors import ConfigError, ConversationError, CorpusError, FeatureError, LabelError, MoodlineError
from moodline.core.groups import ALONE, Groups
from moodline.corpora import native as house
from moodline.corpora.convert import convert
from moodline.corpora.native_features import write_features


def conversation(key: str, *emotions: str | None, **changes: Any) -> dict[str, Any]:
    turns = [
        {"id": f"{key}-{n}", "speaker": "Ann", "start": float(n), "end": n + 0.5, "text": f"Words {n}.", "emotion": e}
        for n, e in enumerate(emotions)
    ]
    return {"id": key, "utterances": turns, **changes}


def lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines(tmp_path / "train.jsonl", conversation("a", "sad", "glad"), conversation("b", None))
    lines(tmp_path / "test.jsonl", conversation("c", "glad"))
    return tmp_path


def features(folder: Path, ids: Any, **tensors: np.ndarray) -> None:
    (folder / "features").mkdir(exist_ok=True)
    save_file(tensors, folder / "features" / "speech.safetensors")
    (folder / "features" / "speech.json").write_text(json.dumps(ids), encoding="utf-8")


def test_split_files(folder: Path) -> None:
    corpus = house.read(folder)
    assert house.matches(folder)
    assert {s: [c.id for c in cs] for s, cs in corpus.splits.items()} == {"train": ["a", "b"], "test": ["c"]}
    assert corpus.labels.labels == ("glad", "sad")
    assert corpus.name == "house"
    assert list(corpus.files) == ["train.jsonl", "test.jsonl"]
    (folder / "labels.json").write_text('{"name": "two", "labels": ["sad", "glad"]}', encoding="utf-8")
    assert house.read(folder, name="mine").labels.labels == ("sad", "glad")
    assert house.read(folder, name="mine").name == "mine"


def test_one_file_for_all(tmp_path: Path) -> None:
    rows = [conversation(k, "sad", "glad") for k in "abc"]
    path = lines(tmp_path / "conversations.jsonl", *rows)
    assert {s: len(c) for s, c in house.read(tmp_path).splits.items()} == {"test": 3}
    (tmp_path / "splits.json").write_text('{"train": ["c", "a"], "dev": [], "test": ["b"]}', encoding="utf-8")
    splits = house.read(tmp_path).splits
    assert {s: [c.id for c in cs] for s, cs in splits.items()} == {"train": ["a", "c"], "test": ["b"]}
    assert list(house.read(path).splits) == ["test"]
    assert list(house.read(lines(tmp_path / "dev.jsonl", *rows)).splits) == ["dev"]


@pytest.mark.parametrize(
    ("splits", "says"),
    [
        ({"train": ["x"]}, "no conversation has the id 'x'"),
        ({"train": ["a"], "test": ["a"]}, "'a' is in two splits"),
        ({"train": ["a", "a"]}, "'a' is in two splits or twice in one"),
        ({"validation": ["a"]}, "train, dev, test .*found: validation"),
        ({"train": "a"}, "expected lists"),
        ({"train": ["a"]}, "'b' is in no split"),
        (["a"], "must hold an object"),
    ],
)
def test_bad_splits(splits: Any, says: str, tmp_path: Path) -> None:
    lines(tmp_path / "conversations.jsonl", conversation("a", "sad"), conversation("b", "glad"))
    (tmp_path / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    with pytest.raises(CorpusError, match=says):
        house.read(tmp_path)


def test_folds(folder: Path) -> None:
    lines(folder / "dev.jsonl", conversation("d", "sad"))
    (folder / "folds.json").write_text('[["a", "d"], ["c"], ["b"]]', encoding="utf-8")
    assert house.read(folder).splits == house.read(folder, fold=None).splits
    parted = [{s: [c.id for c in cs] for s, cs in house.read(folder, fold=k).splits.items()} for k in range(3)]
    assert parted == [
        {"train": ["b"], "dev": ["c"], "test": ["a", "d"]},
        {"train": ["a", "d"], "dev": ["b"], "test": ["c"]},
        {"train": ["c"], "dev": ["a", "d"], "test": ["b"]},
    ]
    assert "folds.json" in house.read(folder, fold=0).files
    assert "folds.json" not in house.read(folder).files, "what a run without folds was trained on stays what it was"


def test_folds_with_splits_of_their_own(folder: Path) -> None:
    own = [{"train": ["c"], "dev": ["b"], "test": ["a"]}, {"test": ["c", "a"], "train": ["b"]}]
    (folder / "folds.json").write_text(json.dumps(own), encoding="utf-8")
    parted = [{s: [c.id for c in cs] for s, cs in house.read(folder, fold=k).splits.items()} for k in range(2)]
    assert parted == own


@pytest.mark.parametrize(
    ("folds", "fold", "says"),
    [
        (None, 0, "the option fold needs folds.json"),
        ([["a"], ["b"], ["c"]], 3, "fold must be 0 to 2"),
        ([["a"], ["b"], ["c"]], True, "fold must be 0 to 2"),
        ([["a", "b"], ["c"]], 0, "at least three lists"),
        ([["a", "b"], ["c"], []], 0, "at least three lists"),
        ({"0": ["a"]}, 0, "at least three lists"),
        ([["a"], ["b"], ["x"]], 0, "in one fold, once .*'c'"),
        ([["a"], ["b"], ["c", "x"]], 0, "in one fold, once .*'x'"),
        ([["a"], ["b", "a"], ["c"]], 0, "in one fold, once .*'a'"),
        ([["a"], ["b"], ["x"]], None, "in one fold, once .*'c'"),
        ([{"train": ["a"], "dev": ["b"], "test": ["c"]}], 1, "fold must be 0 to 0"),
        ([{"train": ["a"], "test": ["c"]}], 0, "in one split of each fold, once .*'b'"),
        ([{"train": ["a", "b"], "dev": ["a"], "test": ["c"]}], 0, "in one split of each fold, once .*'a'"),
        ([{"train": ["a", "b"], "rest": ["c"]}], 0, "lists of conversation ids for train, dev, test .*rest"),
        ([{"train": "ab", "test": ["c"]}], 0, "lists of conversation ids for train, dev, test"),
        ([{"train": ["a", "b"], "test": ["c"]}, ["a"]], 0, "at least three lists"),
    ],
)
def test_bad_folds(folds: Any, fold: Any, says: str, folder: Path) -> None:
    if folds is not None:
        (folder / "folds.json").write_text(json.dumps(folds), encoding="utf-8")
    with pytest.raises((ConfigError, CorpusError), match=says):
        house.read(folder, fold=fold)


def test_groups(folder: Path, tmp_path: Path) -> None:
    corpus = house.read(folder)
    assert corpus.groups is ALONE
    first, *rest = (c for split in corpus.splits.values() for c in split)
    together = {first.id: "Anna", rest[0].id: "Anna"}
    (folder / "groups.json").write_text(json.dumps({"name": "speakers", "of": together}))
    corpus = house.read(folder)
    assert corpus.groups.each([first, *rest[:2]]) == ["Anna", "Anna", rest[1].id]
    convert(folder, tmp_path / "again")
    assert house.read(tmp_path / "again").groups == corpus.groups == Groups("speakers", together)
    for broken in ([], {"name": "speakers"}, {"name": 3, "of": {}}, {"name": "x", "of": {"c": 1}}):
        (folder / "groups.json").write_text(json.dumps(broken))
        with pytest.raises(CorpusError, match=r"groups\.json must"):
            house.read(folder)


def test_ids_are_made_where_there_are_none(tmp_path: Path) -> None:
    rows = [{"id": k, "utterances": [{"text": "Hm.", "emotion": e} for e in ("sad", "glad")]} for k in "ab"]
    corpus = house.read(lines(tmp_path / "x.jsonl", *rows))
    assert [u.id for c in corpus.splits["test"] for u in c] == ["a_u0", "a_u1", "b_u0", "b_u1"]


def test_media_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    row = {"id": "a", "media": "clips/a.wav", "utterances": [{"id": "1", "audio": "clips/1.wav", "emotion": "sad"}]}
    corpus = house.read(lines(tmp_path / "x.jsonl", row), labels="emorynlp-7")
    (found,) = corpus.splits["test"]
    assert (found.media, found.utterances[0].audio) == (tmp_path / "clips/a.wav", tmp_path / "clips/1.wav")


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"", CorpusError, r"train\.jsonl holds no conversations"),
        (b"\n \n", CorpusError, "holds no conversations"),
        (b'{"id": "a", "utterances": []}\n', ConversationError, r"train\.jsonl:1: .*no utterances"),
        (b'\n{"id": "a"\n', CorpusError, r"train\.jsonl:2 is not JSON"),
        (b'{"id": "a", "utterances": [{"text": "it\x92s"}]}', CorpusError, r"train\.jsonl:1 is not UTF-8"),
        (b"[1]\n", ConversationError, r"train\.jsonl:1: expected an object"),
        (b'{"utterances": [{"id": "x"}]}', CorpusError, r"train\.jsonl:1: a conversation needs an id"),
        (b'{"id": 5, "utterances": [{"id": "x"}]}', CorpusError, "needs an id, a string"),
        (b'{"id": "a", "utterances": [{"start": NaN}]}', ConversationError, "start must be a finite number"),
        (b'{"id": "a", "utterances": [{"start": "1"}]}', ConversationError, "start must be a number"),
        (b'{"id": "a", "utterances": [{"start": 2, "end": 1}]}', ConversationError, "end must not be before start"),
        (b'{"id": "a", "utterances": [{"start": 1' + b"0" * 400 + b"}]}", ConversationError, "start is too large"),
        (b'{"id": "a", "utterances": [{"audio": 3}]}', CorpusError, "media paths must be strings"),
        (b'{"id": "a", "utterances": [{"mood": "sad"}]}', ConversationError, "unknown field 'mood'"),
        (b"[" * 100_000, CorpusError, "not JSON: too deeply nested"),
    ],
)
def test_bad_lines(content: bytes, error: type[MoodlineError], says: str, folder: Path) -> None:
    (folder / "train.jsonl").write_bytes(content)
    with pytest.raises(error, match=says) as caught:
        house.read(folder)
    assert "\n" not in str(caught.value)


def test_ids_are_unique_in_the_corpus(folder: Path) -> None:
    lines(folder / "dev.jsonl", conversation("a", "sad"))
    with pytest.raises(CorpusError, match=r"conversation ids must be unique, 'a' is not .*found: in train and dev"):
        house.read(folder)
    lines(folder / "dev.jsonl", {"id": "d", "utterances": [{"id": "c-0"}]})
    with pytest.raises(CorpusError, match="utterance ids must be unique in the corpus, 'c-0' is not"):
        house.read(folder)


def test_labels(folder: Path) -> None:
    (folder / "labels.json").write_text('{"name": "two", "labels": ["sad", "bad"]}', encoding="utf-8")
    with pytest.raises(LabelError, match=r"train: utterance a-1: .*unknown label 'glad'"):
        house.read(folder)
    with pytest.raises(LabelError, match="expected the labels neutral, surprise"):
        house.read(folder, labels="meld-7")
    (folder / "labels.json").write_text('{"labels": "sad"}', encoding="utf-8")
    with pytest.raises(LabelError, match=r"labels\.json must be"):
        house.read(folder)
    (folder / "labels.json").write_text("{", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"labels\.json is not JSON"):
        house.read(folder)
    (folder / "labels.json").unlink()
    with pytest.raises(ConfigError, match="unknown label set"):
        house.read(folder, labels="moods")
    lines(folder / "train.jsonl", conversation("a", None))
    with pytest.raises(LabelError, match="at least two labels"):
        house.read(folder)


def test_features(folder: Path) -> None:
    features(folder, {"ids": ["c-0", "a-1"]}, values=np.arange(6, dtype=np.float32).reshape(2, 3))
    corpus = house.read(folder)
    np.testing.assert_array_equal(corpus.features["speech"]["a-1"], np.array([3, 4, 5], np.float32))
    assert list(corpus.features["speech"]) == ["c-0", "a-1"]
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    features(folder, {"ids": ["c-0", "a-1"]}, values=values, offsets=np.array([0, 1, 4]))
    corpus = house.read(folder)
    assert corpus.features["speech"]["a-1"].shape == (3, 3)
    assert "features/speech.safetensors" in corpus.files


TWO = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("ids", "tensors", "says"),
    [
        ({"ids": ["c-0"]}, {"values": TWO}, r"as many entries as ids in speech\.json \(found: 2 and 1\)"),
        ({"ids": ["c-0", "x"]}, {"values": TWO}, "no utterance of the corpus has the id 'x'"),
        ({"ids": ["c-0", "c-0"]}, {"values": TWO}, "ids must be unique"),
        ({"ids": "c-0"}, {"values": TWO}, "must be"),
        (["c-0", "a-0"], {"values": TWO}, "must be"),
        ({"ids": ["c-0", "a-0"]}, {"values": np.array([[1, 2], [3, np.nan]], np.float32)}, "NaN or infinity at a-0"),
        ({"ids": ["c-0", "a-0"]}, {"values": np.array([[1, np.inf], [3, 4]], np.float32)}, "NaN or infinity at c-0"),
        ({"ids": ["c-0", "a-0"]}, {"values": np.ones(2, np.float32)}, r"expected values float32 \[N, D\]"),
        ({"ids": ["c-0", "a-0"]}, {"values": np.ones((2, 2), np.int64)}, r"expected values float32 \[N, D\]"),
        ({"ids": ["c-0", "a-0"]}, {"vectors": TWO}, r"expected values float32 \[N, D\]"),
        ({"ids": ["c-0", "a-0"]}, {"values": TWO, "offsets": np.array([0, 2])}, "as many entries"),
        (
            {"ids": ["c-0", "a-0"]},
            {"values": TWO, "offsets": np.array([0, 2, 2])},
            "offsets must be whole numbers that rise",
        ),
        ({"ids": ["c-0", "a-0"]}, {"values": TWO, "offsets": np.array([0, 1, 3])}, "offsets must be"),
        ({"ids": ["c-0", "a-0"]}, {"values": TWO, "offsets": np.array([0.0, 1.0, 2.0])}, "offsets must be"),
    ],
)
def test_bad_features(ids: Any, tensors: dict[str, np.ndarray], says: str, folder: Path) -> None:
    features(folder, ids, **tensors)
    with pytest.raises(FeatureError, match=says) as error:
        house.read(folder)
    assert "\n" not in str(error.value)


def test_broken_feature_files(folder: Path) -> None:
    features(folder, {"ids": ["c-0", "a-0"]}, values=TWO)
    path = folder / "features" / "speech.safetensors"
    whole = path.read_bytes()
    for content in (whole[:-3], whole[:20], b"", b"junk" * 10):
        path.write_bytes(content)
        with pytest.raises(FeatureError, match="not a readable safetensors"):
            house.read(folder)
    path.with_suffix(".json").unlink()
    with pytest.raises(FeatureError, match=r"expected speech\.json beside it"):
        house.read(folder)


def test_other_files(folder: Path) -> None:
    (folder / "defects.json").write_text('[{"kind": "odd", "where": "a", "action": "reported"}]', encoding="utf-8")
    (folder / "corpus.json").write_text('{"name": "mine", "info": {"x": 1}}', encoding="utf-8")
    corpus = house.read(folder)
    assert (corpus.name, corpus.info, corpus.defects[0].kind) == ("mine", {"x": 1}, "odd")
    assert corpus.languages == ()
    (folder / "corpus.json").write_text('{"languages": ["de", "en"]}', encoding="utf-8")
    assert house.read(folder).languages == ("de", "en")
    (folder / "corpus.json").write_text('{"languages": "de"}', encoding="utf-8")
    with pytest.raises(CorpusError, match=r"languages of corpus\.json must be a list of codes, as \[\"en\"\]"):
        house.read(folder)
    (folder / "corpus.json").unlink()
    (folder / "defects.json").write_text('[{"what": "odd"}]', encoding="utf-8")
    with pytest.raises(CorpusError, match=r"defects\.json must be a list"):
        house.read(folder)


def test_nothing_here(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"expected train\.jsonl, dev\.jsonl, .*an empty folder"):
        house.read(tmp_path)


@pytest.mark.parametrize(
    ("name", "rows", "says"),
    [
        ("../x", {"a": np.ones(2)}, "named with letters"),
        ("x", {"a": np.ones(2), "b": np.ones(3)}, "of one size"),
        ("x", {"a": np.ones(2), "b": np.ones((1, 2))}, "of one size"),
        ("x", {"a": np.array(1.0)}, "of one size"),
        ("x", {"a": np.ones((0, 2))}, "at least one frame"),
        ("x", {"a": np.array([np.nan])}, "must be finite"),
    ],
)
def test_features_that_cannot_be_written(name: str, rows: dict[str, np.ndarray], says: str, tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=says):
        write_features(tmp_path / "features", {name: rows})
