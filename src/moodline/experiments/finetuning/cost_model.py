"""What an encoder consists of, as networks without weights that can be run to see what they cost.

A part is built on torch's device ``meta``: it has shapes and no numbers, so that eight billion parameters take no
memory. Two depths, one block and two, say what each further block costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moodline.core.errors import ConfigError
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech.beats import Beats, BeatsConfig
from moodline.encoders.speech.salmonn_network import WINDOW
from moodline.encoders.weights import ModelFiles, encoder_files, from_pretrained
from moodline.experiments.finetuning.known_sizes import SHAPES
from moodline.media.audio import RATE
from moodline.nn.pretrained import model_source

PROMPT = 20
"""Tokens around the sound, about."""
_DEPTHS = ("num_hidden_layers", "encoder_layers")


@dataclass(frozen=True)
class Part:
    """A stack of like blocks.

    Args:
        build: depth to a network on ``meta``.
        depth: how many blocks there really are.
        run: (network, examples, length) to its states [B, T, H]; length is tokens of text or seconds of sound.
        hidden: H.
        learns: whether fine-tuning may change it.
        quantized: whether few bits are for it.
        checkpointed: whether gradient checkpointing is.
        beside: parameters between this part and the next, which do not learn.
    """

    build: Callable[[int], nn.Module]
    depth: int
    run: Callable[[Any, int, float], Tensor]
    hidden: int
    learns: bool = True
    quantized: bool = True
    checkpointed: bool = True
    beside: int = 0


def parts_of(spec: EncoderSpec, base_dir: Path | None = None) -> list[Part]:
    """The parts of an encoder; the last is the one whose states are pooled.

    Args:
        spec: the encoder.
        base_dir: what relative folders are relative to.

    Raises:
        CheckpointError: its sizes are neither known nor to be had.
        ConfigError: it has no network that could be planned.
    """
    config = _config(spec, base_dir)
    kind = config["model_type"]
    dtype = getattr(torch, spec.dtype)
    if kind == "qwen2_audio":
        tower, language = config["audio_config"], config["text_config"]
        projector = (tower["d_model"] + 1) * language["hidden_size"]
        return [
            replace(_transformer(tower, dtype, _mel(tower["num_mel_bins"], dtype), learns=False), beside=projector),
            _transformer(language, dtype, _embedded(language["hidden_size"], dtype, lambda s: int(25 * s) + PROMPT)),
        ]
    if kind == "salmonn":
        windows = 1500 // WINDOW
        vicuna, whisper, between = config["vicuna"], config["whisper"], config["qformer"]["hidden_size"]
        joints = 2 * (whisper["d_model"] + 768) + between + (between + 1) * vicuna["hidden_size"]
        return [
            _transformer(whisper, torch.float32, _mel(80, torch.float32), learns=False, quantized=False),
            Part(_beats, 12, _beats_forward, 768, learns=False, quantized=False),
            replace(_qformer(config["qformer"], windows), beside=joints),
            _transformer(vicuna, dtype, _embedded(vicuna["hidden_size"], dtype, lambda s: windows + PROMPT)),
        ]
    if kind == "whisper":
        return [_transformer(config, dtype, _mel(config["num_mel_bins"], dtype))]
    if spec.name.startswith("hf-speech:"):
        return [_transformer(config, dtype, _raw(dtype), quantized=kind != "wavlm")]
    return [_transformer(config, dtype, _tokens(dtype))]


def _config(spec: EncoderSpec, base_dir: Path | None) -> Mapping[str, Any]:
    """Sizes as plain data: known ones, else those of the folder or the hub."""
    prefix, _, rest = spec.name.partition(":")
    folder = (base_dir or Path()) / rest
    if prefix == "salmonn" and folder.is_dir():
        whisper, vicuna = (
            _plain(from_pretrained("AutoConfig", ModelFiles(folder / p), spec.name)) for p in ("whisper", "vicuna")
        )
        return {**SHAPES["salmonn:salmonn-7b"], "whisper": whisper, "vicuna": vicuna}
    if spec.name in SHAPES:
        return SHAPES[spec.name]
    if prefix not in ("hf-text", "hf-speech"):
        raise ConfigError(
            f"encoder {spec.name}: it cannot be planned", fix="Fine-tune it without --dry-run; it is small."
        )
    files, _ = encoder_files(spec, model_source(rest, base_dir), "AutoConfig")
    return _plain(from_pretrained("AutoConfig", files, spec.name))


def _plain(config: Any) -> dict[str, Any]:
    data: dict[str, Any] = config.to_dict()
    return data


def _transformer(
    config: Mapping[str, Any],
    dtype: torch.dtype,
    run: Callable[[Any, int, float], Tensor],
    learns: bool = True,
    quantized: bool = True,
) -> Part:
    """A model of transformers; of Whisper the encoder."""
    from transformers import AutoConfig, AutoModel

    depth = next(name for name in _DEPTHS if name in config)

    def build(blocks: int) -> nn.Module:
        own = {k: v for k, v in config.items() if k not in ("model_type", "architectures", "dtype", "layer_types")}
        made = AutoConfig.for_model(config["model_type"], **{**own, depth: blocks})
        made.layerdrop = made.encoder_layerdrop = 0.0
        made.use_cache = made.apply_spec_augment = False
        with torch.device("meta"):
            network = AutoModel.from_config(made, dtype=dtype)
        return network.get_encoder() if config["model_type"] == "whisper" else network

    hidden = config["hidden_size"] if "hidden_size" in config else config["d_model"]
    return Part(build, int(config[depth]), run, int(hidden), learns, quantized)


def _tokens(dtype: torch.dtype) -> Callable[[Any, int, float], Tensor]:
    def run(network: Any, batch: int, length: float) -> Tensor:
        size = int(length)
        ids = torch.zeros(batch, size, dtype=torch.long, device="meta")
        out = network(input_ids=ids, attention_mask=_open(batch, size, dtype), position_ids=ids)
        return out.last_hidden_state

    return run


def _embedded(hidden: int, dtype: torch.dtype, tokens: Callable[[float], int]) -> Callable[[Any, int, float], Tensor]:
    def run(network: Any, batch: int, length: float) -> Tensor:
        size = tokens(length)
        x = torch.zeros(batch, size, hidden, dtype=dtype, device="meta")
        places = torch.zeros(batch, size, dtype=torch.long, device="meta")
        mask = _open(batch, size, dtype)
        return network(inputs_embeds=x, attention_mask=mask, position_ids=places, use_cache=False).last_hidden_state

    return run


def _mel(bins: int, dtype: torch.dtype) -> Callable[[Any, int, float], Tensor]:
    def run(network: Any, batch: int, length: float) -> Tensor:
        return network(torch.zeros(batch, bins, 3000, dtype=dtype, device="meta")).last_hidden_state

    return run


def _raw(dtype: torch.dtype) -> Callable[[Any, int, float], Tensor]:
    def run(network: Any, batch: int, length: float) -> Tensor:
        samples = torch.zeros(batch, int(length * RATE), dtype=dtype, device="meta")
        return network(samples).last_hidden_state

    return run


def _open(batch: int, size: int, dtype: torch.dtype) -> Tensor:
    """A mask that hides nothing, in the form that nobody looks into."""
    return torch.zeros(batch, 1, size, size, dtype=dtype, device="meta")


def _beats(blocks: int) -> nn.Module:
    with torch.device("meta"):
        return Beats(BeatsConfig(encoder_layers=blocks))


def _beats_forward(network: Any, batch: int, length: float) -> Tensor:
    columns = max(1, int(length * 100) // 16)
    frames = torch.zeros(batch, 16 * columns, 128, device="meta")
    return network(frames, torch.full((batch,), columns, device="meta"))[0]


def _qformer(config: Mapping[str, int], windows: int) -> Part:
    from transformers import Blip2QFormerConfig, Blip2QFormerModel

    def build(blocks: int) -> nn.Module:
        made = Blip2QFormerConfig(**{**config, "num_hidden_layers": blocks}, cross_attention_frequency=1)
        with torch.device("meta"):
            return Blip2QFormerModel(made)

    def run(network: Any, batch: int, length: float) -> Tensor:
        heard = torch.zeros(batch * windows, WINDOW, config["encoder_hidden_size"], device="meta")
        query = torch.zeros(batch * windows, 1, config["hidden_size"], device="meta")
        return network(query_embeds=query, encoder_hidden_states=heard).last_hidden_state

    return Part(build, config["num_hidden_layers"], run, config["hidden_size"], quantized=False, checkpointed=False)
