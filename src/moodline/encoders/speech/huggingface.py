"""Speech models of transformers: wav2vec 2.0, HuBERT, WavLM, data2vec, Whisper's encoder; others clip by clip."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moodline.core.errors import ConfigError
from moodline.encoders.backbone import Backbone
from moodline.encoders.quantized import loading_options
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech.language_model import WINDOW, check_sound
from moodline.encoders.speech.moonshine import SHORTEST as MOONSHINE
from moodline.encoders.speech.sound import BUDGET, clip_length, clip_samples
from moodline.encoders.weights import encoder_files, from_pretrained, keep_every_layer, leave_frozen_convolutions
from moodline.media.audio import RATE

# Models over raw samples whose masks keep padding out, if their convolutions normalise frame by frame.
_RAW = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat")
SHORTEST = 800
"""Samples (50 ms) that every convolution stack here turns into at least one frame, Moonshine's apart."""


class HFSpeechBackbone(Backbone):
    """A speech network with its feature extractor; see ``Backbone``.

    Clips are batched with masks where padding provably stays out (frame-wise normalisation), as Whisper's fixed
    windows of 30 s, and otherwise run one at a time: wav2vec 2.0 base normalises over the whole clip.

    Args:
        name: the name it was loaded by.
        revision: see ``Backbone``.
        spec: settings, all filled in.
        network: the model (of Whisper, the encoder).
        extractor: its feature extractor.
    """

    modality = "speech"
    budget = BUDGET

    def __init__(self, name: str, revision: str, spec: EncoderSpec, network: Any, extractor: Any) -> None:
        super().__init__()
        self.id, self.revision, self.spec, self.network, self.extractor = name, revision, spec, network, extractor
        config = network.config
        self.hidden_size, self.depth = int(config.hidden_size), int(config.num_hidden_layers)
        self.shortest = MOONSHINE if config.model_type == "moonshine" else SHORTEST
        self.whisper = config.model_type == "whisper"
        self.masked = config.model_type in _RAW and getattr(config, "feat_extract_norm", "") == "layer"

    def prepare(self, inputs: Sequence[Any]) -> dict[str, Tensor]:
        """The extractor's features [B, …], padded on the right, and their lengths int64 [B] (samples for Whisper)."""
        clips = [clip_samples(item, self.spec.max_seconds, self.shortest) for item in inputs]
        made = [self.extractor(clip, sampling_rate=RATE, return_tensors="pt") for clip in clips]
        rows = [next(iter(one.values()))[0] for one in made]
        lengths = torch.tensor([len(c) for c in clips] if self.whisper else [len(r) for r in rows])
        return {"features": torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), "lengths": lengths}

    def length(self, item: Any) -> int:
        """20 ms frames; Whisper's are always those of 30 s."""
        return 1500 if self.whisper else clip_length(item, self.spec.max_seconds)

    def forward(self, tensors: dict[str, Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        """See ``Backbone.forward``."""
        leave_frozen_convolutions(self.network)
        features, lengths = tensors["features"].to(next(self.network.parameters()).dtype), tensors["lengths"]
        if self.whisper:
            states = self._states(features)
            hop = self.extractor.hop_length * 2  # the encoder halves the spectrogram's frames
            counts = (lengths + hop - 1) // hop
        elif self.masked:
            real = torch.arange(features.shape[1], device=features.device) < lengths[:, None]
            states = self._states(features, attention_mask=real.long())
            network: Any = self.network
            counts = network._get_feat_extract_output_lengths(lengths)
        else:
            singles = [self._states(row[None, :n]) for row, n in zip(features, lengths.tolist(), strict=True)]
            counts = torch.tensor([one[0].shape[1] for one in singles], device=features.device)
            states = tuple(_pad([one[k][0] for one in singles]) for k in range(self.depth + 1))
        mask = torch.arange(states[0].shape[1], device=features.device) < counts[:, None]
        return states, mask

    def _states(self, features: Tensor, **masks: Tensor) -> tuple[Tensor, ...]:
        with warnings.catch_warnings():  # WavLM gives torch masks of two types, which is deprecated but right
            warnings.filterwarnings("ignore", "Support for mismatched", UserWarning)
            out = self.network(features, output_hidden_states=True, return_dict=True, **masks)
        return tuple(out.hidden_states)


def _pad(rows: list[Tensor]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def load_hf_speech(source: str | Path, name: str, spec: EncoderSpec, device: str = "cpu") -> Backbone:
    """Load any speech model of transformers, from a folder or by its hub id.

    Raises:
        CheckpointError: nothing there, or it cannot be loaded; see ``moodline.nn.pretrained``.
        ConfigError: it wants another sampling rate than 16 kHz, or cannot do what was asked for: more than 30 s of
            Whisper, few bits of WavLM.
    """
    files, spec = encoder_files(spec, source, "AutoModel", "AutoFeatureExtractor")
    kind = from_pretrained("AutoConfig", files, name).model_type
    if kind == "qwen2_audio":
        from moodline.encoders.speech.qwen import load_qwen_audio

        return load_qwen_audio(source, name, spec, device)
    extractor = from_pretrained("AutoFeatureExtractor", files, name)
    if kind == "wavlm" and spec.quantize != "none":
        raise ConfigError(
            f"encoder {name}: WavLM's attention does not compute with few bits", spec.quantize, "Leave quantize out."
        )
    check_sound(name, spec, extractor, None if kind != "whisper" else WINDOW)
    network = from_pretrained("AutoModel", files, name, **loading_options(spec, device))
    if getattr(network.config, "is_encoder_decoder", False):
        network = network.get_encoder()
    network.config.apply_spec_augment = False  # random masking is for pre-training; short clips are too short for it
    keep_every_layer(network)
    return HFSpeechBackbone(name, files.revision, spec, network, extractor)
