"""The loss terms of the field, each a mean over real elements only.

Every function takes flat, already selected elements (``[N, …]``), so padding cannot reach it:
the caller indexes with a mask first. Sources: MiSTER-E (arXiv 2602.23300), equations 12 to 19.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from moodline.core.labels import IGNORE

RegressionLoss = Literal["l1", "mse", "smooth_l1"]
"""How far a score is from the true one: |d|, d², or d²/2 within 1 and |d| − 1/2 beyond."""


def focal_loss(logits: Tensor, labels: Tensor, gamma: float, weight: Tensor | None = None) -> Tensor:
    """Focal loss −(1 − p_y)^γ log p_y (MiSTER-E eq. 19); γ = 0 is cross-entropy.

    Args:
        logits: float [N, C].
        labels: int64 [N]; ``IGNORE`` rows are left out.
        gamma: focusing parameter, ≥ 0.
        weight: per-class weights [C], or None; the mean is then weighted as in ``cross_entropy``.

    Returns:
        A scalar; 0 (still attached to the graph) if no row is labelled.
    """
    real = labels != IGNORE
    logits, labels = logits[real].float(), labels[real]
    if not len(labels):
        return logits.sum() * 0.0
    log_p = F.log_softmax(logits, dim=-1).gather(-1, labels[:, None]).squeeze(-1)
    loss = -log_p if gamma == 0 else -((1 - log_p.exp()).clamp_min(1e-6) ** gamma) * log_p
    if weight is None:
        return loss.mean()
    per_row = weight.to(loss)[labels]
    return (loss * per_row).sum() / per_row.sum()


def value_distance(a: Tensor, b: Tensor, kind: RegressionLoss) -> Tensor:
    """The distance of scores [N] from others [N], each; gradients flow into both."""
    d = (a.float() - b.float()).abs()
    if kind == "l1":
        return d
    return d * d if kind == "mse" else torch.where(d < 1, 0.5 * d * d, d - 0.5)


def regression_loss(predicted: Tensor, scores: Tensor, kind: RegressionLoss) -> Tensor:
    """Mean distance of predicted scores from the true ones.

    Args:
        predicted: float [N].
        scores: float [N]; rows that are NaN have no score and are left out.
        kind: which distance.

    Returns:
        A scalar; 0 (still attached to the graph) if no row is scored.
    """
    real = ~torch.isnan(scores)
    if not bool(real.any()):
        return predicted.float().sum() * 0.0
    return value_distance(predicted[real], scores[real], kind).mean()


def supervised_contrastive_loss(embeddings: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss over utterances of both modalities (MiSTER-E eq. 13–14).

    Args:
        embeddings: float [M, D], one row per utterance and modality; normalised here.
        labels: int64 [M]; rows with the same label are positives of each other.
        temperature: τ > 0.

    Returns:
        Mean over the anchors that have a positive; 0 if none has.
    """
    if len(embeddings) < 2:
        return embeddings.sum() * 0.0
    a = F.normalize(embeddings.float(), dim=-1)
    similarity = a @ a.T / temperature
    itself = torch.eye(len(a), dtype=torch.bool, device=a.device)
    log_p = similarity - similarity.masked_fill(itself, float("-inf")).logsumexp(dim=1, keepdim=True)
    positives = (labels[:, None] == labels[None, :]) & ~itself
    count = positives.sum(1)
    anchors = count > 0
    if not bool(anchors.any()):
        return embeddings.sum() * 0.0
    total = log_p.masked_fill(~positives, 0.0).sum(1)
    return -(total[anchors] / count[anchors]).mean()


def kl_divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(softmax(teacher) ‖ softmax(student)) of each row (MiSTER-E eq. 17).

    Args:
        teacher, student: logits [N, C].

    Returns:
        float [N].
    """
    log_t, log_s = F.log_softmax(teacher.float(), -1), F.log_softmax(student.float(), -1)
    return (log_t.exp() * (log_t - log_s)).sum(-1)


Divergence = Callable[[Tensor, Tensor], Tensor]
"""How far two experts' answers [N, C] are apart, for each utterance [N]."""


def directional_kl(
    teacher: Tensor, students: Sequence[tuple[Tensor, Tensor]], apart: Divergence = kl_divergence
) -> Tensor:
    """Σ_m mean KL(p_teacher ‖ p_m) over the utterances where m is present (MiSTER-E eq. 17).

    Args:
        teacher: logits [N, C] of the fusion expert.
        students: for each unimodal expert its logits [N, C] and a bool [N] that says where it counts.
        apart: what stands in KL's place, for answers that are no logits.
    """
    total = teacher.sum() * 0.0
    for logits, where in students:
        if bool(where.any()):
            total = total + apart(teacher[where], logits[where]).mean()
    return total


def symmetric_kl(experts: Sequence[tuple[Tensor, Tensor]], apart: Divergence = kl_divergence) -> Tensor:
    """Mean over pairs of experts of (KL(i‖j) + KL(j‖i)) / 2, as in the released code of MiSTER-E.

    Args:
        experts: for each expert its logits [N, C] and a bool [N] that says where it counts.
        apart: what stands in KL's place, for answers that are no logits.
    """
    terms = []
    for (a, where_a), (b, where_b) in combinations(experts, 2):
        both = where_a & where_b
        if bool(both.any()):
            terms.append(((apart(a[both], b[both]) + apart(b[both], a[both])) / 2).mean())
    return torch.stack(terms).mean() if terms else experts[0][0].sum() * 0.0


def gate_likelihood(weights: Tensor, experts: Tensor, labels: Tensor) -> Tensor:
    """Mean of −log Σ_k w_k p_k(y), the experts held fixed: its gradient is what each expert had to do with the truth.

    The likelihood of a mixture of experts (Jacobs et al. 1991, eq. 1.3, for classes); not part of MiSTER-E's paper.

    Args:
        weights: the gate's [N, K].
        experts: logits [N, K, C]; no gradient reaches them.
        labels: int64 [N], none of them ``IGNORE``.

    Returns:
        A scalar; 0 (still attached to the graph) without rows.
    """
    if not len(labels):
        return weights.sum() * 0.0
    p = experts.detach().float().softmax(-1)
    p = p.gather(-1, labels[:, None, None].expand(-1, p.shape[1], 1)).squeeze(-1)
    return -(weights.float() * p).sum(-1).clamp_min(1e-12).log().mean()
