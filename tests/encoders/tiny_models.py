"""Language models of the classes that stage 1 takes: small, with random weights, on disk as a user has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

SMALL: dict[str, Any] = {
    "vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
    "max_position_embeddings": 1024,
}  # fmt: skip


def save_language_model(kind: str, directory: Path, seed: int = 0) -> Path:
    """A causal model with its head, sharded weights and a tokenizer without padding token, as hubs have them.

    Args:
        kind: llama, qwen2, gemma, or gemma3 with its two kinds of attention.
        directory: is made.
        seed: of the weights.
    """
    from transformers import (
        Gemma3ForCausalLM,
        Gemma3TextConfig,
        GemmaConfig,
        GemmaForCausalLM,
        LlamaConfig,
        LlamaForCausalLM,
        Qwen2Config,
        Qwen2ForCausalLM,
    )

    from tests.encoders.conftest import byte_tokenizer

    makers = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**SMALL, num_key_value_heads=2)),
        "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL, num_key_value_heads=2)),
        "gemma": lambda: GemmaForCausalLM(GemmaConfig(**SMALL, num_key_value_heads=4, head_dim=16)),
        "gemma3": lambda: Gemma3ForCausalLM(
            Gemma3TextConfig(
                **SMALL,
                num_key_value_heads=2,
                head_dim=16,
                sliding_window=4,
                layer_types=["sliding_attention", "full_attention", "sliding_attention"],
            )
        ),
    }
    torch.manual_seed(seed)
    makers[kind]().save_pretrained(directory, max_shard_size="40KB")
    byte_tokenizer(kind).save_pretrained(directory)
    return directory


def save_qwen_audio(directory: Path) -> Path:
    """Qwen2-Audio with its head, feature extractor and a tokenizer that knows the marks of a sound."""
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioEncoderConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2Config,
        WhisperFeatureExtractor,
    )

    from tests.encoders.conftest import byte_tokenizer

    tokenizer = byte_tokenizer("llama")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>"]})
    ears = Qwen2AudioEncoderConfig(
        num_mel_bins=128, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=48, d_model=32
    )
    sound = tokenizer.convert_tokens_to_ids("<|AUDIO|>")
    config = Qwen2AudioConfig(
        audio_config=ears, text_config=Qwen2Config(**SMALL, num_key_value_heads=2), audio_token_index=sound
    )
    torch.manual_seed(0)
    Qwen2AudioForConditionalGeneration(config).save_pretrained(directory)
    WhisperFeatureExtractor(feature_size=128).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


BEATS: dict[str, Any] = {
    "input_patch_size": 16, "embed_dim": 16, "conv_bias": False, "encoder_layers": 2, "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 48, "encoder_attention_heads": 4, "conv_pos": 16, "conv_pos_groups": 4,
    "relative_position_embedding": True, "gru_rel_pos": True, "num_buckets": 32, "max_distance": 64, "deep_norm": True,
    "layer_norm_first": False, "dropout": 0.1, "finetuned_model": True, "predictor_class": 5,
}  # fmt: skip
"""The ``cfg`` of a small BEATs checkpoint, fine-tuned as the one that SALMONN takes."""


def beats_checkpoint() -> dict[str, Any]:
    """``cfg`` and ``model`` in the published layout, random."""
    size, heads = BEATS["encoder_embed_dim"], BEATS["encoder_attention_heads"]
    shapes: dict[str, tuple[int, ...]] = {
        "patch_embedding.weight": (16, 1, 16, 16), "layer_norm.weight": (16,), "layer_norm.bias": (16,),
        "post_extract_proj.weight": (size, 16), "post_extract_proj.bias": (size,),
        "encoder.pos_conv.0.weight_g": (1, 1, 16), "encoder.pos_conv.0.weight_v": (size, size // 4, 16),
        "encoder.pos_conv.0.bias": (size,), "encoder.layer_norm.weight": (size,), "encoder.layer_norm.bias": (size,),
        "predictor.weight": (5, size), "predictor.bias": (5,),
    }  # fmt: skip
    for n in range(BEATS["encoder_layers"]):
        own: dict[str, tuple[int, ...]] = {
            "self_attn.grep_a": (1, heads, 1, 1), "self_attn.grep_linear.weight": (8, size // heads),
            "self_attn.grep_linear.bias": (8,), "self_attn.relative_attention_bias.weight": (32, heads),
            "fc1.weight": (48, size), "fc1.bias": (48,), "fc2.weight": (size, 48), "fc2.bias": (size,),
        }  # fmt: skip
        for part in ("q", "k", "v", "out"):
            own |= {f"self_attn.{part}_proj.weight": (size, size), f"self_attn.{part}_proj.bias": (size,)}
        for part in ("self_attn_layer_norm", "final_layer_norm"):
            own |= {f"{part}.weight": (size,), f"{part}.bias": (size,)}
        shapes |= {f"encoder.layers.{n}.{name}": shape for name, shape in own.items()}
    model = random_weights(shapes)
    for n in range(1, BEATS["encoder_layers"]):  # one bias for all blocks, stored with each
        name = "self_attn.relative_attention_bias.weight"
        model[f"encoder.layers.{n}.{name}"] = model[f"encoder.layers.0.{name}"]
    return {"cfg": dict(BEATS), "model": model}


def random_weights(shapes: dict[str, tuple[int, ...]], scale: float = 0.3) -> dict[str, torch.Tensor]:
    """Weights about zero, those of norms about one."""
    generator = torch.Generator().manual_seed(0)
    out = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator) * scale
        norm = name.endswith(("norm.weight", "LayerNorm.weight", "weight_g", "grep_a")) or name.startswith("ln_")
        out[name] = value.abs() + 0.5 if norm and name.endswith(("weight", "_g", "_a")) else value
    return out


def salmonn_checkpoint(hidden: int = 32, whisper: int = 32, width: int = 64) -> dict[str, torch.Tensor]:
    """The ``model`` of a SALMONN checkpoint in the published layout, for a language model of size ``hidden``."""
    audio = BEATS["encoder_embed_dim"]
    shapes: dict[str, tuple[int, ...]] = {
        "speech_query_tokens": (1, 1, width),
        "ln_speech.weight": (whisper,), "ln_speech.bias": (whisper,),
        "ln_audio.weight": (audio,), "ln_audio.bias": (audio,),
        "speech_llama_proj.weight": (hidden, width), "speech_llama_proj.bias": (hidden,),
        "speech_Qformer.bert.embeddings.LayerNorm.weight": (width,),
        "speech_Qformer.bert.embeddings.LayerNorm.bias": (width,),
    }  # fmt: skip
    for n in range(2):
        layer = f"speech_Qformer.bert.encoder.layer.{n}."
        for attention, reads in (("attention", width), ("crossattention", whisper + audio)):
            for part, columns in (("query", width), ("key", reads), ("value", reads)):
                shapes[f"{layer}{attention}.self.{part}.weight"] = (width, columns)
                shapes[f"{layer}{attention}.self.{part}.bias"] = (width,)
            for part, shape in (("dense.weight", (width, width)), ("dense.bias", (width,)),
                                ("LayerNorm.weight", (width,)), ("LayerNorm.bias", (width,))):  # fmt: skip
                shapes[f"{layer}{attention}.output.{part}"] = shape
        shapes |= {
            f"{layer}intermediate_query.dense.weight": (96, width), f"{layer}intermediate_query.dense.bias": (96,),
            f"{layer}output_query.dense.weight": (width, 96), f"{layer}output_query.dense.bias": (width,),
            f"{layer}output_query.LayerNorm.weight": (width,), f"{layer}output_query.LayerNorm.bias": (width,),
        }  # fmt: skip
    for n in range(SMALL["num_hidden_layers"]):
        for part, rows in (("q_proj", hidden), ("v_proj", hidden // 2)):
            layer = f"llama_model.base_model.model.model.layers.{n}.self_attn.{part}"
            shapes |= {f"{layer}.lora_A.default.weight": (8, hidden), f"{layer}.lora_B.default.weight": (rows, 8)}
    return random_weights(shapes, 0.1)


def save_salmonn(directory: Path) -> Path:
    """SALMONN's folder with small parts: checkpoints as they are published, Whisper and a LLaMA."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    whisper = WhisperConfig(
        vocab_size=50, d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    WhisperModel(whisper).save_pretrained(directory / "whisper")
    WhisperFeatureExtractor().save_pretrained(directory / "whisper")
    save_language_model("llama", directory / "vicuna")
    torch.save(beats_checkpoint(), directory / "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt")
    torch.save({"model": salmonn_checkpoint(), "config": {"run": {"epoch": 3}}}, directory / "salmonn_v1.pth")
    return directory
