"""Sizes of well-known models, so that a plan needs no download; from their published ``config.json``."""

from __future__ import annotations

from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    "hf-text:meta-llama/Llama-3.1-8B": {
        "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    },
    "hf-text:Qwen/Qwen2.5-7B": {
        "model_type": "qwen2", "vocab_size": 152064, "hidden_size": 3584, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944,
    },
    "hf-text:google/gemma-7b": {
        "model_type": "gemma", "vocab_size": 256000, "hidden_size": 3072, "num_hidden_layers": 28,
        "num_attention_heads": 16, "num_key_value_heads": 16, "head_dim": 256, "intermediate_size": 24576,
    },
    "hf-text:FacebookAI/roberta-large": {
        "model_type": "roberta", "vocab_size": 50265, "hidden_size": 1024, "num_hidden_layers": 24,
        "num_attention_heads": 16, "intermediate_size": 4096, "max_position_embeddings": 514, "type_vocab_size": 1,
    },
    "hf-text:gemma3-270m": {
        "model_type": "gemma3_text", "vocab_size": 262144, "hidden_size": 640, "num_hidden_layers": 18,
        "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256, "intermediate_size": 2048,
    },
    "minilm": {
        "model_type": "bert", "vocab_size": 30522, "hidden_size": 384, "num_hidden_layers": 6,
        "num_attention_heads": 12, "intermediate_size": 1536,
    },
    "mpnet": {
        "model_type": "bert", "vocab_size": 30527, "hidden_size": 768, "num_hidden_layers": 12,
        "num_attention_heads": 12, "intermediate_size": 3072,
    },
    "hf-speech:Qwen/Qwen2-Audio-7B": {
        "model_type": "qwen2_audio",
        "audio_config": {
            "model_type": "qwen2_audio_encoder", "num_mel_bins": 128, "d_model": 1280, "encoder_layers": 32,
            "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
        },
        "text_config": {
            "model_type": "qwen2", "vocab_size": 156032, "hidden_size": 4096, "num_hidden_layers": 32,
            "num_attention_heads": 32, "num_key_value_heads": 32, "intermediate_size": 11008,
        },
    },
    "hf-speech:openai/whisper-large-v3": {
        "model_type": "whisper", "num_mel_bins": 128, "d_model": 1280, "encoder_layers": 32,
        "encoder_attention_heads": 20, "encoder_ffn_dim": 5120, "decoder_layers": 1, "decoder_attention_heads": 20,
    },
}  # fmt: skip
"""Name of an encoder to its configuration."""

_LARGE = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096,
    "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True,
}  # fmt: skip
for _name, _type in (
    ("facebook/wav2vec2-large-960h-lv60-self", "wav2vec2"),
    ("facebook/hubert-large-ll60k", "hubert"),
    ("microsoft/wavlm-large", "wavlm"),
    ("facebook/data2vec-audio-large", "data2vec-audio"),
):
    _own = {k: v for k, v in _LARGE.items() if _type != "data2vec-audio" or k not in ("do_stable_layer_norm",)}
    SHAPES[f"hf-speech:{_name}"] = {"model_type": _type, **_own}

_WHISPER = {
    "model_type": "whisper", "num_mel_bins": 80, "d_model": 1280, "encoder_layers": 32, "encoder_attention_heads": 20,
    "encoder_ffn_dim": 5120, "decoder_layers": 1, "decoder_attention_heads": 20,
}  # fmt: skip
_VICUNA = {
    "salmonn-7b": (4096, 32, 32, 11008),
    "salmonn-13b": (5120, 40, 40, 13824),
}
for _name, (_hidden, _layers, _heads, _wide) in _VICUNA.items():
    SHAPES[f"salmonn:{_name}"] = {
        "model_type": "salmonn",
        "whisper": _WHISPER,
        "vicuna": {
            "model_type": "llama", "vocab_size": 32001, "hidden_size": _hidden, "num_hidden_layers": _layers,
            "num_attention_heads": _heads, "intermediate_size": _wide,
        },
        "qformer": {"hidden_size": 768, "num_hidden_layers": 2, "intermediate_size": 3072, "encoder_hidden_size": 2048},
    }  # fmt: skip
