"""What a user can get wrong with large encoders: one line, exit code 2, nothing left behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.encoders.tiny_models import save_language_model
from tests.experiments.finetuning.conftest import encoder_recipe
from tests.tiny import call


def refused(*arguments: object) -> str:
    """The one line that a command ends with."""
    code, out, error = call(*arguments)
    assert (code, out) == (2, "")
    assert error.count("\n") == 1
    assert error.startswith("moodline: ")
    return error


@pytest.fixture
def recipe(tiny: dict[str, str], tmp_path: Path) -> Path:
    return encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"])


def test_models_that_are_not_here(recipe: Path, house: Path, tmp_path: Path) -> None:
    command = ("finetune", "text", recipe, "--data", house, "--out", tmp_path / "run")
    error = refused(*command, "--set", "encoder.name=hf-text:nobody/big-8b")
    assert "hf download nobody/big-8b" in error
    error = refused(*command, "--set", "encoder.name=hf-text:./nowhere/big-8b")
    assert "expected a model folder" in error
    assert not (tmp_path / "run" / "seed-0").exists()
    assert "hf download" in refused("finetune", "text", "llama-3.1-8b", "--data", house, "--out", tmp_path / "run")
    error = refused("finetune", "speech", "salmonn-7b", "--data", house, "--out", tmp_path / "other")
    assert "docs/how-to/large-encoders.md" in error


def test_what_learns_is_held_in_float32(house: Path, tmp_path: Path) -> None:
    command = ("finetune", "text", "llama-3.1-8b", "--data", house, "--out", tmp_path / "run")
    full = ("--set", "finetune.model.method=full")
    assert "float32 can hold (found: bfloat16). Set encoder.dtype" in refused(*command, *full)
    error = refused(*command, *full, "--set", "encoder.dtype=float32", "--set", "encoder.quantize=4bit")
    assert "(found: 4bit)" in error
    shard = ("--set", "finetune.model.shard=true", "--set", "encoder.quantize=8bit")
    assert "shard and quantize exclude each other" in refused(*command, *shard)


def test_a_full_device_is_one_line(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has …")

    monkeypatch.setattr("moodline.experiments.finetuning.features.gather_features", full)
    error = refused("encode", "house", house, tmp_path / "features", "--text", "minilm")
    assert "memory is full (found: CUDA out of memory)" in error


def test_a_place_in_use_is_found_before_the_work(house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing should be encoded")

    monkeypatch.setattr("moodline.experiments.finetuning.features.encode_with", never)
    monkeypatch.setattr("moodline.experiments.encode.encode_corpus", never)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    assert "is in use" in refused("encode", "house", house, tmp_path / "out", "--text", "minilm")
    assert "is in use" in refused("encode", "mister-e/meld-minilm", house, tmp_path / "out")


def test_the_wrong_base_for_an_adapter(house: Path, tmp_path: Path) -> None:
    base = save_language_model("llama", tmp_path / "base")
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", f"hf-text:{base}")
    assert call("finetune", "text", recipe, "--data", house, "--out", tmp_path / "run", "-q")[0] == 0
    shutil.rmtree(base)
    save_language_model("llama", base, seed=3)
    error = refused("encode", "house", house, tmp_path / "features", "--text", tmp_path / "run")
    assert "it was trained on" in error
    assert not (tmp_path / "features").exists()


def test_a_speech_model_for_another_rate(speech_models: dict[str, Path], house: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(speech_models["wav2vec2-layer"], tmp_path / "telephone"))
    path = model / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "sampling_rate": 8000}))
    recipe = encoder_recipe(tmp_path / "a.yaml", "speech", f"hf-speech:{model}")
    error = refused("finetune", "speech", recipe, "--data", house, "--out", tmp_path / "run")
    assert "expected a model for 16000 samples per second (found: 8000)" in error


def test_empty_text_and_settings_that_contradict(recipe: Path, house: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(house, tmp_path / "other"))
    lines = (other / "train.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    first["utterances"][0]["text"] = "  "
    (other / "train.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]))
    assert "the text is empty" in refused("finetune", "text", recipe, "--data", other, "--out", tmp_path / "run")
    command = ("finetune", "text", recipe, "--data", house, "--out", tmp_path / "run")
    assert "quantize must be one of" in refused(*command, "--set", "encoder.quantize=3bit")
    assert "no linear layer" in refused(*command, "--set", "finetune.model.targets=[nothing]")
    assert "targets" in refused(*command, "--set", "finetune.model.targets=[nothing]", "--dry-run")


def test_a_house_that_is_no_corpus(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no corpus is known by these files" in refused("finetune", "text", recipe, "--data", tmp_path / "empty")
