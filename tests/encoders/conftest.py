"""Small, randomly initialised models of transformers, saved to disk as a user would have them; invented speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

SENTENCES = [
    "The kettle is singing again.",
    "You forgot my birthday, didn't you?",
    "No.",
    "I carried the blue suitcase up seven flights of stairs and nobody opened the door for me",
    "😀😀 wonderful",
    "12345",
    "   ",
    "Ach, schön — 日本語 too?",
]


@pytest.fixture(scope="session", autouse=True)
def _threads() -> None:
    torch.set_num_threads(1)  # small models: more threads only wait for each other


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    return SENTENCES


def byte_tokenizer(kind: str) -> Any:
    """A byte-level tokenizer with the special tokens of a model family."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>"] if kind == "roberta" else ["<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    start, end = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    if kind == "roberta":
        tokenizer.post_processor = processors.RobertaProcessing(("</s>", end), ("<s>", start))
        return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", start)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="session")
def text_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from transformers import LlamaConfig, LlamaModel, RobertaConfig, RobertaModel, T5Config, T5Model

    torch.manual_seed(0)
    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    root = tmp_path_factory.mktemp("text-models")
    models = {
        "roberta": RobertaModel(
            RobertaConfig(
                vocab_size=400, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, bos_token_id=0,
                eos_token_id=2, **small,
            )
        ),
        "llama": LlamaModel(LlamaConfig(vocab_size=400, bos_token_id=0, eos_token_id=1, **small)),
        "t5": T5Model(
            T5Config(vocab_size=400, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, pad_token_id=0)
        ),
    }  # fmt: skip
    for name, model in models.items():
        model.save_pretrained(root / name)
        byte_tokenizer("roberta" if name == "roberta" else "llama").save_pretrained(root / name)
    return {name: root / name for name in models}


@pytest.fixture(scope="session")
def speech_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    from transformers import (
        Data2VecAudioConfig,
        Data2VecAudioModel,
        HubertConfig,
        HubertModel,
        UniSpeechConfig,
        UniSpeechModel,
        UniSpeechSatConfig,
        UniSpeechSatModel,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2Model,
        WavLMConfig,
        WavLMModel,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperModel,
    )

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("speech-models")
    small = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "conv_dim": (16,) * 7,
        "num_conv_pos_embeddings": 16,
        "num_conv_pos_embedding_groups": 4,
    }
    stable = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
    whisper = WhisperConfig(
        vocab_size=50, d_model=32, encoder_layers=2, decoder_layers=1, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    models = {
        "wav2vec2-group": (Wav2Vec2Model(Wav2Vec2Config(**small)), False),
        "wav2vec2-layer": (Wav2Vec2Model(Wav2Vec2Config(**small, **stable)), True),
        "hubert-layer": (HubertModel(HubertConfig(**small, **stable)), True),
        "wavlm-layer": (WavLMModel(WavLMConfig(**small, **stable)), True),
        "unispeech-layer": (UniSpeechModel(UniSpeechConfig(**small, **stable)), True),
        "unispeech-sat-layer": (UniSpeechSatModel(UniSpeechSatConfig(**small, **stable)), True),
        "data2vec": (Data2VecAudioModel(Data2VecAudioConfig(**small)), True),
        "whisper": (WhisperModel(whisper), None),
    }
    for name, (model, mask) in models.items():
        model.save_pretrained(root / name)
        if mask is None:
            WhisperFeatureExtractor().save_pretrained(root / name)
        else:
            Wav2Vec2FeatureExtractor(return_attention_mask=mask).save_pretrained(root / name)
    return {name: root / name for name in models}


def voice(seconds: float, pitch: float = 140.0) -> np.ndarray:
    """Something with a pitch, overtones, loudness and noise, at 16 kHz."""
    t = np.arange(int(seconds * 16_000)) / 16_000
    tone = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in (1, 2, 3, 4))
    noise = np.random.default_rng(int(pitch)).normal(size=len(t)) * 0.05
    return ((tone * (0.6 + 0.4 * np.sin(7 * t)) + noise) * 0.1).astype(np.float32)


@pytest.fixture(scope="session")
def clips() -> list[np.ndarray]:
    return [voice(1.0), voice(0.31, 220.0), voice(2.3, 95.0), voice(0.02, 300.0)]
