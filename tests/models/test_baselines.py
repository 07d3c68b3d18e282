"""The rivals' own equations, each against a plain version."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch

from moodline.core.errors import ConfigError
from moodline.models.baselines.base import BaselineConfig, Turns
from moodline.models.baselines.dialogue_rnn import DialogueRnn, _Direction
from moodline.models.baselines.graphs import GraphConfig, MmDfn, Mmgcn
from moodline.models.baselines.misa import MisaConfig, moment_discrepancy, orthogonality
from moodline.models.baselines.tensor_fusion import Lmf, LmfConfig, Tfn, TfnConfig
from moodline.nn.packing import PackedUtterances

DIMS = {"speech": 3, "text": 5}


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def turns(count: int = 4, hidden: int = 4, seed: int = 0) -> Turns:
    torch.manual_seed(seed)
    valid = torch.ones(1, count, dtype=torch.bool)
    x = {m: torch.randn(count, hidden) for m in DIMS}
    return Turns(
        x, {m: torch.ones(count, dtype=torch.bool) for m in DIMS}, PackedUtterances(valid), torch.arange(count) % 2
    )


def test_tensor_fusion_holds_every_product() -> None:
    model = Tfn(TfnConfig(DIMS, 2, hidden=4, product=2)).eval()
    t = turns()
    out = model.encode(t, {})
    for n in range(4):
        z = [[*torch.relu(model.narrow[m](t.x[m][n])).tolist(), 1.0] for m in t.x]
        flat = torch.tensor([a * b for a, b in product(*z)])
        assert out[n].tolist() == pytest.approx(torch.relu(model.fuse(flat)).tolist(), abs=1e-5)


def test_low_rank_fusion_is_the_sum_over_ranks() -> None:
    model = Lmf(LmfConfig(DIMS, 2, hidden=4, rank=3)).eval()
    t = turns()
    out = model.encode(t, {}).detach().numpy()
    f = {m: p.detach().numpy() for m, p in model.factors.items()}
    for n in range(4):
        expected = model.bias.detach().numpy().copy()
        for r in range(3):
            part = np.ones(4)
            for m in t.x:
                part = part * (np.append(t.x[m][n].numpy(), 1.0) @ f[m][r])
            expected += float(model.mix[r].detach()) * part
        assert out[n] == pytest.approx(expected, abs=1e-5)


def test_dialogue_rnn_step_by_step() -> None:
    torch.manual_seed(1)
    net = _Direction(3, 2)
    u, who = torch.randn(1, 5, 3), torch.tensor([[0, 1, 0, 2, 1]])
    out = net(u, who, torch.ones(1, 5, dtype=torch.bool), 3)[0]

    def cell(gru: torch.nn.GRUCell, x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        i, s = gru.weight_ih @ x + gru.bias_ih, gru.weight_hh @ h + gru.bias_hh
        r, z = torch.sigmoid(i[:2] + s[:2]), torch.sigmoid(i[2:4] + s[2:4])
        return (1 - z) * torch.tanh(i[4:] + r * s[4:]) + z * h

    q = {p: torch.zeros(2) for p in range(3)}
    g, e, past = torch.zeros(2), torch.zeros(2), []
    for t in range(5):
        p, c = int(who[0, t]), torch.zeros(2)
        if past:
            scores = [math.exp(float(h @ (net.attend.weight @ u[0, t]))) for h in past]
            c = sum(s / sum(scores) * h for s, h in zip(scores, past, strict=True))
        g = cell(net.conversation, torch.cat([u[0, t], q[p]]), g)
        q[p] = cell(net.party, torch.cat([u[0, t], c]), q[p])
        e = cell(net.emotion, q[p], e)
        past.append(g)
        assert out[t].tolist() == pytest.approx(e.tolist(), abs=1e-5)


def test_dialogue_rnn_knows_who_speaks() -> None:
    model = DialogueRnn(BaselineConfig(DIMS, 2, hidden=4)).eval()
    t = turns()
    other = Turns(t.x, t.present, t.rows, torch.zeros(4, dtype=torch.long))
    assert not torch.allclose(model.encode(t, {}), model.encode(other, {}))


def test_edges_of_the_graph() -> None:
    model = Mmgcn(GraphConfig(DIMS, 2, hidden=4, across=0.5)).eval()
    torch.manual_seed(2)
    x, here = torch.randn(1, 6, 4), torch.tensor([[True, True, True, True, False, True]])
    edges = model._edges(x, here, 2, 3)[0]
    weight = np.zeros((6, 6))
    for i, j in product(range(6), repeat=2):
        a, b = x[0, i].numpy(), x[0, j].numpy()
        cos = float(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1 + 1e-5, 1 - 1e-5))
        kind = 1.0 if i // 3 == j // 3 else (0.5 if i % 3 == j % 3 else 0.0)
        weight[i, j] = kind * (1 - math.acos(cos) / math.pi) if here[0, i] and here[0, j] else float(i == j == 4)
    root = 1 / np.sqrt(weight.sum(1))
    assert edges.numpy() == pytest.approx(weight * root[:, None] * root[None], abs=1e-4)


def test_gates_of_mm_dfn_start_from_nothing() -> None:
    """With gates that let nothing out, the state over the layers is zero."""
    model = MmDfn(GraphConfig(DIMS, 2, hidden=4, layers=2)).eval()
    assert model.gates is not None
    with torch.no_grad():
        model.gates.weight.zero_()
        model.gates.bias.copy_(torch.tensor([0.0] * 8 + [-100.0] * 4 + [0.0] * 4))
    states = model.encode(turns(), {}).view(4, 2, 8)
    assert torch.allclose(states[:, :, 4:], torch.zeros(4, 2, 4), atol=1e-6)


def test_discrepancy_and_orthogonality() -> None:
    torch.manual_seed(3)
    a, b = torch.rand(50, 3), torch.rand(50, 3)
    x, y = a.numpy(), b.numpy()
    expected = np.linalg.norm(x.mean(0) - y.mean(0))
    for k in range(2, 6):
        expected += np.linalg.norm(((x - x.mean(0)) ** k).mean(0) - ((y - y.mean(0)) ** k).mean(0))
    assert float(moment_discrepancy(a, b)) == pytest.approx(float(expected), abs=1e-4)
    assert float(moment_discrepancy(a, a)) == pytest.approx(0, abs=1e-5)
    rows = [v - v.mean(0) for v in (x, y)]
    rows = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in rows]
    assert float(orthogonality(a, b)) == pytest.approx(float(np.mean((rows[0].T @ rows[1]) ** 2)), abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "settings", "rule"),
    [
        (BaselineConfig, {"hidden": 7}, "hidden must be positive and even"),
        (TfnConfig, {"product": 0}, "product must be positive"),
        (LmfConfig, {"rank": 0}, "rank must be positive"),
        (GraphConfig, {"layers": 0}, "layers and speakers must be positive"),
        (MisaConfig, {"heads": 3}, "heads must divide hidden"),
    ],
)
def test_settings_that_make_no_sense(kind: type, settings: dict[str, object], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        kind(DIMS, 2, **settings)
