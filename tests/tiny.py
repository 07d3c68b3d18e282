"""A tiny invented corpus in the house format, recipes that learn it in a second, and a few ways to run them."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import yaml
from safetensors.numpy import save_file

LABELS = ("neutral", "joy", "anger")
SAYINGS = {
    "neutral": ("the bus leaves at nine", "it is on the second shelf", "we meet in room four", "two pages are missing"),
    "joy": ("what wonderful news, I am so happy", "hooray, we won", "I love this, it is great", "best day of my life"),
    "anger": ("how dare you, I am furious", "I hate this, leave me alone", "this is outrageous", "damn you, get out"),
}  # fmt: skip
TEXT: dict[str, Any] = {
    "description": "Tiny, words only.",
    "corpus": {"name": "house"},
    "modalities": {"text": {"encoder": {"name": "minilm"}}},
    "model": {"name": "mister-e", "hidden": 8, "kernels": [1, 3], "gru_layers": 1, "dropout": 0.1, "gamma": 0.0},
    "training": {"epochs": 4, "batch_size": 4, "learning_rate": 0.02, "patience": 0},
}
FEATURES: dict[str, Any] = {
    **TEXT,
    "description": "Tiny, features of two modalities.",
    "modalities": {"speech": {"features": "tones", "dim": 6}, "text": {"features": "waves"}},
    "model": {**TEXT["model"], "fusion_layers": 1, "heads": 2, "head_width": 4, "kl_weight": 0.1, "beta": 0.1},
}
SCORES: dict[str, Any] = {
    **FEATURES,
    "description": "Tiny, scores.",
    "task": "scores",
    "model": {k: v for k, v in FEATURES["model"].items() if k != "gamma"},
}
LORA: dict[str, Any] = {
    **TEXT,
    "description": "Tiny, a fine-tuned encoder.",
    "modalities": {
        "text": {
            "encoder": {"name": "minilm", "max_tokens": 24, "context_turns": 1},
            "finetune": {
                "model": {"method": "lora", "rank": 2, "alpha": 4, "embedding_dim": 8, "gamma": 0.0},
                "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.005, "checkpoint_seconds": 0.0},
            },
        }
    },
    "training": {**TEXT["training"], "checkpoint_seconds": 0.0},
}


def write_house(directory: Path, sizes: tuple[int, int, int] = (12, 6, 6), test_seed: int = 0) -> Path:
    """Write the corpus: text, vectors ``tones`` and frames ``waves``, all telling the label; ``waves`` has gaps.

    Args:
        directory: is made.
        sizes: conversations in train, dev and test.
        test_seed: another one gives another test split, the others unchanged.
    """
    (directory / "features").mkdir(parents=True)
    tones: dict[str, np.ndarray[Any, Any]] = {}
    waves: dict[str, np.ndarray[Any, Any]] = {}
    for s, (split, size) in enumerate(zip(("train", "dev", "test"), sizes, strict=True)):
        lines = []
        for c in range(size):
            rng = np.random.default_rng([s, c, test_seed if split == "test" else 0])
            rows = []
            for u in range(int(rng.integers(1, 6))):
                label = int(rng.integers(0, 3))
                key = f"{split}-{c}-{u}"
                said = label if rng.random() > 0.15 else int(rng.integers(0, 3))  # words alone do not tell everything
                text = str(rng.choice(SAYINGS[LABELS[said]]))
                rows.append({"id": key, "speaker": "Ada" if u % 2 else "Ben", "text": text, "emotion": LABELS[label]})
                tones[key] = np.eye(6)[label] * 3 + rng.normal(size=6)
                if rng.random() > 0.2:
                    waves[key] = np.eye(4)[label] * 3 + rng.normal(size=(int(rng.integers(1, 4)), 4))
            lines.append(json.dumps({"id": f"{split}-{c}", "utterances": rows}))
        (directory / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (directory / "labels.json").write_text(json.dumps({"name": "tiny", "labels": LABELS}))
    write_features(directory, "tones", tones)
    write_features(directory, "waves", waves)
    return directory


def write_scored(house: Path, directory: Path) -> Path:
    """A copy of the corpus whose utterances have scores from −3 to 3: high for joy, low for anger, some without."""
    shutil.copytree(house, directory)
    rng = np.random.default_rng(5)
    for path in directory.glob("*.jsonl"):
        talks = [json.loads(line) for line in path.read_text().splitlines()]
        for u in (u for talk in talks for u in talk["utterances"]):
            middle = {"joy": 1.8, "anger": -1.8, "neutral": 0.0}[u["emotion"]]
            if rng.random() > 0.1:
                u["score"] = round(float(np.clip(middle + 0.4 * rng.normal(), -3, 3)), 1)
        path.write_text("".join(json.dumps(talk) + "\n" for talk in talks))
    (directory / "scores.json").write_text(json.dumps({"name": "mosi", "low": -3, "high": 3}))
    return directory


def write_features(directory: Path, name: str, rows: dict[str, Any]) -> None:
    """Write a feature set without the checks of the package's own writer."""
    arrays = [np.asarray(v, np.float32) for v in rows.values()]
    tensors = {"values": np.stack(arrays) if arrays[0].ndim == 1 else np.concatenate(arrays)}
    if arrays[0].ndim == 2:
        tensors["offsets"] = np.cumsum([0, *map(len, arrays)]).astype(np.int64)
    save_file(tensors, directory / "features" / f"{name}.safetensors")
    (directory / "features" / f"{name}.json").write_text(json.dumps({"ids": list(rows)}))


def write_recipe(path: Path, data: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(data))
    return path


def weights_hash(run: Path) -> str:
    """A hash of all weights of a run, fine-tuned encoders included."""
    digest = hashlib.sha256()
    for path in sorted(run.glob("seed-*/**/*.safetensors")):
        digest.update(str(path.relative_to(run)).encode() + path.read_bytes())
    return digest.hexdigest()


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-m", "moodline", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )


def command(*arguments: object, timeout: float = 120, **environment: str) -> tuple[int, str, str]:
    """Run the command line in a process of its own: exit code, standard output, standard error."""
    with start(*arguments, **environment) as process:
        out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def call(*arguments: object) -> tuple[int, str, str]:
    """Run the command line in this process: exit code, standard output, standard error."""
    from moodline.__main__ import main

    out, err, before = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["moodline", *map(str, arguments)]
    code: object = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        sys.argv = before
    assert isinstance(code, int)
    return code, out.getvalue(), err.getvalue()


def load_script(name: str, folder: str = "scripts") -> ModuleType:
    """A file of ``scripts/`` or another folder as a module."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).resolve().parents[1] / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module
