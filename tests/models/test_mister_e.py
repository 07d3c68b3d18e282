"""MiSTER-E against the paper's equations, its ablations, and golden numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from moodline.core.batch import Batch
from moodline.core.errors import ConfigError
from moodline.models.mister_e import MisterE, MisterEConfig
from moodline.nn.losses import focal_loss, kl_divergence, supervised_contrastive_loss
from tests.models.helpers import one, random_batch
from tests.models.plain_mister_e import mister_e as plain

TWO = {"speech": 5, "text": 6}
SIZES: dict[str, Any] = {"hidden": 8, "gru_layers": 2, "fusion_layers": 2, "heads": 2, "head_width": 3}


def make(dims: dict[str, int] = TWO, **settings: Any) -> MisterE:
    torch.manual_seed(3)
    model = MisterE(MisterEConfig(dims, 4, **SIZES | settings))
    model.fit_statistics([random_batch(dims, [8, 5], seed=11)])
    return model.eval()


@pytest.mark.parametrize("dims", [TWO, {**TWO, "visual": 4}], ids=["two", "three"])
@pytest.mark.parametrize(
    "settings",
    [{}, {"gate_hidden": 10, "gate_temperature": 2.0}, {"attention_window": 2}, {"attention_window": 0}],
    ids=["paper", "code", "window", "no-window"],
)
def test_forward_is_equations_3_to_11(dims: dict[str, int], settings: dict[str, Any]) -> None:
    model, batch = make(dims, **settings).double(), random_batch(dims, [6, 3])
    batch = Batch({m: x.double() for m, x in batch.features.items()}, batch.present, batch.valid, batch.labels)
    output = model(batch)
    weights = {k: v.detach().numpy() for k, v in model.state_dict().items()}
    for i in range(2):
        single = one(batch, i)
        expected = plain({m: x[0].numpy() for m, x in single.features.items()}, weights, model.config)
        real = batch.valid[i]
        for name, z in output.experts.items():
            assert torch.allclose(z[i][real], torch.from_numpy(expected[name]), atol=1e-9), name
        assert output.weights is not None
        assert torch.allclose(output.weights[i][real], torch.from_numpy(expected["weights"]), atol=1e-9)
        assert torch.allclose(output.logits[i][real], torch.from_numpy(expected["mixture"]), atol=1e-9)


def test_total_loss_is_equations_12_to_18() -> None:
    model, batch = make(gamma=2.0, beta=0.7, kl_weight=0.3, tau=0.5), random_batch(TWO, [5, 3])
    output = model(batch)
    assert batch.labels is not None
    rows = [(b, u) for b in range(2) for u in range(5) if batch.valid[b, u]]
    labels = torch.stack([batch.labels[r] for r in rows])

    def pick(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[r] for r in rows])

    z = {name: pick(x) for name, x in output.experts.items()}
    streams = [pick(output.extras["contrastive"][m]) for m in TWO]
    uni = focal_loss(z["speech"], labels, 2.0) + focal_loss(z["text"], labels, 2.0)
    con = supervised_contrastive_loss(torch.cat(streams), labels.repeat(2), 0.5)
    kl = kl_divergence(z["fusion"], z["speech"]).mean() + kl_divergence(z["fusion"], z["text"]).mean()
    expected = uni + focal_loss(z["fusion"], labels, 2.0) + 0.7 * con
    expected = expected + focal_loss(pick(output.logits), labels, 2.0) + 0.3 * kl
    assert torch.allclose(model.loss(batch, output)["total"], expected, atol=1e-5)


def test_switches_choose_their_terms() -> None:
    batch = random_batch(TWO, [5, 3])

    def terms(**settings: Any) -> set[str]:
        model = make(**settings)
        return set(model.loss(batch, model(batch)))

    experts = {"focal_speech", "focal_text", "focal_fusion"}
    assert terms() == {"total", *experts, "contrastive", "focal_mixture", "kl"}
    assert terms(expert_losses=False) == {"total", "focal_mixture"}
    assert terms(beta=0.0, kl_weight=0.0) == {"total", *experts, "focal_mixture"}
    assert terms(gate_loss=0.5) == {"total", *experts, "contrastive", "focal_mixture", "kl", "gate"}
    assert terms(structure="monolithic", gate_loss=0.5) == {"total", "focal_fusion", "contrastive"}
    assert terms(gate_at="features") == {"total", *experts, "contrastive", "focal_mixture", "kl"}


def test_text_only_is_the_text_expert() -> None:
    model, batch = make({"text": 6}), random_batch({"text": 6}, [4])
    output = model(batch)
    assert list(output.experts) == ["text"]
    assert torch.equal(output.logits, output.experts["text"])
    assert set(model.loss(batch, output)) == {"focal_text", "total"}


def test_directional_and_symmetric_kl_differ() -> None:
    batch, model = random_batch(TWO, [5]), make()
    other = make(kl="symmetric")
    a, b = model.loss(batch, model(batch)), other.loss(batch, other(batch))
    assert not torch.allclose(a["kl"], b["kl"])
    assert torch.allclose(a["focal_mixture"], b["focal_mixture"])


def test_monolithic_reads_context_and_modular_fusion_does_not() -> None:
    """A change in the last utterance's text reaches the first one's fusion stream through attention only."""
    assert "heads.text.1.weight" not in dict(make(structure="monolithic").named_parameters())
    width = make().fusion.projections["text"].in_features  # type: ignore[union-attr]
    assert (width, make(structure="monolithic").fusion.projections["text"].in_features) == (6, 8)  # type: ignore[union-attr]


def test_missing_modality_is_not_a_zero_vector() -> None:
    model = make()
    with torch.no_grad():
        for block in model.inputs.values():
            block.missing.add_(0.3)  # type: ignore[operator]
    batch = random_batch(TWO, [4])
    hidden = {**batch.present, "speech": batch.present["speech"].clone()}
    hidden["speech"][0, 1] = False
    zeros = {**batch.features, "speech": batch.features["speech"].clone()}
    zeros["speech"][0, 1] = 0
    a = model(Batch(batch.features, hidden, batch.valid, batch.labels)).logits
    b = model(Batch(zeros, batch.present, batch.valid, batch.labels)).logits
    assert not torch.allclose(a, b, atol=1e-3)


def test_modality_dropout_hides_in_training_only_and_never_everything() -> None:
    model, batch = make(modality_dropout=0.8), random_batch(TWO, [200])
    kept = model.train()(batch).extras["present"]
    stacked = torch.stack(list(kept.values()))
    assert 0 < stacked.float().mean() < 0.8
    assert stacked.any(0).all()
    assert all(p.all() for p in model.eval()(batch).extras["present"].values())


def test_statistics_come_from_present_utterances() -> None:
    batch = random_batch(TWO, [40, 30], missing=0.3)
    model = make()
    model.fit_statistics([batch])
    rows = batch.features["speech"][batch.present["speech"]]
    assert torch.allclose(model.inputs["speech"].mean, rows.mean(0), atol=1e-5)  # type: ignore[arg-type]
    assert torch.allclose(model.inputs["speech"].scale, rows.std(0, correction=0), atol=1e-5)  # type: ignore[arg-type]


def test_wrong_settings_are_reported_together() -> None:
    with pytest.raises(ConfigError) as error:
        MisterEConfig({"text": 4}, 3, hidden=7, tau=0.0, structure="monolithic", kernels=(2,), attention_window=-1)
    for word in ("hidden", "tau", "monolithic", "kernels", "attention_window"):
        assert word in str(error.value)


@pytest.mark.parametrize("window", [1, 3, 4])
def test_with_a_window_padding_and_company_change_nothing(window: int) -> None:
    model, batch = make(attention_window=window), random_batch(TWO, [1, 11, 4, 3], missing=0.3)
    together = model(batch)
    for i, u in enumerate((1, 11, 4, 3)):
        alone = model(one(batch, i))
        assert torch.allclose(together.logits[i, :u], alone.logits[0], atol=1e-5)
        assert torch.allclose(together.weights[i, :u], alone.weights[0], atol=1e-5)


def test_a_window_is_felt_only_by_longer_conversations() -> None:
    whole, narrow = make(attention_window=0), make(attention_window=5)
    short, longer = random_batch(TWO, [5, 2]), random_batch(TWO, [6])
    assert torch.equal(whole(short).logits, narrow(short).logits)
    assert not torch.allclose(whole(longer).logits, narrow(longer).logits, atol=1e-6)


def test_gradients_reach_the_inputs_only_where_something_is_missing() -> None:
    """The learned vector is the only thing before the layers; without missing utterances it costs nothing."""
    model = make()
    for missing in (0.0, 0.5):
        batch = random_batch(TWO, [6, 4], missing=missing)
        model.zero_grad(set_to_none=True)
        model.loss(batch, model(batch))["total"].backward()
        assert all((model.inputs[m].missing.grad is None) == (missing == 0.0) for m in TWO)


def test_the_contrastive_loss_compares_parts_of_a_long_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = make(), random_batch(TWO, [7])
    output = model(batch)
    assert batch.labels is not None
    streams, y = output.extras["contrastive"], batch.labels[0]

    def term(part: slice) -> torch.Tensor:
        rows = torch.cat([streams[m][0, part] for m in TWO])
        return supervised_contrastive_loss(rows, y[part].repeat(2), 1.0)

    assert torch.equal(model.loss(batch, output)["contrastive"], term(slice(0, 7)))
    monkeypatch.setattr("moodline.models.mister_e.CONTRASTIVE_PART", 4)
    expected = (4 * term(slice(0, 4)) + 3 * term(slice(4, 7))) / 7
    assert torch.allclose(model.loss(batch, output)["contrastive"], expected)


def test_a_conversation_of_ten_thousand_utterances() -> None:
    model = make({"speech": 5, "text": 6}, gru_layers=1, fusion_layers=1)
    with torch.inference_mode():
        output = model(random_batch(TWO, [10_000]))
    assert torch.isfinite(output.logits).all()


def test_speakers_shift_the_inputs_by_their_vector_and_unknown_ones_by_nothing() -> None:
    plain_model, model = make(), make(speakers=3)
    batch = random_batch(TWO, [6, 3])
    who = torch.tensor([[0, 1, 0, 3, 4, -1], [0, 0, 1, -1, -1, -1]])
    known = dataclasses.replace(batch, speakers=torch.where(batch.valid, who, -1))
    model.load_state_dict(plain_model.state_dict(), strict=False)
    assert torch.allclose(model(known).logits, plain_model(batch).logits, atol=1e-6)  # zero at first
    with torch.no_grad():
        for block in model.speakers.values():
            block.table.copy_(torch.randn(3, block.table.shape[1]))  # type: ignore[operator, union-attr]
    shifted = {}
    for m, x in batch.features.items():
        table, scale = model.speakers[m].table, model.inputs[m].scale  # type: ignore[union-attr]
        shift = table[who % 3] * scale  # type: ignore[index, operator]
        shifted[m] = torch.where((who >= 0)[..., None], x + shift, x)
    same = dataclasses.replace(batch, features=shifted)
    assert torch.allclose(model(known).logits, plain_model(same).logits, atol=1e-5)
    strangers = dataclasses.replace(batch, speakers=torch.full_like(who, -1))
    assert torch.allclose(model(strangers).logits, plain_model(batch).logits, atol=1e-6)
    assert torch.allclose(model(batch).logits, plain_model(batch).logits, atol=1e-6)  # no speakers at all


def test_golden_numbers() -> None:
    """Fixed weights give these logits; a change here means that saved models changed their answers."""
    model = make()
    with torch.no_grad():
        for n, p in enumerate(model.parameters()):
            p.copy_(torch.sin(torch.arange(p.numel(), dtype=torch.float32) * 0.7 + n).view_as(p) * 0.3)
    for block in model.inputs.values():
        block.mean.zero_()  # type: ignore[operator]
        block.scale.fill_(1.0)  # type: ignore[operator]
    features = {m: torch.cos(torch.arange(3 * d, dtype=torch.float32)).view(1, 3, d) for m, d in TWO.items()}
    valid = torch.ones(1, 3, dtype=torch.bool)
    output = model(Batch(features, dict.fromkeys(TWO, valid), valid))
    assert output.weights is not None
    found = torch.cat([output.logits[0], output.weights[0]], dim=1)
    assert torch.allclose(found, torch.tensor(GOLDEN), atol=1e-4), found.tolist()


GOLDEN = [
    [0.75772, 0.67749, 0.25074, -0.33103, 0.71218, 0.08168, 0.20615],
    [0.74802, 0.64667, 0.21335, -0.35761, 0.72162, 0.08111, 0.19727],
    [0.47411, 0.34727, 0.01877, -0.35861, 0.69303, 0.11144, 0.19553],
]


def test_a_gate_that_reads_context_sees_inputs_of_which_the_logits_tell_nothing() -> None:
    batch = random_batch(TWO, [4])
    other = Batch({**batch.features, "text": batch.features["text"] + 1.0}, batch.present, batch.valid, batch.labels)
    moved = {}
    for reads in ("logits", "context"):
        model = make(gate_reads=reads)
        with torch.no_grad():  # every expert says the same of everything
            for head in (*model.heads.values(), model.fusion_head.layers):
                head[-1].weight.zero_()  # type: ignore[index]
        a, b = model(batch).weights, model(other).weights
        assert a is not None
        assert b is not None
        moved[reads] = (a - b).abs().max().item()
    assert moved["logits"] < 1e-6
    assert moved["context"] > 1e-3


def test_a_gate_that_reads_context_reads_nothing_of_a_missing_modality() -> None:
    model, batch = make(gate_reads="context"), random_batch(TWO, [4])
    present = {**batch.present, "speech": torch.zeros_like(batch.present["speech"])}
    with torch.no_grad():  # the columns of speech's context, in the row of text: after 3 experts of 4 classes, 8 wide
        changed = make(gate_reads="context")
        changed.gate.network.weight[1, 12:20] += 1.0  # type: ignore[index,operator]
    gone = Batch(batch.features, present, batch.valid, batch.labels)
    assert torch.allclose(model(gone).weights, changed(gone).weights, atol=1e-6)
    assert not torch.allclose(model(batch).weights, changed(batch).weights, atol=1e-3)
