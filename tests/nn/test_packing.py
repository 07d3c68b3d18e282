"""Rows without padding, and the layers that work on them, against torch's own layers on one conversation at a time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from moodline.nn.convolution import convolve
from moodline.nn.dropout import Dropout
from moodline.nn.packing import PackedUtterances
from moodline.nn.recurrent import BiGRU

SHAPES = [[3], [1], [2, 5, 1], [4, 4], [1, 1, 1], [7, 2, 6]]
shapes = pytest.mark.parametrize("lengths", SHAPES, ids=str)


def rows_of(lengths: list[int]) -> PackedUtterances:
    return PackedUtterances(torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None])


def random_rows(lengths: list[int], width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(sum(lengths), width, generator=generator, dtype=torch.float64, requires_grad=True)


@shapes
def test_pack_and_pad_are_inverse_and_pad_with_zero(lengths: list[int]) -> None:
    rows, x = rows_of(lengths), random_rows(lengths, 3)
    padded = rows.pad(x)
    assert padded.shape == (len(lengths), max(lengths), 3)
    assert torch.equal(rows.pack(padded), x)
    assert (padded[~rows.valid] == 0).all()


@shapes
def test_time_order_and_predecessors(lengths: list[int]) -> None:
    rows = rows_of(lengths)
    steps = rows.steps
    assert steps.sizes == [sum(n > t for n in lengths) for t in range(max(lengths))]
    for order, place in zip((steps.forwards, steps.backwards), steps.places, strict=True):
        assert sorted(order.tolist()) == list(range(sum(lengths)))
        assert torch.equal(order[place], torch.arange(sum(lengths)))
    first = steps.sizes[0]
    assert torch.equal(steps.forwards[first:], steps.forwards[steps.before] + 1)
    assert torch.equal(steps.backwards[first:], steps.backwards[steps.before] - 1)


def gradients(value: Tensor, wanted: list[Tensor]) -> tuple[Tensor, ...]:
    weights = torch.cos(torch.arange(value.numel(), dtype=value.dtype)).view_as(value)
    return torch.autograd.grad((value * weights).sum(), wanted)


@shapes
def test_convolution_is_torchs_on_each_conversation(lengths: list[int]) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv1d(4, 3, k, padding=k // 2).double() for k in (5, 1, 3)]
    x = random_rows(lengths, 4)
    wanted = [x, *(p for c in layers for p in c.parameters())]
    ours = torch.stack(convolve(x, rows_of(lengths), layers))
    theirs = torch.stack([torch.cat([c(part.T[None])[0].T for part in x.split(lengths)]) for c in layers])
    assert torch.allclose(ours, theirs, atol=1e-12)
    for a, b in zip(gradients(ours, wanted), gradients(theirs, wanted), strict=True):
        assert torch.allclose(a, b, atol=1e-12)


@shapes
@pytest.mark.parametrize("layers", [1, 3])
def test_gru_is_torchs_on_each_conversation(lengths: list[int], layers: int) -> None:
    torch.manual_seed(0)
    model = BiGRU(4, 3, layers).double()
    x, rows = random_rows(lengths, 4), rows_of(lengths)
    wanted = [x, *model.gru.parameters()]
    ours = model(x, rows)
    theirs = torch.cat([model.gru(part[None])[0][0] for part in x.split(lengths)])
    assert torch.allclose(ours, theirs, atol=1e-12)
    for a, b in zip(gradients(ours, wanted), gradients(theirs, wanted), strict=True):
        assert torch.allclose(a, b, atol=1e-12)
    with torch.no_grad():
        assert torch.allclose(model(x, rows), theirs, atol=1e-12)


def test_gru_drops_between_layers_in_training_only() -> None:
    torch.manual_seed(0)
    model, x, rows = BiGRU(4, 3, 2, dropout=0.5).double(), random_rows([5], 4), rows_of([5])
    assert not torch.equal(model.train()(x, rows), model(x, rows))
    assert torch.equal(model.eval()(x, rows), model(x, rows))
    single = BiGRU(4, 3, 1, dropout=0.5).double().train()
    assert torch.equal(single(x, rows), single(x, rows))


def test_gru_computes_its_steps_in_float32_under_autocast() -> None:
    torch.manual_seed(0)
    model, rows = BiGRU(4, 3, 2), rows_of([4, 2])
    x = random_rows([4, 2], 4).float().detach()
    with torch.autocast("cpu", torch.bfloat16):
        out = model(x, rows)
    out.sum().backward()
    assert out.dtype == torch.float32
    assert torch.allclose(out, model(x, rows), atol=0.03)
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in model.parameters())


@pytest.mark.parametrize("shape", [(400, 250), (3, 1001), (1,)])
def test_dropout_keeps_the_mean_and_its_share(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer, x = Dropout(0.25), torch.ones(shape, requires_grad=True)
    y = layer(x)
    assert ((y == 0) | torch.isclose(y, torch.tensor(4 / 3))).all()
    if x.numel() > 1000:
        assert abs(float(y.detach().mean()) - 1) < 0.1
        assert abs(float((y == 0).float().mean()) - 0.25) < 0.05
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, y)
    assert torch.equal(layer.eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_dropout_follows_the_seed() -> None:
    layer, x = Dropout(0.5), torch.ones(100)
    torch.manual_seed(1)
    a = layer(x)
    torch.manual_seed(1)
    assert torch.equal(a, layer(x))
    assert not torch.equal(a, layer(x))
