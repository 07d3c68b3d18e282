"""BERT's and MPNet's encoders in plain torch: the packaged text models without the three seconds that importing
transformers takes.

Devlin et al. 2019; Song et al. 2020 (MPNet: no token types, positions counted from the padding token's number on, and
a bias for each distance between two tokens, shared by all layers). Parameter names are those of
``transformers.BertModel`` without its pooler, so that the same weight files load (``mpnet_state`` renames MPNet's);
tests compare all hidden states with transformers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class BertConfig:
    """Sizes, named as in a BERT model's config.json."""

    vocab_size: int = 30522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    pad_token_id: int = 0
    model_type: str = "bert"
    relative_attention_num_buckets: int = 32

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BertConfig:
        """Take what is known from a config.json, leave the rest."""
        return cls(**{k: v for k, v in data.items() if k in cls.__dataclass_fields__})


class Bert(nn.Module):
    """Token numbers to the hidden states of all layers.

    Only real tokens go through the linear layers, laid end to end; padding exists in attention alone. Turns of a
    conversation differ much in length, so this saves close to half of the work.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))})
        if config.model_type == "mpnet":
            table = _table(config.relative_attention_num_buckets, config.num_attention_heads)
            self.encoder["relative_attention_bias"] = table

    def forward(
        self,
        ids: Tensor,
        mask: Tensor,
        types: Tensor,
        hidden: Tensor | None = None,
        start: int = 0,
        stop: int | None = None,
    ) -> tuple[Tensor, ...]:
        """Hidden states.

        Args:
            ids: int64 [B, T].
            mask: bool [B, T], True at real tokens.
            types: int64 [B, T].
            hidden: [B, T, H], the state after ``start`` layers if it is known; what lies below is not computed.
            start: how many layers ``hidden`` has been through.
            stop: compute no layer from this one on; None for all.

        Returns:
            One [B, T, H] after the embeddings and one after each layer; zero at padding. Those below ``start`` stand in
            as ``hidden``.
        """
        shape, places = mask.shape, mask.flatten().nonzero().squeeze(1)
        x = (self.embeddings(ids, types) if hidden is None else hidden).flatten(0, 1)[places]
        states = [_padded(x, places, shape)] * (1 + start)
        seen = self.attention_mask(mask)
        layers: Any = self.encoder["layer"]
        for layer in layers[start:stop]:
            x = layer(x, places, seen)
            states.append(_padded(x, places, shape))
        return tuple(states)

    def attention_mask(self, mask: Tensor) -> Tensor:
        """Which tokens see which: bool [B, 1, 1, T]; for MPNet what is added to the scores, [B, heads, T, T]."""
        if self.config.model_type != "mpnet":
            return mask[:, None, None, :]
        table: Any = self.encoder["relative_attention_bias"]
        bias = table(_buckets(mask.shape[1], self.config.relative_attention_num_buckets).to(mask.device))
        return bias.permute(2, 0, 1)[None].masked_fill(~mask[:, None, None, :], torch.finfo(bias.dtype).min)


def _buckets(length: int, count: int, farthest: int = 128) -> Tensor:
    """The number of the bias for each pair of places, int64 [T, T]: one for each small distance, logarithmic beyond."""
    places = torch.arange(length)
    distance = places[:, None] - places[None, :]
    half, exact = count // 2, count // 4
    size = distance.abs()
    far = exact + ((size.float() / exact).log() / math.log(farthest / exact) * (half - exact)).long()
    return (distance < 0).long() * half + torch.where(size < exact, size, far.clamp(max=half - 1))


def mpnet_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of ``transformers.MPNetModel`` under BERT's names."""
    names = {
        ".attn.q.": ".self.query.",
        ".attn.k.": ".self.key.",
        ".attn.v.": ".self.value.",
        ".attn.o.": ".output.dense.",
    }
    out = {}
    for name, value in state.items():
        for theirs, ours in {**names, ".attention.LayerNorm.": ".attention.output.LayerNorm."}.items():
            name = name.replace(theirs, ours)
        out[name] = value
    return out


def _padded(x: Tensor, places: Tensor, shape: torch.Size) -> Tensor:
    """Real tokens [N, H] and their places → [B, T, H], zero elsewhere."""
    return x.new_zeros(shape.numel(), x.shape[-1]).index_copy(0, places, x).unflatten(0, shape)


def _table(rows: int, size: int) -> nn.Embedding:
    """An embedding to be loaded; drawing random numbers on the meta device would import torch's compiler (1.5 s)."""
    return nn.Embedding.from_pretrained(torch.zeros(rows, size), freeze=False)


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = _table(config.vocab_size, config.hidden_size)
        self.position_embeddings = _table(config.max_position_embeddings, config.hidden_size)
        self.first = config.pad_token_id + 1 if config.model_type == "mpnet" else 0
        if config.model_type == "bert":
            self.token_type_embeddings = _table(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, ids: Tensor, types: Tensor) -> Tensor:
        places = torch.arange(self.first, self.first + ids.shape[1], device=ids.device)
        x = self.word_embeddings(ids) + self.position_embeddings(places)
        if self.first == 0:
            x = x + self.token_type_embeddings(types)
        return self.dropout(self.LayerNorm(x))


class _Layer(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        heads, mixer = _Attention(config), _Output(config.hidden_size, config)
        self.attention = nn.ModuleDict({"self": heads, "output": mixer})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(config.hidden_size, config.intermediate_size)})
        self.output = _Output(config.intermediate_size, config)

    def forward(self, x: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Real tokens [N, H] → [N, H]."""
        x = self.attention["output"](self.attention["self"](x, places, mask), x)
        return self.output(F.gelu(self.intermediate["dense"](x)), x)


class _Attention(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.num_attention_heads, config.attention_probs_dropout_prob
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Real tokens [N, H] → [N, H], each attending to the real tokens of its own row."""
        shape = torch.Size((mask.shape[0], mask.shape[-1]))
        padded = (_padded(f(x), places, shape) for f in (self.query, self.key, self.value))
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in padded)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, mask, dropout)
        return out.transpose(1, 2).flatten(2).flatten(0, 1)[places]


class _Output(nn.Module):
    """Projection, dropout, residual, LayerNorm."""

    def __init__(self, inner: int, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(inner, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dropout(self.dense(x)) + residual)
