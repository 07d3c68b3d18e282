"""SURE against the paper's equations, its ablations, bad input, and golden numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from moodline.core.batch import Batch
from moodline.core.errors import ConfigError
from moodline.core.labels import IGNORE
from moodline.models.sure import ATTENTION_KEPT, Sure, SureConfig
from tests.models.helpers import one, random_batch
from tests.models.plain_sure import loss as plain_loss
from tests.models.plain_sure import sure as plain

TWO = {"speech": 5, "text": 6}
SIZES: dict[str, Any] = {"hidden": 8, "expert_hidden": 5, "feed_forward": 6, "heads": 2, "speakers": 2}


def make(dims: dict[str, int] = TWO, **settings: Any) -> Sure:
    torch.manual_seed(3)
    model = Sure(SureConfig(dims, 4, **SIZES | settings))
    model.fit_statistics([random_batch(dims, [8, 5], seed=11)])
    with torch.no_grad():
        for p in model.parameters():  # zeros (biases, speakers, missing vectors) would hide mistakes
            p.add_(0.1 * torch.randn_like(p))
    return model.eval()


def batch_of(dims: dict[str, int], lengths: list[int], missing: float = 0.0, seed: int = 0) -> Batch:
    """With speakers, some unknown, some beyond those told apart."""
    batch = random_batch(dims, lengths, seed=seed, missing=missing)
    who = torch.arange(batch.valid.shape[1]).repeat(len(lengths), 1) % 5 - 1
    return dataclasses.replace(batch, speakers=torch.where(batch.valid, who, -1))


def doubled(batch: Batch) -> Batch:
    return dataclasses.replace(batch, features={m: x.double() for m, x in batch.features.items()})


@pytest.mark.parametrize("dims", [{"text": 6}, TWO, {**TWO, "visual": 4}], ids=["one", "two", "three"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"residual": True, "memory_layers": 2, "top_k": 1, "sigma_hidden": 3},
        {"uncertainty_routing": False, "speakers": 0, "reasoning_steps": 3},
        {"attention_window": 2},
        {"experts": 0},
        {"reasoning_steps": 0},
    ],
    ids=["paper", "residual", "plain-routing", "window", "no-experts", "no-reasoning"],
)
def test_forward_is_the_equations_for_each_utterance(dims: dict[str, int], settings: dict[str, Any]) -> None:
    model = make(dims, **settings).double()
    batch = doubled(batch_of(dims, [6, 3], missing=0.2))
    output = model(batch)
    w = {k: v.detach().numpy() for k, v in model.state_dict().items()}
    for i in range(2):
        length = int(batch.valid[i].sum())
        expected = plain(*arguments(batch, i), w, model.config)
        assert torch.allclose(output.logits[i, :length], torch.from_numpy(expected["logits"]), atol=1e-9)
        for m in dims:
            trace = expected["traces"][m]
            for u in range(length):
                if model.config.experts:
                    sigma = np.exp(trace["log_variance"][u].mean() / 2) if batch.present[m][i, u] else 0.0
                    assert abs(float(output.extras["uncertainty"][m][i, u]) - sigma) < 1e-9
                    used = torch.from_numpy(trace["routing"][u]["usage"])
                    assert torch.allclose(output.extras["usage"][m][i, u], used, atol=1e-9)
                for n in range(model.config.reasoning_steps):
                    dense = torch.zeros(length, dtype=torch.float64)
                    places = output.extras["attention_places"][m][i, u, n]
                    weights = output.extras["attention"][m][i, u, n]
                    dense[places[places >= 0]] = weights[places >= 0]
                    assert torch.allclose(dense, torch.from_numpy(trace["attention"][u][n]), atol=1e-9)


def arguments(batch: Batch, i: int) -> tuple[Any, Any, Any]:
    """One conversation of a batch as the plain version takes it."""
    u = int(batch.valid[i].sum())
    assert batch.speakers is not None
    return (
        {m: x[i, :u].numpy() for m, x in batch.features.items()},
        {m: x[i, :u].tolist() for m, x in batch.present.items()},
        batch.speakers[i, :u].tolist(),
    )


def test_loss_is_the_sum_of_its_terms_over_real_and_present_utterances() -> None:
    model = make(kl_weight=0.3, balance_weight=0.7).double()
    batch = doubled(batch_of(TWO, [6, 3], missing=0.3))
    assert batch.labels is not None
    batch.labels[0, 2] = IGNORE
    w = {k: v.detach().numpy() for k, v in model.state_dict().items()}
    found = [plain(*arguments(batch, i), w, model.config) for i in range(2)]
    present = [arguments(batch, i)[1] for i in range(2)]
    labels = [batch.labels[i][batch.valid[i]].tolist() for i in range(2)]
    terms = model.loss(batch, model(batch))
    assert abs(terms["total"].item() - plain_loss(found, present, labels, model.config)) < 1e-6


def test_training_samples_and_inference_does_not() -> None:
    model, batch = make(dropout=0.0), batch_of(TWO, [5])
    assert torch.equal(model(batch).logits, model(batch).logits)
    model.train()
    draws = torch.stack([model(batch).logits for _ in range(3)])
    assert not torch.allclose(draws[0], draws[1], atol=1e-4)


def test_sampling_is_around_the_mean_with_the_stated_spread() -> None:
    """Of many draws: μ and σ of the Gaussian, and of the experts' sum Σ G_k² σ_k²."""
    from moodline.nn.gaussian import sample

    torch.manual_seed(0)
    mean, log_variance = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -2.0]])
    draws = sample(mean.expand(40_000, 2), log_variance.expand(40_000, 2))
    assert torch.allclose(draws.mean(0), mean[0], atol=0.02)
    assert torch.allclose(draws.std(0), (0.5 * log_variance[0]).exp(), atol=0.02)
    experts = make({"text": 6}, dropout=0.0).experts["text"].experts  # type: ignore[union-attr]
    x = torch.randn(1, 8).expand(20_000, 8)
    assert isinstance(experts, nn.Module)
    calm, routing = experts.eval()(x)
    wild, _ = experts.train()(x)
    spread = (routing.usage[0].square() * routing.log_variance[0].exp()).sum().sqrt()
    assert torch.allclose((wild - calm).std(0), spread.expand(8), rtol=0.05)
    assert (wild - calm).mean().abs().item() < 0.02


def test_gradients_reach_every_weight() -> None:
    model, batch = make().train(), batch_of(TWO, [6, 4], missing=0.3)
    model.loss(batch, model(batch))["total"].backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None or not bool((p.grad != 0).any())]
    assert not dead


def test_the_experts_doubt_turns_the_routing_away() -> None:
    """Raise one expert's σ: its score falls where σ enters the routing, and stays where it does not."""
    x = torch.randn(7, 8)
    for aware in (True, False):
        block = make(uncertainty_routing=aware).experts["text"].experts  # type: ignore[union-attr]
        assert isinstance(block, nn.Module)
        before = block(x)[1].scores[:, 1]
        with torch.no_grad():
            block.doubt_bias[1] += 2.0  # type: ignore[index, operator]
        after = block(x)[1].scores[:, 1]
        assert bool((after < before).all()) if aware else torch.equal(after, before)


@pytest.mark.parametrize(("settings", "lost"), [({"experts": 0}, "experts."), ({"reasoning_steps": 0}, "reasoning.")])
def test_ablations_leave_modules_out(settings: dict[str, Any], lost: str) -> None:
    names = [n for n, _ in make(**settings).named_parameters()]
    assert not any(n.startswith(lost) for n in names)
    assert any(n.startswith(lost) for n, _ in make().named_parameters())


def test_terms_follow_the_switches() -> None:
    batch = batch_of(TWO, [5, 3])

    def terms(**settings: Any) -> set[str]:
        model = make(**settings)
        return set(model.loss(batch, model(batch)))

    entropies = {"entropy_speech", "entropy_text"}
    assert terms() == {"total", "nll", "kl", "balance", *entropies}
    assert terms(kl_weight=0.0, balance_weight=0.0) == {"total", "nll", *entropies}
    assert terms(experts=0) == {"total", "nll"}


def test_entropy_tells_collapse_and_is_no_part_of_the_loss() -> None:
    from moodline.nn.experts import usage_entropy

    assert float(usage_entropy(torch.full((5, 4), 0.25))) == pytest.approx(1.0)
    assert float(usage_entropy(torch.eye(4)[torch.zeros(5, dtype=torch.long)])) == pytest.approx(0.0, abs=1e-6)
    model, batch = make(), batch_of(TWO, [5, 3])
    terms = model.loss(batch, model(batch))
    assert torch.allclose(terms["total"], terms["nll"] + terms["kl"] + terms["balance"])


def test_class_weights_are_inverse_frequencies_of_the_training_set() -> None:
    batch = random_batch(TWO, [40])
    assert batch.labels is not None
    batch.labels[:] = torch.tensor([0] * 20 + [1] * 10 + [2] * 10)
    model, plain_model = make(class_weights=True), make()
    for m in (model, plain_model):
        m.fit_statistics([batch])
    assert torch.allclose(model.class_weight, torch.tensor([0.5, 1.0, 1.0, 10.0]))  # the fourth class was never seen
    a, b = (m.loss(batch, m(batch))["nll"] for m in (model, plain_model))
    assert not torch.allclose(a, b)


def test_speakers_change_answers_unless_unknown_and_numbers_beyond_share() -> None:
    model, batch = make(speakers=2), batch_of(TWO, [5])
    assert batch.speakers is not None

    def said(numbers: list[int]) -> torch.Tensor:
        return model(dataclasses.replace(batch, speakers=torch.tensor([numbers]))).logits

    assert not torch.allclose(said([0] * 5), said([1] * 5), atol=1e-4)
    assert torch.equal(said([0, 1, 2, 3, 100]), said([0, 1, 0, 1, 0]))
    assert torch.equal(said([-1] * 5), model(dataclasses.replace(batch, speakers=None)).logits)


def test_an_utterance_without_any_modality_gets_the_uniform_answer() -> None:
    model, batch = make(), batch_of(TWO, [5])
    for m in TWO:
        batch.present[m][0, 3] = False
    output = model(batch)
    assert (output.logits[0, 3] == 0).all()
    assert (output.logits[0, [0, 1, 2, 4]] != 0).all()
    assert all(float(output.extras["uncertainty"][m][0, 3]) == 0 for m in TWO)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_huge_features_and_bfloat16_stay_finite(precision: torch.dtype, scale: float) -> None:
    model, batch = make(), batch_of(TWO, [6, 3], missing=0.2)
    large = dataclasses.replace(batch, features={m: x * scale for m, x in batch.features.items()})
    for training in (True, False):
        model.train(training).zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            output = model(large)
            total = model.loss(large, output)["total"]
        assert torch.isfinite(output.logits).all()
        assert torch.isfinite(total)
        if training:
            total.backward()
            assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
        for m in TWO:
            assert float(output.extras["uncertainty"][m].max()) <= 2.718281828459045 ** (8.0 / 2) + 1e-3


def test_bfloat16_says_nearly_the_same() -> None:
    model, batch = make(), batch_of(TWO, [6, 3])
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(batch).logits
    assert torch.allclose(model(batch).logits, rough.float(), atol=0.05)


def test_a_window_is_felt_only_by_longer_conversations_and_company_changes_nothing() -> None:
    whole, narrow = make(attention_window=0), make(attention_window=5)
    short, longer = batch_of(TWO, [5, 2]), batch_of(TWO, [1, 11, 4, 6], missing=0.3)
    assert torch.equal(whole(short).logits, narrow(short).logits)
    assert not torch.allclose(whole(longer).logits, narrow(longer).logits, atol=1e-6)
    together = narrow(longer)
    assert longer.speakers is not None
    for i, u in enumerate((1, 11, 4, 6)):
        alone = narrow(dataclasses.replace(one(longer, i), speakers=longer.speakers[i : i + 1, :u]))
        assert torch.allclose(together.logits[i, :u], alone.logits[0], atol=1e-5)
        places = together.extras["attention_places"]["text"][i, :u]
        assert bool((places < u).all())
        assert bool(((places - torch.arange(u)[:, None, None]).abs()[places >= 0] < 5).all())


def test_attention_is_told_outside_of_training_only() -> None:
    model, batch = make(), batch_of(TWO, [12, 3])
    extras = model(batch).extras
    assert extras["attention"]["text"].shape == (2, 12, 2, ATTENTION_KEPT)
    weights, places = extras["attention"]["text"][1, :3], extras["attention_places"]["text"][1, :3]
    assert torch.allclose(weights.sum(-1), torch.ones(3, 2))
    assert set(places.flatten().tolist()) == {-1, 0, 1, 2}
    assert "attention" not in model.train()(batch).extras


def test_input_noise_acts_in_training_only() -> None:
    calm, noisy = make(experts=0, dropout=0.0), make(experts=0, dropout=0.0, input_noise=1.0)
    batch = batch_of(TWO, [6])
    assert torch.equal(calm(batch).logits, noisy(batch).logits)
    assert torch.equal(calm.train()(batch).logits, calm(batch).logits)
    assert not torch.equal(noisy.train()(batch).logits, calm(batch).logits)


def test_a_conversation_of_4096_utterances() -> None:
    model = make(attention_window=16)
    with torch.inference_mode():
        output = model(batch_of(TWO, [4096]))
    assert torch.isfinite(output.logits).all()


def test_all_mistakes_of_a_configuration_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        SureConfig(TWO, 4, top_k=5, hidden=9, heads=2, log_variance_bound=0.0, dropout=1.0, kl_weight=-1.0)
    for part in ("top_k must be at most experts, 4, got 5", "hidden", "log_variance_bound", "dropout", "kl_weight"):
        assert part in str(error.value)
    SureConfig(TWO, 4, experts=0, top_k=3)  # without experts there is nothing to choose from


def test_golden_numbers() -> None:
    """Fixed weights give these numbers; a change here means that saved models changed their answers."""
    model = make()
    with torch.no_grad():
        for n, p in enumerate(model.parameters()):
            p.copy_(torch.sin(torch.arange(p.numel(), dtype=torch.float32) * 0.7 + n).view_as(p) * 0.3)
    for block in model.inputs.values():
        block.mean.zero_()  # type: ignore[operator]
        block.scale.fill_(1.0)  # type: ignore[operator]
    features = {m: torch.cos(torch.arange(3 * d, dtype=torch.float32)).view(1, 3, d) for m, d in TWO.items()}
    valid = torch.ones(1, 3, dtype=torch.bool)
    output = model(Batch(features, dict.fromkeys(TWO, valid), valid, speakers=torch.tensor([[0, 1, -1]])))
    told = [output.extras[key]["text"][0] for key in ("uncertainty", "usage")]
    found = torch.cat([output.logits[0], told[0][:, None], told[1]], dim=1)
    assert torch.allclose(found, torch.tensor(GOLDEN), atol=1e-4), found.tolist()


GOLDEN = [
    [-0.38724, 0.26636, 0.64802, 0.30713, 0.99040, 0.00000, 0.18486, 0.25855, 0.41573],
    [-0.29118, 0.21139, 0.52965, 0.31403, 0.99279, 0.00000, 0.18072, 0.25863, 0.42901],
    [-0.34344, 0.27747, 0.60874, 0.28006, 0.99565, 0.00000, 0.17535, 0.25809, 0.44558],
]
