"""EGMF against its plain version, and what it promises: answers, gradients, absent modalities, frozen base."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from moodline.core.batch import Batch
from moodline.core.errors import ConfigError
from moodline.models.egmf import Egmf, EgmfConfig
from moodline.nn.language_model import LoraConfig
from moodline.nn.packing import PackedUtterances
from tests.models import plain_egmf as plain
from tests.models.helpers import random_batch, tiny_backbone

DIMS = {"speech": 5, "text": 2, "visual": 3}
LABELS = ("joy", "joyful mood", "joyful", "anger")
"""One is the beginning of another, two share their first tokens."""
SMALL: dict[str, Any] = {"hidden": 16, "heads": 2, "frame_hidden": {"speech": 6, "visual": 4}, "dropout": 0.0}
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("llama", {}),
    ("gemma3_text", {"sliding_window": 8, "layer_types": ("sliding_attention", "full_attention")}),
    ("qwen2", {}),
    ("glm4", {}),
    ("GPT2", {"n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 512}),
]


def make(dims: dict[str, int] = DIMS, kind: str = "llama", changes: dict[str, Any] | None = None, **set_: Any) -> Egmf:
    torch.manual_seed(1)
    settings = {**SMALL, "backbone": tiny_backbone(kind, **changes or {}), "prompt_words": True, **set_}
    classes = {"classes": 1} if set_.get("value_range") else {"classes": 4, "labels": LABELS}
    model = Egmf(EgmfConfig(dims=dims, **(classes | settings)))
    model.fit_statistics([random_batch(dims, [7, 3], seed=9)])
    with torch.no_grad():
        for p in model.parameters():  # zeros (LoRA's B, β) would hide mistakes
            if p.requires_grad:
                p.add_(0.1 * torch.randn_like(p))
    return model.eval()


def weights_of(model: Egmf) -> dict[str, Any]:
    return {k: v.double().numpy() for k, v in model.state_dict().items()}


def utterances(batch: Batch, model: Egmf) -> list[tuple[int, int, Any, Any, list[int]]]:
    """Place, pseudo token, α and words of every utterance, by the plain version."""
    w, out = weights_of(model), []
    for b, u in batch.valid.nonzero().tolist():
        real = batch.tokens_valid[b, u]  # type: ignore[index]
        spoken = batch.present["text"][b, u] if "text" in model.modalities else False
        tokens = batch.tokens[b, u][real].tolist() if spoken else None  # type: ignore[index]
        own = batch.tokens_own[b, u][real].tolist() if spoken else []  # type: ignore[index]
        frames = {
            m: batch.frames[m][b, u][batch.frames_valid[m][b, u]].double().numpy() if batch.present[m][b, u] else None
            for m in model.clues
        }
        pseudo, alpha = plain.adapt(tokens, own, frames, w, model)
        out.append((b, u, pseudo, alpha, tokens or []))
    return out


@pytest.mark.parametrize(("kind", "changes"), KINDS, ids=[k for k, _ in KINDS])
def test_equations(kind: str, changes: dict[str, Any]) -> None:
    """Every score and α, for utterances with any modality missing, on five families of language models."""
    model, batch = make(kind=kind, changes=changes), random_batch(DIMS, [4, 2], missing=0.3)
    output = model(batch)
    for b, u, pseudo, alpha, words in utterances(batch, model):
        assert np.allclose(output.extras["alpha"][b, u].detach(), alpha, atol=1e-5)
        assert np.allclose(output.logits[b, u].detach(), plain.say(pseudo, words, model), atol=2e-3)


def test_constrained_decoding() -> None:
    """The answers' probabilities are those of decoding step by step among the answers, and add up to one."""
    model, batch = make(scoring="constrained"), random_batch(DIMS, [3], missing=0.3)
    output = model(batch)
    assert torch.allclose(output.logits.exp().sum(-1), torch.ones(1, 3), atol=1e-5)
    for b, u, pseudo, _, words in utterances(batch, model):
        found = plain.decode(pseudo, words, model)
        expected = [found[(*a, model.answerer.prompt.end)] for a in model.answerer.prompt.answers]
        assert np.allclose(output.logits[b, u].exp().detach(), expected, atol=1e-5)


@pytest.mark.parametrize("scoring", ["all", "constrained"])
def test_scores(scoring: str) -> None:
    """The expected value over all numbers with one decimal, and the likeliest of them."""
    model, batch = make(value_range=(-1.0, 1.0), scoring=scoring), random_batch(DIMS, [3], value_range=(-1.0, 1.0))
    output = model(batch)
    assert model.numbers == tuple(n / 10 for n in range(-10, 11))
    _, u, pseudo, _, words = utterances(batch, model)[1]
    if scoring == "all":
        p = plain.softmax(plain.say(pseudo, words, model))
    else:
        found = plain.decode(pseudo, words, model)
        p = np.array([found[(*a, model.answerer.prompt.end)] for a in model.answerer.prompt.answers])
    assert output.logits[0, u, 0].item() == pytest.approx(float(p @ np.array(model.numbers)), abs=1e-4)
    assert output.extras["best"][0, u].item() == pytest.approx(model.numbers[int(p.argmax())])
    assert (output.logits.abs() <= 1).all()


@pytest.mark.parametrize("value_range", [None, (-1.0, 1.0)])
def test_the_loss_of_training_is_that_of_the_scores(value_range: Any) -> None:
    """In training only the true answers go through the language model; the loss is the same as with all of them."""
    model, batch = make(value_range=value_range), random_batch(DIMS, [4, 2], missing=0.3, value_range=value_range)
    told = model.loss(batch, model(batch))["total"]
    model.train()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    output = model(batch)
    assert "answers" not in output.extras
    assert torch.allclose(model.loss(batch, output)["total"], told, atol=1e-4)


@pytest.mark.parametrize("set_", [{}, {"loss": "answers", "scoring": "constrained"}])
def test_only_lora_and_the_adapter_learn(set_: dict[str, Any]) -> None:
    model, batch = make(**set_).train(), random_batch(DIMS, [4, 2])
    base = {n: p for n, p in model.named_parameters() if n.startswith("answerer.language.") and ".lora_" not in n}
    before = {n: p.detach().clone() for n, p in base.items()}
    learned = {n: p for n, p in model.named_parameters() if n not in base}
    assert len(base) > 10
    assert {n.rsplit(".", 2)[0].rsplit(".", 2)[-2] for n in learned if ".lora_" in n} == {"q_proj", "v_proj"}
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.loss(batch, model(batch))["total"].backward()
    assert all(p.grad is None and not p.requires_grad for p in base.values())
    unused = {"no_words"}  # every utterance has words
    assert all(p.grad is not None and bool(p.grad.any()) for n, p in learned.items() if n not in unused)
    optimizer.step()
    assert all(torch.equal(p, before[n]) for n, p in base.items())


def test_without_lora_the_language_model_learns_nothing() -> None:
    model = make(lora=LoraConfig(rank=0))
    assert not [n for n, p in model.named_parameters() if p.requires_grad and n.startswith("answerer.")]


def test_checkpointing_changes_no_gradient() -> None:
    batch, found = random_batch(DIMS, [4, 2]), []
    for checkpointing in (False, True):
        model = make(gradient_checkpointing=checkpointing, lora=LoraConfig(dropout=0.0)).train()
        model.loss(batch, model(batch))["total"].backward()
        found.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
        layers = [m for m in model.modules() if getattr(m, "gradient_checkpointing", False)]
        assert bool(layers) == checkpointing
    assert found[0].keys() == found[1].keys()
    assert all(torch.allclose(g, found[1][n], atol=1e-5) for n, g in found[0].items())


def test_an_absent_modality_is_no_zero_in_disguise() -> None:
    model, batch = make(), random_batch(DIMS, [3])
    silent = {**batch.frames, "speech": torch.zeros_like(batch.frames["speech"])}
    zeros = model(dataclasses.replace(batch, frames=silent)).logits
    nothing = torch.zeros_like(batch.valid)
    absent = model(dataclasses.replace(batch, present={**batch.present, "speech": nothing})).logits
    assert not torch.allclose(zeros, absent, atol=1e-3)
    without = make({"text": 2, "visual": 3})
    own = without.state_dict()
    without.load_state_dict({k: v for k, v in model.state_dict().items() if k in own})
    assert torch.allclose(absent, without(batch).logits, atol=1e-5)  # as if the modality did not exist


@pytest.mark.parametrize("left", ["speech", "text", "visual"])
def test_any_modality_can_be_left_out(left: str) -> None:
    dims = {m: size for m, size in DIMS.items() if m != left}
    model, batch = make(dims), random_batch(DIMS, [3, 1])
    other = random_batch(DIMS, [3, 1], seed=5)
    assert torch.isfinite(model(batch).logits).all()
    changed = dataclasses.replace(batch, frames=batch.frames | {left: other.frames.get(left, torch.zeros(0))})
    if left != "text":
        assert torch.equal(model(batch).logits, model(changed).logits)


def test_words_reach_the_answer_through_pseudo_tokens_alone() -> None:
    """As in the paper's input: without ``prompt_words`` no word is in the prompt, and still words matter."""
    model, batch = make(prompt_words=False), random_batch(DIMS, [3])
    assert model._words(batch, PackedUtterances(batch.valid), {}) == [[], [], []]
    assert batch.tokens is not None
    other = dataclasses.replace(batch, tokens=batch.tokens + 1)
    assert not torch.allclose(model(batch).logits, model(other).logits, atol=1e-4)


def test_context_is_in_the_prompt_and_not_in_the_fusion() -> None:
    model, batch = make(prompt_words=False), random_batch(DIMS, [4])
    assert batch.tokens is not None
    assert batch.tokens_own is not None
    context = batch.tokens_valid & ~batch.tokens_own  # type: ignore[operator]
    assert bool(context.any())
    other = dataclasses.replace(batch, tokens=torch.where(context, batch.tokens + 1, batch.tokens))
    assert torch.equal(model(batch).logits, model(other).logits)
    heard = make()
    assert not torch.allclose(heard(batch).logits, heard(other).logits, atol=1e-4)


@pytest.mark.parametrize("gate", ["uniform", "feature", "hierarchical"])
def test_gates(gate: Any) -> None:
    model, batch = make(gate=gate), random_batch(DIMS, [5])
    alpha = model(batch).extras["alpha"]
    assert torch.allclose(alpha.sum(-1), torch.ones(1, 5), atol=1e-6)
    assert (gate == "uniform") == bool(torch.allclose(alpha, torch.full_like(alpha, 1 / 3), atol=1e-4))


@pytest.mark.parametrize("experts", [("fine", "global"), ("semantic",), ()])
def test_experts_can_be_left_out(experts: tuple[str, ...]) -> None:
    model, batch = make(experts=experts), random_batch(DIMS, [3])
    output = model(batch)
    assert output.extras.get("alpha", torch.zeros(1, 3, 0)).shape[-1] == len(experts)
    assert tuple(n for n, _ in model.named_modules() if n.startswith("guidance.experts.") and n.count(".") == 2) == (
        tuple(f"guidance.experts.{e}" for e in experts)
    )


def test_bottlenecks_are_the_papers_and_can_be_set_or_learned() -> None:
    model = make()
    widths = {name: block.enter.out_features for name, block in model.guidance.experts.items()}  # type: ignore[union-attr]
    assert widths == {"fine": 2, "semantic": 4, "global": 8}
    assert make(ratios={"fine": 16}).guidance.experts["fine"].enter.out_features == 1  # type: ignore[union-attr]
    learnable, batch = make(learn_experts=True).train(), random_batch(DIMS, [3])
    learnable.loss(batch, learnable(batch))["total"].backward()
    for block in learnable.guidance.experts.values():
        assert block.size.grad is not None  # type: ignore[union-attr]
        assert bool(block.size.grad.any())  # type: ignore[union-attr]
        assert bool(block.mixture.grad.any())  # type: ignore[union-attr]


@pytest.mark.parametrize("n", [1, 4, 7])
def test_pseudo_tokens_are_one_vector_repeated(n: int) -> None:
    model, batch = make(pseudo_tokens=n), random_batch(DIMS, [2])
    _, _, pseudo, _, words = utterances(batch, model)[0]
    assert np.allclose(model(batch).logits[0, 0].detach(), plain.say(pseudo, words, model), atol=2e-3)
    (prompt,) = model.answerer.prompts([words], n)
    assert prompt.count(0) >= n


def test_long_prompts_go_alone_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = make(), random_batch(DIMS, [6, 3], missing=0.3)
    together = model(batch).logits
    monkeypatch.setattr("moodline.nn.label_scoring.PLACES_AT_ONCE", 1)
    monkeypatch.setattr("moodline.nn.language_model.POSITIONS_AT_ONCE", 1)
    assert torch.allclose(model(batch).logits, together, atol=1e-4)


def test_the_state_has_no_weights_of_the_base() -> None:
    model = make()
    state = model.state_dict()
    assert not [k for k in state if "network" in k and ".lora_" not in k]
    assert sum(v.numel() for v in state.values()) < 20_000
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict({k: v for k, v in state.items() if k != "speak.bias"})
    with pytest.raises(RuntimeError, match="Missing key"):
        model.load_state_dict({k: v for k, v in state.items() if ".lora_A" not in k})


def test_all_mistakes_of_a_configuration_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        EgmfConfig(DIMS, 4, "x", labels=("a",), heads=3, wording="fr", experts=("fast",), ratios={"fine": 0.5},
                   activations={"fine": "tanh"}, frame_hidden={}, dropout=1.0, spoken={"b": "c"})  # fmt: skip
    for part in (
        "labels",
        "heads, 3",
        "wording",
        "experts",
        "ratios",
        "activations",
        "frame_hidden",
        "dropout",
        "spoken",
    ):
        assert part in str(error.value)


def test_golden_numbers() -> None:
    """Fixed weights give these numbers; a change here means that saved models changed their answers."""
    model = make()
    with torch.no_grad():
        for n, p in enumerate(model.parameters()):
            p.copy_(torch.sin(torch.arange(p.numel(), dtype=torch.float32) * 0.7 + n).view_as(p) * 0.3)
        for m in model.clues:
            model.frames[m].mean.zero_()  # type: ignore[operator]
            model.frames[m].scale.fill_(1.0)  # type: ignore[operator]
        model.answerer.language.scale = 0.2
    valid = torch.ones(1, 2, dtype=torch.bool)
    frames = {m: torch.cos(torch.arange(6 * DIMS[m], dtype=torch.float32)).view(1, 2, 3, -1) for m in model.clues}
    tokens, real = torch.tensor([[[2000, 2001, 2002], [3000, 3001, 0]]]), torch.tensor([[[1, 1, 1], [1, 1, 0]]]).bool()
    three = dict.fromkeys(model.clues, torch.ones(1, 2, 3, dtype=torch.bool))
    batch = Batch({}, dict.fromkeys(DIMS, valid), valid, None, frames=frames, frames_valid=three)
    output = model(dataclasses.replace(batch, tokens=tokens, tokens_valid=real, tokens_own=real).check())
    found = torch.cat([output.logits[0], output.extras["alpha"][0]], dim=1)
    assert torch.allclose(found, torch.tensor(GOLDEN), atol=2e-3), found.tolist()


GOLDEN = [
    [-20.39363, -41.17191, -30.35893, -20.32976, 0.31224, 0.38253, 0.30523],
    [-20.63236, -41.43251, -30.78697, -20.68275, 0.16083, 0.28225, 0.55692],
]


@pytest.mark.parametrize("bits", [4, 8])
def test_few_bits(bits: int) -> None:
    """The base in four or eight bits: other answers than the whole one's, only LoRA and the adapter learn, and what was
    learned is all that another model of the same bits needs."""
    pytest.importorskip("bitsandbytes")
    batch, model = random_batch(DIMS, [4, 2]), make(load_bits=bits)
    assert f"Linear{'8bitLt' if bits == 8 else '4bit'}" in {type(m).__name__ for m in model.modules()}
    if bits == 4:
        assert {m.weight.quant_type for m in model.modules() if type(m).__name__ == "Linear4bit"} == {"nf4"}
    with torch.no_grad():
        model.eval()(batch)  # as the look at dev before training: the weights must not be packed for inference alone
    model.train().loss(batch, model(batch))["total"].backward()
    learned = {n for n, p in model.named_parameters() if p.grad is not None}
    assert any(".lora_" in n for n in learned)
    assert all(".lora_" in n or not n.startswith("answerer.language.") for n in learned)
    torch.optim.SGD([p for p in model.parameters() if p.grad is not None], lr=0.1).step()
    said = model.eval()(batch).logits
    assert not torch.allclose(said, make()(batch).logits, atol=1e-3)
    other = make(load_bits=bits)
    assert not torch.allclose(said, other(batch).logits, atol=1e-3)
    other.load_state_dict(model.state_dict())
    assert torch.equal(said, other(batch).logits)
