"""Qwen2-Audio (Chu et al. 2024) as an utterance encoder, as in MiSTER-E: the audio tower stays as it is.

mel spectrogram → tower → projector → <|audio_bos|> … <|audio_eos|> question → Qwen2's hidden states
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moodline.encoders.quantized import loading_options
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech.language_model import SpeechLanguageBackbone, check_sound, mel_features
from moodline.encoders.speech.sound import clip_samples
from moodline.encoders.weights import encoder_files, from_pretrained

TEMPLATE, SOUND = "<|audio_bos|><|AUDIO|><|audio_eos|>{}", "<|AUDIO|>"
QUESTION = "What is the emotion of the person?:"
SHORTEST = 800
"""Samples (50 ms): five frames of the spectrogram, one of the tower."""


class QwenAudioBackbone(SpeechLanguageBackbone):
    """Qwen2-Audio with its feature extractor; see ``SpeechLanguageBackbone``.

    Args:
        name: the name it was loaded by.
        revision: see ``Backbone``.
        spec: settings, all filled in.
        network: ``Qwen2AudioModel``.
        extractor: its feature extractor.
        tokenizer: its tokenizer.
    """

    adapted = ("language_model",)

    def __init__(
        self, name: str, revision: str, spec: EncoderSpec, network: Any, extractor: Any, tokenizer: Any
    ) -> None:
        super().__init__()
        self.id, self.revision, self.spec, self.network, self.extractor = name, revision, spec, network, extractor
        config = network.config.text_config
        self.hidden_size, self.depth = int(config.hidden_size), int(config.num_hidden_layers)
        self.set_prompt(tokenizer, TEMPLATE, spec.prompt or QUESTION, SOUND)

    @property
    def language(self) -> Any:
        """Qwen2 without its head."""
        return self.network.get_submodule("language_model")

    def prepare(self, inputs: Sequence[Any]) -> dict[str, Tensor]:
        """Spectrograms float32 [B, mels, 3000] and the lengths int64 [B] of what is real in them."""
        clips = [clip_samples(item, self.spec.max_seconds, SHORTEST) for item in inputs]
        hop = self.extractor.hop_length
        lengths = torch.tensor([-(-len(clip) // hop) for clip in clips])
        return {"features": mel_features(self.extractor, clips), "lengths": lengths}

    @torch.no_grad()
    def hear(self, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """See ``SpeechLanguageBackbone.hear``; a token for each 40 ms."""
        network: Any = self.network
        tower = network.audio_tower
        inside, outside = tower._get_feat_extract_output_lengths(tensors["lengths"])
        dtype = tower.conv1.weight.dtype
        frames = torch.arange(tensors["features"].shape[-1] // 2, device=inside.device)
        unreal = (frames >= inside[:, None])[:, None, None, :]
        bias = torch.zeros(unreal.shape, dtype=dtype, device=inside.device).masked_fill(unreal, torch.finfo(dtype).min)
        heard = tower(tensors["features"], attention_mask=bias).last_hidden_state[:, : int(outside.max())]
        sound = network.multi_modal_projector(heard)
        return sound, torch.arange(sound.shape[1], device=inside.device) < outside[:, None]


def load_qwen_audio(source: str | Path, name: str, spec: EncoderSpec, device: str = "cpu") -> QwenAudioBackbone:
    """Load a Qwen2-Audio model, from a folder or by its hub id.

    Raises:
        CheckpointError: nothing there, or it cannot be loaded; see ``moodline.nn.pretrained``.
        ConfigError: more than 30 s were asked for.
    """
    files, spec = encoder_files(spec, source, "AutoModel", "AutoFeatureExtractor", "AutoTokenizer")
    extractor = from_pretrained("AutoFeatureExtractor", files, name)
    check_sound(name, spec, extractor)
    tokenizer = from_pretrained("AutoTokenizer", files, name)
    network = from_pretrained("AutoModel", files, name, **loading_options(spec, device))
    return QwenAudioBackbone(name, files.revision, spec, network, extractor, tokenizer)
