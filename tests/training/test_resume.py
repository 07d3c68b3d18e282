"""A killed run that is started again ends with the weights of a run that was never killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from moodline.core.errors import CheckpointError, MoodlineError
from tests.training.small_run import run, weights_hash


def start(root: Path, directory: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.training.small_run", str(directory)]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.process
def test_killed_at_random_moments_and_resumed_gives_the_same_weights(root: Path, tmp_path: Path) -> None:
    expected = weights_hash(run(tmp_path / "whole"))
    rng = random.Random(int.from_bytes(os.urandom(4)))
    directory = tmp_path / "killed"
    for _ in range(3):
        with start(root, directory) as process:
            while not (directory / "state.pt").exists() and process.poll() is None:
                time.sleep(0.02)
            time.sleep(rng.uniform(0.0, 0.8))
            process.send_signal(signal.SIGKILL)
            process.communicate()
    with start(root, directory) as process:
        out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert out.split()[-1] == expected


@pytest.mark.train
def test_interrupted_after_every_epoch_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moodline.training import loop

    expected = weights_hash(run(tmp_path / "whole"))
    original = loop._Run.close_epoch

    def stop_after(self: loop._Run, *args: object) -> None:
        original(self, *args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    directory = tmp_path / "parts"
    monkeypatch.setattr(loop._Run, "close_epoch", stop_after)
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            run(directory)
    monkeypatch.undo()
    assert weights_hash(run(directory)) == expected


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = weights_hash(run(tmp_path, epochs=2))
    before = (tmp_path / "state.pt").stat().st_mtime_ns
    assert weights_hash(run(tmp_path, epochs=2)) == first
    assert (tmp_path / "state.pt").stat().st_mtime_ns == before


def test_state_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    with pytest.raises(CheckpointError, match="other settings or data"):
        run(tmp_path, epochs=2)


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_state_is_one_line(tmp_path: Path, damage: bytes | None) -> None:
    run(tmp_path, epochs=1)
    path = tmp_path / "state.pt"
    path.write_bytes(path.read_bytes()[:1000] if damage is None else damage)
    with pytest.raises(CheckpointError, match="cannot be read"):
        run(tmp_path, epochs=1)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from moodline.nn import goals

    monkeypatch.setattr(goals, "focal_loss", lambda z, *_: z.sum() * float("nan"))
    with pytest.raises(MoodlineError, match="not finite"):
        run(tmp_path, epochs=1)


def test_bf16_trains(tmp_path: Path) -> None:
    model = run(tmp_path, epochs=2, precision="bf16")
    assert all(p.dtype.itemsize == 4 for p in model.parameters())
