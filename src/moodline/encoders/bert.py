"""BERT's encoder in plain torch: the packaged text model without the three seconds that importing transformers takes.

Devlin et al. 2019. Parameter names are those of ``transformers.BertModel`` without its pooler, so that the same
weight files load; a test compares all hidden states with transformers.
"""

from __future__ import annotations

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

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, ...]:
        """Hidden states.

        Args:
            ids: int64 [B, T].
            mask: bool [B, T], True at real tokens.
            types: int64 [B, T].

        Returns:
            One [B, T, H] after the embeddings and one after each layer; zero at padding.
        """
        shape, places = mask.shape, mask.flatten().nonzero().squeeze(1)
        x = self.embeddings(ids, types).flatten(0, 1)[places]
        states = [_padded(x, places, shape)]
        layers: Any = self.encoder["layer"]
        for layer in layers:
            x = layer(x, places, mask)
            states.append(_padded(x, places, shape))
        return tuple(states)


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
        self.token_type_embeddings = _table(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, ids: Tensor, types: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1], device=ids.device)
        x = self.word_embeddings(ids) + self.token_type_embeddings(types) + self.position_embeddings(places)
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
        padded = (_padded(f(x), places, mask.shape) for f in (self.query, self.key, self.value))
        q, k, v = (y.unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in padded)
        dropout = self.dropout if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, mask[:, None, None, :], dropout)
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
