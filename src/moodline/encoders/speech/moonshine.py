"""Moonshine's speech encoder with the weights of the package moonshine-voice, all hidden states visible.

Jeffries et al. 2024 (arXiv 2410.15608): three strided convolutions over raw 16 kHz samples (41.7 frames/s), then
transformer blocks with rotary positions. Plain torch with the parameter names of ``transformers.MoonshineEncoder``;
tests compare it with transformers and with onnxruntime on the original file.

Deviation: the GroupNorm after the first convolution takes its statistics over the whole clip, so padding would leak
into every frame; here they are taken over real frames only, and a batch gives what single clips give.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moodline.core.errors import CheckpointError, MissingDependencyError
from moodline.encoders.backbone import TORCH_TYPES, Backbone, chosen_layers
from moodline.encoders.base import files_revision
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.speech.ort_file import OrtFile
from moodline.encoders.speech.sound import BUDGET, clip_length, clip_samples, pad_samples

# (kernel, stride) of the convolutions; 895 samples (56 ms) are the least that give one frame.
_CONVS = ((127, 64), (7, 3), (3, 2))
SHORTEST = 895


@dataclass(frozen=True)
class MoonshineConfig:
    """Sizes of the encoder."""

    hidden_size: int = 288
    depth: int = 6
    heads: int = 8
    intermediate_size: int = 1152
    rotary: int = 32
    """How many of a head's 36 numbers are rotated (0.9 of them, as an even number)."""


class Moonshine(nn.Module):
    """Samples to the hidden states of all layers."""

    def __init__(self, config: MoonshineConfig) -> None:
        super().__init__()
        self.config, width = config, config.hidden_size
        self.conv1 = nn.Conv1d(1, width, *_CONVS[0], bias=False)
        self.conv2 = nn.Conv1d(width, 2 * width, *_CONVS[1])
        self.conv3 = nn.Conv1d(2 * width, width, *_CONVS[2])
        self.groupnorm = nn.GroupNorm(1, width, eps=1e-5)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.depth))
        self.layer_norm = nn.LayerNorm(width, bias=False)

    def forward(self, samples: Tensor, lengths: Tensor, stop: int | None = None) -> tuple[tuple[Tensor, ...], Tensor]:
        """Hidden states.

        Args:
            samples: float [B, N], 16 kHz, padded on the right.
            lengths: int64 [B], real samples.
            stop: the last block to compute; None for all.

        Returns:
            depth + 1 (or stop + 1) states [B, T, H]: after the convolutions, after each block, that after the very
            last block normalised; bool [B, T], True at real frames.
        """
        x = torch.tanh(self.conv1(samples[:, None]))
        frames = [lengths]
        for kernel, stride in _CONVS:
            frames.append((frames[-1] - kernel) // stride + 1)
        x = self._normalise(x, _mask(frames[1], x.shape[2]))
        x = F.gelu(self.conv3(F.gelu(self.conv2(x)))).transpose(1, 2)
        mask = _mask(frames[3], x.shape[1])
        return self.blocks(x, mask, 0, stop), mask

    def blocks(self, x: Tensor, mask: Tensor, start: int, stop: int | None = None) -> tuple[Tensor, ...]:
        """The states from ``start`` on: x [B, T, H] has been through so many blocks; those below are x, too."""
        stop = self.config.depth if stop is None else stop
        turn = self._rotation(x)
        states = [x] * (start + 1)
        for layer in self.layers[start:stop]:
            x = layer(x, mask[:, None, None], turn)
            states.append(x)
        if stop == self.config.depth:
            states[-1] = self.layer_norm(states[-1])
        return tuple(states)

    def _normalise(self, x: Tensor, mask: Tensor) -> Tensor:
        """GroupNorm with one group over the real frames of x [B, C, T]."""
        keep = mask[:, None].to(x.dtype)
        count = keep.sum(dim=(1, 2), keepdim=True) * x.shape[1]
        mean = (x * keep).sum(dim=(1, 2), keepdim=True) / count
        centred = (x - mean) * keep
        variance = centred.square().sum(dim=(1, 2), keepdim=True) / count
        norm = self.groupnorm
        return centred * (variance + norm.eps).rsqrt() * norm.weight[:, None] + norm.bias[:, None]

    def _rotation(self, x: Tensor) -> tuple[Tensor, Tensor]:
        rotary = self.config.rotary
        speeds = 10_000 ** (-torch.arange(0, rotary, 2, device=x.device, dtype=torch.float32) / rotary)
        angles = torch.arange(x.shape[1], device=x.device, dtype=torch.float32)[:, None] * speeds
        angles = angles.repeat_interleave(2, dim=-1)
        return angles.cos().to(x.dtype), angles.sin().to(x.dtype)


class _Layer(nn.Module):
    def __init__(self, config: MoonshineConfig) -> None:
        super().__init__()
        self.self_attn = _Attention(config)
        width, inner = config.hidden_size, config.intermediate_size
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, inner), "fc2": nn.Linear(inner, width)})
        self.input_layernorm = nn.LayerNorm(config.hidden_size, bias=False)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, bias=False)

    def forward(self, x: Tensor, mask: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), mask, turn)
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.post_attention_layernorm(x))))


class _Attention(nn.Module):
    def __init__(self, config: MoonshineConfig) -> None:
        super().__init__()
        self.heads = config.heads
        width = config.hidden_size
        self.q_proj, self.k_proj = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.v_proj, self.o_proj = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, mask: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in projections)
        x = F.scaled_dot_product_attention(_rotate(q, turn), _rotate(k, turn), v, mask)
        return self.o_proj(x.transpose(1, 2).flatten(2))


def _rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = turn
    head, rest = x[..., : cos.shape[-1]], x[..., cos.shape[-1] :]
    crossed = torch.stack((-head[..., 1::2], head[..., 0::2]), dim=-1).flatten(-2)
    return torch.cat([head * cos + crossed * sin, rest], dim=-1)


def _mask(lengths: Tensor, size: int) -> Tensor:
    return torch.arange(size, device=lengths.device) < lengths[:, None]


class MoonshineBackbone(Backbone):
    """Moonshine with the preparation of clips; see ``Backbone``."""

    modality = "speech"
    budget = BUDGET
    network: Moonshine

    def __init__(self, name: str, revision: str, spec: EncoderSpec, network: Moonshine) -> None:
        super().__init__()
        self.id, self.revision, self.spec, self.network = name, revision, spec, network
        self.hidden_size, self.depth = network.config.hidden_size, network.config.depth
        self.highest = max(chosen_layers(spec.layers, self.depth, name))

    @property
    def resumable(self) -> bool:
        """See ``Backbone.resumable``."""
        return True

    def prepare(self, inputs: Sequence[Any]) -> dict[str, Tensor]:
        """Samples float32 [B, N] and lengths int64 [B]; clips shorter than 56 ms are filled up with silence."""
        return pad_samples([clip_samples(item, self.spec.max_seconds, SHORTEST) for item in inputs])

    def length(self, item: Any) -> int:
        """20 ms frames."""
        return clip_length(item, self.spec.max_seconds)

    def forward(self, tensors: dict[str, Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        """See ``Backbone.forward``; blocks above the highest layer that is read are not computed."""
        kind = next(self.network.parameters()).dtype
        if "hidden" in tensors:
            mask = _mask(tensors["frames"], tensors["hidden"].shape[1])
            return self.network.blocks(tensors["hidden"].to(kind), mask, self.frozen, self.highest), mask
        states, mask = self.network(tensors["samples"].to(kind), tensors["lengths"], self.highest)
        return states, mask

    def lower(self, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """See ``Backbone.lower``."""
        states, mask = self.network(tensors["samples"], tensors["lengths"], self.frozen)
        return states[-1], mask

    def prepare_from_hidden(self, inputs: Sequence[Any], hidden: Sequence[Tensor]) -> dict[str, Tensor]:
        """See ``Backbone.prepare_from_hidden``; the samples are not read again."""
        return {
            "hidden": nn.utils.rnn.pad_sequence(list(hidden), batch_first=True),
            "frames": torch.tensor([len(x) for x in hidden]),
        }


def packaged_weights() -> Path:
    """The encoder's file inside the package moonshine-voice, found without importing it.

    Raises:
        MissingDependencyError: the package is not installed.
        CheckpointError: another version, without the file.
    """
    found = importlib.util.find_spec("moonshine_voice")
    if found is None or not found.submodule_search_locations:
        raise MissingDependencyError("moonshine-voice", "listen", "the speech encoder moonshine-tiny")
    path = Path(found.submodule_search_locations[0]) / "assets" / "tiny-en" / "encoder_model.ort"
    if not path.is_file():
        raise CheckpointError(
            "moonshine-tiny: this version of moonshine-voice has no encoder_model.ort",
            fix="Run: pip install moonshine-voice==0.1.0.",
        )
    return path


def read_weights(path: Path, config: MoonshineConfig) -> dict[str, Tensor]:
    """The state dict of ``Moonshine`` out of an ``encoder_model.ort``, as float32.

    Raises:
        CheckpointError: the file lacks a weight.
    """
    file = OrtFile(path)
    names = {f"conv{n}.weight": f"conv{n}.weight_add_tensor" for n in (1, 2, 3)}
    norm = file.inputs.get("/groupnorm/Mul", []), file.inputs.get("/groupnorm/Add", [])
    for name, inputs in zip(("groupnorm.weight", "groupnorm.bias"), norm, strict=True):
        names[name] = next((n for n in inputs if n in file.tensors), "")
    state: dict[str, Tensor] = {}
    with torch.device("meta"):
        wanted = Moonshine(config).state_dict()
    for name, like in wanted.items():
        source = names.get(name, name)
        if source in file.tensors:
            array: Any = file.tensors[source].astype("float32")
        else:
            module = name.removesuffix(".weight").replace(".", "/").replace("layers/", "layers.")
            array = file.matmul(f"/{module}/MatMul_quant")  # /layers.0/self_attn/q_proj/MatMul_quant
        state[name] = torch.from_numpy(array).reshape(like.shape)
    return state


def load_moonshine(name: str, spec: EncoderSpec) -> MoonshineBackbone:
    """The packaged Moonshine tiny.

    Raises:
        MissingDependencyError, CheckpointError: see ``packaged_weights`` and ``read_weights``.
    """
    path, config = packaged_weights(), MoonshineConfig()
    with torch.device("meta"):
        network = Moonshine(config)
    network.load_state_dict(read_weights(path, config), assign=True)
    return MoonshineBackbone(name, files_revision([path]), spec, network.to(TORCH_TYPES[spec.dtype]))
