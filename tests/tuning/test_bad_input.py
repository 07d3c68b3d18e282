"""What a user can get wrong with large encoders: one line, exit code 2, nothing left behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.encoders.tiny_models import save_language_model
from tests.tiny import call
from tests.tuning.conftest import encoder_recipe


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
