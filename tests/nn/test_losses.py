"""Each loss against a plain version with Python loops, written from the equations."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.labels import IGNORE
from moodline.nn.losses import (
    directional_kl,
    focal_loss,
    gate_likelihood,
    kl_divergence,
    supervised_contrastive_loss,
    symmetric_kl,
)


def softmax(row: list[float]) -> list[float]:
    e = [math.exp(x - max(row)) for x in row]
    return [x / sum(e) for x in e]


def plain_focal(logits: list[list[float]], labels: list[int], gamma: float) -> float:
    terms = []
    for row, y in zip(logits, labels, strict=True):
        if y == IGNORE:
            continue
        p = softmax(row)[y]
        terms.append(-((1 - p) ** gamma) * math.log(p))
    return sum(terms) / len(terms)


def plain_contrastive(rows: list[list[float]], labels: list[int], tau: float) -> float:
    unit = []
    for row in rows:
        norm = math.sqrt(sum(x * x for x in row))
        unit.append([x / norm for x in row])

    def sim(i: int, j: int) -> float:
        return sum(a * b for a, b in zip(unit[i], unit[j], strict=True)) / tau

    total, anchors = 0.0, 0
    for i in range(len(rows)):
        positives = [p for p in range(len(rows)) if p != i and labels[p] == labels[i]]
        if not positives:
            continue
        below = sum(math.exp(sim(i, q)) for q in range(len(rows)) if q != i)
        total += -sum(math.log(math.exp(sim(i, p)) / below) for p in positives) / len(positives)
        anchors += 1
    return total / anchors


def plain_kl(a: list[float], b: list[float]) -> float:
    return sum(p * math.log(p / q) for p, q in zip(softmax(a), softmax(b), strict=True))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0]))
def test_focal_loss_is_equation_19(seed: int, gamma: float) -> None:
    torch.manual_seed(seed)
    logits, labels = torch.randn(9, 5, dtype=torch.float64) * 2, torch.randint(0, 5, (9,))
    labels[3] = IGNORE
    expected = plain_focal(logits.tolist(), labels.tolist(), gamma)
    assert focal_loss(logits, labels, gamma).item() == pytest.approx(expected, rel=1e-5)


def test_focal_loss_without_focus_is_cross_entropy() -> None:
    logits, labels = torch.randn(6, 4), torch.randint(0, 4, (6,))
    weight = torch.rand(4) + 0.1
    for w in (None, weight):
        expected = torch.nn.functional.cross_entropy(logits, labels, weight=w)
        assert torch.allclose(focal_loss(logits, labels, 0.0, w), expected, atol=1e-6)


def test_focal_loss_of_nothing_is_zero_with_a_gradient() -> None:
    logits = torch.randn(3, 4, requires_grad=True)
    loss = focal_loss(logits, torch.full((3,), IGNORE), 2.0)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None


def test_focal_loss_stays_finite_for_certain_predictions() -> None:
    logits = torch.tensor([[80.0, -80.0], [-80.0, 80.0]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([0, 0]), 0.5)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 1.0]))
def test_contrastive_loss_is_equation_14(seed: int, tau: float) -> None:
    torch.manual_seed(seed)
    rows = torch.randn(8, 6)
    labels = torch.randint(0, 3, (4,)).repeat(2)  # speech and text of four utterances
    expected = plain_contrastive(rows.tolist(), labels.tolist(), tau)
    assert supervised_contrastive_loss(rows, labels, tau).item() == pytest.approx(expected, rel=1e-4)


def test_contrastive_loss_without_positives_is_zero() -> None:
    assert supervised_contrastive_loss(torch.randn(3, 4), torch.tensor([0, 1, 2]), 1.0).item() == 0
    assert supervised_contrastive_loss(torch.randn(1, 4), torch.tensor([0]), 1.0).item() == 0


def test_kl_terms_are_equation_17_and_the_code_s_variant() -> None:
    torch.manual_seed(1)
    fusion, speech, text = torch.randn(5, 4), torch.randn(5, 4), torch.randn(5, 4)
    here = torch.tensor([True, False, True, True, False])
    everywhere = torch.ones(5, dtype=torch.bool)
    rows = range(5)
    to_speech = [plain_kl(fusion[i].tolist(), speech[i].tolist()) for i in rows if here[i]]
    to_text = [plain_kl(fusion[i].tolist(), text[i].tolist()) for i in rows]
    expected = sum(to_speech) / len(to_speech) + sum(to_text) / len(to_text)
    assert directional_kl(fusion, [(speech, here), (text, everywhere)]).item() == pytest.approx(expected, rel=1e-5)
    pairs = []
    for (a, wa), (b, wb) in [
        ((speech, here), (text, everywhere)),
        ((speech, here), (fusion, everywhere)),
        ((text, everywhere), (fusion, everywhere)),
    ]:
        both = [i for i in rows if wa[i] and wb[i]]
        pairs.append(
            sum((plain_kl(a[i].tolist(), b[i].tolist()) + plain_kl(b[i].tolist(), a[i].tolist())) / 2 for i in both)
            / len(both)
        )
    found = symmetric_kl([(speech, here), (text, everywhere), (fusion, everywhere)])
    assert found.item() == pytest.approx(sum(pairs) / 3, rel=1e-5)


def test_kl_is_zero_for_equal_and_positive_otherwise() -> None:
    a = torch.randn(4, 3)
    assert torch.allclose(kl_divergence(a, a + 7), torch.zeros(4), atol=1e-6)
    assert (kl_divergence(a, -a) > 0).all()


def test_the_gate_s_loss_is_the_likelihood_of_the_mixture_and_leaves_the_experts_alone() -> None:
    torch.manual_seed(0)
    scores = torch.randn(6, 3, requires_grad=True)
    experts = torch.randn(6, 3, 4, requires_grad=True)
    labels = torch.randint(0, 4, (6,))
    available = torch.ones(6, 3, dtype=torch.bool)
    available[0, 1] = False  # an expert that has nothing to read: weight 0
    weights = scores.masked_fill(~available, float("-inf")).softmax(-1)
    found = gate_likelihood(weights, experts, labels)
    total = 0.0
    for w, z, y in zip(weights.tolist(), experts.tolist(), labels.tolist(), strict=True):
        total -= math.log(sum(share * softmax(row)[y] for share, row in zip(w, z, strict=True)))
    assert found.item() == pytest.approx(total / 6, rel=1e-5)
    found.backward()
    assert experts.grad is None
    assert scores.grad is not None
    assert bool(torch.isfinite(scores.grad).all())


def test_the_gate_s_loss_moves_weight_to_the_expert_that_is_right() -> None:
    scores = torch.zeros(1, 2, requires_grad=True)
    experts = torch.tensor([[[4.0, 0.0], [0.0, 0.0]]])  # the first is right, the second knows nothing
    gate_likelihood(scores.softmax(-1), experts, torch.tensor([0])).backward()
    assert scores.grad is not None
    assert scores.grad[0, 0] < 0 < scores.grad[0, 1]


def test_the_gate_s_loss_of_nothing_is_zero() -> None:
    weights = torch.zeros(0, 2, requires_grad=True)
    found = gate_likelihood(weights, torch.zeros(0, 2, 3), torch.zeros(0, dtype=torch.long))
    found.backward()
    assert found.item() == 0
