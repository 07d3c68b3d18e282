"""What a person corrected comes back as labels: every kind of file, a corpus of them, agreement of two files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.annotation.agreement import compare_labels
from moodline.annotation.corrected import convert_corrected
from moodline.core.errors import ConfigError, CorpusError, LabelError, TranscriptError
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.corpora.registry import read_corpus
from moodline.report.write import write_prediction
from moodline.transcripts.labelled import read_labelled

LABELS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
TURNS = [
    ("Ada", "Did it work in the end?", "neutral", False),
    ("Ben", "It did, we won!", "joy", False),
    ("Ada", "Oh no: that is sad.", "sadness", True),
    (None, "Well, never mind.", "anger", False),
]


def result(name: str = "talk", emotions: dict[int, str] | None = None) -> Prediction:
    rows = []
    for n, (who, text, emotion, unsure) in enumerate(TURNS):
        emotion = (emotions or {}).get(n, emotion)
        rest = {label: 0.05 for label in LABELS if label != emotion}
        rows.append(
            UtterancePrediction(
                f"u{n}",
                who,
                n * 3.0,
                n * 3.0 + 2.5,
                text,
                {emotion: 0.7, **rest},
                unsure,
                {"text": {emotion: 0.7, **rest}},
                {"text": 1.0},
                ("text",),
            )
        )
    return Prediction(name, "tiny", "0.1.0", LABELS, tuple(rows))


def labels(path: Path) -> list[str | None]:
    (read,) = read_labelled(path)
    return [u.emotion for u in read]


@pytest.mark.parametrize(
    "name", ["a.json", "a.jsonl", "a.csv", "a.TextGrid", "a.eaf", "a.exb", "a.srt", "a.vtt", "a.txt"]
)
def test_our_own_files_come_back_with_their_answers(tmp_path: Path, name: str) -> None:
    write_prediction([result()], tmp_path / name)
    assert labels(tmp_path / name) == ["neutral", "joy", None, "anger"]  # no label where the recognizer abstained


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.json", '"emotion": "joy"', '"emotion": "Surprise "'),
        ("a.csv", 'we won!",joy', 'we won!",surprise'),
        ("a.TextGrid", '"joy"', '"surprise"'),
        ("a.eaf", ">joy<", ">surprise<"),
        ("a.exb", ">joy<", ">surprise<"),
        ("a.srt", "[joy 0.70]", "[surprise 0.70]"),
        ("a.vtt", "[joy 0.70]", "[surprise 0.70]"),
        ("a.txt", "[joy 0.70]", "[surprise 0.70]"),
    ],
)
def test_corrected_answers_are_labels(tmp_path: Path, name: str, old: str, new: str) -> None:
    write_prediction([result()], tmp_path / name)
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new))
    assert labels(tmp_path / name) == ["neutral", "surprise", None, "anger"]


def test_an_abstained_answer_that_was_changed_is_a_label(tmp_path: Path) -> None:
    for name in ("a.json", "a.csv"):
        write_prediction([result()], tmp_path / name)
    data = json.loads((tmp_path / "a.json").read_text())
    data["utterances"][2]["emotion"] = "fear"
    (tmp_path / "a.json").write_text(json.dumps(data))
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[2]["emotion"] = "fear"
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert labels(tmp_path / "a.json") == labels(tmp_path / "a.csv") == ["neutral", "joy", "fear", "anger"]
    text = "[sadness? 0.70]"
    write_prediction([result()], tmp_path / "a.srt")
    (tmp_path / "a.srt").write_text((tmp_path / "a.srt").read_text().replace(text, "[fear 1.00]"))
    assert labels(tmp_path / "a.srt")[2] == "fear"


def test_label_studio(tmp_path: Path) -> None:
    path = tmp_path / "a.labelstudio.json"
    write_prediction([result()], path)
    with pytest.raises(TranscriptError, match="no utterance has an emotion"):
        read_labelled(path)  # predictions are no labels
    (task,) = json.loads(path.read_text())
    kept = [r for r in task["predictions"][0]["result"] if r["value"]["start"] != "1"]
    chosen = {"type": "paragraphlabels", "value": {"start": "1", "end": "1", "paragraphlabels": ["Surprise"]}}
    task["annotations"] = [{"result": [], "was_cancelled": True}, {"result": [*kept, chosen], "was_cancelled": False}]
    path.write_text(json.dumps([task]))
    assert labels(path) == ["neutral", "surprise", None, "anger"]
    short = {**task["data"], "emotion": [r["value"] for r in (*kept, chosen)]}
    path.write_text(json.dumps([short]))
    assert labels(path) == ["neutral", "surprise", None, "anger"]


def test_tables_of_others(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("speaker,text,emotion,corrected\nAda,Hi there.,joy,\nBen,Oh no.,joy,fear\n")
    assert labels(tmp_path / "a.csv") == ["joy", "fear"]
    (tmp_path / "b.tsv").write_text("conversation\ttext\temotion\na\tHi.\tjoy\nb\tNo.\tfear\nb\tYes.\t\n")
    assert [[u.emotion for u in c] for c in read_labelled(tmp_path / "b.tsv")] == [["joy"], ["fear", None]]


def test_results_of_annotate(tmp_path: Path) -> None:
    data = {"format": 1, "key": "k", "recording": False, "predictions": [result().to_dict()]}
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert labels(tmp_path / "a.json") == ["neutral", "joy", None, "anger"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(LABELS), min_size=4, max_size=4), st.sampled_from([".json", ".csv", ".eaf", ".exb", ".TextGrid"]))  # fmt: skip  # noqa: E501
def test_any_labels_come_back(tmp_path_factory: pytest.TempPathFactory, chosen: list[str], suffix: str) -> None:
    path = tmp_path_factory.mktemp("labels") / f"talk{suffix}"
    write_prediction([result(emotions=dict(enumerate(chosen)))], path)
    assert labels(path) == [None if unsure else label for label, (*_, unsure) in zip(chosen, TURNS, strict=True)]


# -- a corpus -----------------------------------------------------------------------------------------------------


def test_corrected_files_become_a_corpus(tmp_path: Path) -> None:
    folder = tmp_path / "corrected"
    folder.mkdir()
    for n, suffix in enumerate([".json", ".csv", ".TextGrid", ".eaf", ".srt"]):
        write_prediction([result(f"talk{n}")], folder / f"talk{n}{suffix}")
    (folder / "notes.txt").write_text("Ada: nothing to see here\n")
    done = convert_corrected(folder, tmp_path / "house")
    assert {s: d["conversations"] for s, d in done["splits"].items()} == {"train": 3, "dev": 1, "test": 1}
    assert done["labels"] == {"neutral": 5, "joy": 5, "anger": 5}
    corpus = read_corpus("house", tmp_path / "house")
    assert corpus.labels.name == "meld-7"
    assert {c.id for members in corpus.splits.values() for c in members} == {f"talk{n}" for n in range(5)}
    assert [d.where for d in corpus.defects] == ["notes.txt"]
    again = convert_corrected(folder, tmp_path / "again")
    assert again["splits"] == done["splits"]


def test_folders_part_the_corpus(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / "c" / split).mkdir(parents=True)
        write_prediction([result(split)], tmp_path / "c" / split / f"{split}.json")
    convert_corrected(tmp_path / "c", tmp_path / "house")
    corpus = read_corpus("house", tmp_path / "house")
    assert {s: [c.id for c in members] for s, members in corpus.splits.items()} == {
        s: [s] for s in ("train", "dev", "test")
    }


def test_what_makes_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="no file with labels"):
        convert_corrected(tmp_path / "empty", tmp_path / "house")
    for name in ("a.json", "b.json"):
        write_prediction([result("talk")], tmp_path / "empty" / name)
    with pytest.raises(CorpusError, match="conversation names must be unique"):
        convert_corrected(tmp_path / "empty", tmp_path / "house")
    with pytest.raises(LabelError, match=r"unknown label '(?:neutral|joy)'"):
        convert_corrected(tmp_path / "empty" / "a.json", tmp_path / "house", labels="ravdess-8")
    with pytest.raises(ConfigError, match="unknown label set"):
        convert_corrected(tmp_path / "empty" / "a.json", tmp_path / "house", labels="x")
    assert not (tmp_path / "house").exists()


# -- agreement ----------------------------------------------------------------------------------------------------


def test_agreement_of_two_files(tmp_path: Path) -> None:
    write_prediction([result()], tmp_path / "a.json")
    write_prediction([result(emotions={1: "surprise"})], tmp_path / "b.eaf")
    found = compare_labels(tmp_path / "a.json", tmp_path / "b.eaf")
    assert (found["utterances"], found["unlabelled"], found["unmatched"]) == (3, 1, [0, 0])
    assert found["observed"] == round(2 / 3, 4)
    assert found["confusion"] == [{"first": "joy", "second": "surprise", "utterances": 1}]
    classes = {c["label"]: (c["first"], c["second"], c["both"], c["specific"]) for c in found["classes"]}
    assert classes["neutral"] == (1, 1, 1, 1.0)
    assert classes["joy"] == (1, 0, 0, 0.0)


def test_agreement_of_two_folders_and_of_words_alone(tmp_path: Path) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        write_prediction([result()], tmp_path / side / "talk.json")
    assert compare_labels(tmp_path / "a", tmp_path / "b")["kappa"] == 1.0
    rows = "".join(f"{text},{emotion}\n" for _, text, emotion, _ in TURNS if "," not in text)
    (tmp_path / "c.csv").write_text("text,emotion\n" + rows)
    assert compare_labels(tmp_path / "a" / "talk.json", tmp_path / "c.csv")["utterances"] == 1
    with pytest.raises(ConfigError, match="two files, or two folders"):
        compare_labels(tmp_path / "a", tmp_path / "c.csv")
