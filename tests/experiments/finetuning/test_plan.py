"""Plans: what is counted without weights is what real networks have; full memory says what would fit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moodline.core.errors import DeviceMemoryError
from moodline.encoders.backbone import Backbone
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import Collate, Example, FinetuneConfig, UtteranceClassifier
from moodline.encoders.inputs import TextInput
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.text.encoder import TextBackbone
from moodline.experiments.finetuning import run as tuning_run
from moodline.experiments.finetuning.memory import PER_TRAINABLE, cost
from moodline.experiments.finetuning.plan import options
from moodline.experiments.finetuning.recipe import MODALITIES, load_encoder_recipe, packaged
from moodline.training import loop
from tests.encoders.conftest import voice
from tests.encoders.tiny_models import save_salmonn
from tests.experiments.finetuning.conftest import encoder_recipe
from tests.tiny import call, load_script

CONFIGS = {
    "text": FinetuneConfig(embedding_dim=16, targets=("q_proj", "v_proj")),
    "speech": FinetuneConfig(embedding_dim=16, pooling="mean", targets=("q_proj", "k_proj")),
}


def kept(model: UtteranceClassifier, examples: list[Example]) -> int:
    """Bytes that autograd really keeps for a batch."""
    known = {p.untyped_storage().data_ptr() for p in model.parameters()}
    found: dict[int, torch.Tensor] = {}

    def keep(x: torch.Tensor) -> torch.Tensor:
        if x.untyped_storage().data_ptr() not in known:
            found.setdefault(x.untyped_storage().data_ptr(), x)
        return x

    batch = Collate(model.backbone)(examples)
    model.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        model.loss(batch, model(batch))
    return sum(x.untyped_storage().nbytes() for x in found.values())


@pytest.mark.parametrize("modality", ["text", "speech"])
def test_counts_are_those_of_the_real_network(modality: str, tiny: dict[str, str]) -> None:
    """Parameters exactly; what autograd keeps to a quarter (kernels differ), at both of two batch sizes."""
    spec, config = EncoderSpec(tiny[modality], max_tokens=96, max_seconds=4.0), CONFIGS[modality]
    model = UtteranceClassifier(load_backbone(spec), 5, config)
    if modality == "text":
        length = 96.0
        item: object = TextInput("a" * 400)
    else:
        length, item = 4.0, voice(4.0)
    for batch in (2, 6):
        found = cost(spec, config, 5, batch, length)
        assert found.total == sum(p.numel() for p in model.parameters())
        assert found.trainable == sum(p.numel() for p in model.parameters() if p.requires_grad)
        assert found.learning == PER_TRAINABLE * found.trainable
        real = kept(model, [Example((str(n),), item, (n % 5,), 10) for n in range(batch)])
        assert found.activations == pytest.approx(real, rel=0.25)


def test_salmonn_is_counted_part_by_part(tmp_path: Path) -> None:
    """Parts of fixed size, BEATs and the Q-Former, are counted at their published sizes."""
    folder = save_salmonn(tmp_path)
    config = FinetuneConfig(embedding_dim=16, pooling="mean", targets=("q_proj", "v_proj", "query", "value"))
    found = cost(EncoderSpec(f"salmonn:{folder}"), config, 5, 1, 3.0)
    assert 100e6 < found.total < 120e6
    assert found.trainable > 0


def test_well_known_sizes() -> None:
    llama = load_encoder_recipe("text", "llama-3.1-8b")
    plain = cost(llama.encoder, llama.finetune.model, 7, 8, 128)
    head = 2048 * (2 * 4096 + 1) + 7 * 2049 + 4096 * 2 + 128 * 4098 + 1
    lora = 32 * 8 * (4096 + 4096 + 4096 + 1024)
    assert plain.trainable == lora + head
    assert plain.total == 7_504_924_672 + lora + head  # 8.03 billion less the head that predicts words
    assert plain.weights == 2 * 7_504_924_672
    saving = cost(llama.encoder, replace(llama.finetune.model, gradient_checkpointing=True), 7, 8, 128)
    assert saving.activations < plain.activations / 5
    assert 1.2 < saving.flops / plain.flops < 1.5
    tokens, weights = 8 * 128, 7_504_924_672 - 128256 * 4096
    assert plain.flops == pytest.approx(4 * tokens * weights, rel=0.05)  # two for each weight, forward and back
    few = cost(replace(llama.encoder, quantize="4bit"), llama.finetune.model, 7, 8, 128)
    assert 4e9 < few.weights < 5.5e9


def test_the_page_says_what_the_estimator_says(root: Path) -> None:
    script = load_script("encoder_costs")
    page = (root / "docs" / "how-to" / "large-encoders.md").read_text()
    for modality, name in (("text", "llama-3.1-8b"), ("speech", "hubert-large"), ("speech", "wavlm-large")):
        assert f"\n{script.row(load_encoder_recipe(modality, name))}\n" in page, "run: python scripts/encoder_costs.py"
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert [r.split("`")[1] for r in rows] == [n for m in MODALITIES for n in packaged(m)]


def test_options_cost_less_and_less(tiny: dict[str, str], tmp_path: Path) -> None:
    path = str(encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"]))
    found = options(load_encoder_recipe("text", path), 7, 32.0)
    memory = [o.cost.memory for o in found]
    assert memory == sorted(memory, reverse=True)
    assert found[0].settings == ()
    assert "encoder.quantize=4bit" in found[-1].settings
    for option in found:  # all of them can be set, and leave the utterances of a step as they were
        changed = load_encoder_recipe("text", path, option.settings).finetune.training
        assert changed.batch_size * changed.accumulate == 8


@pytest.mark.train
def test_frozen_convolutions_cost_no_activations_and_wavlm_takes_no_few_bits() -> None:
    hubert, wavlm = (load_encoder_recipe("speech", f"{name}-large") for name in ("hubert", "wavlm"))
    learning = replace(hubert.finetune.model, method="full", freeze_embeddings=False)
    kept, all_kept = (cost(hubert.encoder, m, 7, 8, 5.0).activations for m in (hubert.finetune.model, learning))
    assert all_kept - kept > 1e9  # seven convolutions over samples
    assert any("quantize" in " ".join(o.settings) for o in options(hubert, 7, 5.0))
    assert not any("quantize" in " ".join(o.settings) for o in options(wavlm, 7, 5.0))


@pytest.mark.train
@pytest.mark.corpus
def test_dry_run(tiny: dict[str, str], some_meld: Path, tmp_path: Path) -> None:
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"])
    code, out, error = call("finetune", "text", recipe, "--data", some_meld, "--dry-run", "--json")
    assert (code, error) == (0, "")
    told = json.loads(out)
    assert (told["corpus"], told["utterances"], told["guessed"]) == ("meld", {"train": 80, "dev": 30}, False)
    assert told["steps"] == {"epoch": 10, "most": 10}
    assert told["measured"]["seconds_an_epoch"] > 0
    assert told["memory"][0]["fits"]
    code, out, error = call("finetune", "text", "llama-3.1-8b", "--data", some_meld, "--dry-run")
    assert (code, error) == (0, "")
    assert "learn" in out
    assert "not measured" in out
    assert "guessed from characters" in out
    assert not list(tmp_path.glob("run*"))


@pytest.mark.train
def test_dry_run_of_a_converted_model_with_frozen_blocks(
    tiny: dict[str, str], house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is found by its name, and what its frozen blocks give is counted once."""
    shutil.copytree(tiny["text"].removeprefix("hf-text:"), tmp_path / "backbones" / "gemma3-270m")
    monkeypatch.setenv("MOODLINE_CACHE", str(tmp_path))
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", "hf-text:gemma3-270m")
    command = ("finetune", "text", recipe, "--data", house, "--dry-run")
    code, out, error = call(*command, "--json", "--set", "finetune.model.freeze_blocks=2")
    assert (code, error) == (0, "")
    assert json.loads(out)["measured"]["seconds_once"] > 0
    code, out, error = call(*command)
    assert (code, error) == (0, "")
    assert "measured on" in out
    assert "once for the frozen blocks" not in out


@pytest.mark.train
def test_full_memory_says_what_would_fit(tiny, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"])
    real, calls = TextBackbone.forward, []

    def full(self: Backbone, tensors: dict[str, torch.Tensor]):
        calls.append(len(tensors["input_ids"]))
        if self.training and len(tensors["input_ids"]) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(self, tensors)

    loaded = load_encoder_recipe("text", str(recipe))
    halved = next(o for o in options(loaded, 3, 32.0) if "finetune.training.batch_size=4" in o.settings)
    monkeypatch.setattr(TextBackbone, "forward", full)
    monkeypatch.setattr(tuning_run, "device_memory", lambda: halved.cost.memory + 1)
    command = ("finetune", "text", recipe, "--data", house, "--out", tmp_path / "run", "-q")
    code, _, error = call(*command)
    assert code == 2
    assert error.count("\n") == 1
    assert "is full with batches of 8 (found: CUDA out of memory)" in error
    advised = error.partition("suffice with: ")[2].split()
    assert "finetune.training.batch_size=4" in advised
    assert call(*command, *advised) == (0, "", "")  # the same directory: nothing had been trained


@pytest.mark.train
def test_the_longest_batch_comes_before_anything_is_written(
    tiny: dict[str, str], house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU: where only that one does not fit, the same command with other settings runs in the same place."""
    recipe = encoder_recipe(tmp_path / "a.yaml", "text", tiny["text"], checkpoint_seconds=0.0)
    real, widths = TextBackbone.forward, []

    def full(self: Backbone, tensors: dict[str, torch.Tensor]):
        rows, width = tensors["input_ids"].shape
        if self.training:
            widths.append(width)
        if self.training and rows > 4 and width == max(widths):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(self, tensors)

    monkeypatch.setattr(TextBackbone, "forward", full)
    monkeypatch.setattr(loop, "should_check_memory", lambda device: True)
    command = ("finetune", "text", recipe, "--data", house, "--out", tmp_path / "run", "-q")
    code, _, error = call(*command)
    assert (code, "is full with batches of 8" in error, len(widths)) == (2, True, 1)
    assert call(*command, "--set", "finetune.training.batch_size=4") == (0, "", "")
    assert widths[0] == max(widths)


def test_encoding_halves_batches_that_do_not_fit(tiny: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(EncoderSpec(tiny["text"]))
    texts = [f"{'word ' * n}end" for n in range(9)]
    expected = encoder.encode(texts)
    real, sizes = TextBackbone.forward, []

    def full(self: Backbone, tensors: dict[str, torch.Tensor]):
        sizes.append(len(tensors["input_ids"]))
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(self, tensors)

    monkeypatch.setattr(TextBackbone, "forward", full)
    most = 2
    np.testing.assert_allclose(np.stack(encoder.encode(texts)), np.stack(expected), atol=1e-5)
    assert max(sizes) == 9
    most = 0
    with pytest.raises(DeviceMemoryError, match="does not hold it and one input"):
        encoder.encode(texts)


def test_a_processor_without_bfloat16_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX2")
    large, small = (load_encoder_recipe("text", name) for name in ("llama-3.1-8b", "minilm"))
    said = tuning_run.slow_precision(large)
    assert said is not None
    settings = said.partition(": ")[2].replace("--set ", "").split()
    assert settings == ["encoder.dtype=float32", "finetune.training.precision=fp32"]
    assert tuning_run.slow_precision(load_encoder_recipe("text", "llama-3.1-8b", settings)) is None
    assert tuning_run.slow_precision(small) is None
    monkeypatch.setattr("torch.backends.cpu.get_cpu_capability", lambda: "AVX512")
    assert tuning_run.slow_precision(large) is None


def test_a_gpu_without_bfloat16_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    large = load_encoder_recipe("text", "llama-3.1-8b")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    for able in (True, False):
        monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation, able=able: able)
        said = tuning_run.slow_precision(large)
        assert (said is None) == able
    assert said is not None
    assert said.startswith("this GPU has no bfloat16")
