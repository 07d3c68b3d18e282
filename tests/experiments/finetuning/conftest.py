"""Small models on disk, parts of real corpora, and encoder recipes that learn them in seconds."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.encoders.conftest import speech_models  # noqa: F401  a fixture
from tests.encoders.tiny_models import save_language_model, save_qwen_audio

PAPER: dict[str, Any] = {
    "text": {"embedding_dim": 16, "targets": ["q_proj", "v_proj"]},
    "speech": {"embedding_dim": 16, "pooling": "mean", "targets": ["q_proj", "k_proj"], "crop_seconds": 1.0},
}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Modality to the name of a small encoder: LLaMA's and Qwen2-Audio's classes."""
    root = tmp_path_factory.mktemp("tiny-models")
    return {
        "text": f"hf-text:{save_language_model('llama', root / 'llama')}",
        "speech": f"hf-speech:{save_qwen_audio(root / 'qwen2-audio')}",
    }


def encoder_recipe(path: Path, modality: str, name: str, **changes: Any) -> Path:
    """Write an encoder recipe of the paper's form, small."""
    data: dict[str, Any] = {
        "description": "Tiny.",
        "modality": modality,
        "encoder": {"name": name, "max_tokens": 32} if modality == "text" else {"name": name, "max_seconds": 4.0},
        "finetune": {
            "model": PAPER[modality],
            "training": {"epochs": 1, "batch_size": 8, "learning_rate": 1.0e-3, "optimizer": "adamw", "beta2": 0.99},
        },
    }
    data["finetune"]["training"] |= changes
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.fixture(scope="session")
def some_meld(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first rows of each of MELD's files."""
    folder = tmp_path_factory.mktemp("some-meld")
    for split, rows in (("train", 80), ("dev", 30), ("test", 20)):
        with (data / "meld" / f"{split}_sent_emo.csv").open(encoding="utf-8", errors="surrogateescape") as file:
            lines = list(islice(file, rows + 1))
        path = folder / f"{split}_sent_emo.csv"
        path.write_text("".join(lines), encoding="utf-8", errors="surrogateescape")
    return folder


@pytest.fixture(scope="session")
def some_ravdess(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of an actor of each split: the first of each emotion."""
    folder = tmp_path_factory.mktemp("some-ravdess")
    for actor in (1, 17, 21):
        inside = folder / f"Actor_{actor:02d}"
        inside.mkdir()
        for emotion in range(1, 9):
            clips = sorted((data / "ravdess-16k" / inside.name).glob(f"03-01-{emotion:02d}-*"))
            (inside / clips[0].name).symlink_to(clips[0].resolve())
    return folder
