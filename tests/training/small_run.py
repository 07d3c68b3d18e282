"""A small training run in a process of its own, to be killed: ``python -m tests.training.small_run DIRECTORY``.

Prints one line per epoch; at the end a hash of the chosen weights.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import torch

from moodline.evaluation.selection import judge_by_weighted_f1
from moodline.models.mister_e import MisterE, MisterEConfig
from moodline.training.data import ConversationExample, collate
from moodline.training.loop import fit
from moodline.training.settings import TrainConfig

CLASSES = 3


def example(number: int) -> ConversationExample:
    rng = np.random.default_rng([5, number])
    u = int(rng.integers(1, 9))
    y = rng.integers(0, CLASSES, u)
    ids = tuple(f"c{number}u{i}" for i in range(u))
    speech = (np.eye(4)[y] + rng.normal(size=(u, 4))).astype(np.float32)
    text = (np.eye(6)[y] + rng.normal(size=(u, 6))).astype(np.float32)
    present = {"speech": rng.random(u) > 0.3, "text": np.ones(u, bool)}
    return ConversationExample(f"c{number}", ids, {"speech": speech, "text": text}, present, y, np.zeros(u, np.int64))


def run(
    directory: Path, epochs: int = 6, checkpoint_seconds: float = 0.0, patience: int = 0, **settings: object
) -> MisterE:
    """Train; with ``checkpoint_seconds=0`` every step is a checkpoint."""
    torch.set_num_threads(1)
    train, dev = [example(n) for n in range(40)], [example(n) for n in range(40, 52)]
    torch.manual_seed(0)
    sizes = {"hidden": 8, "gru_layers": 2, "fusion_layers": 1, "heads": 2, "head_width": 4}
    model = MisterE(
        MisterEConfig(
            {"speech": 4, "text": 6}, CLASSES, dropout=float(os.environ.get("SMALL_RUN_DROPOUT", "0.3")), **sizes
        )
    )  # type: ignore[arg-type]
    model.fit_statistics([collate(train)])
    config = TrainConfig(
        epochs=epochs,
        learning_rate=1e-2,
        batch_size=4,
        patience=patience,
        warmup=0.1,
        schedule="cosine",
        checkpoint_seconds=checkpoint_seconds,
        **settings,  # type: ignore[arg-type]
    )
    fit(model, train, dev, collate, judge=judge_by_weighted_f1(CLASSES), config=config, directory=directory)
    return model


def weights_hash(model: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print("begun", flush=True)
    print("weights", weights_hash(run(Path(sys.argv[1]))), flush=True)
