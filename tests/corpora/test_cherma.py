"""CHERMA as LFMIM published it, and MSE-Adapter's pickles: made-up files of their sizes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodline.core.errors import ConfigError, CorpusError, MoodlineError, UnsafePickleError
from moodline.core.labels import CHERMA_7, CHERMA_7_ZH, MELD_7
from moodline.corpora.registry import detect_corpus, read_corpus
from tests.tiny import call

from .helpers import dump, same_features

CHINESE = CHERMA_7_ZH.labels
FRAMES = {"meld": {"audio": (157, 64), "video": (32, 64)}, "cherma": {"audio": (543, 1024), "video": (16, 2048)}}


def write_lfmim(folder: Path, clips: int = 3, dev: str = "dev") -> Path:
    draw = np.random.default_rng(0)
    for split in ("train", dev, "test"):
        rows = []
        for n in range(clips):
            clip = f"剧{n}_{split}_0{n}"
            rows.append(
                {
                    "audio_file": f"{clip}.wav", "video_file": f"{clip}.mp4", "txt_label": CHINESE[(n + 1) % 7],
                    "audio_label": CHINESE[(n + 2) % 7], "visual_label": CHINESE[(n + 3) % 7],
                    "video_label": CHINESE[n],
                }
            )  # fmt: skip
            for m, end, size in (("text", "", 1024), ("audio", "", 1024), ("visual", ".mp4", 2048)):
                place = folder / m / split / f"{clip}{end}.npy"
                place.parent.mkdir(parents=True, exist_ok=True)
                np.save(place, draw.normal(size=(4 + n, size)).astype(np.float32))
        (folder / f"{split}.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return folder


def items(name: str, count: int = 3) -> list[dict[str, Any]]:
    draw, labels = np.random.default_rng(1), CHINESE if name == "cherma" else MELD_7.labels
    out = []
    for n in range(count):
        features: dict[str, Any] = {"text": "今天 天气 很好" if name == "cherma" else f"Nice weather {n}."}
        for m, shape in FRAMES[name].items():
            frames = np.zeros(shape, np.float32)
            frames[: n + 2] = draw.normal(size=(n + 2, shape[1]))
            features |= {m: frames, f"{m}_len": n + 2}
        out.append({"label": labels[n], "features": features})
    return out


def write_pickles(folder: Path, name: str, **changed: Any) -> Path:
    for split in ("train", "valid", "test"):
        dump(folder / f"{name}_{split}.pkl", changed.get(split, items(name)))
    return folder


@pytest.mark.parametrize("dev", ["dev", "valid"])
def test_lfmims_features(dev: str, tmp_path: Path) -> None:
    folder = write_lfmim(tmp_path / "CHERMA0723", dev=dev)
    assert detect_corpus(folder) == "cherma"
    corpus = read_corpus("cherma", tmp_path)
    assert {s: len(c) for s, c in corpus.splits.items()} == {"train": 3, "dev": 3, "test": 3}
    assert corpus.labels == CHERMA_7
    first = corpus.splits["train"][0]
    assert (first.id, len(first), first.utterances[0].emotion, first.utterances[0].text) == (
        "train-剧0_train_00", 1, "anger", None,
    )  # fmt: skip
    assert {n: rows["train-剧1_train_01"].shape for n, rows in corpus.features.items()} == {
        "text": (5, 1024), "speech": (5, 1024), "visual": (5, 2048),
    }  # fmt: skip
    assert len(corpus.files) == 3 + 27, "the arrays are part of the corpus's hash"


def test_chinese_names_and_single_modalities(tmp_path: Path) -> None:
    folder = write_lfmim(tmp_path)
    for annotation, shift in (("M", 0), ("T", 1), ("A", 2), ("V", 3)):
        corpus = read_corpus("cherma", folder, labels="cherma-7-zh", annotation=annotation)
        assert corpus.labels == CHERMA_7_ZH
        said = [u.emotion for c in corpus.splits["test"] for u in c]
        assert said == [CHINESE[n + shift] for n in range(3)]


@pytest.mark.parametrize("name", FRAMES)
def test_mse_adapters_pickles(name: str, tmp_path: Path) -> None:
    folder = write_pickles(tmp_path / "x", name)
    reader = "cherma" if name == "cherma" else "mse-adapter"
    corpus = read_corpus(reader, folder)
    assert corpus.name == name
    assert {s: len(c) for s, c in corpus.splits.items()} == {"train": 3, "dev": 3, "test": 3}
    u = corpus.splits["dev"][1].utterances[0]
    assert u.emotion == ("disgust" if name == "cherma" else "surprise")
    assert u.text == items(name)[1]["features"]["text"]
    sizes = FRAMES[name]
    assert corpus.features["speech"][u.id].shape == (3, sizes["audio"][1]), "as long as audio_len says"
    assert corpus.features["visual"][u.id].shape == (3, sizes["video"][1])


@pytest.mark.parametrize("layout", ["lfmim", "pickles"])
def test_converted_and_inspected(layout: str, tmp_path: Path) -> None:
    folder = tmp_path / "source"
    write_lfmim(folder) if layout == "lfmim" else write_pickles(folder, "cherma")
    first = read_corpus("cherma", folder, labels="cherma-7-zh")
    code, out, error = call("convert", folder, tmp_path / "cherma", "--option", "labels=cherma-7-zh")
    assert (code, error) == (0, "")
    again = read_corpus("cherma", tmp_path / "cherma")
    assert (again.splits, again.labels) == (first.splits, first.labels)
    assert same_features(replace(first, features=dict(sorted(first.features.items()))), again)
    code, out, error = call("inspect", "cherma", folder)
    assert (code, error) == (0, "")
    assert "anger" in out


def test_defects_are_told(tmp_path: Path) -> None:
    folder = write_lfmim(tmp_path)
    (folder / "audio" / "train" / "剧0_train_00.npy").unlink()
    np.save(folder / "text" / "train" / "剧1_train_01.npy", np.zeros((0, 1024), np.float32))
    broken = np.zeros((2, 2048), np.float32)
    broken[0, 3] = np.nan
    np.save(folder / "visual" / "train" / "剧2_train_02.mp4.npy", broken)
    corpus = read_corpus("cherma", folder)
    assert {(d.kind, d.where, d.action) for d in corpus.defects} == {
        ("no audio file", "train-剧0_train_00", "reported"),
        ("text without frames", "train-剧1_train_01", "dropped"),
        ("visual not finite", "train-剧2_train_02", "repaired"),
    }
    assert "train-剧0_train_00" not in corpus.features["speech"]


def edit(folder: Path, change: Any) -> None:
    path = folder / "train.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    change(rows)
    path.write_text(json.dumps(rows), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "dev.json").unlink(), r"expected dev\.json or valid\.json or val\.json"),
        (lambda f: (f / "test.json").unlink(), r"expected test\.json"),
        (lambda f: (f / "train.json").write_text('[{"audio'), r"train\.json is not JSON"),
        (lambda f: (f / "train.json").write_text("{}"), r"train\.json must be a list of clips"),
        (lambda f: (f / "train.json").write_text("[]"), r"train\.json must be a list of clips"),
        (lambda f: edit(f, lambda r: r[1].pop("audio_file")), "clip 1: expected the texts audio_file and video_label"),
        (lambda f: edit(f, lambda r: r[0].update(video_label="快乐")), "clip 0: unknown video_label .*快乐"),
        (lambda f: edit(f, lambda r: r[0].update(audio_file="../x.wav")), "audio_file must be a file's name"),
        (lambda f: edit(f, lambda r: r.append(r[0])), "must be unique|in train and in train"),
        (lambda f: np.save(f / "text/train/剧0_train_00.npy", np.zeros((2, 768), np.float32)), r"frames \[T, 1024\]"),
        (lambda f: np.save(f / "text/train/剧0_train_00.npy", np.zeros((2, 1024), int)), r"frames \[T, 1024\]"),
        (lambda f: np.save(f / "audio/test/剧0_test_00.npy", np.array([None])), "not a readable npy file"),
        (lambda f: (f / "audio/test/剧0_test_00.npy").write_bytes(b"\x93NUMPY"), "not a readable npy file"),
    ],
)
def test_bad_features_give_one_line(spoil: Any, says: str, tmp_path: Path) -> None:
    folder = write_lfmim(tmp_path)
    spoil(folder)
    with pytest.raises(MoodlineError, match=says) as error:
        read_corpus("cherma", folder)
    assert "\n" not in str(error.value)


def changed(**features: Any) -> list[dict[str, Any]]:
    out = items("meld")
    for key, value in features.items():
        if value is None:
            del out[1]["features"][key]
        else:
            out[1]["features"][key] = value
    return out


@pytest.mark.parametrize(
    ("train", "says"),
    [
        ({}, r"meld_train\.pkl: expected a list of utterances"),
        ([], "expected a list of utterances"),
        ([3], "utterance 0: expected label and features"),
        ([{"label": "joy"}], "utterance 0: expected label and features"),
        ([{**items("meld")[0], "label": "glad"}], r"unknown label \(found: glad\)"),
        (changed(audio=None), "utterance 1: expected audio as frames"),
        (changed(audio=np.zeros(64)), "audio must be frames"),
        (changed(audio="loud"), "expected audio as frames"),
        (changed(audio_len=158), "audio_len at most T"),
        (changed(audio_len=-1), "audio_len at most T"),
        (
            changed(video=np.zeros((32, 63))),
            r"visual frames must all have one size \(found: \[63, 64\], at meld-train-1",
        ),
    ],
)
def test_bad_pickles_give_one_line(train: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says) as error:
        read_corpus("mse-adapter", write_pickles(tmp_path, "meld", train=train))
    assert "\n" not in str(error.value)


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (print, ("run",))

    with pytest.raises(UnsafePickleError):
        read_corpus("mse-adapter", write_pickles(tmp_path, "meld", train=[Evil()]))


def test_wrong_folders_and_options(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"cherma: expected train\.json, dev\.json"):
        read_corpus("cherma", tmp_path)
    with pytest.raises(CorpusError, match=r"mse-adapter: expected meld_train\.pkl"):
        read_corpus("mse-adapter", tmp_path)
    folder = write_pickles(tmp_path, "cherma")
    for reader, options, says in (
        ("cherma", {"labels": "meld-7"}, "labels must be one of cherma-7, cherma-7-zh"),
        ("cherma", {"annotation": "X"}, "annotation must be one of"),
        ("cherma", {"annotation": "T"}, "the pickles have one label each"),
    ):
        with pytest.raises(ConfigError, match=says):
            read_corpus(reader, folder, **options)
