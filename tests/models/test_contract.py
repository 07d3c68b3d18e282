"""What every registered model promises. A model added to the registry is tested by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from moodline.core.batch import Batch, Output
from moodline.core.errors import ConfigError
from moodline.core.labels import IGNORE
from moodline.models.registry import MODELS
from moodline.pipeline.checkpoint import build_model
from tests.models.helpers import one, poisoned, random_batch, select, tiny_backbone

CLASSES = 4
SMALL: dict[str, dict[str, object]] = {
    "mister-e": {"hidden": 16, "gru_layers": 2, "fusion_layers": 2, "heads": 2, "head_width": 4},
    "egmf": {
        "hidden": 16,
        "heads": 2,
        "frame_hidden": {"speech": 6, "visual": 4},
        "prompt_words": True,
        "dropout": 0.0,
    },
    "linear": {},
    "voice-evidence": {"components": 4},
    **{
        name: {"hidden": 8, "dropout": 0.0}
        for name in ("bc-lstm", "dialogue-rnn", "mmgcn", "mm-dfn", "tfn", "lmf", "mult", "misa", "sdt", "hcam")
    },
    "sure": {"hidden": 16, "expert_hidden": 8, "heads": 2, "feed_forward": 16, "dropout": 0.0},
}
RATES = {"linear": 3e-2, "dialogue-rnn": 0.1, "sdt": 0.1}
"""Learning rates for the falling loss: so few weights have far to go."""
DIMS = ({"text": 6}, {"speech": 5, "text": 6}, {"speech": 5, "text": 6, "visual": 3})
Range = tuple[float, float] | None
BOTH = {"voice-evidence"}
"""Models of classes that read speech and text, no more and no less."""
SYSTEMS = {"mister-e", "sure", "egmf", "linear", "voice-evidence"}
"""Those are tried with all modalities and targets; rivals pairwise."""
SCORES: tuple[Range, ...] = (None, (-1.0, 1.0))
"""A model of classes, and one of scores in this range."""
cases = pytest.mark.parametrize(
    ("name", "dims", "value_range"),
    [
        pytest.param(n, d, s, id=f"{n}-{'-'.join(d)}-{'values' if s else 'classes'}")
        for n in MODELS
        for d in DIMS
        for s in SCORES
        if (n not in BOTH or (set(d) == {"speech", "text"} and s is None))
        and (n in SYSTEMS or (len(d) == 2) == (s is not None))
    ],
)


def own_settings(name: str) -> dict[str, object]:
    """What has to be made before a model can be."""
    return {"backbone": tiny_backbone()} if name == "egmf" else {}


def build(name: str, dims: dict[str, int], value_range: Range, **settings: object) -> nn.Module:
    settings = SMALL[name] | own_settings(name) | settings
    return build_model({"name": name, **settings}, dims, 1 if value_range else CLASSES, value_range)


def make(name: str, dims: dict[str, int], value_range: Range = None, **settings: object) -> nn.Module:
    torch.manual_seed(0)
    model = build(name, dims, value_range, **settings)
    model.fit_statistics([random_batch(dims, [7, 3], CLASSES, seed=9, value_range=value_range)])  # type: ignore[operator]
    with torch.no_grad():
        for p in model.parameters():  # zeros (biases, missing vectors) would hide mistakes
            p.add_(0.05 * torch.randn_like(p) * p.requires_grad)
    return model.eval()


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, atol=1e-5)


def row(output: Output, batch: Batch, index: int) -> dict[str, torch.Tensor]:
    real = batch.valid[index]
    assert output.weights is not None
    return {"logits": output.logits[index][real], "weights": output.weights[index][real]} | {
        n: z[index][real] for n, z in output.experts.items()
    }


@cases
def test_padding_and_company_change_nothing(name: str, dims: dict[str, int], value_range: Range) -> None:
    model, batch = (
        make(name, dims, value_range),
        random_batch(dims, [1, 6, 4, 9], CLASSES, missing=0.3, value_range=value_range),
    )
    together = model(batch)
    for i in range(4):
        alone_batch = one(batch, i)
        alone = row(model(alone_batch), alone_batch, 0)
        for key, value in row(together, batch, i).items():
            assert close(value, alone[key]), key


@cases
def test_what_stands_in_padding_and_in_missing_places_is_never_read(
    name: str, dims: dict[str, int], value_range: Range
) -> None:
    model, batch = (
        make(name, dims, value_range),
        random_batch(dims, [2, 6], CLASSES, missing=0.4, value_range=value_range),
    )
    other = poisoned(batch)
    a, b = model(batch), model(other)
    assert close(a.logits[batch.valid], b.logits[batch.valid])
    la, lb = model.loss(batch, a)["total"], model.loss(other, b)["total"]  # type: ignore[operator]
    assert torch.isfinite(lb)
    assert close(la, lb)


@cases
def test_gradients_are_finite_with_poisoned_padding(name: str, dims: dict[str, int], value_range: Range) -> None:
    model, batch = (
        make(name, dims, value_range),
        random_batch(dims, [2, 6], CLASSES, missing=0.4, value_range=value_range),
    )
    other = poisoned(batch)
    model.loss(other, model(other))["total"].backward()  # type: ignore[operator]
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


@cases
def test_order_of_conversations_changes_nothing(name: str, dims: dict[str, int], value_range: Range) -> None:
    model, batch = (
        make(name, dims, value_range),
        random_batch(dims, [3, 5, 2], CLASSES, missing=0.2, value_range=value_range),
    )
    order = torch.tensor([2, 0, 1])
    shuffled = select(batch, order)
    assert close(model(batch).logits[order], model(shuffled).logits)
    a = model.loss(batch, model(batch))["total"]  # type: ignore[operator]
    b = model.loss(shuffled, model(shuffled))["total"]  # type: ignore[operator]
    assert close(a, b)


@cases
def test_one_utterance_alone(name: str, dims: dict[str, int], value_range: Range) -> None:
    model, batch = make(name, dims, value_range), random_batch(dims, [1], CLASSES, value_range=value_range)
    output = model(batch)
    assert output.logits.shape == (1, 1, 1 if value_range else CLASSES)
    assert torch.isfinite(model.loss(batch, output)["total"])  # type: ignore[operator]


@cases
def test_weights_are_a_distribution_and_zero_where_an_expert_has_nothing_to_read(
    name: str, dims: dict[str, int], value_range: Range
) -> None:
    model, batch = (
        make(name, dims, value_range),
        random_batch(dims, [6, 4], CLASSES, missing=0.5, value_range=value_range),
    )
    output = model(batch)
    assert output.weights is not None
    assert output.weights.shape == (*batch.valid.shape, len(output.experts))
    assert close(output.weights.sum(-1), batch.valid.float())
    if len(dims) > 1:
        some = torch.stack(list(batch.present.values())).any(0)
        for k, expert in enumerate(output.experts):
            if expert in dims:
                assert (output.weights[..., k][some & ~batch.present[expert]] == 0).all()


@cases
def test_a_conversation_without_any_modality_still_gets_finite_answers(
    name: str, dims: dict[str, int], value_range: Range
) -> None:
    model, batch = make(name, dims, value_range), random_batch(dims, [3], CLASSES, value_range=value_range)
    empty = replace(batch, present={m: torch.zeros_like(p) for m, p in batch.present.items()})
    output = model(empty)
    assert torch.isfinite(output.logits).all()
    assert torch.isfinite(model.loss(empty, output)["total"])  # type: ignore[operator]


@cases
def test_utterances_without_label_or_score_do_not_count(name: str, dims: dict[str, int], value_range: Range) -> None:
    model, batch = make(name, dims, value_range), random_batch(dims, [5], CLASSES, value_range=value_range)
    assert batch.labels is not None
    hole = torch.tensor([[False, False, True, False, False]])
    known = None if batch.targets is None else batch.targets.masked_fill(hole, float("nan"))
    partly = replace(batch, labels=batch.labels.masked_fill(hole, IGNORE), targets=known)
    assert partly.count() == 4
    output = model(partly)
    changed = Output(
        output.logits.clone().index_fill_(1, torch.tensor([2]), 50.0),
        {n: z.clone().index_fill_(1, torch.tensor([2]), 50.0) for n, z in output.experts.items()},
        output.weights,
        output.extras,
    )
    assert close(model.loss(partly, output)["total"], model.loss(partly, changed)["total"])  # type: ignore[operator]


@pytest.mark.train
@cases
def test_the_loss_falls(name: str, dims: dict[str, int], value_range: Range) -> None:
    model, batch = (
        make(name, dims, value_range).train(),
        random_batch(dims, [6, 4, 5], CLASSES, value_range=value_range),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=RATES.get(name, 1e-2))
    losses = []
    for _ in range(30):
        loss = model.loss(batch, model(batch))["total"]  # type: ignore[operator]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@cases
def test_save_and_load(name: str, dims: dict[str, int], value_range: Range, tmp_path: Path) -> None:
    model, batch = make(name, dims, value_range), random_batch(dims, [4, 2], CLASSES, value_range=value_range)
    save_file(model.state_dict(), tmp_path / "m.safetensors")
    other = build(name, dims, value_range)
    other.load_state_dict(load_file(tmp_path / "m.safetensors"))
    assert torch.equal(model(batch).logits, other.eval()(batch).logits)


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    seed=st.integers(0, 99),
    missing=st.sampled_from([0.0, 0.5, 0.9]),
    value_range=st.sampled_from(SCORES),
)
def test_any_batch_equals_its_conversations_one_by_one(
    lengths: list[int], seed: int, missing: float, value_range: Range
) -> None:
    for name in MODELS if value_range is None else [n for n in MODELS if n not in BOTH]:
        model = make(name, DIMS[1], value_range)
        batch = random_batch(DIMS[1], lengths, CLASSES, seed, missing, value_range)
        together = model(batch)
        for i in range(len(lengths)):
            single = one(batch, i)
            assert close(row(together, batch, i)["logits"], row(model(single), single, 0)["logits"])


@pytest.mark.parametrize("name", [n for n in MODELS if n not in {"egmf", *BOTH}])  # EGMF speaks a range's own numbers
@pytest.mark.parametrize("kind", ["l1", "mse", "smooth_l1"])
def test_a_model_of_scores_says_the_same_of_every_range(name: str, kind: str) -> None:
    """Scores stretched to another range: the answers are stretched alike, the losses stay."""
    dims, other = DIMS[1], (0.0, 10.0)
    batch = random_batch(dims, [4, 2], value_range=(-1.0, 1.0))
    assert batch.targets is not None
    stretched = replace(batch, targets=5 + 5 * batch.targets)
    a, b = make(name, dims, (-1.0, 1.0), score_loss=kind), make(name, dims, other, score_loss=kind)
    said, of_other = a(batch), b(stretched)
    assert torch.allclose(of_other.logits[batch.valid], 5 + 5 * said.logits[batch.valid], atol=1e-4)
    assert close(a.loss(batch, said)["total"], b.loss(stretched, of_other)["total"])  # type: ignore[operator]


@pytest.mark.parametrize("name", [n for n in MODELS if n not in BOTH])
def test_scores_and_classes_contradict_each_other(name: str) -> None:
    settings = SMALL[name] | own_settings(name)
    with pytest.raises(ConfigError, match="classes must be 1, got 4"):
        build_model({"name": name, **settings}, DIMS[1], 4, (-1.0, 1.0))
    with pytest.raises(ConfigError, match="value_range must be"):
        build_model({"name": name, **settings}, DIMS[1], 1, (1.0, -1.0))
