"""Frozen weights shared out between two processes: the same answers, gradients and resumed runs; blocks whole only
in use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.encoders.tiny_models import save_language_model, save_salmonn

SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
import torch
from accelerate import Accelerator
from torch.distributed.tensor import DTensor
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning.classifier import Collate, Example, UtteranceClassifier
from moodline.encoders.finetuning.sharding import shard_frozen
from moodline.encoders.settings import EncoderSpec, FinetuneConfig
from moodline.training import loop
from moodline.training.inference import answer
from moodline.evaluation.selection import judge_by_weighted_f1
from moodline.training.loop import fit
from moodline.training.processes import processes
from moodline.training.settings import TrainConfig
from tests.encoders.conftest import voice

Accelerator.multi_device = property(lambda self: True)  # as on GPUs, where it refuses such models for DDP
rank = processes().process_index
inputs = {
    "text": ["how dare you", "what a quiet evening it is", "no"],
    "salmonn": [voice(0.7, 100.0 + 120 * n) for n in range(3)],
}

def build(name, config):
    torch.manual_seed(0)
    return UtteranceClassifier(load_backbone(EncoderSpec(name)), 2, config)

def parts(model):
    return {name for name, parameter in model.named_parameters() if isinstance(parameter, DTensor)}

for kind, name, checkpointing in json.loads(sys.argv[1]):
    config = FinetuneConfig(
        embedding_dim=8, pooling="mean", dropout=0.0, lora_dropout=0.0, gradient_checkpointing=checkpointing,
        targets=("q_proj", "v_proj", "query", "value") if kind == "salmonn" else None,
    )
    examples = [Example((str(n),), x, (n % 2,), 5 + n) for n, x in enumerate(inputs[kind])]
    plain, shared = build(name, config), build(name, config)
    shard_frozen(shared, shared.backbone, "cpu")
    shards = parts(shared)
    assert any("layers.1" in name for name in shards), shards
    assert kind == "text" or any("beats.encoder.layers.1" in name for name in shards), shards
    assert not any(p.requires_grad for name, p in shared.named_parameters() if name in shards)
    batch = Collate(plain.backbone)(examples)
    for _ in range(2):  # dev comes first where a run is resumed there
        said = [
            answer(model, examples, Collate(plain.backbone), lengths=[5, 6, 7], together=model is shared)
            for model in (plain, shared)
        ]
        assert parts(shared) == shards, "after dev"
        for one, other in zip(*said, strict=True):
            np.testing.assert_allclose(other.logits, one.logits, atol=1e-5)
        gradients = []
        for model in (plain, shared):
            model.train()
            torch.manual_seed(1)  # the same dropout
            loss = model.loss(batch, model(batch))["total"]
            assert model is plain or parts(shared) == shards, "after forward"
            loss.backward()
            gradients.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
        assert parts(shared) == shards, "after backward"
        assert gradients[0].keys() == gradients[1].keys() == {n for n, p in plain.named_parameters() if p.requires_grad}
        for key, value in gradients[0].items():
            torch.testing.assert_close(gradients[1][key], value, atol=1e-5, rtol=1e-3)
        with torch.no_grad():
            for model in (plain, shared):
                for parameter in model.parameters():
                    if parameter.grad is not None:
                        parameter -= 0.1 * parameter.grad
                        parameter.grad = None

types = {True: set(), False: set()}

def train(directory):
    model = build(name, config)
    shard_frozen(model, model.backbone, "cpu")
    model.head.fc1.register_forward_hook(lambda module, inputs, output: types[module.training].add(output.dtype))
    fit(
        model, examples, examples, Collate(model.backbone), judge=judge_by_weighted_f1(2),
        directory=Path(sys.argv[2]) / directory, quiet=True,
        config=TrainConfig(epochs=3, batch_size=1, precision="bf16"),
    )
    assert parts(model) == shards
    return {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}

def stop(*arguments):
    close(*arguments)
    raise KeyboardInterrupt

whole = train("whole")
assert types == {True: {torch.bfloat16}, False: {torch.bfloat16}}, types
close, loop._Run.close_epoch = loop._Run.close_epoch, stop
try:
    train("stopped")
    raise AssertionError("not stopped")
except KeyboardInterrupt:
    loop._Run.close_epoch = close
processes().wait_for_everyone()
resumed = train("stopped")
assert all(torch.equal(resumed[n], value) for n, value in whole.items())
"""


@pytest.mark.process
def test_blocks_are_whole_only_while_they_compute(root: Path, tmp_path: Path) -> None:
    """Text with and without checkpointing; SALMONN, whose audio encoder reads a weight of its first block for all."""
    llama = f"hf-text:{save_language_model('llama', tmp_path / 'llama')}"
    salmonn = f"salmonn:{save_salmonn(tmp_path / 'salmonn')}"
    cases = [("salmonn", salmonn, False), ("text", llama, True), ("text", llama, False)]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    launch = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0")
    done = subprocess.run(
        [sys.executable, *launch, str(script), json.dumps(cases), str(tmp_path / "run")], cwd=root,
        env={
            **os.environ, "PYTHONPATH": f"{root}/src{os.pathsep}{root}", "OMP_NUM_THREADS": "1",
            "ACCELERATE_USE_CPU": "true",
        },
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "FSDP2-wrapped" not in done.stderr
