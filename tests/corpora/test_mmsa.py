"""CMU-MOSEI, CH-SIMS and CH-SIMS v2: made-up pickles of their published sizes and lengths."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodline.core.errors import ConfigError, CorpusError, MoodlineError
from moodline.core.labels import LABEL_SETS, MOSI_SCALE, SIMS_SCALE
from moodline.corpora.convert import convert
from moodline.corpora.inspect import summarize
from moodline.corpora.registry import detect_corpus, read_corpus
from tests.tiny import call

from .helpers import dump, same_features

LENGTHS = {"mosei": (50, 500, 375), "sims": (39, 400, 55), "simsv2": (50, 925, 232)}
"""Frames that text, audio and vision are padded to."""
SIZES = {"mosei": (768, 74, 35), "sims": (768, 33, 709), "simsv2": (768, 25, 177)}
FILES = {"mosei": "MOSEI/unaligned_50.pkl", "sims": "SIMS/unaligned_39.pkl", "simsv2": "SIMSV2/ch-simsv2s.pkl"}
SCORES = {"mosei": [-3.0, 0.0, 1.5], "sims": [-1.0, 0.0, 0.6], "simsv2": [-0.8, 0.0, 1.0]}
WORDS = {"mosei": "I like it", "sims": "我 很 喜欢", "simsv2": "我很喜欢"}


def part(name: str, ids: list[str], scores: list[float], **changes: Any) -> dict[str, Any]:
    n, draw = len(ids), np.random.default_rng(len(ids))
    lengths = {
        "audio_lengths": draw.integers(1, LENGTHS[name][1], n).tolist(),
        "vision_lengths": draw.integers(1, LENGTHS[name][2], n).tolist(),
    }
    out: dict[str, Any] = {"id": ids, "raw_text": [f"{WORDS[name]} {i}" for i in range(n)], **lengths}
    for m, t, d in zip(("text", "audio", "vision"), LENGTHS[name], SIZES[name], strict=True):
        frames = draw.normal(size=(n, t, d)).astype(np.float32)
        for row, real in zip(frames, lengths.get(f"{m}_lengths", [t] * n), strict=True):
            row[real:] = 0
        out[m] = frames
    out["text_bert"] = np.zeros((n, 3, LENGTHS[name][0]))
    out["text_bert"][:, 1, :7] = 1
    out["regression_labels"] = np.array(scores, np.float32)
    if name != "mosei":
        out |= {f"regression_labels_{m}": -np.array(scores, np.float32) for m in "TAV"}
    out |= {"annotations": ["Neutral"] * n, "classification_labels": np.ones(n)}
    return out | changes


def whole(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "train": part(name, ["v1$_$10", "v1$_$2", "v2$_$1"], SCORES[name]),
        "valid": part(name, ["v3$_$1"], [0.2]),
        "test": part(name, ["v4$_$1"], [-0.2]),
        **changes,
    }


@pytest.mark.parametrize("name", LENGTHS)
def test_real_sizes_and_lengths(name: str, tmp_path: Path) -> None:
    path = dump(tmp_path / FILES[name], whole(name))
    assert detect_corpus(path.parent) == name
    corpus = read_corpus(name, tmp_path)
    assert corpus.name == name
    assert corpus.scale == (MOSI_SCALE if name == "mosei" else SIMS_SCALE)
    train = whole(name)["train"]
    ids = ["v1_10", "v1_2", "v2_1"]
    for m, own, d in zip(("audio", "vision"), ("speech", "visual"), SIZES[name][1:], strict=True):
        for n, key in enumerate(ids):
            frames = corpus.features[own][key]
            assert frames.shape == (train[f"{m}_lengths"][n], d)
            assert np.array_equal(frames, train[m][n, : len(frames)])
    assert corpus.features["text"]["v1_2"].shape == (7, 768), "as long as BERT's mask says"
    scores = {u.id: u.value for c in corpus.splits["train"] for u in c}
    assert [scores[i] for i in ids] == pytest.approx(SCORES[name])
    alone = [1, 1, 1] if name == "simsv2" else [2, 1]
    assert [len(c) for c in corpus.splits["train"]] == alone
    videos = corpus.groups.each(corpus.splits["train"])
    assert videos == (["v1", "v1", "v2"] if name == "simsv2" else ["v1", "v2"]), "clips of a video are drawn together"
    assert corpus.speakers == "corpus"
    summary = summarize(corpus)
    assert summary["splits"]["train"]["utterances"] == 3
    assert summary["features"]["speech"]["frames"]["max"] == max(len(v) for v in corpus.features["speech"].values())


@pytest.mark.parametrize("name", LENGTHS)
def test_converted_and_read_again(name: str, tmp_path: Path) -> None:
    path = dump(tmp_path / FILES[name], whole(name))
    first = read_corpus(name, path)
    code, out, error = call("convert", path, tmp_path / name, "--corpus", name)
    assert (code, error) == (0, "")
    again = read_corpus(name, tmp_path / name)
    assert (again.splits, again.scale, again.labels) == (first.splits, first.scale, first.labels)
    assert same_features(replace(first, features=dict(sorted(first.features.items()))), again)
    code, out, error = call("inspect", name, path.parent, "--json")
    assert (code, error) == (0, "")
    assert f'"{name}"' in out


def test_zero_goes_where_the_corpus_puts_it(tmp_path: Path) -> None:
    """CMU-MOSEI's binary accuracy has 0 among the positive, CH-SIMS's among the negative."""
    for name, expected in (("mosei", "positive"), ("sims", "negative"), ("simsv2", "negative")):
        corpus = read_corpus(name, dump(tmp_path / FILES[name], whole(name)))
        (zero,) = [u for c in corpus.splits["train"] for u in c if u.value == 0]
        assert zero.emotion == expected


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("sentiment-3", ("negative", "neutral", "positive")),
        ("sentiment-3-zh", ("消极", "中性", "积极")),
        ("sentiment-2-zh", ("消极", "消极", "积极")),
    ],
)
def test_chinese_names(labels: str, expected: tuple[str, ...], tmp_path: Path) -> None:
    path = dump(tmp_path / FILES["sims"], whole("sims"))
    corpus = read_corpus("sims", path, labels=labels)
    assert corpus.labels == LABEL_SETS[labels]
    said = {u.value: u.emotion for c in corpus.splits["train"] for u in c}
    assert tuple(said[s] for s in sorted(said, key=float)) == expected
    convert(path, tmp_path / "sims", "sims", labels=labels)
    assert read_corpus("sims", tmp_path / "sims", labels=labels).splits == corpus.splits
    assert read_corpus("sims", tmp_path / "sims").labels == corpus.labels


def test_the_score_of_one_modality(tmp_path: Path) -> None:
    path = dump(tmp_path / FILES["sims"], whole("sims"))
    both = {
        m: {u.id: u.value for c in read_corpus("sims", path, annotation=m).splits["train"] for u in c} for m in "MA"
    }
    assert both["M"] == {key: pytest.approx(-score) for key, score in both["A"].items()}
    data = whole("sims")
    del data["train"]["regression_labels_A"]
    with pytest.raises(CorpusError, match="expected id, raw_text, regression_labels_A"):
        read_corpus("sims", dump(path, data), annotation="A")


def test_values_that_are_not_finite_are_repaired_and_told(tmp_path: Path) -> None:
    data = whole("mosei")
    data["train"]["audio"][0, 0, :3] = -np.inf
    data["train"]["vision"][1, 0, 5] = np.nan
    corpus = read_corpus("mosei", dump(tmp_path / FILES["mosei"], data))
    assert {(d.kind, d.where, d.detail) for d in corpus.defects} == {
        ("audio not finite", "v1_10", "3 values set to 0"), ("vision not finite", "v1_2", "1 values set to 0"),
    }  # fmt: skip
    assert all(np.isfinite(v).all() for rows in corpus.features.values() for v in rows.values())


def test_an_utterance_without_frames_lacks_the_modality(tmp_path: Path) -> None:
    data = whole("simsv2")
    data["train"]["audio_lengths"][1] = 0
    corpus = read_corpus("simsv2", dump(tmp_path / FILES["simsv2"], data))
    assert "v1_2" not in corpus.features["speech"]
    assert ("audio without frames", "v1_2", "dropped") in {(d.kind, d.where, d.action) for d in corpus.defects}


def test_one_corpus_is_not_taken_for_another(tmp_path: Path) -> None:
    path = dump(tmp_path / "unaligned_50.pkl", whole("mosei"))
    with pytest.raises(CorpusError, match="audio of 74 and vision of 35 values are those of mosei"):
        read_corpus("mosi", path)
    assert read_corpus("mosei", path).name == "mosei"


@pytest.mark.parametrize("name", LENGTHS)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.pop("valid"), "expected train, valid and test .*no valid"),
        (lambda d: d.pop("test"), "expected train, valid and test .*no test"),
        (lambda d: d["train"]["regression_labels"].__setitem__(1, np.nan), "regression_labels must be finite"),
        (lambda d: d["train"]["regression_labels"].__setitem__(1, 3.5), r"scores lie between .*3\.5 of v1\$_\$2"),
        (lambda d: d["train"].update(audio=d["train"]["audio"][:2]), "same length"),
        (lambda d: d["test"].update(vision=d["test"]["vision"][:, :, :9]), "visual features must be all"),
        (lambda d: d["train"].update(vision_lengths=["a"] * 3), "vision_lengths must be one number"),
        (lambda d: d["train"].pop("raw_text"), "expected id, raw_text, regression_labels"),
    ],
)
def test_bad_files_give_one_line(name: str, change: Any, says: str, tmp_path: Path) -> None:
    data = whole(name)
    change(data)
    with pytest.raises(CorpusError, match=says) as error:
        read_corpus(name, dump(tmp_path / FILES[name], data))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9999])
def test_a_truncated_pickle_gives_one_line(share: float, tmp_path: Path) -> None:
    path = dump(tmp_path / FILES["sims"], whole("sims"))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    code, out, error = call("inspect", "sims", path)
    assert code != 0
    assert out == ""
    assert error.count("\n") == 1
    assert "Traceback" not in error


@pytest.mark.parametrize("name", LENGTHS)
def test_other_bad_input(name: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=f"{name}: expected one MMSA pickle"):
        importlib.import_module(f"moodline.corpora.{name}").read(tmp_path)
    for options in ({"case": "UPPER"}, {"labels": "meld-7"}, {"conversation": "speaker"}):
        with pytest.raises(ConfigError, match=f"{name}: the option {next(iter(options))} must be one of"):
            read_corpus(name, dump(tmp_path / FILES[name], whole(name)), **options)
    with pytest.raises(MoodlineError, match="unknown option 'annotation'" if name == "mosei" else "annotation must be"):
        read_corpus(name, tmp_path / FILES[name], annotation="X")
