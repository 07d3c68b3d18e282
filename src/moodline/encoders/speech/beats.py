"""The BEATs audio encoder (Chen et al. 2023, arXiv 2212.09058), with the names of weights of its published checkpoints.

log-mel frames → patches of 16 × 16 → LayerNorm → Linear → convolutional positions → blocks, LayerNorm after each part
(with DeepNorm's factor on the residual), attention with relative position bias, gated by the query

Differs from the publication in nothing but that padding stays out: patches of padding are zero before the convolution
and never attended to, so that a clip gives the same in any company. The classifier of fine-tuned checkpoints is left
out, and dropout with it: nothing here learns.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

PATCH, MELS, HOP, WINDOW = 16, 128, 160, 400
SHORTEST = (PATCH - 1) * HOP + WINDOW
"""Samples that give one column of patches."""
MEAN, DEVIATION = 15.41663, 6.55582
"""Of log-mel values, over the corpus that BEATs was trained on; from its publication."""


@dataclass(frozen=True)
class BeatsConfig:
    """Sizes, under the names that checkpoints give them; what else stands there is for training."""

    embed_dim: int = 512
    encoder_layers: int = 12
    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3072
    encoder_attention_heads: int = 12
    conv_pos: int = 128
    conv_pos_groups: int = 16
    num_buckets: int = 320
    max_distance: int = 800
    deep_norm: bool = True

    @classmethod
    def from_checkpoint(cls, data: Mapping[str, Any]) -> BeatsConfig:
        """Those settings of a checkpoint's ``cfg`` that are read."""
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})


class Beats(nn.Module):
    """See the module.

    Args:
        config: sizes.
    """

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = nn.Conv2d(1, config.embed_dim, PATCH, PATCH, bias=False)
        self.layer_norm = nn.LayerNorm(config.embed_dim)
        self.post_extract_proj = nn.Linear(config.embed_dim, config.encoder_embed_dim)
        self.encoder = BeatsEncoder(config)

    def forward(self, frames: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Encode log-mel frames.

        Args:
            frames: float [B, T, 128], T a multiple of 16.
            columns: int64 [B], how many columns of patches (16 frames each) are real.

        Returns:
            States [B, P, D], in time, eight patches a column; bool [B, P], True where they are real.
        """
        patches = self.patch_embedding(frames[:, None]).flatten(2).transpose(1, 2)
        rows = MELS // PATCH
        mask = torch.arange(patches.shape[1], device=frames.device) < (columns * rows)[:, None]
        return self.encoder(self.post_extract_proj(self.layer_norm(patches)), mask), mask


class BeatsEncoder(nn.Module):
    """Positions and blocks.

    Args:
        config: sizes.
    """

    def __init__(self, config: BeatsConfig) -> None:
        super().__init__()
        size, width = config.encoder_embed_dim, config.conv_pos
        self.pos_conv = nn.ModuleList([nn.Conv1d(size, size, width, padding=width // 2, groups=config.conv_pos_groups)])
        self.layers = nn.ModuleList(BeatsBlock(config, first=n == 0) for n in range(config.encoder_layers))
        self.layer_norm = nn.LayerNorm(size)
        self.buckets, self.furthest = config.num_buckets, config.max_distance

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """States [B, P, D] and bool [B, P] → [B, P, D]."""
        x = torch.where(mask[..., None], x, 0.0)
        places = F.gelu(self.pos_conv[0](x.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)
        x = self.layer_norm(x + places)
        first: Any = self.layers[0]
        bias = first.self_attn.relative_attention_bias(self._bucket_of(x.shape[1]).to(x.device)).permute(2, 0, 1)
        for block in self.layers:
            x = block(x, bias, mask)
        return x

    def _bucket_of(self, length: int) -> Tensor:
        """Bucket of each distance, int64 [P, P]: near ones have their own, far ones share, later ones above."""
        places = torch.arange(length)
        distance = places[None] - places[:, None]
        half = self.buckets // 2
        near = half // 2
        far = near + (
            torch.log(distance.abs().clamp(min=1).float() / near) / math.log(self.furthest / near) * (half - near)
        ).long().clamp(max=half - 1 - near)
        return torch.where(distance.abs() < near, distance.abs(), far) + half * (distance > 0).long()


class BeatsBlock(nn.Module):
    """Attention and feed-forward, a LayerNorm after each.

    Args:
        config: sizes.
        first: whether it holds the bias that all blocks share.
    """

    def __init__(self, config: BeatsConfig, first: bool) -> None:
        super().__init__()
        size = config.encoder_embed_dim
        self.self_attn = BeatsAttention(config, first)
        self.self_attn_layer_norm = nn.LayerNorm(size)
        self.fc1 = nn.Linear(size, config.encoder_ffn_embed_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_embed_dim, size)
        self.final_layer_norm = nn.LayerNorm(size)
        self.residual = (2 * config.encoder_layers) ** 0.25 if config.deep_norm else 1.0

    def forward(self, x: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
        """States [B, P, D], bias [heads, P, P], bool [B, P] → [B, P, D]."""
        x = self.self_attn_layer_norm(self.residual * x + self.self_attn(x, bias, mask))
        normed: Tensor = self.final_layer_norm(self.residual * x + self.fc2(F.gelu(self.fc1(x))))
        return normed


class BeatsAttention(nn.Module):
    """Self-attention whose relative position bias is gated by the query.

    Args:
        config: sizes.
        first: see ``BeatsBlock``.
    """

    def __init__(self, config: BeatsConfig, first: bool) -> None:
        super().__init__()
        size, self.heads = config.encoder_embed_dim, config.encoder_attention_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(size, size) for _ in range(4))
        self.grep_linear = nn.Linear(size // self.heads, 8)
        self.grep_a = nn.Parameter(torch.ones(1, self.heads, 1, 1))
        if first:
            self.relative_attention_bias = nn.Embedding(config.num_buckets, self.heads)

    def forward(self, x: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
        """States [B, P, D], bias [heads, P, P], bool [B, P] → [B, P, D]."""
        q, k, v = (
            f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj)
        )
        update, reset = self.grep_linear(q).unflatten(-1, (2, 4)).sum(-1).sigmoid().chunk(2, dim=-1)
        gate = update * (reset * self.grep_a - 1.0) + 2.0
        scores = (gate * bias).masked_fill(~mask[:, None, None], float("-inf"))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=scores)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


def beats_state(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint's ``model`` as this network takes it.

    The convolution's weight is stored as length and direction, the shared bias once for each block, and fine-tuned
    checkpoints bring a classifier.
    """
    out = {}
    for name, value in weights.items():
        shared = name.endswith("relative_attention_bias.weight") and ".layers.0." not in name
        if not shared and not name.startswith("predictor") and "pos_conv.0.weight_" not in name:
            out[name] = value
    length, direction = (weights[f"encoder.pos_conv.0.weight_{part}"] for part in ("g", "v"))
    out["encoder.pos_conv.0.weight"] = length * direction / direction.norm(dim=(0, 1), keepdim=True)
    return out


@cache
def _filters() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Kaldi's mel filters and window; the lowest filters are narrower than a bin and so empty, there as here."""
    from transformers.audio_utils import mel_filter_bank, window_function

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "At least one mel filter", UserWarning)
        filters = mel_filter_bank(257, MELS, 20, 8000, 16_000, mel_scale="kaldi", triangularize_in_mel_space=True)
    return filters, window_function(WINDOW, "povey", periodic=False)


def log_mel(clips: Sequence[NDArray[np.float32]]) -> dict[str, Tensor]:
    """Kaldi's log-mel frames of clips, padded with zeros: frames float32 [B, T, 128], columns int64 [B].

    Args:
        clips: mono samples at 16 kHz, at least ``SHORTEST`` each.
    """
    from transformers.audio_utils import spectrogram

    filters, window = _filters()
    rows = []
    for clip in clips:
        made = spectrogram(
            clip * 2.0**15, window, WINDOW, HOP, 512, power=2.0, center=False, preemphasis=0.97, mel_filters=filters,
            log_mel="log", mel_floor=1.192092955078125e-07, remove_dc_offset=True,
        ).T  # fmt: skip
        rows.append(torch.from_numpy((made - MEAN) / (2 * DEVIATION)).float()[: len(made) // PATCH * PATCH])
    columns = torch.tensor([len(row) // PATCH for row in rows])
    return {"frames": nn.utils.rnn.pad_sequence(rows, batch_first=True), "columns": columns}
