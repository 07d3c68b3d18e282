"""Two processes train the same model as one with twice the accumulation, and stop at the same epoch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = """
import os, sys, torch
from pathlib import Path
from tests.training.small_run import run
model = run(Path(sys.argv[1]), epochs=2, checkpoint_seconds=1e9, accumulate=int(sys.argv[2]))
torch.save(model.state_dict(), sys.argv[3] + "-" + os.environ.get("RANK", "0"))
"""

STOPPING = """
import json, os, sys
from pathlib import Path
from moodline.evaluation.headline import WEIGHTED_F1
from moodline.evaluation.selection import Judge
from tests.training import small_run
# as on two devices that round otherwise: the main process's score rises and falls, the other's only falls
scores = iter([0.5, 0.6, 0.7, 0.6, 0.6, 0.6] if os.environ["RANK"] == "0" else [0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
small_run.judge_by_weighted_f1 = lambda classes: Judge(WEIGHTED_F1, lambda answers: next(scores))
small_run.run(Path(sys.argv[1]), epochs=6, patience=2)
"""
LAUNCH = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0")


def finish(root: Path, *command: str | Path) -> None:
    """Run Python to its end; dropout differs between processes, so it is off."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{root}/src{os.pathsep}{root}",
        "SMALL_RUN_DROPOUT": "0",
        "ACCELERATE_USE_CPU": "true",
    }
    done = subprocess.run(
        [sys.executable, *command], cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_the_main_process_says_when_to_stop(root: Path, tmp_path: Path) -> None:
    """Else the other one would have gone after three epochs, and the main one would wait for it for ever."""
    script = tmp_path / "script.py"
    script.write_text(STOPPING)
    finish(root, *LAUNCH, script, tmp_path / "run")
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert [epoch["dev_weighted_f1"] for epoch in history] == [0.5, 0.6, 0.7, 0.6, 0.6]


@pytest.mark.process
def test_two_processes_equal_one(root: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    finish(root, *LAUNCH, script, tmp_path / "two", "1", tmp_path / "two.pt")
    finish(root, script, tmp_path / "one", "2", tmp_path / "one.pt")
    one = torch.load(tmp_path / "one.pt-0", weights_only=True)
    two = [torch.load(tmp_path / f"two.pt-{r}", weights_only=True) for r in (0, 1)]
    for name, value in one.items():
        assert torch.allclose(value, two[0][name], atol=1e-4), name
        assert torch.allclose(two[1][name], two[0][name], atol=1e-6), name
