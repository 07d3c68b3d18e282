"""Causal and masked language models as encoders: padding sides, few bits, half precision, adapters as peft has them."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError, MissingDependencyError
from moodline.core.labels import LabelSet
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import (
    Collate,
    FinetuneConfig,
    UtteranceClassifier,
    load_finetuned,
    make_examples,
    save_finetuned,
)
from moodline.encoders.inputs import TextInput
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from moodline.nn.pretrained import model_directory
from tests.encoders.tiny_models import save_language_model

LABELS = LabelSet("toy-2", ("calm", "angry"))
TEXTS = ("thank you, that is lovely", "how dare you", "of course, there is really no hurry at all", "out!", "a b")
TURNS = tuple(Utterance(f"u{n}", text=t, emotion=LABELS.labels[n % 2]) for n, t in enumerate(TEXTS))
PAPER = FinetuneConfig(embedding_dim=24, targets=("q_proj", "v_proj"))
TOLERANCE = {"float32": 1e-5, "bfloat16": 2e-2}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("language-models")
    return {kind: save_language_model(kind, root / kind) for kind in ("llama", "qwen2", "gemma")}


def tuned(source: Path, config: FinetuneConfig = PAPER, steps: int = 3, **options) -> UtteranceClassifier:
    """A classifier after a few steps on the turns."""
    torch.manual_seed(0)
    model = UtteranceClassifier(load_backbone(EncoderSpec(f"hf-text:{source}", **options)), 2, config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    batch = Collate(model.backbone)(examples(model))
    model.train()
    for step in range(steps):
        torch.manual_seed(step)
        model.loss(batch, model(batch))["total"].backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def examples(model: UtteranceClassifier):
    return make_examples([Conversation("toy", TURNS)], LABELS, model.backbone)


@torch.inference_mode()
def embeddings(model: UtteranceClassifier) -> np.ndarray:
    return model(Collate(model.backbone)(examples(model))).extras["embedding"][:, 0].numpy()


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gemma", "roberta"])
def test_alone_batched_left_and_right_are_the_same(kind: str, models, text_models, tmp_path: Path) -> None:
    """To 1e-5 in float32, a text without words included, which for Qwen has no token at all."""
    source = text_models[kind] if kind == "roberta" else models[kind]
    config = FinetuneConfig(embedding_dim=24)
    save_finetuned(tuned(source, config, max_tokens=40), tmp_path / "right", LABELS)
    right = load_finetuned(tmp_path / "right")
    texts = (*TEXTS, "")
    together = np.stack(right.encode(texts))
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(right.encode([text])[0], vector, atol=1e-5)
    record = json.loads((tmp_path / "right" / "encoder.json").read_text())
    record["spec"]["padding"] = "left"
    (tmp_path / "right" / "encoder.json").write_text(json.dumps(record))
    left = load_finetuned(tmp_path / "right")
    tensors = left.backbone.prepare(texts)
    assert not bool(tensors["attention_mask"][3, 0])
    assert bool(tensors["attention_mask"][:, -1].all())
    np.testing.assert_allclose(np.stack(left.encode(texts)), together, atol=1e-5)
    assert left.settings == right.settings  # one feature store serves both


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft asks transformers by an old name
def test_peft_itself_loads_the_folder(models: dict[str, Path], tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModel

    model = tuned(models["llama"])
    save_finetuned(model, tmp_path, LABELS)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "encoder.json", "head.safetensors",
    ]  # fmt: skip
    assert sum(p.stat().st_size for p in tmp_path.glob("*.safetensors")) < 60_000  # the base has 170 kB
    batch = Collate(model.backbone)(examples(model)).tensors
    base = AutoModel.from_pretrained(models["llama"])
    theirs = PeftModel.from_pretrained(base, tmp_path).eval()
    with torch.inference_mode():
        expected = theirs(batch["input_ids"], attention_mask=batch["attention_mask"].long()).last_hidden_state
        ours = model.backbone(batch)[0][-1]
    real = batch["attention_mask"]
    torch.testing.assert_close(ours[real], expected[real], atol=1e-5, rtol=1e-5)
    assert theirs.peft_config["default"].base_model_name_or_path == str(models["llama"])


def test_what_was_saved_before_peft_is_still_read(models: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from moodline.nn.lora import lora_state

    model = tuned(models["llama"])
    save_finetuned(model, tmp_path, LABELS)
    new = np.stack(load_finetuned(tmp_path).encode(TEXTS))
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).unlink()
    save_file(
        {k: v.contiguous() for k, v in lora_state(model.backbone.network).items()}, tmp_path / "adapter.safetensors"
    )
    record = json.loads((tmp_path / "encoder.json").read_text()) | {"format": 1}
    del record["spec"]["quantize"], record["spec"]["padding"], record["spec"]["revision"]
    del record["finetune"]["gradient_checkpointing"]
    (tmp_path / "encoder.json").write_text(json.dumps(record))
    np.testing.assert_array_equal(np.stack(load_finetuned(tmp_path).encode(TEXTS)), new)


def test_another_base_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    source = save_language_model("llama", tmp_path / "base")
    save_finetuned(tuned(source, steps=1), tmp_path / "encoder", LABELS)
    save_language_model("llama", tmp_path / "base", seed=1)
    with pytest.raises(CheckpointError, match=r"trained on .* with revision") as error:
        load_encoder(EncoderSpec(f"finetuned:{tmp_path / 'encoder'}"))
    assert "\n" not in str(error.value)
    config = json.loads((tmp_path / "encoder" / "adapter_config.json").read_text())
    assert config["revision"] == json.loads((tmp_path / "encoder" / "encoder.json").read_text())["backbone"]["revision"]
    save_language_model("llama", tmp_path / "base")
    (tmp_path / "encoder" / "adapter_config.json").write_text(json.dumps({**config, "r": 4}))
    with pytest.raises(CheckpointError, match="expected r 8"):
        load_finetuned(tmp_path / "encoder")


@pytest.mark.parametrize("quantize", ["8bit", "4bit"])
def test_few_bits_learn_and_survive_the_disk(quantize: str, models: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    model = tuned(models["llama"], steps=0, quantize=quantize)
    kinds = {type(m).__name__ for m in model.backbone.network.modules()}
    assert "Linear8bitLt" in kinds or "Linear4bit" in kinds
    whole = load_encoder(EncoderSpec(f"hf-text:{models['llama']}", pooling="mean")).encode(TEXTS)
    few = load_encoder(EncoderSpec(f"hf-text:{models['llama']}", pooling="mean", quantize=quantize)).encode(TEXTS)
    assert 1e-4 < np.abs(np.stack(whole) - np.stack(few)).max() < (0.1 if quantize == "8bit" else 0.6)
    model = tuned(models["llama"], quantize=quantize)
    assert all(p.dtype == torch.float32 for p in model.parameters() if p.requires_grad)
    before = embeddings(model)
    save_finetuned(model, tmp_path, LABELS)
    np.testing.assert_allclose(np.stack(load_finetuned(tmp_path).encode(TEXTS)), before, atol=1e-4)


def test_half_precision_keeps_the_matrices_apart(models: dict[str, Path], tmp_path: Path) -> None:
    """Merged into bfloat16, the update would be rounded away: what is loaded is what was trained."""
    model = tuned(models["llama"], dtype="bfloat16", steps=6)
    before = embeddings(model)
    save_finetuned(model, tmp_path, LABELS)
    encoder = load_finetuned(tmp_path)
    assert any("lora_A" in n for n, _ in encoder.backbone.network.named_parameters())
    np.testing.assert_allclose(np.stack(encoder.encode(TEXTS)), before, atol=TOLERANCE["bfloat16"])


def test_gradient_checkpointing_changes_no_gradient(models: dict[str, Path]) -> None:
    def gradients(checkpointing: bool) -> dict[str, torch.Tensor]:
        config = FinetuneConfig(embedding_dim=24, gradient_checkpointing=checkpointing)
        model = tuned(models["qwen2"], config, steps=1)
        kept = [m for m in model.backbone.network.modules() if getattr(m, "gradient_checkpointing", False)]
        assert bool(kept) is checkpointing
        torch.manual_seed(1)
        model.train()
        batch = Collate(model.backbone)(examples(model))
        model.loss(batch, model(batch))["total"].backward()
        return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}

    plain, kept = gradients(False), gradients(True)
    assert plain.keys() == kept.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(kept[name], gradient, atol=1e-6, rtol=1e-4)


def test_settings_that_cannot_be(models: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="quantize must be one of none, 8bit, 4bit"):
        EncoderSpec(quantize="2bit")
    with pytest.raises(ConfigError, match="padding must be one of right, left"):
        EncoderSpec(padding="both")
    with pytest.raises(ConfigError, match="models of transformers"):
        load_encoder(EncoderSpec("minilm", quantize="4bit"))
    with pytest.raises(ConfigError, match="gradient_checkpointing is for models of transformers"):
        UtteranceClassifier(load_backbone(EncoderSpec()), 2, FinetuneConfig(gradient_checkpointing=True))
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n == "bitsandbytes" else find(n, *a))
    with pytest.raises(MissingDependencyError, match=r"\[quantize\]"):
        load_encoder(EncoderSpec(f"hf-text:{models['llama']}", quantize="4bit"))


def test_a_model_that_is_not_here_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *a, **k: (_ for _ in ()).throw(OSError("no network")))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(
        CheckpointError, match=r"nobody/big-8b is not on this machine.*hf download nobody/big-8b"
    ) as error:
        load_encoder(EncoderSpec("hf-text:nobody/big-8b"))
    assert "\n" not in str(error.value)


def test_a_gated_model_says_where_to_accept_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import GatedRepoError

    def gated(*_, **__):
        raise OSError("You are trying to access a gated repo.") from GatedRepoError.__new__(GatedRepoError)

    monkeypatch.setattr("moodline.nn.pretrained._hub_has_an_address", lambda: True)
    monkeypatch.setattr("huggingface_hub.list_repo_files", gated)
    with pytest.raises(CheckpointError) as error:
        load_encoder(EncoderSpec("hf-text:meta-llama/Nothing-8B", revision="v2"))
    text = str(error.value)
    assert "accepted its licence. Accept its licence at https://huggingface.co/meta-llama/Nothing-8B, run:" in text
    assert "hf download meta-llama/Nothing-8B --revision v2" in text


def test_files_without_all_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    source = save_language_model("llama", tmp_path)
    index = json.loads((source / "model.safetensors.index.json").read_text())
    name = "model.layers.1.mlp.up_proj.weight"
    shard = source / index["weight_map"].pop(name)
    save_file({k: v for k, v in load_file(shard).items() if k != name}, shard, {"format": "pt"})
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"1 of the model's weights are not in its files .*up_proj"):
        load_encoder(EncoderSpec(f"hf-text:{source}"))


def test_a_converted_model_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the cache, wherever one works; where it was not made yet, how to make it."""
    monkeypatch.setenv("MOODLINE_CACHE", str(tmp_path / "cache"))
    spec = EncoderSpec(name="hf-text:gemma3-270m", pooling="last")
    with pytest.raises(CheckpointError, match=r"convert_gemma\.py"):
        load_encoder(spec)
    save_language_model("gemma", model_directory("gemma3-270m"))
    here = load_encoder(spec)
    there = load_encoder(replace(spec, name=f"hf-text:{model_directory('gemma3-270m')}"))
    np.testing.assert_array_equal(here.encode([TextInput("Not again!")]), there.encode([TextInput("Not again!")]))
