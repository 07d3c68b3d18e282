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
        kind: llama, qwen2 or gemma.
        directory: is made.
        seed: of the weights.
    """
    from transformers import (
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
