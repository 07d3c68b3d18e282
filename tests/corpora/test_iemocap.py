"""IEMOCAP: the release tree, options, and the pickles' own questions."""

from pathlib import Path

import pytest

from moodline.core.errors import ConfigError, CorpusError
from moodline.corpora import iemocap
from moodline.corpora.iemocap import DEV, XXX_LIST

from . import tuples
from .helpers import dump
from .test_feature_pickles import NAMES

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def dialogue(root: Path, name: str, turns: list[tuple[str, float, float, str, str]], upper: bool = False) -> None:
    """Write one dialogue: (utterance, start, end, label, text) each."""
    session = root / f"Session{int(name[3:5])}"
    folder = session / ("Dialog" if upper else "dialog")
    scored = folder / ("emoevaluation" if upper else "EmoEvaluation")
    spoken = folder / "transcriptions"
    for place in (scored, spoken):
        place.mkdir(parents=True, exist_ok=True)
    lines = [
        f"[{a:.4f} - {b:.4f}]\t{name}_{u}\t{label}\t[2.5000, 2.5000, 2.5000]\nC-E2:\tNeutral;\t()\n"
        for u, a, b, label, _ in turns
    ]
    (scored / f"{name}.txt").write_text(HEADER + "\n".join(lines), encoding="utf-8")
    words = [f"{name}_{u} [{a:08.4f}-{b:08.4f}]: {text}" for u, a, b, _, text in turns if text]
    (spoken / f"{name}.txt").write_text("\n".join([*words, "M: (coughs)"]), encoding="utf-8")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    root = tmp_path / "IEMOCAP_full_release"
    turns = [
        ("M000", 3.0, 4.0, "hap", "Oh, good."),
        ("F000", 1.0, 2.5, "neu", "Here it is."),
        ("F001", 5.0, 6.0, "xxx", "Well then."),
        ("M001", 7.0, 7.0, "fru", ""),
        ("F002", 8.0, 9.0, "sur", "What?"),
    ]
    dialogue(root, "Ses01F_impro01", turns)
    dialogue(root, "Ses01M_impro01", [("F000", 0.5, 1.0, "ang", "No!")])
    dialogue(root, "Ses03F_impro01", [("F000", 0.5, 1.0, "exc", "Yes!")], upper=True)
    dialogue(root, "Ses05F_script01_1", [("F000", 0.5, 1.0, "sad", "Alas.")])
    dialogue(root, "Ses05F_impro08", [("F000", 0.5, 1.0, "oth", "Hm.")])
    return root


@pytest.mark.parametrize("inside", [True, False])
def test_release_tree(release: Path, inside: bool) -> None:
    folder = release if inside else release.parent
    assert iemocap.matches(folder)
    corpus = iemocap.read(folder)
    assert {s: [c.id for c in cs] for s, cs in corpus.splits.items()} == {
        "train": ["Ses01F_impro01"], "dev": ["Ses01M_impro01", "Ses03F_impro01"], "test": ["Ses05F_script01_1"],
    }  # fmt: skip
    turns = corpus.splits["train"][0].utterances
    assert [u.id[-4:] for u in turns] == ["F000", "M000", "M001"]
    assert [u.emotion for u in turns] == ["neutral", "happy", "frustrated"]
    assert [u.speaker for u in turns] == ["Ses01_F", "Ses01_M", "Ses01_M"]
    assert (turns[0].text, turns[0].start, turns[0].end) == ("Here it is.", 1.0, 2.5)
    assert (turns[2].text, turns[2].start, turns[2].end) == (None, 7.0, None)
    found = {(d.kind, d.where, d.action) for d in corpus.defects}
    assert ("no text", "Ses01F_impro01_M001", "reported") in found
    assert ("end not after start", "Ses01F_impro01_M001", "repaired") in found
    assert ("malformed transcript line", "Ses01F_impro01:5", "dropped") in found
    assert corpus.info["options"] == {"xxx_as_happy": False, "fold": None}


def test_media(release: Path) -> None:
    wavs = release / "Session1" / "sentences" / "wav" / "Ses01F_impro01"
    wavs.mkdir(parents=True)
    (wavs / "Ses01F_impro01_F000.wav").write_bytes(b"x")
    (wavs / "Ses01F_impro01_M000.wav").write_bytes(b"")
    videos = release / "Session1" / "dialog" / "avi" / "divx"
    videos.mkdir(parents=True)
    (videos / "Ses01F_impro01.avi").write_bytes(b"x")
    corpus = iemocap.read(release)
    conversation = corpus.splits["train"][0]
    assert conversation.media == videos / "Ses01F_impro01.avi"
    assert [u.audio for u in conversation] == [wavs / "Ses01F_impro01_F000.wav", None, None]
    unusable = [(d.where[-4:], d.detail) for d in corpus.defects if d.kind == "unusable clip"]
    assert unusable == [("M000", "empty file"), ("M001", "no such file"), ("F000", "no such file")]


def test_xxx_as_happy_in_the_release(release: Path) -> None:
    with pytest.raises(ConfigError, match=XXX_LIST):
        iemocap.read(release, xxx_as_happy=True)
    (release / XXX_LIST).write_text("Ses01F_impro01_F001\ttrain\n", encoding="utf-8")
    corpus = iemocap.read(release, xxx_as_happy=True)
    assert [u.emotion for u in corpus.splits["train"][0]] == ["neutral", "happy", "happy", "frustrated"]
    assert XXX_LIST in corpus.files
    assert len(iemocap.read(release).splits["train"][0]) == 3
    (release / XXX_LIST).write_text("Ses01F_impro01_M001\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="1 listed utterances are not labelled xxx"):
        iemocap.read(release, xxx_as_happy=True)


@pytest.mark.parametrize("fold", range(5))
def test_folds_leave_one_session_out(fold: int, tmp_path: Path) -> None:
    lengths = dict.fromkeys((*DEV, *(f"Ses0{n}{s}_impro{k}" for n in range(1, 6) for s in "FM" for k in (20, 21))), 1)
    elements = tuples.parts(lengths, 6) | {"train": [k for k in lengths if k[4] != "5"], "test": ["Ses05F_impro20"]}
    elements["test"] = [k for k in lengths if k[4] == "5"]
    corpus = iemocap.read(dump(tmp_path / "f.pkl", tuples.make(NAMES, elements)), fold=fold)
    ids = {s: {c.id for c in cs} for s, cs in corpus.splits.items()}
    assert ids["test"] == {k for k in lengths if k.startswith(f"Ses0{fold + 1}")}
    others = sorted(set(lengths) - ids["test"])
    assert ids["dev"] == set(others[7::8])
    assert ids["train"] == set(others) - ids["dev"]
    assert corpus.info["dev"].startswith("every eighth dialogue")


def test_a_whole_session_as_dev(release: Path) -> None:
    ids = [f"Ses0{n}F_impro0{k}" for n in range(1, 6) for k in range(1, 4)]
    parts = iemocap.split_dialogues(ids, None, 4)
    assert {i[:5] for i in parts["dev"]} == {"Ses04"}
    assert {i[:5] for i in parts["test"]} == {"Ses05"}
    assert {i[:5] for i in parts["train"]} == {"Ses01", "Ses02", "Ses03"}
    assert iemocap.read(release, dev_session=4).info["dev"] == "session 4"
    for wrong in (5, 0, True, "4"):
        with pytest.raises(ConfigError, match=r"dev_session must be 1 to 5, not 5, which tests"):
            iemocap.read(release, dev_session=wrong)


def test_folds_of_the_release(release: Path) -> None:
    ids = {s: [c.id for c in cs] for s, cs in iemocap.read(release, fold=0).splits.items()}
    assert ids == {"train": ["Ses03F_impro01", "Ses05F_script01_1"], "test": ["Ses01F_impro01", "Ses01M_impro01"]}


def test_folds_need_names_of_sessions(tmp_path: Path) -> None:
    elements = tuples.parts({"a": 1, "b": 1}, 6) | {"train": ["a"], "test": ["b"], "dev": []}
    with pytest.raises(ConfigError, match="need dialogues named Ses01"):
        iemocap.read(dump(tmp_path / "f.pkl", tuples.make(NAMES, elements)), fold=1)


def test_bad_options(release: Path) -> None:
    for fold in (5, -1, True, "1"):
        with pytest.raises(ConfigError, match="fold must be 0 to 4"):
            iemocap.read(release, fold=fold)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="xxx_as_happy must be true or false"):
        iemocap.read(release, xxx_as_happy="yes")  # type: ignore[arg-type]


def test_pickles_without_the_xxx_utterances(tmp_path: Path) -> None:
    elements = tuples.iemocap()
    elements["labels"]["Ses01F_impro01"] = [0, 0, 3]
    elements["labels"]["Ses03F_impro01"] = [0]
    path = dump(tmp_path / "f.pkl", tuples.make(NAMES, elements))
    with pytest.raises(ConfigError, match=XXX_LIST):
        iemocap.read(path, xxx_as_happy=False)
    listed = tmp_path / XXX_LIST
    listed.write_text("Ses01F_impro01_M001\ttrain\nSes03F_impro01_F000\tdev\n", encoding="utf-8")
    corpus = iemocap.read(path, xxx_as_happy=False)
    assert [u.id[-4:] for u in corpus.splits["train"][0]] == ["F000", "F002"]
    assert [c.id for c in corpus.splits["dev"]] == ["Ses01M_impro01"]
    assert all(len(rows) == 9 for rows in corpus.features.values())
    assert [d.where for d in corpus.defects if d.kind == "no agreed label"] == [
        "Ses01F_impro01_M001",
        "Ses03F_impro01_F000",
    ]
    assert iemocap.read(path).info["options"]["xxx_as_happy"] is True
    listed.write_text("Ses01F_impro01_F002\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"1 utterances of .* are not happy ones"):
        iemocap.read(path, xxx_as_happy=False)
    elements["train"] = [t for t in tuples.TRAIN if t not in tuples.DEV]
    names = ("speakers", "labels", "sentences", "train", "test", "dev")
    path = dump(tmp_path / "f.pkl", tuples.make(names, elements))
    with pytest.raises(ConfigError, match="has no utterance ids"):
        iemocap.read(path, xxx_as_happy=False)


def test_the_order_of_pickles_is_reported(tmp_path: Path) -> None:
    elements = tuples.iemocap()
    elements["ids"]["Ses01F_impro01"] = ["Ses01F_impro01_F002", "Ses01F_impro01_M001", "Ses01F_impro01_F000"]
    corpus = iemocap.read(dump(tmp_path / "f.pkl", tuples.make(NAMES, elements)))
    assert [(d.kind, d.where, d.detail) for d in corpus.defects] == [
        ("out of the order of utterance numbers", "Ses01F_impro01_F000", "after Ses01F_impro01_F002")
    ]


def test_bad_trees(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"expected Session1 to Session5 .*an empty folder"):
        iemocap.read(tmp_path)
    (tmp_path / "Session1").mkdir()
    with pytest.raises(CorpusError, match=r"expected dialog/EmoEvaluation/\*\.txt under .*Session1"):
        iemocap.read(tmp_path)
    dialogue(tmp_path, "Ses01F_impro01", [("F000", 0.5, 1.0, "oth", "Hm.")])
    with pytest.raises(CorpusError, match="no utterance of the six classes"):
        iemocap.read(tmp_path)
    path = tmp_path / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.write_text("[1.0 to 2.0]\tSes01F_impro01_F000\tneu\t[1, 1, 1]\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"Ses01F_impro01\.txt: line 1 must be"):
        iemocap.read(tmp_path)


def test_several_pickles(tmp_path: Path) -> None:
    for name in ("a.pkl", "b.pkl"):
        dump(tmp_path / name, ())
    with pytest.raises(CorpusError, match=r"expected one pickle .*found: a\.pkl, b\.pkl.*Pass the file itself"):
        iemocap.read(tmp_path)
