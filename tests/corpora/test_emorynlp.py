"""EmoryNLP's two layouts, with made-up scenes."""

import json
from pathlib import Path

import pytest

from moodline.core.errors import CorpusError, LabelError
from moodline.corpora import emorynlp

from .helpers import EMORY_HEADER, write_csv

EPISODE = {"train": 1, "dev": 2, "test": 3}


def row(
    turn: int, episode: int, text: str = "Good soup.", speaker: str = "['Ann Lee']", emotion: str = "Joyful"
) -> list[object]:
    return [text, speaker, emotion, 4, turn, 2, episode, f"00:00:{turn:02d}.000", f"00:00:{turn:02d}.500"]


def write(folder: Path, **tables: list[list[object]]) -> Path:
    for split, episode in EPISODE.items():
        write_csv(folder / f"emorynlp_{split}_final.csv", EMORY_HEADER, tables.get(split, [row(1, episode)]))
    return folder


def test_csv(tmp_path: Path) -> None:
    rows = [
        row(1, 1),
        row(3, 1, speaker="[\"Ann O'Hara\", 'Bo']", emotion="Mad"),
        row(4, 1, speaker="Cy"),
        row(5, 1, speaker="[]"),
    ]
    corpus = emorynlp.read(write(tmp_path, train=rows))
    assert emorynlp.matches(tmp_path)
    (scene,) = corpus.splits["train"]
    assert scene.id == "s02_e01_c04"
    assert [u.id for u in scene] == [f"s02_e01_c04_u{n:03d}" for n in (1, 3, 4, 5)]
    assert [u.speaker for u in scene] == ["Ann Lee", "Ann O'Hara & Bo", "Cy", None]
    assert scene.utterances[1].emotion == "mad"
    assert (scene.utterances[0].start, scene.utterances[0].end) == (1.0, 1.5)
    assert [(d.kind, d.where, d.detail) for d in corpus.defects] == [
        ("gap in utterance numbers", "s02_e01_c04", "utterances 2 do not exist")
    ]


def test_order_defects(tmp_path: Path) -> None:
    corpus = emorynlp.read(write(tmp_path, train=[row(2, 1, text="cafÃ©"), row(1, 1, text="")]))
    assert [u.id[-4:] for u in corpus.splits["train"][0]] == ["u002", "u001"]
    assert [d.kind for d in corpus.defects] == [
        "wrongly decoded characters", "utterance number goes back",
        "starts before the previous utterance", "empty text",
    ]  # fmt: skip


def season(key: str, **changes: object) -> dict[str, object]:
    turn = {
        "utterance_id": f"{key}_u001",
        "speakers": ["Ann", "Bo"],
        "transcript": "Good soup.",
        "emotion": "Sad",
        **changes,
    }
    return {"season_id": key[:3], "episodes": [{"scenes": [{"scene_id": key, "utterances": [turn]}]}]}


def write_json(folder: Path, train: object = None) -> Path:
    folder.mkdir(exist_ok=True)
    for short, key in (("trn", "s01_e01_c01"), ("dev", "s01_e02_c01"), ("tst", "s01_e03_c01")):
        data = train if short == "trn" and train is not None else season(key)
        (folder / f"emotion-detection-{short}.json").write_text(json.dumps(data), encoding="utf-8")
    return folder


def test_json(tmp_path: Path) -> None:
    corpus = emorynlp.read(write_json(tmp_path, season("s01_e01_c01", transcript="", speakers=[])))
    assert corpus.info["layout"] == "json"
    (turn,) = corpus.splits["train"][0]
    assert (turn.id, turn.speaker, turn.text, turn.emotion) == ("s01_e01_c01_u001", None, None, "sad")
    (turn,) = corpus.splits["test"][0]
    assert (turn.speaker, turn.text) == ("Ann & Bo", "Good soup.")


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        ({"episodes": [{}]}, CorpusError, "KeyError"),
        ([1], CorpusError, "TypeError"),
        ({"episodes": []}, CorpusError, "no utterances"),
        (season("s01_e01_c01", emotion="Bored"), LabelError, "unknown label 'bored'"),
        (season("s01_e01_c01", utterance_id="first"), CorpusError, "does not name its scene"),
        (season("s01_e02_c01"), CorpusError, "in two splits"),
    ],
)
def test_bad_json(data: object, error: type[Exception], says: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=says):
        emorynlp.read(write_json(tmp_path, data))


def test_bad_csv(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"expected emorynlp_train_final\.csv.*missing: train, dev, test.*an empty folder"
    ):
        emorynlp.read(tmp_path)
    with pytest.raises(CorpusError, match="row 3: the utterance s02_e01_c04_u001 occurs twice"):
        emorynlp.read(write(tmp_path, train=[row(1, 1), row(1, 1)]))
    with pytest.raises(LabelError, match=r"row 2: .*unknown label 'glum'"):
        emorynlp.read(write(tmp_path, train=[row(1, 1, emotion="Glum")]))
    with pytest.raises(CorpusError, match="is in two splits"):
        emorynlp.read(write(tmp_path, train=[row(1, 2)]))


def test_tables_without_seasons_and_times_in_a_folder(tmp_path: Path) -> None:
    header = ["Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID"]
    for split in EPISODE:
        folder = tmp_path / "data" / "emorynlp"
        folder.mkdir(parents=True, exist_ok=True)
        rows: list[list[object]] = [["Hi.", "['Ann']", "Joyful", 1, 1], ["No.", "['Bo']", "Mad", 2, 1]]
        write_csv(folder / f"emorynlp_{split}_final.csv", header, rows)
    assert emorynlp.matches(tmp_path)
    corpus = emorynlp.read(tmp_path)
    assert [c.id for c in corpus.splits["dev"]] == ["dev_c01", "dev_c02"]
    first = corpus.splits["train"][0].utterances[0]
    assert (first.id, first.speaker, first.start, first.emotion) == ("train_c01_u001", "Ann", None, "joyful")
