"""``moodline annotate`` and ``collect`` with the packaged model and real processes."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyarrow import dataset

import moodline
from moodline.annotation.annotator import AnnotationSettings
from moodline.annotation.collect import collect
from moodline.annotation.run import annotate
from moodline.core.errors import ConfigError

WORDS = [
    "We won the cup!",
    "I lost my keys again.",
    "Get out of my house.",
    "The meeting is at nine.",
    "Is that a rat?",
]


def write_srt(path: Path, seed: int, turns: int = 6) -> None:
    draw = random.Random(seed)
    cues = [f"{n + 1}\n00:00:{n:02},000 --> 00:00:{n:02},900\nAda: {draw.choice(WORDS)}\n" for n in range(turns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(cues))


def contents(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((out / "results").rglob("*.json"))}


def command(inputs: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "moodline", "annotate", str(inputs), "--out", str(out), "-q", *more]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for n in range(12):
        write_srt(folder / f"call-{n}.srt", n)
    write_srt(folder / "again" / "call-3.srt", 3)  # the same content under the same name elsewhere
    (folder / "bad.srt").write_text("nothing here\n")
    return folder


@pytest.fixture(scope="module")
def whole(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an uninterrupted run in this process."""
    out = tmp_path_factory.mktemp("whole")
    summary = annotate([files], out, workers=1)
    assert (summary.items, summary.failed) == (14, 1)
    assert summary.new + summary.done == 13
    return out


def test_a_second_run_does_nothing(files: Path, whole: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (whole / "results").rglob("*.json")}
    summary = annotate([files], whole, workers=1)
    assert (summary.done, summary.new, summary.failed) == (13, 0, 1)
    assert {p: p.stat().st_mtime_ns for p in (whole / "results").rglob("*.json")} == before
    assert [json.loads(line)["id"] for line in (whole / "failed.jsonl").read_text().splitlines()] == ["bad"]


def test_a_changed_file_or_setting_is_done_again(tmp_path: Path) -> None:
    write_srt(tmp_path / "in" / "a.srt", 1)
    out = tmp_path / "out"
    assert annotate([tmp_path / "in"], out, workers=1).new == 1
    write_srt(tmp_path / "in" / "a.srt", 2)
    assert annotate([tmp_path / "in"], out, workers=1).new == 1
    assert annotate([tmp_path / "in"], out, AnnotationSettings(abstain_below=0.9), workers=1).new == 1
    assert len(contents(out)) == 3
    assert collect(out).items == 1


def test_a_failure_is_kept_until_asked_for(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.srt").write_text("nothing\n")
    out = tmp_path / "out"
    assert annotate([tmp_path / "in"], out, workers=1).failed == 1
    again = subprocess.run([*command(tmp_path / "in", out, "--retry-failed", "--workers", "1")], check=False)
    assert again.returncode == 2
    write_srt(tmp_path / "in" / "a.srt", 1)
    assert annotate([tmp_path / "in"], out, workers=1).new == 1
    assert not (out / "failed.jsonl").exists()


def test_a_missing_file_costs_itself_only(tmp_path: Path) -> None:
    write_srt(tmp_path / "a.srt", 1)
    (tmp_path / "m.csv").write_text("transcript_filepath,audio_filepath\na.srt,\n,gone.wav\n")
    summary = annotate([tmp_path / "m.csv"], tmp_path / "out", workers=1)
    assert (summary.new, summary.failed) == (1, 1)
    assert "gone.wav" in (tmp_path / "out" / "failed.jsonl").read_text()


@pytest.mark.process
def test_two_workers_give_the_same_bytes(files: Path, whole: Path, tmp_path: Path) -> None:
    assert subprocess.run(command(files, tmp_path, "--workers", "2"), check=False).returncode == 2
    assert contents(tmp_path) == contents(whole)


@pytest.mark.slow
@pytest.mark.process
def test_killed_at_random_moments(files: Path, whole: Path, tmp_path: Path) -> None:
    """Twenty times: the whole run, one worker alone, or one of two shards; then one run to the end."""
    draw = random.Random(7)
    for n in range(20):
        parts = [("--shard", "1/2"), ("--shard", "2/2")] if n % 2 else [()]
        runs = [subprocess.Popen(command(files, tmp_path, "--workers", "2", *part), start_new_session=True)
                for part in parts]  # fmt: skip
        time.sleep(draw.uniform(0.2, 7.0))
        if n % 3 == 0:
            children = subprocess.run(["pgrep", "-P", str(runs[0].pid)], capture_output=True, text=True, check=False)
            for pid in children.stdout.split()[:1]:
                os.kill(int(pid), signal.SIGKILL)
            time.sleep(1)
        for run in runs:
            run.kill()
            run.wait()
    assert subprocess.run(command(files, tmp_path, "--workers", "2"), check=False).returncode == 2
    assert contents(tmp_path) == contents(whole)
    rows = [json.loads(line) for line in (tmp_path / "inputs.jsonl").read_text().splitlines()]
    assert len(rows) == len({r["id"] for r in rows}) == 14


@pytest.mark.process
def test_a_worker_that_dies_is_replaced(files: Path, whole: Path, tmp_path: Path) -> None:
    run = subprocess.Popen(command(files, tmp_path, "--workers", "2"))
    for _ in range(200):
        time.sleep(0.05)
        pids = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True, check=False).stdout.split()
        if len(pids) > 1:
            os.kill(int(pids[-1]), signal.SIGKILL)
            break
    assert run.wait() == 2
    assert contents(tmp_path) == contents(whole)


@pytest.mark.process
def test_a_full_disk_stops_the_run_and_loses_nothing(files: Path, whole: Path, tmp_path: Path) -> None:
    """The system refuses files above a size, as a full disk does."""
    sizes = sorted(len(content) for content in contents(whole).values())

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[0], sizes[0]))

    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    stopped = subprocess.run(
        command(files, tmp_path, "--workers", "1"),
        preexec_fn=limit,
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert stopped.returncode == 2
    assert "could not write" in stopped.stderr.splitlines()[-1]
    assert all(contents(whole)[name] == content for name, content in contents(tmp_path).items())
    annotate([files], tmp_path, workers=1)
    assert contents(tmp_path) == contents(whole)


def test_collected(files: Path, whole: Path, tmp_path: Path) -> None:
    found = collect(whole, tmp_path)
    table = dataset.dataset(tmp_path / "turns", partitioning="hive").to_table().to_pylist()
    assert found.items == 13
    assert len(table) == found.turns == 13 * 6
    assert len({row["uid"] for row in table}) == len(table)
    assert {row["model"] for row in table} == {"meld-text"}
    page = (tmp_path / "index.html").read_text()
    assert "call-3" in page
    assert "Failed: 1" in page
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["summary"][0]["turns"] == 78
    from openpyxl import load_workbook

    assert load_workbook(tmp_path / "summary.xlsx")["items"].max_row == 14
    assert (tmp_path / "summary.pdf").read_bytes().startswith(b"%PDF")
    collect(whole, tmp_path, by=["speaker"])
    assert [p.name for p in (tmp_path / "turns").iterdir()] == ["speaker=Ada"]


def test_names_are_escaped(tmp_path: Path) -> None:
    write_srt(tmp_path / "in" / "<b>=1+1.srt", 1)
    annotate([tmp_path / "in"], tmp_path / "out", workers=1)
    collect(tmp_path / "out")
    page = (tmp_path / "out" / "collected" / "index.html").read_text()
    assert "<b>=1+1" not in page
    assert "&lt;b&gt;=1+1" in page


def test_reports_are_linked(tmp_path: Path) -> None:
    write_srt(tmp_path / "in" / "a.srt", 1)
    annotate([tmp_path / "in"], tmp_path / "out", AnnotationSettings(reports=True), workers=1)
    collect(tmp_path / "out")
    (report,) = (tmp_path / "out" / "reports").iterdir()
    assert f"../reports/{report.name}" in (tmp_path / "out" / "collected" / "index.html").read_text()


def test_wrong_settings(tmp_path: Path) -> None:
    write_srt(tmp_path / "a.srt", 1)
    with pytest.raises(ConfigError, match="--address"):
        annotate([tmp_path], tmp_path / "out", address="auto")
    with pytest.raises(ConfigError, match="a folder for the results"):
        annotate([tmp_path / "a.srt"], tmp_path / "a.srt", workers=1)
    with pytest.raises(ConfigError, match="--out folder"):
        collect(tmp_path)
    annotate([tmp_path / "a.srt"], tmp_path / "out", workers=1)
    with pytest.raises(ConfigError, match="names no column"):
        collect(tmp_path / "out", by=["weather"])


@pytest.mark.slow
@pytest.mark.process
def test_on_ray(files: Path, whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    environment = {**os.environ, "PYTHONPATH": str(Path(moodline.__file__).parents[1])}
    run = subprocess.run(command(files, tmp_path, "--engine", "ray", "--workers", "2"), env=environment, check=False)
    assert run.returncode == 2
    assert contents(tmp_path) == contents(whole)


def test_many_conversations_in_order() -> None:
    from moodline import Conversation, Recognizer, Utterance

    recognizer = Recognizer.load(threads=1)
    talks = [Conversation(f"t{n}", (Utterance("1", text=WORDS[n % 5]), Utterance("2", text="So?"))) for n in range(9)]
    given = iter(talks)
    together = recognizer.recognize_many(given, batch=4)
    first = next(together)
    assert next(given).id == "t4"  # no more than a batch was taken
    assert first.conversation == "t0"
    alone = [Recognizer.load(threads=1).recognize(t) for t in talks[:2]]
    for a, b in zip(alone, [first, next(together)], strict=True):
        assert [u.emotion for u in a.utterances] == [u.emotion for u in b.utterances]
        assert all(abs(u.confidence - v.confidence) < 1e-4 for u, v in zip(a.utterances, b.utterances, strict=True))
