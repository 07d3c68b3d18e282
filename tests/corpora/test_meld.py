"""MELD's layouts and defects, with made-up dialogues."""

from pathlib import Path

import pytest

from moodline.core.errors import ConfigError, CorpusError, LabelError
from moodline.core.labels import MELD_7, SENTIMENT_3
from moodline.corpora import meld
from moodline.corpora.base import Corpus

from .helpers import MELD_HEADER, meld_row, write_csv, write_meld


def kinds(corpus: Corpus) -> list[tuple[str, str, str]]:
    return [(d.kind, d.where, d.action) for d in corpus.defects]


def test_csv_files(tmp_path: Path) -> None:
    corpus = meld.read(write_meld(tmp_path))
    assert meld.matches(tmp_path)
    assert corpus.labels is MELD_7
    assert {s: [c.id for c in cs] for s, cs in corpus.splits.items()} == {
        "train": ["train/dia0"], "dev": ["dev/dia0"], "test": ["test/dia0"],
    }  # fmt: skip
    first, second = corpus.splits["train"][0]
    assert (first.id, first.speaker, first.start, first.end) == ("train/dia0_utt0", "Ann", 60.0, 60.9)
    assert (first.text, first.emotion, second.emotion) == ("Lovely weather.", "joy", "surprise")
    assert first.video is None
    assert corpus.defects == ()
    assert list(corpus.files) == [f"{s}_sent_emo.csv" for s in ("train", "dev", "test")]
    assert corpus.info["options"] == {"labels": "emotion", "action_units": True}


def test_sentiment(tmp_path: Path) -> None:
    corpus = meld.read(write_meld(tmp_path), labels="sentiment")
    assert corpus.labels is SENTIMENT_3
    assert {u.emotion for c in corpus.splits["dev"] for u in c} == {"positive"}


def test_defects_are_repaired_and_said(tmp_path: Path) -> None:
    rows = [
        meld_row(2, 3, "it\x92s late", StartTime="0:01:03,000"),
        meld_row(2, 1, StartTime="00:01:30,000", EndTime="00:01:30,000"),
        meld_row(0, 0, EndTime="00:05:00,000"),
        meld_row(0, 1, " ", StartTime="??"),
    ]
    corpus = meld.read(write_meld(tmp_path, train=rows))
    assert kinds(corpus) == [
        ("wrongly decoded characters", "train/dia2_utt3", "repaired"),
        ("time not written in full", "train/dia2_utt3", "repaired"),
        ("end not after start", "train/dia2_utt1", "repaired"),
        ("very long utterance", "train/dia0_utt0", "reported"),
        ("empty text", "train/dia0_utt1", "reported"),
        ("unreadable time", "train/dia0_utt1", "dropped"),
        ("missing dialogue number", "train/dia1", "reported"),
        ("gap in utterance numbers", "train/dia2", "reported"),
        ("starts before the previous utterance", "train/dia2_utt3", "reported"),
    ]
    one, two = corpus.splits["train"]
    assert [u.id for u in two] == ["train/dia2_utt1", "train/dia2_utt3"]
    assert two.utterances[1].text == "it’s late"
    assert (two.utterances[0].start, two.utterances[0].end) == (90.0, None)
    assert (one.utterances[1].text, one.utterances[1].start) == (None, None)


@pytest.mark.parametrize("place", ["", "train"])
def test_release_tree_with_clips(place: str, tmp_path: Path) -> None:
    rows = [meld_row(125, 3), meld_row(125, 4), meld_row(125, 5), meld_row(125, 6)]
    write_meld(tmp_path, train=rows)
    if place:
        (tmp_path / place).mkdir()
        (tmp_path / "train_sent_emo.csv").rename(tmp_path / place / "train_sent_emo.csv")
    clips = tmp_path / place / "train_splits"
    clips.mkdir()
    for name, content in (("dia125_utt3", b"x"), ("dia125_utt4", b"x"), ("dia125_utt5", b""), ("dia9_utt9", b"x")):
        (clips / f"{name}.mp4").write_bytes(content)
    (clips / "final_videos_testdia1_utt1.mp4").write_bytes(b"x")
    (clips / "._dia125_utt4.mp4").write_bytes(b"x")
    corpus = meld.read(tmp_path)
    videos = [u.video for u in corpus.splits["train"][0]]
    assert videos == [None, clips / "dia125_utt4.mp4", None, None]
    assert [d.detail for d in corpus.defects if d.kind == "unusable clip"] == [
        "corrupt file",
        "empty file",
        "no such file",
    ]
    stray = [d.where for d in corpus.defects if d.kind == "clip of no utterance"]
    assert stray == ["train/final_videos_testdia1_utt1.mp4", "train/dia9_utt9.mp4"]
    assert all(u.video is None for c in corpus.splits["test"] for u in c)


def test_repository_layout(tmp_path: Path) -> None:
    write_meld(tmp_path / "data" / "MELD")
    assert len(meld.read(tmp_path).splits) == 3


def test_action_units(tmp_path: Path) -> None:
    write_meld(tmp_path, train=[meld_row(0, n) for n in range(4)])
    folder = tmp_path / "openface-au17"
    folder.mkdir()
    lines = ["dia0_utt0" + " 0.5" * 17, "dia0_utt1" + " 0" * 17, "dia0_utt2" + " nan" * 17, "dia7_utt0" + " 1" * 17]
    (folder / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    corpus = meld.read(tmp_path)
    assert list(corpus.features["visual"]) == ["train/dia0_utt0"]
    assert corpus.features["visual"]["train/dia0_utt0"].shape == (17,)
    assert corpus.features["visual"]["train/dia0_utt0"].dtype == "float32"
    assert kinds(corpus)[-4:] == [
        ("action units all zero or not finite", "train/dia0_utt1", "dropped"),
        ("action units all zero or not finite", "train/dia0_utt2", "dropped"),
        ("action units of no utterance", "train/dia7_utt0", "dropped"),
        ("no action units", "train/dia0_utt3", "reported"),
    ]
    assert meld.read(tmp_path, action_units=False).features == {}
    (folder / "train.txt").write_text("dia0_utt0 1 2 3\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"train\.txt: line 1 must be an id and 17 numbers"):
        meld.read(tmp_path)


def test_bad_input(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"expected train_sent_emo\.csv and .*found: an empty folder"):
        meld.read(tmp_path)
    write_meld(tmp_path)
    (tmp_path / "dev_sent_emo.csv").unlink()
    with pytest.raises(CorpusError, match=r"expected dev_sent_emo\.csv under .*found: test_sent_emo\.csv, train"):
        meld.read(tmp_path)
    with pytest.raises(ConfigError, match="'emotion' or 'sentiment'"):
        meld.read(tmp_path, labels="mood")


@pytest.mark.parametrize(
    ("row", "error", "says"),
    [
        (meld_row(0, 0, Emotion="bliss"), LabelError, r"row 2: .*unknown label 'bliss'"),
        (meld_row(0, 0, Dialogue_ID="one"), CorpusError, "row 2: Dialogue_ID must be a whole number"),
        (meld_row(0, 0, Utterance_ID=10**9), CorpusError, "row 2: Utterance_ID must be a whole number, 0 to 99999"),
    ],
)
def test_bad_rows(row: list[object], error: type[Exception], says: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=says):
        meld.read(write_meld(tmp_path, train=[row]))


def test_repeated_utterances_and_columns(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="row 3 repeats dialogue 0, utterance 0"):
        meld.read(write_meld(tmp_path, dev=[meld_row(0, 0), meld_row(0, 0)]))
    write_csv(tmp_path / "train_sent_emo.csv", MELD_HEADER[:5], [["1", "a", "b", "joy", "positive"]])
    with pytest.raises(CorpusError, match="lacks the columns Dialogue_ID"):
        meld.read(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("train_splits", "dev_splits_complete", "output_repeated_splits_test"),
        ("train_splits_wav", "dev_splits_wav", "test_splits_wav"),
        ("train", "dev", "test"),
    ],
)
def test_clips_that_were_made_sound(tmp_path: Path, names: tuple[str, str, str]) -> None:
    write_meld(tmp_path)
    for name in names:
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "dia0_utt0.wav").write_bytes(b"RIFF")
    corpus = meld.read(tmp_path)
    for split, name in zip(("train", "dev", "test"), names, strict=True):
        first = corpus.splits[split][0].utterances[0]
        assert (first.audio, first.video) == (tmp_path / name / "dia0_utt0.wav", None)
    assert not [d for d in corpus.defects if d.kind == "unusable clip" and d.where.endswith("dia0_utt0")]
