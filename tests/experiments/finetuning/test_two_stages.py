"""The two commands: an encoder is fine-tuned, a corpus encoded with it, stage 2 trained on its embeddings."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest

from moodline.corpora.registry import read_corpus
from moodline.experiments import encoder_stage as stage1
from moodline.experiments.finetuning.recipe import MODALITIES, load_encoder_recipe, packaged
from tests.experiments.finetuning.conftest import encoder_recipe
from tests.tiny import call

SMALLER = (
    "model.hidden=8", "model.kernels=[1, 3]", "model.gru_layers=1", "model.fusion_layers=1", "model.heads=2",
    "model.head_width=4", "training.epochs=2",
)  # fmt: skip


def stage2(recipe: str, data: Path, out: Path, *more: str) -> tuple[int, str, str]:
    """``moodline train`` with a paper-size recipe made small."""
    settings = [part for s in (*SMALLER, *more) for part in ("--set", s)]
    return call("train", recipe, "--data", data, "--out", out, "-q", *settings)


@pytest.mark.corpus
def test_text_on_meld(tiny: dict[str, str], some_meld: Path, tmp_path: Path) -> None:
    recipe = encoder_recipe(tmp_path / "tiny-llama.yaml", "text", tiny["text"])
    code, out, error = call(
        "finetune", "text", recipe, "--data", some_meld, "--out", tmp_path / "run", "--json",
    )  # fmt: skip
    assert (code, error) == (0, "")
    told = json.loads(out)
    assert told["recipe"] == "tiny-llama"
    assert 0 <= told["seeds"][0]["dev"]["weighted_f1"] <= 100
    assert json.loads((tmp_path / "run" / "finetune.json").read_text())["recipe"]["corpus"]["name"] == "meld"
    code, out, error = call("encode", "meld", some_meld, tmp_path / "features", "--text", tmp_path / "run", "--json")
    assert (code, error) == (0, "")
    assert json.loads(out)["features"] == {"text": {"utterances": 130, "dim": 16}}
    encoded = read_corpus("meld", tmp_path / "features")
    assert {s: sum(map(len, c)) for s, c in encoded.splits.items()} == {"train": 80, "dev": 30, "test": 20}
    code, _, error = stage2(
        "mister-e/meld-paper",
        tmp_path / "features",
        tmp_path / "two",
        "modalities.speech=null",
        "modalities.text.dim=16",
    )
    assert (code, error) == (0, "")
    assert (tmp_path / "two" / "seed-0" / "config.json").is_file()


@pytest.mark.train
@pytest.mark.corpus
def test_speech_on_ravdess(tiny: dict[str, str], some_ravdess: Path, tmp_path: Path) -> None:
    recipe = encoder_recipe(tmp_path / "tiny-qwen.yaml", "speech", tiny["speech"], batch_size=2, accumulate=2)
    code, _, error = call("finetune", "speech", recipe, "--data", some_ravdess, "--out", tmp_path / "run", "-q")
    assert (code, error) == (0, "")
    code, out, error = call(
        "encode", "ravdess", some_ravdess, tmp_path / "features", "--speech", tmp_path / "run", "--json"
    )
    assert (code, error) == (0, "")
    assert json.loads(out)["features"] == {"speech": {"utterances": 24, "dim": 16}}
    rows = read_corpus("ravdess", tmp_path / "features").features["speech"]
    assert len({row.tobytes() for row in map(np.asarray, rows.values())}) == 24
    code, _, error = stage2(
        "mister-e/meld-paper", tmp_path / "features", tmp_path / "two", "modalities.text=null",
        "modalities.speech.dim=16", "corpus.name=ravdess",
    )  # fmt: skip
    assert (code, error) == (0, "")


@pytest.mark.train
def test_again_resumes_and_another_recipe_is_refused(tiny: dict[str, str], house: Path, tmp_path: Path) -> None:
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"])
    command = ("finetune", "text", recipe, "--data", house, "--out", tmp_path / "run", "-q")
    assert call(*command) == (0, "", "")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*.safetensors")}
    assert call(*command, "--seeds", "2") == (0, "", "")
    assert all(p.stat().st_mtime_ns == when for p, when in before.items())
    assert (tmp_path / "run" / "seed-1" / "encoder-text" / "encoder.json").is_file()
    record = json.loads((tmp_path / "run" / "finetune.json").read_text())
    del record["recipe"]["finetune"]["training"]["average"]  # as it was written before the setting existed
    (tmp_path / "run" / "finetune.json").write_text(json.dumps(record))
    assert call(*command) == (0, "", "")
    code, _, error = call(*command, "--set", "finetune.model.rank=2")
    assert code == 2
    assert "another recipe" in error
    other = Path(shutil.copytree(house, tmp_path / "other"))
    (other / "train.jsonl").write_text((other / "train.jsonl").read_text().replace("the", "thy"))
    code, _, error = call("finetune", "text", recipe, "--data", other, "--out", tmp_path / "run", "-q")
    assert (code, "other corpus files" in error) == (2, True)


@pytest.mark.train
def test_the_network_of_the_seed_before_is_gone(
    tiny: dict[str, str], house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would not fit beside each other where one fills a GPU."""
    real, networks, alive = stage1.load_backbone, [], []

    def load(*args, **kwargs):
        alive.append(sum(network() is not None for network in networks))
        backbone = real(*args, **kwargs)
        networks.append(weakref.ref(backbone.network))
        return backbone

    monkeypatch.setattr(stage1, "load_backbone", load)
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"])
    command = ("finetune", "text", recipe, "--data", house, "--out", tmp_path / "run", "--seeds", "3", "-q")
    gc.disable()
    try:
        assert call(*command) == (0, "", "")
    finally:
        gc.enable()
    assert alive == [0, 0, 0]


def test_recipes_with_finetune_serve_too(house: Path, tmp_path: Path) -> None:
    recipe = load_encoder_recipe("text", "mister-e/meld-minilm-lora", ["finetune.training.epochs=1"])
    assert (recipe.encoder.name, recipe.finetune.model.rank, recipe.finetune.training.epochs) == ("minilm", 32, 1)
    assert recipe.corpus is not None
    assert recipe.corpus.name == "meld"


@pytest.mark.parametrize("modality", MODALITIES)
def test_packaged_recipes(modality: str) -> None:
    names = list(packaged(modality))  # type: ignore[arg-type]
    table4 = {
        "text": {"llama-3.1-8b", "qwen2.5-7b", "gemma-7b"},
        "speech": {"salmonn-7b", "salmonn-13b", "qwen2-audio-7b"},
    }
    assert table4[modality] <= set(names)
    for name in names:
        recipe = load_encoder_recipe(modality, name)  # type: ignore[arg-type]
        assert recipe.name == name
        if name in ("minilm", "mpnet", "gemma3-270m"):  # for machines without a GPU
            assert recipe.finetune.training.precision == recipe.encoder.dtype.replace("float", "fp")
            continue
        assert recipe.finetune.model.embedding_dim == 2048
        assert recipe.finetune.model.gamma == 2.0
        assert recipe.finetune.training.beta2 == 0.99
    load_encoder_recipe(modality, names[0], ["encoder.dtype=float16"])  # type: ignore[arg-type]
    plain = load_encoder_recipe(modality, names[0])  # type: ignore[arg-type]
    assert plain.encoder.dtype != "float16", "what is set is set once"
    code, out, _ = call("recipes", "--json")
    assert code == 0
    assert set(names) <= {row["name"] for row in json.loads(out)}


def test_what_cannot_be(house: Path, tmp_path: Path, tiny: dict[str, str]) -> None:
    def refused(*arguments: object) -> str:
        code, _, error = call(*arguments)
        assert code == 2
        assert error.count("\n") == 1
        return error

    assert "Did you mean llama-3.1-8b" in refused("finetune", "text", "llama-3.1-8", "--data", house)
    assert "fine-tunes no speech encoder" in refused("finetune", "speech", "mister-e/meld-minilm-lora", "--data", house)
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"])
    assert "moodline finetune text" in refused("finetune", "speech", recipe, "--data", house)
    error = refused("finetune", "text", recipe, "--data", house, "--set", "finetune.training.epoch=1")
    assert "did you mean epochs" in error
    error = refused("encode", "house", house, tmp_path / "f", "--text", tmp_path / "nowhere")
    assert "expected a fine-tuned text encoder of seed 0" in error
    assert "this encoder reads speech" in refused("encode", "house", house, tmp_path / "f", "--text", "egemaps")
    speechless = encoder_recipe(tmp_path / "s.yaml", "speech", tiny["speech"])
    error = refused("finetune", "speech", speechless, "--data", house, "--out", tmp_path / "run")
    assert "no labelled utterance has it" in error
    assert not (tmp_path / "f").exists()


def test_encoding_quietly(house: Path, tmp_path: Path) -> None:
    command = ("encode", "house", house, tmp_path / "features", "--text")
    assert "no features to export" in call(*command, "tokens:minilm")[2]
    assert call(*command, "minilm", "-q") == (0, "", "")
    assert "text" in read_corpus("house", tmp_path / "features").features
