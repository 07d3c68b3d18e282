"""Interrupted at any step and begun again, or done by two processes: the same encoder, the same embeddings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from moodline.corpora.registry import read_corpus
from moodline.encoders.text.encoder import TextBackbone
from tests.experiments.finetuning.conftest import encoder_recipe
from tests.tiny import call, weights_hash

STILL = ("--set", "finetune.model.dropout=0.0", "--set", "finetune.model.lora_dropout=0.0")
"""Without dropout, which differs between processes."""
SIZE = 6
"""Utterances in a batch: so that the last step has three batches for two processes that want two each."""
LAUNCH = (
    "-m", "torch.distributed.run", "--nproc_per_node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0",
)  # fmt: skip
SCRIPT = """
import json, sys
import torch.distributed.fsdp as fsdp
from accelerate import Accelerator
from tests.tiny import call
Accelerator.multi_device = property(lambda self: True)  # as on GPUs, where it refuses such models for DDP
real, shared = fsdp.fully_shard, []
fsdp.fully_shard = lambda module, **options: (shared.append(type(module).__name__), real(module, **options))[1]
for arguments in json.loads(sys.argv[1]):
    code, _, error = call(*arguments)
    assert code == 0, error
assert shared == ["LlamaDecoderLayer"] * 3 + ["UtteranceClassifier"], shared
"""


@pytest.mark.train
@pytest.mark.parametrize("step", [1, 4, 7])
def test_interrupted_at_a_step(step: int, tiny, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropout and all; the state is saved at every step, and the last one before the interrupt counts."""
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"], epochs=2, checkpoint_seconds=0.0)

    def run(name: str) -> tuple[int, str, str]:
        return call("finetune", "text", recipe, "--data", house, "--out", tmp_path / name, "-q")

    assert run("whole")[0] == 0
    real, seen = TextBackbone.forward, []

    def stopping(self: TextBackbone, tensors: dict[str, torch.Tensor]):
        seen.append(self.training)
        if sum(seen) == step + 1 and self.training:
            raise KeyboardInterrupt
        return real(self, tensors)

    with monkeypatch.context() as patch:
        patch.setattr(TextBackbone, "forward", stopping)
        code, _, error = run("stopped")
    assert (code, "go on where they were" in error) == (130, True)
    assert not list((tmp_path / "stopped").rglob("encoder.json"))
    assert (tmp_path / "stopped" / "seed-0" / "training-text" / "state.pt").is_file()
    assert run("stopped")[0] == 0
    assert weights_hash(tmp_path / "stopped") == weights_hash(tmp_path / "whole")


@pytest.mark.train
def test_a_run_goes_on_with_less_memory(tiny, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What saves memory and changes no result may be set when a run that did not fit is begun again."""
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"], epochs=2, checkpoint_seconds=0.0)
    real, seen = TextBackbone.forward, []

    def full(self: TextBackbone, tensors: dict[str, torch.Tensor]):
        seen.append(self.training)
        if sum(seen) == 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return real(self, tensors)

    command = ("finetune", "text", recipe, "--data", house, "--out", tmp_path / "run", "-q")
    with monkeypatch.context() as patch:
        patch.setattr(TextBackbone, "forward", full)
        code, _, error = call(*command)
    assert (code, "memory" in error) == (2, True)
    code, _, error = call(*command, "--set", "finetune.training.batch_size=1")
    assert (code, "other settings" in error) == (2, True), "another batch size is another run"
    less = ("--set", "finetune.model.gradient_checkpointing=true")
    assert call(*command, *less) == (0, "", "")
    whole = ("finetune", "text", recipe, "--data", house, "--out", tmp_path / "whole", "-q")
    assert call(*whole)[0] == 0
    numbers = [json.loads((tmp_path / r / "seed-0" / "encoder-text.json").read_text()) for r in ("run", "whole")]
    assert numbers[0]["dev"] == numbers[1]["dev"]


@pytest.mark.process
@pytest.mark.train
@pytest.mark.parametrize("asked", ["in the recipe", "at the launch"])
def test_two_processes_are_one_with_twice_the_batches(
    asked: str, tiny, house: Path, root: Path, tmp_path: Path
) -> None:
    """The same losses and dev scores at every epoch, to 1e-4, though frozen weights are shared out and one process gets
    fewer batches at the end; embeddings of one encoder to 1e-5."""
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"], epochs=2, batch_size=SIZE)
    texts = sum(u.emotion is not None for c in read_corpus("house", house).splits["train"] for u in c)
    assert -(-texts // SIZE) % 4 == 3

    def commands(name: str, accumulate: int) -> list[list[str]]:
        tune = ["finetune", "text", recipe, "--data", house, "--out", tmp_path / name, "-q", *STILL]
        tune += ["--set", f"finetune.training.accumulate={accumulate}"]
        if asked == "in the recipe":
            tune += ["--set", "finetune.model.shard=true"]
        encode = ["encode", "house", house, tmp_path / f"{name}-features", "--text", tmp_path / "one", "--json"]
        return [[str(part) for part in command] for command in (tune, encode)]

    for command in commands("one", 4):
        assert call(*command)[0] == 0
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{root}/src{os.pathsep}{root}",
        "OMP_NUM_THREADS": "1",
        "MOODLINE_CACHE": str(tmp_path / "cache"),
    }
    if asked == "at the launch":  # as ``accelerate launch`` with examples/accelerate/fsdp.yaml does
        environment["ACCELERATE_USE_FSDP"] = "true"
    done = subprocess.run(
        [sys.executable, *LAUNCH, str(script), json.dumps(commands("two", 2))],
        cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = (
        json.loads((tmp_path / n / "seed-0" / "training-text" / "history.json").read_text()) for n in ("one", "two")
    )
    assert len(one) == len(two) == 2
    for a, b in zip(one, two, strict=True):
        assert b["loss_total"] == pytest.approx(a["loss_total"], rel=1e-4)
        assert b["dev_weighted_f1"] == pytest.approx(a["dev_weighted_f1"], abs=1e-6)
    alone, shared = (read_corpus("house", tmp_path / f"{n}-features").features["text"] for n in ("one", "two"))
    assert set(alone) == set(shared)
    for key in alone:
        np.testing.assert_allclose(np.asarray(shared[key]), np.asarray(alone[key]), atol=1e-5)
