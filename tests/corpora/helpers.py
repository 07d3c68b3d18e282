"""Small made-up files in the layouts of the corpora."""

import csv
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from moodline.corpora.base import Corpus

MELD_HEADER = [
    "Sr No.", "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "Season", "Episode",
    "StartTime", "EndTime",
]  # fmt: skip
EMORY_HEADER = [
    "Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode", "Start_Time", "End_Time",
]  # fmt: skip


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def meld_row(dialogue: int, turn: int, text: str = "Lovely weather.", **changes: Any) -> list[Any]:
    row = {
        "Sr No.": 1, "Utterance": text, "Speaker": "Ann", "Emotion": "joy", "Sentiment": "positive",
        "Dialogue_ID": dialogue, "Utterance_ID": turn, "Season": 1, "Episode": 2,
        "StartTime": f"00:01:{turn:02d},000", "EndTime": f"00:01:{turn:02d},900",
    }  # fmt: skip
    return list({**row, **changes}.values())


def write_meld(folder: Path, **tables: list[list[Any]]) -> Path:
    """The three csv files; a split that is not given has one dialogue of two utterances."""
    for split in ("train", "dev", "test"):
        rows = tables.get(split, [meld_row(0, 0), meld_row(0, 1, "Is it?", Emotion="surprise")])
        write_csv(folder / f"{split}_sent_emo.csv", MELD_HEADER, rows)
    return folder


def dump(path: Path, data: Any, protocol: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(data, protocol))
    return path


def same_features(a: Corpus, b: Corpus) -> bool:
    """Whether two corpora have the same feature sets, values and order included."""
    return list(a.features) == list(b.features) and all(
        list(a.features[n]) == list(b.features[n])
        and all(np.array_equal(a.features[n][k], b.features[n][k]) for k in a.features[n])
        for n in a.features
    )
