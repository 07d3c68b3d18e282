"""Two processes train the same model as one with twice the accumulation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

SCRIPT = """
import os, sys, torch
from pathlib import Path
from tests.training.small_run import run
model = run(Path(sys.argv[1]), epochs=2, checkpoint_seconds=1e9, accumulate=int(sys.argv[2]))
torch.save(model.state_dict(), sys.argv[3] + "-" + os.environ.get("RANK", "0"))
"""


def test_two_processes_equal_one(root: Path, tmp_path: Path) -> None:
    """Dropout differs between processes, so the script is run with dropout off."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--rdzv-backend",
        "c10d",
        "--rdzv-endpoint",
        "localhost:0",
    ]
    environment = {**os.environ, "PYTHONPATH": str(root), "SMALL_RUN_DROPOUT": "0", "ACCELERATE_USE_CPU": "true"}
    for command in (
        [*launch, str(script), str(tmp_path / "two"), "1", str(tmp_path / "two.pt")],
        [sys.executable, str(script), str(tmp_path / "one"), "2", str(tmp_path / "one.pt")],
    ):
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
    one = torch.load(tmp_path / "one.pt-0", weights_only=True)
    two = [torch.load(tmp_path / f"two.pt-{r}", weights_only=True) for r in (0, 1)]
    for name, value in one.items():
        assert torch.allclose(value, two[0][name], atol=1e-4), name
        assert torch.allclose(two[1][name], two[0][name], atol=1e-6), name
