"""The scripts in ``examples/`` run as they are, in processes of their own, and print what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from moodline.models.registry import DEFAULT_MODEL, pretrained_directory

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(script: str, *arguments: str | Path, cache: Path) -> str:
    """What a script prints; it must not fail or warn."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "MOODLINE_CACHE": str(cache)}
    environment["ACCELERATE_USE_CPU"] = "true"
    command = [sys.executable, "-W", "error", str(EXAMPLES / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=cache, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not done.stderr, done.stderr[-2000:]
    return done.stdout


@pytest.mark.process
def test_own_corpus_and_the_model_made_of_it(tmp_path: Path) -> None:
    said = run("own_corpus.py", tmp_path, cache=tmp_path)
    assert said.startswith("test weighted F1: ")
    model = tmp_path / "own-corpus" / "run" / "seed-0"
    transcript = tmp_path / "talk.txt"
    transcript.write_text("Anna: You broke it again!\nBen: This is wonderful news!\n", encoding="utf-8")
    lines = run("recognize_transcript.py", transcript, model, cache=tmp_path).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Anna", "Ben"]
    assert all(line.split()[1] in ("glad", "cross", "flat") for line in lines)


@pytest.mark.process
def test_own_features_and_their_gate_weights(tmp_path: Path) -> None:
    assert run("own_features.py", tmp_path, cache=tmp_path).startswith("test weighted F1: ")
    said = run("gate_weights.py", tmp_path / "run", tmp_path / "data", cache=tmp_path).splitlines()
    assert [line.split()[0] for line in said[:3]] == ["calm", "tense", "angry"]
    for line in said:
        weights = [float(w) for w in line.split()[-5::2]]
        assert sum(weights) == pytest.approx(1, abs=0.02), line
    assert any("speech 0.00" in line for line in said[3:])  # a missing modality has no say


@pytest.mark.process
def test_gate_weights_without_arguments(tmp_path: Path) -> None:
    assert "fusion" in run("gate_weights.py", cache=tmp_path)


@pytest.mark.process
def test_own_model(tmp_path: Path) -> None:
    assert run("own_model.py", tmp_path, cache=tmp_path).startswith("test weighted F1: ")


@pytest.mark.process
@pytest.mark.skipif(
    not (pretrained_directory(DEFAULT_MODEL) or Path()).is_dir(), reason="the packaged model is not there: make model"
)
def test_recognize_transcript_with_the_packaged_model(tmp_path: Path) -> None:
    lines = run("recognize_transcript.py", cache=tmp_path).splitlines()
    assert len(lines) == 18
    assert lines[0].startswith("Ines: ")


def test_every_example_is_run_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'"{path.name}"' in source, path.name
