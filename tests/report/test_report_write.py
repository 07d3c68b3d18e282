"""Predictions in files: what stands in them, that they can be read again, that they are whole or absent."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from pyarrow import parquet

from moodline.core.errors import ConfigError, ConversationError, MoodlineError, StorageError
from moodline.core.prediction import Prediction
from moodline.report.write import WRITERS, check_output, left_out, prediction_rows, write_prediction
from moodline.transcripts.read import read_transcript

Make = Callable[..., Prediction]


def test_json_is_an_object_for_one_conversation_and_a_list_for_more(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_prediction([make()], path)
    assert json.loads(path.read_text()) == make().to_dict()
    write_prediction([make("a"), make("b")], path)
    assert [p["conversation"] for p in json.loads(path.read_text())] == ["a", "b"]
    write_prediction([], path)
    assert json.loads(path.read_text()) == []


def test_rttm_is_read_back_and_has_the_emotion(make: Make, tmp_path: Path) -> None:
    write_prediction([make()], tmp_path / "a.rttm")
    first, *rest = (tmp_path / "a.rttm").read_text().splitlines()
    assert first.split() == ["SPEAKER", "talk", "1", "0.000", "1.235", "<NA>", "joy", "Ann", "0.81", "<NA>"]
    assert all(len(line.split()) == 10 for line in rest)
    (conversation,) = read_transcript(tmp_path / "a.rttm")
    assert [u.speaker for u in conversation][:3] == ["Ann", "SPEAKER_00", "the_man_from_upstairs"]


def test_jsonl_has_one_conversation_a_line(make: Make, tmp_path: Path) -> None:
    write_prediction([make("a"), make("b")], tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [make("a").to_dict(), make("b").to_dict()]


COLUMNS = [
    "conversation", "id", "speaker", "start", "end", "text", "emotion", "confidence", "abstained",
    "probability_neutral", "probability_joy", "probability_anger", "voice", "words", "weight_speech", "weight_text",
    "weight_fusion",
]  # fmt: skip


def test_csv_has_one_row_for_every_utterance(make: Make, tmp_path: Path) -> None:
    write_prediction([make("a"), make("b")], tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert [row["conversation"] for row in rows] == ["a"] * 4 + ["b"] * 4
    assert rows[0]["confidence"] == rows[0]["probability_joy"] == "0.8123"
    assert rows[0]["end"] == "1.235"
    assert [row["abstained"] for row in rows[:2]] == ["False", "True"]
    assert rows[1]["text"] == make().utterances[1].text
    assert rows[2]["text"] == "'=1+1"  # a spreadsheet shows it and does not run it
    assert rows[3]["speaker"] == ""


def test_parquet_has_the_same_columns_typed(make: Make, tmp_path: Path) -> None:
    write_prediction([make("a"), make("b", timed=False)], tmp_path / "a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.column_names == COLUMNS
    assert table.to_pylist() == prediction_rows([make("a"), make("b", timed=False)])
    assert [str(table.schema.field(c).type) for c in ("speaker", "start", "abstained", "probability_joy")] == [
        "string", "double", "bool", "double",
    ]  # fmt: skip
    assert table.schema.metadata[b"moodline.model"] == b"tiny"


def test_experts_and_labels_may_differ_between_conversations(make: Make) -> None:
    rows = prediction_rows([make("a", experts=("text",)), make("b", experts=("speech",))])
    assert (rows[0]["weight_text"], rows[0]["weight_speech"]) == (1.0, None)
    assert (rows[-1]["weight_text"], rows[-1]["weight_speech"]) == (None, 1.0)


def test_srt_shows_the_emotion_in_front_of_the_words(make: Make, tmp_path: Path) -> None:
    write_prediction([make()], tmp_path / "a.srt")
    cues = (tmp_path / "a.srt").read_text().split("\n\n")
    assert cues[0] == "1\n00:00:00,000 --> 00:00:01,235\n[joy 0.81] Ann: Did you see that?"
    assert cues[1].endswith('[anger? 0.41] SPEAKER_00: He said: "no, never", and left.')
    assert cues[2] == "3\n02:02:02,000 --> 02:02:03,235\n[neutral 1.00] [the man from upstairs]: =1+1"


def test_vtt_names_the_model_and_escapes(make: Make, tmp_path: Path) -> None:
    write_prediction([make()], tmp_path / "a.vtt")
    text = (tmp_path / "a.vtt").read_text()
    assert text.startswith(
        "WEBVTT\n\nNOTE Moodline 0.1.0, model tiny\n\n00:00:00.000 --> 00:00:01.235\n[joy 0.81] Ann: Did"
    )
    assert "[joy 0.50] Ünïcode, 你好 → &amp; &lt;b&gt;" in text


@pytest.mark.parametrize("suffix", [".srt", ".vtt", ".csv", ".txt"])
def test_what_is_written_can_be_read_as_a_transcript(make: Make, tmp_path: Path, suffix: str) -> None:
    prediction = make()
    if suffix == ".srt":  # SubRip cannot say that <b> is not a tag
        last = dataclasses.replace(prediction.utterances[-1], text="Ünïcode, 你好 --> &")
        prediction = dataclasses.replace(prediction, utterances=(*prediction.utterances[:-1], last))
    write_prediction([prediction], tmp_path / f"talk{suffix}")
    (read,) = read_transcript(tmp_path / f"talk{suffix}")
    assert read.id == "talk"
    assert [u.speaker for u in read] == [u.speaker for u in prediction.utterances]
    arrow = "-->" if suffix in (".csv", ".txt") else "→"
    expected = [" ".join((u.text or "").split()).replace("-->", arrow) for u in prediction.utterances]
    assert [" ".join((u.text or "").split()) for u in read] == expected
    for one, other in zip(read, prediction.utterances, strict=True):
        assert (one.start, one.end) == pytest.approx((other.start, other.end), abs=0.051 if suffix == ".txt" else 0.001)


def test_utterances_without_words_or_with_half_characters(make: Make, tmp_path: Path) -> None:
    prediction = make()
    odd = (
        dataclasses.replace(prediction.utterances[0], text=None),
        dataclasses.replace(prediction.utterances[1], text="a\ud800"),
    )
    prediction = dataclasses.replace(prediction, utterances=odd)
    for suffix in WRITERS:
        write_prediction([prediction], tmp_path / f"a{suffix}")
    assert "Ann: …" in (tmp_path / "a.srt").read_text()
    assert parquet.read_table(tmp_path / "a.parquet")["text"].to_pylist() == [None, "a?"]


@pytest.mark.parametrize("suffix", [".srt", ".vtt", ".TextGrid", ".eaf", ".exb"])
def test_turns_without_times_are_left_out_of_files_that_need_them(make: Make, tmp_path: Path, suffix: str) -> None:
    whole = make()
    rows = (dataclasses.replace(whole.utterances[0], start=None), *whole.utterances[1:])
    prediction, path = dataclasses.replace(whole, utterances=rows), tmp_path / f"a{suffix}"
    write_prediction([prediction], path)
    (again,) = read_transcript(path)
    assert len(again) == len(rows) - 1
    said = left_out(path, [prediction])
    assert said is not None
    assert said.endswith(" hold turns with times only: 1 of 4 left out, u0.")
    assert left_out(path, [whole]) is None
    assert left_out(tmp_path / "a.json", [prediction]) is None


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_subtitles_need_times_and_one_conversation(make: Make, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with pytest.raises(ConversationError, match=r"none has both. Write .json or .csv instead"):
        write_prediction([make(timed=False)], path)
    for predictions in ([], [make("a"), make("b")]):
        with pytest.raises(ConversationError, match=r"one conversation \(found: \d conversations\). Write .json"):
            write_prediction(predictions, path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            "a.xml",
            ConfigError,
            r"unknown kind of output \(found: '.xml'\). Name a file that ends in one of: .json, .jsonl",
        ),
        ("a", ConfigError, r"unknown kind of output \(found: no suffix\)"),
        ("folder.json", ConfigError, r"expected a file to write to \(found: a folder\)"),
        ("no/a.json", ConfigError, r"^[^:]*no/a\.json: the folder [^:]*no does not exist\. Make it first: mkdir -p"),
        ("file.json/a.json", ConfigError, "does not exist"),
        ("a\0.json", ConfigError, "cannot be written to: a NUL in the name"),
        ("a" * 5000 + ".json", ConfigError, "cannot be written to: File name too long"),
    ],
)
def test_bad_places_are_refused_before_any_work(
    make: Make, tmp_path: Path, name: str, error: type[MoodlineError], message: str
) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file.json").write_text("kept")
    for act in (check_output, lambda path: write_prediction([make()], path)):
        with pytest.raises(error, match=message):
            act(tmp_path / name)
    assert (tmp_path / "file.json").read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 2


def test_no_permission_is_noticed_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageError, match="no permission to write to"):
        check_output(tmp_path / "a.json")


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def half(prediction: list[Prediction], file: BinaryIO) -> None:
        file.write(b"half")
        full()

    if step == "write":
        monkeypatch.setitem(WRITERS, ".json", half)
    else:
        monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), full)
    with pytest.raises(StorageError, match=r"could not write .*a\.json: No space left on device"):
        write_prediction([make()], path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_and_rights_are_the_usual_ones(make: Make, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to(tmp_path / "real" / "a.json")
    write_prediction([make()], link)
    assert link.is_symlink()
    assert (tmp_path / "real" / "a.json").stat().st_size > 0
    (tmp_path / "plain").touch()
    assert (tmp_path / "real" / "a.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_pictures_show_one_conversation_and_are_the_same_each_time(make: Make, tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        write_prediction([make(timed=False)], tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    empty = dataclasses.replace(make(), utterances=())
    for wrong in ([make("a"), make("b")], [], [empty]):
        with pytest.raises(ConversationError, match="pictures show one conversation"):
            write_prediction(wrong, tmp_path / f"c{suffix}")
    assert not (tmp_path / f"c{suffix}").exists()


def test_paragraphs_for_qualitative_programs(make: Make, tmp_path: Path) -> None:
    write_prediction([make()], tmp_path / "a.txt")
    lines = (tmp_path / "a.txt").read_text().split("\n\n")
    assert lines[0] == "#00:00:00-0# Ann: [joy 0.81] Did you see that? #00:00:01-2#"
    assert lines[2] == "#02:02:02-0# [the man from upstairs]: [neutral 1.00] =1+1 #02:02:03-2#"
    with pytest.raises(ConversationError, match="text holds one conversation"):
        write_prediction([make("a"), make("b")], tmp_path / "b.txt")


def test_tasks_of_label_studio(make: Make, tmp_path: Path) -> None:
    write_prediction([make("a"), make("b", timed=False)], tmp_path / "x.labelstudio.json")
    first, second = json.loads((tmp_path / "x.labelstudio.json").read_text())
    assert [t["author"] for t in first["data"]["dialogue"]] == ["Ann", "SPEAKER_00", "the man from upstairs", ""]
    results = first["predictions"][0]["result"]
    assert [(r["value"]["start"], r["value"]["paragraphlabels"]) for r in results] == [
        ("0", ["joy"]), ("2", ["neutral"]), ("3", ["joy"]),
    ]  # fmt: skip
    assert results[0]["value"]["endOffset"] == len("Did you see that?")
    assert '<Label value="anger"/>' in first["meta"]["label_config"]
    assert "start" not in second["data"]["dialogue"][0]
    assert check_output(tmp_path / "x.LabelStudio.json") is None
