"""A sparse mixture of small networks, of which the least unsure are asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodline.nn.dropout import Dropout
from moodline.nn.gaussian import bounded


@dataclass(frozen=True)
class Routing:
    """Who was asked about N utterances.

    Args:
        scores: [N, E], softmax over all experts.
        usage: [N, E], the scores of the K best, 0 for the others.
        log_variance: [N, E], log σ_k² of each expert.
    """

    scores: Tensor
    usage: Tensor
    log_variance: Tensor


class SparseExperts(nn.Module):
    """y = Σ_k G_k(x) E_k(x) with G = TopK(softmax(W x + b − c log σ)), and σ_k what expert k says of its own doubt.

    E_k is Linear → ReLU → Linear; log σ_k² is one more number from its hidden layer, and in training E_k(x) is
    sampled around its mean with it. The sum over experts has one normal distribution, so one draw does.

    All experts are computed and weighted before their second layer: two large products instead of a loop. With K
    close to E, as in the paper, that costs little more than computing K of them.

    Args:
        width: size D of what comes in and goes out.
        hidden: width of each expert's hidden layer.
        experts: their number E.
        top_k: how many are asked, K.
        aware: whether σ enters the routing; c ≥ 0 is learned and begins at 1.
        bound: |log σ_k²| stays below it.
        start: log σ_k² before training.
        dropout: on the hidden layers.
    """

    def __init__(
        self, width: int, hidden: int, experts: int, top_k: int, aware: bool, bound: float, start: float, dropout: float
    ) -> None:
        super().__init__()
        self.shape, self.top_k, self.bound = (experts, hidden), top_k, bound
        self.router = nn.Linear(width, experts)
        self.enter = nn.Linear(width, experts * hidden)
        self.leave = nn.Parameter(torch.empty(experts, hidden, width))
        self.leave_bias = nn.Parameter(torch.empty(experts, width))
        self.doubt = nn.Parameter(torch.empty(experts, hidden))
        self.doubt_bias = nn.Parameter(torch.full((experts,), bound * math.atanh(start / bound)))
        self.caution = nn.Parameter(torch.tensor(math.log(math.e - 1))) if aware else None
        self.dropout = Dropout(dropout)
        for weight in (self.leave, self.leave_bias, self.doubt):
            nn.init.uniform_(weight, -(hidden**-0.5), hidden**-0.5)

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """[N, D] → [N, D] and who was asked."""
        inner = self.dropout(torch.relu(self.enter(x))).view(len(x), *self.shape)
        log_variance = bounded(torch.einsum("neh,eh->ne", inner, self.doubt.to(inner)) + self.doubt_bias, self.bound)
        logits = self.router(x).to(log_variance)
        if self.caution is not None:
            logits = logits - F.softplus(self.caution) * 0.5 * log_variance
        scores = logits.softmax(-1)
        best = scores.topk(self.top_k, dim=-1).indices
        usage = scores * torch.zeros_like(scores).scatter(1, best, 1.0)
        weighted = (inner * usage[..., None].to(inner)).flatten(1)
        y = weighted @ self.leave.flatten(0, 1).to(weighted) + usage.to(weighted) @ self.leave_bias.to(weighted)
        if self.training:
            spread = (usage.square() * log_variance.exp()).sum(-1, keepdim=True).sqrt()
            y = y + spread * torch.randn_like(y)
        return y, Routing(scores, usage, log_variance)


def balance(routing: Routing, where: Tensor) -> Tensor:
    """E Σ_k f_k p_k, as in Switch Transformers: 1 where all experts are asked equally, E where one is for everything.

    Args:
        routing: of N utterances.
        where: bool [N], which of them count.

    Returns:
        A scalar; 0 if none counts.
    """
    if not bool(where.any()):
        return routing.scores.sum() * 0.0
    usage, scores = routing.usage[where], routing.scores[where]
    asked = (usage > 0).to(scores).mean(0)
    return len(asked) * (asked / asked.sum() * scores.mean(0)).sum()


def usage_entropy(usage: Tensor) -> Tensor:
    """How evenly the experts are used over N utterances, as a share: 1 is equally, 0 is one for everything.

    Args:
        usage: [N, E]; no utterance at all counts as even.
    """
    share = usage.sum(0) + torch.finfo(usage.dtype).tiny
    share = share / share.sum()
    return -(share * share.log()).sum() / math.log(max(len(share), 2))
