"""CMU-MOSI, with made-up opinions; its relatives are in test_mmsa.py."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodline.core.errors import ConfigError, CorpusError
from moodline.core.labels import MOSI_SCALE
from moodline.corpora import mosi

from .helpers import dump


def part(ids: list[str], scores: list[float] | None = None, **changes: Any) -> dict[str, Any]:
    n = len(ids)
    draw = np.random.default_rng(len("".join(ids)))
    return {
        "id": ids,
        "raw_text": [f"NICE FILM {i}" for i in range(n)],
        "text": draw.normal(size=(n, 6, 5)).astype(np.float32),
        "audio": draw.normal(size=(n, 6, 4)).astype(np.float32),
        "vision": draw.normal(size=(n, 6, 3)),
        "text_bert": [np.stack([np.ones(6), np.arange(6) < 4, np.zeros(6)])] * n,
        "audio_lengths": [3] * n,
        "vision_lengths": [2] * n,
        "regression_labels": np.array(scores if scores is not None else [0.0] * n, np.float32),
        "classification_labels": np.zeros(n),
        "annotations": ["Neutral"] * n,
        **changes,
    }


def mmsa(**changes: Any) -> dict[str, Any]:
    return {
        "train": part(["v1$_$10", "v1$_$2", "v0$_$1"], [-0.4, 0.0, 2.5]),
        "valid": part(["v2$_$1"]),
        "test": part(["v3$_$1"]),
        **changes,
    }


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_mmsa(protocol: int, tmp_path: Path) -> None:
    data = mmsa()
    data["train"]["audio"][0, 1, 2] = -np.inf
    data["train"]["vision"][1, 0] = np.nan
    path = dump(tmp_path / "MOSI" / "unaligned_50.pkl", data, protocol)
    assert mosi.matches(path.parent)
    corpus = mosi.read(path.parent)
    assert corpus.name == "mosi"
    assert {s: [c.id for c in cs] for s, cs in corpus.splits.items()} == {
        "train": ["v0", "v1"],
        "dev": ["v2"],
        "test": ["v3"],
    }
    video = corpus.splits["train"][1]
    assert [u.id for u in video] == ["v1_2", "v1_10"]
    assert [u.emotion for u in video] == ["positive", "negative"]
    assert [u.value for u in video] == [0.0, pytest.approx(-0.4)]
    assert [u.text for u in video] == ["nice film 1", "nice film 0"]
    assert video.utterances[0].speaker == "v1"
    shapes = {n: rows["v1_10"].shape for n, rows in corpus.features.items()}
    assert shapes == {"text": (4, 5), "speech": (3, 4), "visual": (2, 3)}
    assert corpus.features["speech"]["v1_10"][1, 2] == 0
    assert {(d.kind, d.where, d.detail) for d in corpus.defects} == {
        ("audio not finite", "v1_10", "1 values set to 0"), ("vision not finite", "v1_2", "3 values set to 0"),
    }  # fmt: skip
    assert mosi.read(path, case="asis").splits["train"][0].utterances[0].text == "NICE FILM 2"


def test_aligned_features_without_lengths(tmp_path: Path) -> None:
    train = part(["v1$_$1", "v1$_$2"])
    for name in ("audio_lengths", "vision_lengths"):
        del train[name]
    train["vision"] = np.zeros((2, 8, 3))  # not as long as BERT's mask: trailing zeros go
    train["vision"][0, :5] = 1
    corpus = mosi.read(dump(tmp_path / "aligned_50.pkl", mmsa(train=train)))
    assert corpus.features["speech"]["v1_1"].shape == (4, 4)
    assert corpus.features["visual"]["v1_1"].shape == (5, 3)
    assert "v1_2" not in corpus.features["visual"]
    assert [(d.kind, d.where) for d in corpus.defects] == [("vision without frames", "v1_2")]


def test_shared_videos_and_labels(tmp_path: Path) -> None:
    data = mmsa(test=part(["v1$_$3"]))
    path = dump(tmp_path / "x" / "f.pkl", data)
    corpus = mosi.read(path)
    assert corpus.scale == MOSI_SCALE
    assert [c.id for c in corpus.splits["train"]] == ["v0_1", "v1_2", "v1_10"]
    assert corpus.info["options"]["conversation"] == "clip"
    with pytest.raises(ConfigError, match="video v1 is in two splits"):
        mosi.read(path, conversation="video")
    three = mosi.read(path, labels="sentiment-3").splits["train"]
    assert [u.emotion for c in three for u in c] == ["positive", "neutral", "negative"]
    clips = mosi.read(dump(tmp_path / "x4" / "f.pkl", mmsa()), conversation="clip")
    assert [len(c) for c in clips.splits["train"]] == [1, 1, 1]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([1], "expected a mapping of train, valid and test .*found: list"),
        ({"a": 1, "b": 2}, "found: a, b"),
        ({"train": {"id": []}}, "expected id, raw_text, regression_labels"),
        ({"train": part([])}, "holds no utterances"),
        ({"train": part(["v$_$1"])}, r"expected train, valid and test \(found: no valid\)"),
        ({"train": part(["v$_$1"], [3.5])}, r"scores lie between -3 and 3 \(found: 3\.5 of v\$_\$1\)"),
        ({"train": part(["v1"])}, r"ids must be video\$_\$clip"),
        ({"train": part(["v$_$1", "v$_$1"])}, "ids must be unique"),
        ({"train": part(["v$_$1"], [np.nan])}, "regression_labels must be finite"),
        ({"train": part(["v$_$1"], [1.0, 2.0])}, "arrays or lists of the same length"),
        ({"train": part(["v$_$1"], audio=np.zeros((1, 2, 2, 2)))}, r"must be a vector \[D\] or frames"),
        ({"train": part(["v$_$1"], audio=[["loud"]])}, r"must be a vector \[D\] or frames"),
        ({"train": part(["v$_$1"], regression_labels=["much"])}, "regression_labels must be one number"),
        ({"train": part(["v$_$1"], audio_lengths=[None])}, "audio_lengths must be"),
        ({"train": 3, "test": part(["v$_$1"])}, "train must be a mapping"),
        (mmsa(test=part(["w$_$1"], audio=[np.ones(4)])), "must be all"),
        (mmsa(test=part(["w$_$1"], audio=[np.ones((2, 9))])), "must be all"),
        ({"train": part(["v$_$1"], id=3)}, "arrays or lists of the same length"),
    ],
)
def test_bad_mmsa(data: object, says: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says):
        mosi.read(dump(tmp_path / "f.pkl", data))


def arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    out: dict[str, np.ndarray] = {}
    for split, videos in (("train", 14), ("test", 2)):
        ids = [f"{split}{v:02d}_x_{c}" for v in range(videos) for c in (10, 9)]
        n = len(ids)
        out |= {
            f"{split}_ids": np.array(ids),
            f"{split}_y": np.arange(n) % 2,
            f"{split}_sentence": np.array([f"I SAW IT {i}" for i in range(n)]),
            f"{split}_text": np.ones((n, 100), np.float32),
            f"{split}_audio": np.ones((n, 73), np.float32),
            f"{split}_video": np.ones((n, 100), np.float32),
        }
    return out | changes


def test_bclstm(tmp_path: Path) -> None:
    np.savez(tmp_path / "mosi_bclstm_aligned.npz", **arrays())
    corpus = mosi.read(tmp_path)
    assert {s: len(c) for s, c in corpus.splits.items()} == {"train": 4, "dev": 10, "test": 2}
    assert corpus.splits["dev"][0].id == "train04_x"
    first = corpus.splits["train"][0]
    assert [u.id for u in first] == ["train00_x_9", "train00_x_10"]
    assert [u.emotion for u in first] == ["positive", "negative"]
    assert (first.utterances[0].text, first.utterances[0].value) == ("i saw it 1", None)
    assert {n: r["train00_x_9"].shape for n, r in corpus.features.items()} == {
        "text": (100,),
        "speech": (73,),
        "visual": (100,),
    }
    assert [d.kind for d in corpus.defects] == ["features fitted with labels"]
    assert corpus.scale is None
    with pytest.raises(ConfigError, match="two classes and no scores"):
        mosi.read(tmp_path, labels="sentiment-3")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"train_y": np.full(28, 2)}, "labels 0 or 1"),
        ({"train_y": np.zeros(5, int)}, r"must be \[N\] and \[N, D\]"),
        ({"test_ids": np.array(["novideo"] * 4)}, "ids video_segment"),
        ({"test_video": np.ones(4, np.float32)}, r"must be \[N\] and \[N, D\]"),
        ({"train_ids": np.array([None] * 28, object)}, "not a readable npz"),
    ],
)
def test_bad_bclstm(changes: dict[str, np.ndarray], says: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "mosi.npz", **arrays(**changes))
    with pytest.raises(CorpusError, match=says):
        mosi.read(tmp_path)


def test_other_bad_input(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"expected mosi_bclstm_aligned\.npz or one MMSA pickle"):
        mosi.read(tmp_path)
    (tmp_path / "mosi.npz").write_bytes(b"PK not really")
    with pytest.raises(CorpusError, match="not a readable npz"):
        mosi.read(tmp_path)
    np.savez(tmp_path / "mosi.npz", a=np.ones(2))
    with pytest.raises(CorpusError, match=r"expected the array train_ids \(found: a\)"):
        mosi.read(tmp_path)
    for options in ({"case": "UPPER"}, {"labels": "sentiment-2-zh"}, {"conversation": "speaker"}):
        with pytest.raises(ConfigError, match=f"the option {next(iter(options))} must be one of"):
            mosi.read(tmp_path, **options)
