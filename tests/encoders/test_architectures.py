"""Networks of transformers that build their blocks otherwise: merged projections, transposed weights, no mask."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import (
    Collate,
    Example,
    FinetuneConfig,
    UtteranceClassifier,
    load_finetuned,
    make_examples,
    save_finetuned,
)
from moodline.encoders.settings import EncoderSpec
from tests.encoders.conftest import byte_tokenizer
from tests.encoders.text.test_language_models import LABELS, TEXTS, embeddings, examples, tuned

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4}
ENDS = {"bos_token_id": 0, "cls_token_id": 0, "eos_token_id": 1, "sep_token_id": 1, "pad_token_id": 0}
BART = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48}  # fmt: skip
EYES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 28, "patch_size": 14}  # fmt: skip

# Class, its settings, and which layers LoRA goes into when nothing is said.
NETWORKS: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "GPT2": ("LMHeadModel", {**GPT, "n_positions": 256}, {"c_attn"}),
    "GPTNeoX": ("ForCausalLM", SMALL, {"query_key_value"}),
    "OPT": ("ForCausalLM", {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 48,
                            "word_embed_proj_dim": 16, "do_layer_norm_before": False}, {"q_proj", "v_proj"}),
    "XGLM": ("ForCausalLM", {"d_model": 32, "num_layers": 2, "attention_heads": 4, "ffn_dim": 48, "layerdrop": 0.5,
                             "max_position_embeddings": 128}, {"q_proj", "v_proj"}),
    "Gemma3": ("ForConditionalGeneration", {"text_config": {**SMALL, "vocab_size": 400, "num_key_value_heads": 2,
                                                            "head_dim": 8}, "vision_config": EYES,
                                            "mm_tokens_per_image": 4}, {"q_proj", "v_proj"}),
    "Phi3": ("ForCausalLM", {**SMALL, "pad_token_id": 0}, {"qkv_proj"}),
    "Mpt": ("ForCausalLM", {"d_model": 32, "n_layers": 2, "n_heads": 4}, {"Wqkv"}),
    "Mamba": ("ForCausalLM", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}, {"in_proj"}),
    "DebertaV2": ("ForMaskedLM", {**SMALL, "relative_attention": True, "pos_att_type": "c2p|p2c"},
                  {"query_proj", "value_proj"}),
    "ModernBert": ("ForMaskedLM", {**SMALL, **ENDS}, {"Wqkv"}),
    "Bart": ("ForConditionalGeneration", BART, {"q_proj", "v_proj"}),
}  # fmt: skip


CONVS = {**SMALL, "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 4}
LISTENING: dict[str, dict[str, Any]] = {
    "Wav2Vec2": CONVS,
    "WavLM": {**CONVS, "feat_extract_norm": "layer"},
    "Data2VecAudio": {**CONVS, "conv_pos_kernel_size": 3},
    "Wav2Vec2Conformer": {**CONVS, "feat_extract_norm": "layer"},
    "Moonshine": {
        "vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "encoder_num_hidden_layers": 2,
        "decoder_num_hidden_layers": 2, "encoder_num_attention_heads": 4, "decoder_num_attention_heads": 4,
        "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0,
    },
}  # fmt: skip


def check_gradients(model: UtteranceClassifier) -> None:
    """Every layer of LoRA is learning: the loss depends on its B, which is zero at the start."""
    matrices = {n: p for n, p in model.backbone.network.named_parameters() if "lora_B" in n}
    assert matrices
    for name, matrix in matrices.items():
        assert matrix.grad is not None, name
        assert float(matrix.grad.abs().max()) > 0, name


@pytest.mark.parametrize("name", LISTENING)
def test_speech_networks_learn_and_come_back(name: str, tmp_path: Path) -> None:
    """With the configuration's own layerdrop and random masking, and a clip of 50 ms, too short for both."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**LISTENING[name])
    getattr(transformers, f"{name}Model")(config).save_pretrained(tmp_path / name)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(tmp_path / name)
    rng = np.random.default_rng(0)
    turns = []
    for n, seconds in enumerate((0.05, 0.4, 1.0)):
        path = tmp_path / f"{n}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(int(16000 * seconds)), 16000, subtype="FLOAT")
        turns.append(Utterance(f"u{n}", audio=path, emotion=LABELS.labels[n % 2]))
    backbone = load_backbone(EncoderSpec(f"hf-speech:{tmp_path / name}"))
    model = UtteranceClassifier(backbone, 2, FinetuneConfig(embedding_dim=24))
    parts = make_examples([Conversation("toy", tuple(turns))], LABELS, backbone)
    batch = Collate(backbone)(parts)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    model.train()
    for step in range(4):
        torch.manual_seed(step)
        model.loss(batch, model(batch))["total"].backward()
        if not step:
            check_gradients(model)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    with torch.inference_mode():
        expected = model(batch).extras["embedding"][:, 0].numpy()
    save_finetuned(model, tmp_path / "e", LABELS)
    encoder = load_finetuned(tmp_path / "e")
    together = np.stack(encoder.encode([e.input for e in parts]))
    np.testing.assert_allclose(together, expected, atol=1e-5)
    for part, vector in zip(parts, together, strict=True):
        np.testing.assert_allclose(encoder.encode([part.input])[0], vector, atol=1e-5)


def test_wavlms_attention_takes_no_lora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hands the weights of its projections to torch: what is put around them is never run."""
    from moodline.nn import lora

    transformers.WavLMModel(transformers.WavLMConfig(**LISTENING["WavLM"])).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(tmp_path)
    spec, past = EncoderSpec(f"hf-speech:{tmp_path}"), FinetuneConfig(embedding_dim=24, targets=("q_proj", "v_proj"))
    with pytest.raises(ConfigError, match=r"learns nothing here.*intermediate_dense, output_dense") as error:
        UtteranceClassifier(load_backbone(spec), 2, past)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match="few bits") as error:
        load_backbone(replace(spec, quantize="4bit"))
    assert "\n" not in str(error.value)
    monkeypatch.setattr(lora, "_PAST", ())  # a network that nobody knew to be like this: the first step says so
    model = UtteranceClassifier(load_backbone(spec), 2, past)
    batch = Collate(model.backbone)([Example(("a",), np.zeros(8000, np.float32) + 0.1, (0,), 25)])
    model(batch)
    with pytest.raises(ConfigError, match=r"goes past these layers.*q_proj, v_proj"):
        model.train()(batch)


def test_frozen_convolutions_keep_nothing_for_the_way_back(tmp_path: Path) -> None:
    """In training they ask for gradients of the samples, learning or not."""
    transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**CONVS)).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    for method, learning in (("lora", False), ("frozen", False), ("full", True)):
        backbone = load_backbone(EncoderSpec(f"hf-speech:{tmp_path}"))
        model = UtteranceClassifier(backbone, 2, FinetuneConfig(method=method, embedding_dim=24)).train()
        made: list[torch.Tensor] = []
        part = backbone.network.get_submodule("feature_extractor")
        part.register_forward_hook(lambda *x, made=made: made.append(x[2]))
        model(Collate(backbone)([Example(("a",), np.zeros(8000, np.float32) + 0.1, (0,), 25)]))
        assert made[0].requires_grad is learning


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root, found = tmp_path_factory.mktemp("architectures"), {}
    for name, (kind, settings, _) in NETWORKS.items():
        torch.manual_seed(0)
        size = {} if name == "Gemma3" else {"vocab_size": 400}
        config = getattr(transformers, f"{name}Config")(**size, **settings)
        getattr(transformers, name + kind)(config).save_pretrained(root / name)
        byte_tokenizer(name).save_pretrained(root / name)
        found[name] = root / name
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_lora_finds_its_layers_and_comes_back(name: str, sources, tmp_path: Path) -> None:
    """Trained, saved, loaded and merged it says the same; alone and among longer texts too."""
    model = tuned(sources[name], FinetuneConfig(embedding_dim=24, lora_dropout=0.0), steps=0, max_tokens=40).train()
    batch = Collate(model.backbone)(examples(model))
    model.loss(batch, model(batch))["total"].backward()
    check_gradients(model)
    model = tuned(sources[name], FinetuneConfig(embedding_dim=24), max_tokens=40)
    save_finetuned(model, tmp_path / "e", LABELS)
    record = json.loads((tmp_path / "e" / "adapter_config.json").read_text())
    assert {layer.rpartition(".")[2] for layer in record["target_modules"]} == NETWORKS[name][2]
    assert not any("vision" in layer for layer in record["target_modules"])
    encoder = load_finetuned(tmp_path / "e")
    together = np.stack(encoder.encode(TEXTS))
    np.testing.assert_allclose(together, embeddings(model), atol=1e-5)
    for text, vector in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of transformers, on what peft asks
def test_peft_loads_an_adapter_of_transposed_weights(sources, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModel

    model = tuned(sources["GPT2"], FinetuneConfig(embedding_dim=24), max_tokens=40)
    save_finetuned(model, tmp_path / "e", LABELS)
    theirs = PeftModel.from_pretrained(AutoModel.from_pretrained(sources["GPT2"]), tmp_path / "e").eval()
    tensors = model.backbone.prepare(TEXTS[:1])
    with torch.inference_mode():
        ours = model.backbone(tensors)[0][-1]
        expected = theirs(input_ids=tensors["input_ids"], attention_mask=tensors["attention_mask"].long())
    torch.testing.assert_close(ours, expected.last_hidden_state, rtol=1e-4, atol=1e-5)


def test_padding_on_the_left_is_refused_where_it_would_count(sources) -> None:
    """BART numbers its places from the first column on, padding or not."""
    with pytest.raises(ConfigError, match="change with padding on the left"):
        tuned(sources["Bart"], max_tokens=40, padding="left")
