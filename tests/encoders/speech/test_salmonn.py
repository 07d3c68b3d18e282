"""SALMONN: BEATs against WavLM's encoder of transformers, published layouts read, fine-tuned as in the paper."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from moodline.core.errors import CheckpointError, ConfigError
from moodline.core.labels import LabelSet
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import (
    Collate,
    Example,
    FinetuneConfig,
    UtteranceClassifier,
    load_finetuned,
    save_finetuned,
)
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech.beats import SHORTEST, Beats, BeatsConfig, beats_state, log_mel
from tests.encoders.conftest import voice
from tests.encoders.tiny_models import BEATS, beats_checkpoint, salmonn_checkpoint, save_salmonn

LABELS = LabelSet("toy-2", ("calm", "angry"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_salmonn(tmp_path_factory.mktemp("salmonn"))


@pytest.mark.filterwarnings("ignore:Support for mismatched")
def test_beats_blocks_are_wavlms_without_deepnorm() -> None:
    """WavLM's attention has other names, and its gate looks at the input where BEATs' looks at the query: here both are
    the same. DeepNorm's factor is 1."""
    from transformers import WavLMConfig
    from transformers.models.wavlm.modeling_wavlm import WavLMEncoder

    ours = Beats(BeatsConfig.from_checkpoint(BEATS | {"deep_norm": False}))
    raw = beats_checkpoint()["model"]
    for n in range(2):
        raw[f"encoder.layers.{n}.self_attn.q_proj.weight"] = torch.eye(32)
        raw[f"encoder.layers.{n}.self_attn.q_proj.bias"] = torch.zeros(32)
    ours.load_state_dict(beats_state(raw))
    theirs = WavLMEncoder(
        WavLMConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, num_buckets=32,
            max_bucket_distance=64, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, layerdrop=0.0,
        )
    ).eval()  # fmt: skip
    names = {
        "pos_conv.0.bias": "pos_conv_embed.conv.bias", "self_attn.grep_linear": "attention.gru_rel_pos_linear",
        "self_attn.grep_a": "attention.gru_rel_pos_const", "relative_attention_bias": "rel_attn_embed",
        "self_attn_layer_norm": "layer_norm", "self_attn": "attention", "fc1": "feed_forward.intermediate_dense",
        "fc2": "feed_forward.output_dense",
    }  # fmt: skip
    state = {}
    for name, value in ours.encoder.state_dict().items():
        for old, new in names.items():
            name = name.replace(old, new)
        state[name] = value
    state["pos_conv_embed.conv.parametrizations.weight.original0"] = raw["encoder.pos_conv.0.weight_g"]
    state["pos_conv_embed.conv.parametrizations.weight.original1"] = raw["encoder.pos_conv.0.weight_v"]
    del state["pos_conv.0.weight"]
    theirs.load_state_dict(state)
    x = torch.randn(2, 90, 32, generator=torch.Generator().manual_seed(1))
    mask = torch.arange(90) < torch.tensor([90, 50])[:, None]
    with torch.inference_mode():
        a, b = ours.encoder(x, mask), theirs(x, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(a[mask], b[mask], atol=2e-5, rtol=1e-4)


def test_beats_hears_a_clip_alike_in_any_company() -> None:
    checkpoint = beats_checkpoint()
    beats = Beats(BeatsConfig.from_checkpoint(checkpoint["cfg"]))
    beats.load_state_dict(beats_state(checkpoint["model"]))
    clips = [voice(1.0), voice(SHORTEST / 16_000 + 0.001), voice(2.5)]
    with torch.inference_mode():
        together, mask = beats(**log_mel(clips))
        assert mask.sum(1).tolist() == [8 * 6, 8 * 1, 8 * 15]  # 98, 16 and 248 frames
        for n, clip in enumerate(clips):
            alone, _ = beats(**log_mel([clip]))
            torch.testing.assert_close(together[n][mask[n]], alone[0], atol=1e-5, rtol=1e-4)


def test_published_weights_end_up_where_they_belong(folder: Path) -> None:
    """Every tensor of the checkpoint, LoRA's as its product in the language model."""
    from transformers import AutoModel

    network = load_backbone(EncoderSpec(f"salmonn:{folder}")).network
    published, state = salmonn_checkpoint(), network.state_dict()
    pairs = {
        "speech_query_tokens": "query",
        "speech_llama_proj.weight": "projection.weight",
        "ln_audio.bias": "ln_audio.bias",
        "speech_Qformer.bert.embeddings.LayerNorm.weight": "qformer.layernorm.weight",
        "speech_Qformer.bert.encoder.layer.1.crossattention.self.value.weight":
            "qformer.encoder.layer.1.crossattention.attention.value.weight",
        "speech_Qformer.bert.encoder.layer.0.attention.output.dense.bias":
            "qformer.encoder.layer.0.attention.output.dense.bias",
        "speech_Qformer.bert.encoder.layer.1.output_query.LayerNorm.bias":
            "qformer.encoder.layer.1.output_query.LayerNorm.bias",
    }  # fmt: skip
    for theirs, ours in pairs.items():
        assert torch.equal(published[theirs], state[ours]), ours
    base = AutoModel.from_pretrained(folder / "vicuna").state_dict()["layers.2.self_attn.v_proj.weight"]
    lora = "llama_model.base_model.model.model.layers.2.self_attn.v_proj.lora_{}.default.weight"
    expected = base + 4 * published[lora.format("B")] @ published[lora.format("A")]
    torch.testing.assert_close(state["language.layers.2.self_attn.v_proj.weight"], expected)


def test_a_checkpoint_with_what_follows_from_the_sizes(folder: Path, tmp_path: Path) -> None:
    """Only frozen parameters were left out upstream when saving; buffers stayed."""
    place = Path(shutil.copytree(folder, tmp_path / "salmonn"))
    language = "llama_model.base_model.model.model."
    buffers = {
        "speech_Qformer.bert.embeddings.position_ids": torch.arange(512)[None],
        **{f"{language}layers.{n}.self_attn.rotary_emb.inv_freq": torch.ones(4) for n in range(3)},
        f"{language}rotary_emb.inv_freq": torch.ones(4),
    }
    torch.save({"model": salmonn_checkpoint() | buffers}, place / "salmonn_v1.pth")
    clip = [voice(1.0)]
    found, expected = (load_encoder(EncoderSpec(f"salmonn:{p}")).encode(clip)[0] for p in (place, folder))
    np.testing.assert_array_equal(found, expected)


def test_its_lora_is_added_in_float32(folder: Path) -> None:
    """Weights of half precision are rounded once, after the sum: the product alone would be rounded first."""
    from transformers import AutoModel

    published = salmonn_checkpoint()
    network = load_backbone(EncoderSpec(f"salmonn:{folder}", dtype="bfloat16")).network
    lora = "llama_model.base_model.model.model.layers.1.self_attn.q_proj.lora_{}.default.weight"
    base = AutoModel.from_pretrained(folder / "vicuna", dtype=torch.bfloat16).layers[1].self_attn.q_proj.weight
    exact = base.float() + 4 * published[lora.format("B")] @ published[lora.format("A")]
    assert torch.equal(network.language.layers[1].self_attn.q_proj.weight, exact.bfloat16())
    assert not torch.equal(base + (exact - base.float()).bfloat16(), exact.bfloat16())


def test_in_any_company_from_no_time_to_two_minutes(folder: Path) -> None:
    encoder = load_encoder(EncoderSpec(f"salmonn:{folder}"))
    clips = [voice(s, 100 + 10 * s) for s in (1.0, 0.05, 120.0)]
    backbone = load_backbone(EncoderSpec(f"salmonn:{folder}"))
    with torch.inference_mode():
        _, mask = backbone(backbone.prepare(clips[:1]))
    assert mask.shape[1] == len(backbone.before) + 88 + len(backbone.after)  # windows of a third of a second in 30 s
    for clip, vector in zip(clips, encoder.encode(clips), strict=True):
        np.testing.assert_allclose(encoder.encode([clip])[0], vector, atol=1e-5)


def test_lora_on_qformer_and_language_model(folder: Path, tmp_path: Path) -> None:
    config = FinetuneConfig(embedding_dim=16, pooling="mean", targets=("q_proj", "v_proj", "query", "value"))
    torch.manual_seed(0)
    model = UtteranceClassifier(load_backbone(EncoderSpec(f"salmonn:{folder}")), 2, config)
    trainable = {n for n, p in model.backbone.network.named_parameters() if p.requires_grad}
    assert {n.split(".")[0] for n in trainable} == {"qformer", "language"}
    assert len(trainable) == 2 * (3 * 2 + 2 * 2 * 2)  # q and v of three blocks; query, value of both attentions of two
    examples = [Example((str(n),), voice(0.7, 100 + 120 * n), (n,), 35) for n in range(2)]
    batch = Collate(model.backbone)(examples)
    model.train()
    model.loss(batch, model(batch))["total"].backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 0.3 * parameter.grad
    gradients = {n: p.grad for n, p in model.backbone.network.named_parameters() if p.grad is not None}
    assert gradients.keys() == trainable
    model.eval()
    with torch.inference_mode():
        before = model(batch).extras["embedding"][:, 0].numpy()
    save_finetuned(model, tmp_path, LABELS)
    after = load_finetuned(tmp_path).encode([e.input for e in examples])
    np.testing.assert_allclose(np.stack(after), before, atol=1e-5)


def test_folders_that_are_not_whole(folder: Path, tmp_path: Path) -> None:
    def spoiled(name: str) -> Path:
        return Path(shutil.copytree(folder, tmp_path / name))

    def refused(place: Path, match: str, **options) -> None:
        with pytest.raises((CheckpointError, ConfigError), match=match) as error:
            load_backbone(EncoderSpec(f"salmonn:{place}", **options))
        assert "\n" not in str(error.value)

    refused(tmp_path / "nowhere", r"expected one file \*\.pth")
    refused(folder, "few bits do not allow", quantize="4bit")
    refused(folder, "hears at most 30 s", max_seconds=40)
    place = spoiled("no-vicuna")
    shutil.rmtree(place / "vicuna")
    refused(place, "vicuna as transformers has it")
    place = spoiled("cut")
    (place / "salmonn_v1.pth").write_bytes((place / "salmonn_v1.pth").read_bytes()[:1000])
    refused(place, "cannot be read as tensors and plain values")
    place = spoiled("pickled")
    torch.save({"model": salmonn_checkpoint(), "args": Path("run")}, place / "salmonn_v1.pth")
    refused(place, "must hold tensors and plain values only.*could run code.*It was not read")
    place = spoiled("lacking")
    weights = salmonn_checkpoint()
    del weights["speech_Qformer.bert.encoder.layer.1.crossattention.self.key.bias"]
    torch.save({"model": weights}, place / "salmonn_v1.pth")
    refused(place, r"lacks weight qformer\.encoder\.layer\.1\.crossattention\.attention\.key\.bias")
    torch.save({"model": salmonn_checkpoint() | {"speech_extra": torch.ones(1)}}, place / "salmonn_v1.pth")
    refused(place, "has an unknown weight speech_extra")
    torch.save({"model": salmonn_checkpoint(whisper=40)}, place / "salmonn_v1.pth")
    refused(place, "its Q-Former reads 72 values a frame")
    torch.save({"model": {}}, place / "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt")
    torch.save({"model": salmonn_checkpoint()}, place / "salmonn_v1.pth")
    refused(place, "not a BEATs checkpoint")
