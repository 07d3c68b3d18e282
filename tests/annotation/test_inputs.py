"""Which items are found in files, folders, patterns and manifests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moodline.annotation.folder import Shard
from moodline.annotation.inputs import find_items
from moodline.core.errors import ConfigError

SRT = "1\n00:00:01,000 --> 00:00:02,000\nAda: Fine.\n"


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SRT)


def test_a_folder_with_transcripts_beside_recordings(tmp_path: Path) -> None:
    touch(*(tmp_path / n for n in ("a.wav", "a.srt", "deep/b.mp3", "deep/c.vtt", ".hidden/d.wav", "e.docx.bak")))
    items = find_items([tmp_path])
    assert [(i.id, i.recording and i.recording.name, i.transcript and i.transcript.name) for i in items] == [
        ("a", "a.wav", "a.srt"),
        ("deep/b", "b.mp3", None),
        ("deep/c", None, "c.vtt"),
    ]


def test_two_files_of_one_name_are_two_items(tmp_path: Path) -> None:
    touch(*(tmp_path / n for n in ("x/a.wav", "y/a.wav", "x/b.wav", "x/b.mp3")))
    ids = [i.id for i in find_items([tmp_path / "x", tmp_path / "y"])]
    assert len(set(ids)) == 4
    assert [i.id for i in find_items([tmp_path])] == ["x/a", "x/b.mp3", "x/b.wav", "y/a"]


def test_a_pattern_and_a_file_named_twice(tmp_path: Path) -> None:
    touch(*(tmp_path / n for n in ("a.wav", "b.wav", "c.srt")))
    assert [i.id for i in find_items([str(tmp_path / "*.wav"), tmp_path / "a.wav"])] == ["a", "b"]


def test_the_results_are_not_inputs(tmp_path: Path) -> None:
    touch(tmp_path / "a.srt", tmp_path / "out" / "results" / "b.json")
    assert [i.id for i in find_items([tmp_path], tmp_path / "out")] == ["a"]


def test_manifest_rows_of_one_recording_are_its_turns(tmp_path: Path) -> None:
    rows = [
        {"audio_filepath": "a.wav", "text": "Hello.", "speaker": "Ada", "offset": 1.5, "duration": 2, "group": "x"},
        {"audio_filepath": "a.wav", "text": "Bye.", "speaker": "Ben", "offset": 4.0, "duration": 1, "group": "x"},
        {"audio_filepath": "b.wav", "duration": 60},
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    a, b = find_items([tmp_path / "m.jsonl"])
    assert a.turns == (
        {"text": "Hello.", "speaker": "Ada", "start": 1.5, "end": 3.5},
        {"text": "Bye.", "speaker": "Ben", "start": 4.0, "end": 5.0},
    )
    assert a.about == {"group": "x"}
    assert b.turns == ()


def test_manifest_as_csv(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("id,audio_filepath,transcript_filepath,team\n7,a.wav,a.srt,north\n")
    (item,) = find_items([tmp_path / "m.csv"])
    assert (item.id, item.path, item.transcript) == ("7", tmp_path / "a.wav", tmp_path / "a.srt")
    assert item.about == {"team": "north"}


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("m.jsonl", '{"audio_filepath": "a.wav"}\n{broken', "cannot be read"),
        ("m.jsonl", '{"audio_filepath": "a.wav"}\n[1]', "line 2: expected an object"),
        ("m.jsonl", '{"audio_filepath": "a.wav", "text": "x", "offset": "soon"}', "offset must be a number"),
        ("m.csv", "audio_filepath,text\n,hello\n", "line 2: expected audio_filepath"),
        ("m.csv", "audio_filepath\n", "no row"),
        ("m.csv", "id,audio_filepath\n1,a.wav\n1,b.wav\n", "must be unique"),
        ("m.csv", "audio_filepath\na.wav,b,c\n", "more cells than columns"),
    ],
)
def test_bad_manifests(tmp_path: Path, name: str, text: str, match: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=match):
        find_items([tmp_path / name])


def test_nothing_to_annotate(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to annotate"):
        find_items([tmp_path])
    with pytest.raises(ConfigError, match="no such file"):
        find_items([tmp_path / "gone.wav"])


def test_shards_are_all_items_once(tmp_path: Path) -> None:
    touch(*(tmp_path / f"{n}.srt" for n in range(7)))
    items = find_items([tmp_path])
    parts = [Shard(n, 3).of(items) for n in (1, 2, 3)]
    assert sorted(i.id for part in parts for i in part) == [i.id for i in items]
    for text in ("0/3", "4/3", "3", "a/b"):
        with pytest.raises(ConfigError, match="i/n"):
            Shard.parse(text)


def test_recordings_and_transcripts_are_told_by_their_content(tmp_path: Path) -> None:
    wav = b"RIFF" + bytes(4) + b"WAVEfmt " + bytes(16)
    (tmp_path / "voice").write_bytes(wav)
    (tmp_path / "voice.sph").write_bytes(b"NIST_1A\n")
    (tmp_path / "readme").write_text("nothing of the kind")
    assert [(i.id, i.recording is not None) for i in find_items([tmp_path])] == [("voice", True), ("voice.sph", True)]
    (tmp_path / "talk").write_text(SRT)
    (only,) = find_items([tmp_path / "talk"])  # named by itself
    assert (only.recording, only.transcript) == (None, tmp_path / "talk")
