"""Stage 1: learning, saving, loading; LoRA merged by hand against peft."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError, LabelError, StorageError
from moodline.core.labels import IGNORE, LabelSet
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import (
    Collate,
    Example,
    FinetuneConfig,
    UtteranceClassifier,
    load_finetuned,
    make_examples,
    parameter_groups,
    save_finetuned,
)
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from moodline.nn.blocks import layer_index

LABELS = LabelSet("toy-2", ("calm", "angry"))
CALM = ("thank you, that is lovely", "what a quiet evening", "of course, no hurry", "the garden looks pretty")
ANGRY = ("how dare you lie to me", "get out of my house", "I am sick of this", "you ruined everything")
SMALL = {"embedding_dim": 24, "dropout": 0.1}


def conversation() -> Conversation:
    texts = [t for pair in zip(CALM, ANGRY, strict=True) for t in pair]
    turns = [Utterance(f"u{n}", text=t, emotion=LABELS.labels[n % 2]) for n, t in enumerate(texts)]
    return Conversation("toy", (*turns, Utterance("x", text="unlabelled"), Utterance("y", emotion="calm")))


def build(config: FinetuneConfig, name: str = "minilm", **options) -> UtteranceClassifier:
    torch.manual_seed(0)
    return UtteranceClassifier(load_backbone(EncoderSpec(name, **options)), len(LABELS), config)


def steps(model: UtteranceClassifier, examples: list[Example], count: int, rate: float = 1e-3) -> list[float]:
    """A few optimizer steps, as the training loop does them."""
    groups = [{**g, "lr": g["lr"] * rate} for g in parameter_groups(model, model.config)]
    optimizer = torch.optim.AdamW(groups)
    collate, losses = Collate(model.backbone, model.config.crop_seconds), []
    model.train()
    for step in range(count):
        torch.manual_seed(step)
        batch = collate(examples)
        total = model.loss(batch, model(batch))["total"]
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))
    model.eval()
    return losses


@torch.inference_mode()
def embeddings(model: UtteranceClassifier, examples: list[Example]) -> np.ndarray:
    model.eval()
    return model(Collate(model.backbone)(examples)).extras["embedding"][:, 0].numpy()


CONFIGS = {
    "lora": FinetuneConfig(**SMALL, rank=4, alpha=8),
    "full": FinetuneConfig(**SMALL, method="full", layer_mix=True, pooling="mean"),
    "full-blocks": FinetuneConfig(**SMALL, method="full", freeze_embeddings=True, layer_decay=0.8),
    "frozen": FinetuneConfig(**SMALL, method="frozen", head_rate=10.0),
}


@pytest.mark.train
@pytest.mark.parametrize("name", CONFIGS)
def test_learns_and_survives_the_disk(name: str, tmp_path: Path) -> None:
    model = build(CONFIGS[name], layers="all" if name == "full" else None, max_tokens=32)
    examples = make_examples([conversation()], LABELS, model.backbone)
    assert len(examples) == 8
    losses = steps(model, examples, 8, rate=1e-4 if "full" in name else 3e-3)
    assert losses[-1] < losses[0]
    before = embeddings(model, examples)
    save_finetuned(model, tmp_path / "encoder", LABELS)
    encoder = load_finetuned(tmp_path / "encoder")
    assert (encoder.dim, encoder.modality, encoder.labels) == (24, "text", LABELS)
    after = np.stack(encoder.encode([e.input for e in examples]))
    np.testing.assert_allclose(after, before, atol=1e-5)
    logits = model(Collate(model.backbone)(examples)).logits[:, 0].softmax(-1).detach().numpy()
    np.testing.assert_allclose(np.stack(encoder.scores([e.input for e in examples])), logits, atol=1e-5)
    again = load_encoder(EncoderSpec("finetuned:encoder"), base_dir=tmp_path)
    np.testing.assert_array_equal(np.stack(again.encode([e.input for e in examples])), after)
    assert again.revision == encoder.revision


def test_in_the_training_loop(tmp_path: Path) -> None:
    from moodline.evaluation.selection import judge_by_weighted_f1
    from moodline.training.loop import TrainConfig, fit

    model = build(CONFIGS["lora"])
    examples = make_examples([conversation()], LABELS, model.backbone)
    result = fit(
        model,
        examples,
        examples,
        Collate(model.backbone),
        judge=judge_by_weighted_f1(2),
        config=TrainConfig(epochs=6, batch_size=4, learning_rate=5e-3),
        directory=tmp_path / "run",
        parameters=parameter_groups(model, model.config),
    )
    assert result.best_score > 0.8
    save_finetuned(model, tmp_path / "encoder", LABELS)
    scores = np.stack(load_finetuned(tmp_path / "encoder").scores([e.input for e in examples]))
    assert (scores.argmax(1) == [e.labels[0] for e in examples]).mean() > 0.8


def test_half_precision_files_are_smaller_and_near(tmp_path: Path) -> None:
    model = build(CONFIGS["lora"])
    examples = make_examples([conversation()], LABELS, model.backbone)
    steps(model, examples, 3)
    save_finetuned(model, tmp_path / "full", LABELS)
    save_finetuned(model, tmp_path / "half", LABELS, half=True)
    sizes = [(tmp_path / d / "head.safetensors").stat().st_size for d in ("full", "half")]
    assert sizes[1] < 0.55 * sizes[0]
    a, b = (load_finetuned(tmp_path / d).encode([e.input for e in examples]) for d in ("full", "half"))
    np.testing.assert_allclose(a, b, atol=5e-3)
    assert load_finetuned(tmp_path / "full").revision != load_finetuned(tmp_path / "half").revision


def test_embedding_is_the_first_layer_before_relu() -> None:
    model = build(CONFIGS["lora"])
    examples = make_examples([conversation()], LABELS, model.backbone)
    model.eval()
    batch = Collate(model.backbone)(examples)
    output = model(batch)
    assert output.logits.shape == (8, 1, 2)
    embedding = output.extras["embedding"]
    assert bool((embedding < 0).any())
    expected = model.head.fc2(torch.relu(embedding))
    torch.testing.assert_close(output.logits, expected)
    p = output.logits[:, 0].softmax(-1)[torch.arange(8), batch.labels[:, 0]]
    torch.testing.assert_close(model.loss(batch, output)["total"], (-((1 - p) ** 2) * p.log()).mean())


def test_r_drop_reads_twice_and_wants_agreement() -> None:
    torch.manual_seed(0)
    model = build(dataclasses.replace(CONFIGS["lora"], r_drop=0.5, gamma=0.0, dropout=0.5))
    examples = make_examples([conversation()], LABELS, model.backbone)
    model.train()
    batch = Collate(model.backbone)(examples)
    output = model(batch)
    p, q = (x[:, 0].log_softmax(-1) for x in (output.logits, output.extras["again"]))
    assert not torch.allclose(p, q)
    apart = ((p.exp() * (p - q)).sum(-1) + (q.exp() * (q - p)).sum(-1)).mean() / 2
    own = torch.arange(8), batch.labels[:, 0]
    terms = model.loss(batch, output)
    torch.testing.assert_close(terms["r_drop"], 0.5 * apart)
    torch.testing.assert_close(terms["total"], -(p[own] + q[own]).mean() / 2 + 0.5 * apart)
    model.eval()
    assert set(model.loss(batch, model(batch))) == {"total"}


def test_r_drop_reads_the_turns_of_a_window_twice() -> None:
    model = build(dataclasses.replace(CONFIGS["lora"], r_drop=0.5, dropout=0.0, lora_dropout=0.5), window=4)
    examples = make_examples([conversation()], LABELS, model.backbone, training=True)
    model.train()
    batch = Collate(model.backbone)(examples)
    output = model(batch)
    apart = (output.logits - output.extras["again"])[batch.valid].abs().max(-1).values
    assert apart.min() > 0
    assert model.loss(batch, output)["r_drop"] > 0


def test_layers_side_by_side_learn_from_a_batch_of_one() -> None:
    model = build(FinetuneConfig(**SMALL, layer_concat=True), layers="all")
    examples = make_examples([conversation()], LABELS, model.backbone)
    steps(model, examples, 3)
    before = model.head.scale.running_mean.clone()
    losses = steps(model, examples[:1], 2)
    assert np.isfinite(losses).all()
    assert torch.equal(model.head.scale.running_mean, before), "one utterance says nothing of the spread"


def test_only_what_is_asked_for_is_trainable() -> None:
    def names(model: UtteranceClassifier) -> set[str]:
        return {n for n, p in model.backbone.named_parameters() if p.requires_grad}

    lora = names(build(CONFIGS["lora"]))
    assert len(lora) == 2 * 2 * 6
    assert all("lora_" in n for n in lora)
    assert names(build(CONFIGS["frozen"])) == set()
    blocks = names(build(CONFIGS["full-blocks"]))
    assert blocks
    assert all(".layer." in n for n in blocks)
    targeted = names(build(FinetuneConfig(**SMALL, targets=("key",))))
    assert len(targeted) == 12
    with pytest.raises(ConfigError, match="nothing_like_it"):
        build(FinetuneConfig(**SMALL, targets=("nothing_like_it",)))


def test_parameter_groups() -> None:
    config = FinetuneConfig(**SMALL, method="full", layer_decay=0.5, head_rate=4.0, weight_decay=0.1)
    model = build(config)
    groups = parameter_groups(model, config)
    where = {id(p): g for g in groups for p in g["params"]}
    trainable = [p for p in model.parameters() if p.requires_grad]
    assert len(where) == len(trainable) == sum(len(g["params"]) for g in groups)
    rates = {n: where[id(p)] for n, p in model.named_parameters()}
    base = "backbone.network."
    assert rates["head.fc1.weight"] == where[id(model.head.fc1.weight)]
    assert (rates["head.fc1.weight"]["lr"], rates["head.fc1.weight"]["weight_decay"]) == (4.0, 0.1)
    assert rates["head.fc1.bias"]["weight_decay"] == 0.0
    assert rates[f"{base}encoder.layer.5.output.dense.weight"]["lr"] == 1.0
    assert rates[f"{base}encoder.layer.4.output.dense.weight"]["lr"] == 0.5
    embedding = rates[f"{base}embeddings.word_embeddings.weight"]
    assert (embedding["lr"], embedding["weight_decay"]) == (0.5**6, 0.0)
    assert layer_index("encoder.layer.11.x") == 11
    assert layer_index("conv1.weight") is None


def test_batches_and_examples() -> None:
    backbone = load_backbone(EncoderSpec(context_turns=1))
    examples = make_examples([conversation()], LABELS, backbone, keep_unlabelled=True)
    assert [e.labels[0] for e in examples] == [0, 1, 0, 1, 0, 1, 0, 1, IGNORE]
    assert examples[1].input.context == (CALM[0],)
    assert all(len(e) == e.length > 0 for e in examples)
    batch = Collate(backbone)(examples).to("cpu")
    assert (batch.count(), batch.labels.shape, batch.valid.shape) == (8, (9, 1), (9, 1))
    with pytest.raises(LabelError):
        make_examples([conversation()], LabelSet("other", ("a", "b")), backbone)


@pytest.mark.parametrize("method", ["lora", "full"])
def test_speech(method: str, tmp_path: Path, clips: list[np.ndarray]) -> None:
    config = FinetuneConfig(**SMALL, method=method, layer_mix=True, crop_seconds=0.5, freeze_embeddings=True)
    model = build(config, "moonshine-tiny", layers=(2, 3, 4))
    examples = [Example((str(n),), c, (n % 2,), 10) for n, c in enumerate(clips)]
    losses = steps(model, examples, 6, rate=1e-3 if method == "lora" else 1e-4)
    assert losses[-1] < losses[0]
    before = embeddings(model, examples)
    save_finetuned(model, tmp_path / "encoder", LABELS)
    encoder = load_finetuned(tmp_path / "encoder")
    assert encoder.modality == "speech"
    np.testing.assert_allclose(np.stack(encoder.encode(clips)), before, atol=2e-5)


def test_crops_only_in_training(clips: list[np.ndarray]) -> None:
    backbone = load_backbone(EncoderSpec("moonshine-tiny"))
    collate = Collate(backbone, crop_seconds=0.5)
    examples = [Example(("a",), clips[2], (0,), 10)]
    assert collate(examples).tensors["lengths"].item() == len(clips[2])
    backbone.train()
    torch.manual_seed(1)
    first = collate(examples).tensors
    assert first["lengths"].item() == 8000
    torch.manual_seed(1)
    assert torch.equal(collate(examples).tensors["samples"], first["samples"])


@pytest.mark.parametrize("name", ["roberta", "llama"])
def test_transformers_backbones(name: str, text_models: dict[str, Path], tmp_path: Path) -> None:
    model = build(CONFIGS["lora"], f"hf-text:{text_models[name]}", max_tokens=60)
    examples = make_examples([conversation()], LABELS, model.backbone)
    steps(model, examples, 3)
    before = embeddings(model, examples)
    save_finetuned(model, tmp_path, LABELS)
    np.testing.assert_allclose(
        np.stack(load_finetuned(tmp_path).encode([e.input for e in examples])), before, atol=1e-5
    )


def test_speech_transformers_backbone(speech_models: dict[str, Path], tmp_path: Path, clips) -> None:
    model = build(CONFIGS["lora"], f"hf-speech:{speech_models['wav2vec2-layer']}", layers=(-1,))
    examples = [Example((str(n),), c, (n % 2,), 10) for n, c in enumerate(clips)]
    steps(model, examples, 2)
    before = embeddings(model, examples)
    save_finetuned(model, tmp_path, LABELS)
    np.testing.assert_allclose(np.stack(load_finetuned(tmp_path).encode(clips)), before, atol=1e-5)


def test_saved_encoders_that_do_not_fit(tmp_path: Path) -> None:
    model = build(CONFIGS["lora"])
    with pytest.raises(ConfigError, match="expected 2 labels"):
        save_finetuned(model, tmp_path, LabelSet("three", ("a", "b", "c")))
    good = tmp_path / "good"
    save_finetuned(model, good, LABELS)

    def spoiled(name: str) -> Path:
        shutil.copytree(good, tmp_path / name)
        return tmp_path / name

    with pytest.raises(CheckpointError, match="expected a fine-tuned encoder"):
        load_finetuned(tmp_path / "nothing")
    other = spoiled("other")
    record = json.loads((other / "encoder.json").read_text())
    record["backbone"]["revision"] = "ffff"
    (other / "encoder.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="revision ffff"):
        load_finetuned(other)
    for n, file in enumerate(("adapter_model.safetensors", "head.safetensors", "encoder.json", "adapter_config.json")):
        short = spoiled(f"short{n}")
        (short / file).write_bytes((short / file).read_bytes()[:100])
        with pytest.raises(CheckpointError, match="corrupt") as error:
            load_finetuned(short)
        assert "\n" not in str(error.value)
    swapped = spoiled("swapped")
    shutil.copy(swapped / "adapter_model.safetensors", swapped / "head.safetensors")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_finetuned(swapped)
    record["backbone"]["revision"] = model.backbone.revision
    record["finetune"]["method"] = "full"
    (other / "encoder.json").write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="does not fit the weight"):
        load_finetuned(other)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        save_finetuned(model, tmp_path / "file" / "x", LABELS)


@pytest.mark.process
@pytest.mark.train
def test_loading_needs_neither_peft_nor_transformers(tmp_path: Path) -> None:
    save_finetuned(build(CONFIGS["lora"]), tmp_path, LABELS)
    code = "import sys\nfrom moodline.encoders.finetuning import load_finetuned\n"
    code += f"load_finetuned({str(tmp_path)!r}).encode(['hello'])\n"
    code += "print([m for m in ('transformers', 'peft', 'torch._dynamo') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.train
def test_auxiliary_corpora_are_learned_along_and_left_behind(tmp_path: Path) -> None:
    other = LabelSet("toy-3", ("low", "middle", "high"))
    turns = [Utterance(f"o{n}", text=f"it is {word} now", emotion=word) for n, word in enumerate(other.labels)]
    torch.manual_seed(0)
    model = UtteranceClassifier(load_backbone(EncoderSpec()), len(LABELS), CONFIGS["lora"], auxiliary=[len(other)])
    examples = make_examples([conversation()], LABELS, model.backbone)
    examples += make_examples([Conversation("o", tuple(turns))], other, model.backbone, training=True, task=1)
    losses = steps(model, examples, 30, 3e-3)
    assert losses[-1] < losses[0] / 3
    batch = Collate(model.backbone)(examples)
    with torch.inference_mode():
        output = model(batch)
        embedding = output.extras["embedding"][batch.tasks == 1].flatten(0, 1)
        assert model.auxiliary[0](torch.relu(embedding)).argmax(-1).tolist() == [0, 1, 2]
    mine, theirs = (Collate(model.backbone)([e for e in examples if e.task == t]) for t in (0, 1))
    with torch.inference_mode():
        parts = [float(model.loss(b, model(b))["total"]) for b in (mine, theirs)]
        whole = float(model.loss(batch, model(batch))["total"])
    assert whole == pytest.approx((8 * parts[0] + 3 * parts[1]) / 11, rel=1e-4)
    save_finetuned(model, tmp_path / "e", LABELS)
    assert load_finetuned(tmp_path / "e").scores(["how dare you"])[0].shape == (2,)
