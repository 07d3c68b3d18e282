"""Two processes: auxiliary corpora are learned from, and what frozen blocks give is computed once, a share each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments.finetuning.conftest import encoder_recipe

SCRIPT = """
import json, sys
from pathlib import Path
import torch
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import activation_cache
from moodline.encoders.finetuning.classifier import Collate, Example, UtteranceClassifier
from moodline.encoders.settings import EncoderSpec, FinetuneConfig
from moodline.evaluation.selection import judge_by_weighted_f1
from moodline.training.loop import fit
from moodline.training.processes import processes
from moodline.training.settings import TrainConfig
from tests.tiny import call

torch.set_num_threads(1)
name, out, accumulate, commands = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
torch.manual_seed(0)
config = FinetuneConfig(embedding_dim=8, dropout=0.0, lora_dropout=0.0)
model = UtteranceClassifier(load_backbone(EncoderSpec(name)), 2, config, None, [3, 2])
examples = [Example((f"a{n}",), f"it is {n}", (n % 2,), 5) for n in range(5)]
examples += [Example((f"b{n}",), f"or {n} now", (n % 3,), 6, 1) for n in range(4)]
examples += [Example(("c",), "no", (1,), 3, 2)]  # only one batch has it
fit(
    model, examples, examples[:5], Collate(model.backbone), judge=judge_by_weighted_f1(2), directory=out / "auxiliary",
    config=TrainConfig(epochs=4, batch_size=2, learning_rate=1e-2, accumulate=accumulate), quiet=True,
)
weights = {key: p.tolist() for key, p in model.named_parameters() if p.requires_grad}

real, seen = activation_cache.FrozenStates._compute, []
activation_cache.FrozenStates._compute = lambda self, units: (seen.extend(repr(u) for u in units), real(self, units))[1]
for command in commands:
    code, _, error = call(*command)
    assert code == 0, error
(out / f"{processes().process_index}.json").write_text(json.dumps({"seen": seen, "weights": weights}))
"""
LAUNCH = ("-m", "torch.distributed.run", "--nproc_per_node=2", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0")


@pytest.mark.slow
def test_two_processes_are_one(tiny: dict[str, str], house: Path, root: Path, tmp_path: Path) -> None:
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"], epochs=1, batch_size=4)
    tune = ["finetune", "text", recipe, "--data", house, "-q", "--set", "finetune.model.freeze_blocks=2", "--out"]
    (tmp_path / "script.py").write_text(SCRIPT)
    found = {}
    for name, launch, accumulate in (("one", (), 4), ("two", LAUNCH, 2)):
        out = tmp_path / name
        out.mkdir()
        command = [str(part) for part in (*tune, out / "run")]
        done = subprocess.run(
            [
                sys.executable, *launch, tmp_path / "script.py", tiny["text"], out, str(accumulate),
                json.dumps([command]),
            ],
            cwd=root, capture_output=True, text=True, timeout=300, check=False,
            env={
                **os.environ, "PYTHONPATH": f"{root}/src{os.pathsep}{root}", "OMP_NUM_THREADS": "1",
                "ACCELERATE_USE_CPU": "true", "MOODLINE_CACHE": str(out / "cache"),
            },
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        found[name] = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    (alone,), both = found["one"], found["two"]
    assert both[0]["weights"] == both[1]["weights"]
    one, two = (json.loads((tmp_path / n / "auxiliary" / "history.json").read_text()) for n in ("one", "two"))
    assert [e["loss_total"] for e in two] == pytest.approx([e["loss_total"] for e in one], rel=1e-4)
    shares = [{*part["seen"]} for part in both]
    assert min(map(len, shares)) > 0
    assert shares[0].isdisjoint(shares[1])
    assert shares[0] | shares[1] == {*alone["seen"]}
    states = [sorted((tmp_path / name / "cache").rglob("*.npy")) for name in ("one", "two")]
    assert [p.name for p in states[0]] == [p.name for p in states[1]]
    assert not list((tmp_path / "two").rglob("*.tmp"))
