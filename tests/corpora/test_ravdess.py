"""RAVDESS, with clips of made-up noise."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodline.core.errors import ConfigError, CorpusError
from moodline.corpora import ravdess


def clip(
    folder: Path, actor: int, emotion: int = 3, kind: str = "03-01", suffix: str = "flac", samples: int = 1600
) -> Path:
    path = folder / f"Actor_{actor:02d}" / f"{kind}-{emotion:02d}-01-01-01-{actor:02d}.{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(actor).uniform(-0.5, 0.5, samples)
    soundfile.write(path, noise, 16000)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for actor in range(1, 25):
        clip(tmp_path, actor, emotion=actor % 8 + 1, suffix="wav" if actor % 2 else "flac")
    return tmp_path


def test_splits_and_labels(folder: Path) -> None:
    corpus = ravdess.read(folder)
    assert {s: len(c) for s, c in corpus.splits.items()} == {"train": 16, "dev": 4, "test": 4}
    (turn,) = corpus.splits["train"][0]
    assert (turn.id, turn.speaker, turn.emotion) == ("03-01-02-01-01-01-01", "actor_01", "calm")
    assert (turn.start, turn.end, turn.text) == (0.0, 0.1, None)
    assert turn.audio == folder / "Actor_01" / "03-01-02-01-01-01-01.wav"
    assert corpus.files["Actor_01/03-01-02-01-01-01-01.wav"] == hashlib.sha256(turn.audio.read_bytes()).hexdigest()


def test_clips_of_an_actor_are_drawn_together(folder: Path) -> None:
    corpus = ravdess.read(folder)
    clips = [c for split in corpus.splits.values() for c in split]
    assert corpus.groups.name == "actors"
    assert corpus.groups.each(clips) == [c.utterances[0].speaker for c in clips]


@pytest.mark.parametrize("fold", [None, *range(6)])
def test_no_actor_is_in_two_splits(fold: int | None) -> None:
    actors = ravdess.split_actors(fold)
    assert sorted(a for members in actors.values() for a in members) == list(range(1, 25))
    assert (len(actors["train"]), len(actors["dev"]), len(actors["test"])) == (16, 4, 4)


def test_folds_test_every_actor_once() -> None:
    assert sorted(a for f in range(6) for a in ravdess.split_actors(f)["test"]) == list(range(1, 25))
    assert ravdess.split_actors(None)["test"] == [21, 22, 23, 24]
    assert ravdess.split_actors(5)["dev"] == [1, 2, 3, 4]


def test_broken_clips_are_dropped(folder: Path) -> None:
    (folder / "Actor_01" / "03-01-01-01-01-01-01.wav").write_bytes(b"")
    (folder / "Actor_01" / "03-01-03-01-01-01-01.wav").write_bytes(b"no sound at all")
    cut = clip(folder, 2, emotion=1, samples=16000)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 3])
    clip(folder, 2, emotion=2, suffix="wav", samples=0)
    clip(folder, 2, kind="03-02")
    clip(folder, 3, kind="02-01")
    (folder / "Actor_03" / "notes.txt").write_text("hm")
    corpus = ravdess.read(folder)
    assert sum(map(len, corpus.splits.values())) == 24
    assert [(d.kind, d.where) for d in corpus.defects] == [
        ("song", "Actor_02/03-02-03-01-01-01-02.flac"),
        ("not an audio clip", "Actor_03/02-01-03-01-01-01-03.flac"),
        ("not an audio clip", "Actor_03/notes.txt"),
        ("unreadable clip", "Actor_01/03-01-01-01-01-01-01.wav"),
        ("unreadable clip", "Actor_01/03-01-03-01-01-01-01.wav"),
        ("unreadable clip", "Actor_02/03-01-01-01-01-01-02.flac"),
        ("unreadable clip", "Actor_02/03-01-02-01-01-01-02.wav"),
    ]
    assert all(d.action == "dropped" for d in corpus.defects)


def test_bad_input(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(CorpusError, match=r"expected Actor_01/03-01-\*\.wav or \.flac .*an empty folder"):
        ravdess.read(tmp_path / "other")
    for fold in (6, -1, True, "1"):
        with pytest.raises(ConfigError, match="fold must be 0 to 5"):
            ravdess.read(folder, fold=fold)  # type: ignore[arg-type]
    clip(folder, 5, emotion=9)
    with pytest.raises(CorpusError, match="emotions are 01 to 08"):
        ravdess.read(folder)
