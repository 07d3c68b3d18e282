"""The benchmarks of training drive the project's own loop: a step and the end of an epoch, at small sizes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.tiny import load_script

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
LENGTHS = [3, 5, 2, 4]


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Benchmarks import what lies beside them, as when they are run."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return


def weights(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_mister_e_s_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load_script("mister_e_epoch", "benchmarks")
    small = module.model_settings() | {"hidden": 8, "gru_layers": 2, "fusion_layers": 1, "heads": 1, "head_width": 4}
    monkeypatch.setattr(module, "model_settings", lambda: small)
    options = argparse.Namespace(dim=6, batch=2, precision="fp32")
    data = module.examples(LENGTHS, 6)
    for kind in (module.Ours, module.Plain):
        side = kind(data, options, tmp_path)
        before = weights(side.model)
        side.step(0)
        assert not torch.equal(weights(side.model), before)
        side.rest()


def test_sure_s_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load_script("sure_epoch", "benchmarks")
    dims = {"speech": 4, "text": 5, "visual": 3}
    small = module.model_settings() | {"hidden": 8, "expert_hidden": 4, "feed_forward": 8, "heads": 2}
    monkeypatch.setattr(module, "model_settings", lambda: small)
    monkeypatch.setattr(module, "DIMS", dims)
    side = module.Ours(module.examples(LENGTHS, dims), 2, tmp_path)
    before = weights(side.model)
    side.step([0, 2], 0)
    assert not torch.equal(weights(side.model), before)


@pytest.mark.process
def test_beside_a_busy_process() -> None:
    module = load_script("busy_machine", "benchmarks")
    seconds, megabytes = module.measure(3, None, "torch", 1)
    assert seconds > 0
    assert 100 < megabytes < 5000


@pytest.mark.process
def test_large_transcripts() -> None:
    module = load_script("read_transcripts", "benchmarks")
    for kind in module.KINDS:
        assert module.measure(kind, 0.05)["utterances"] > 10


def test_the_page_shows_the_measured_load() -> None:
    """``python benchmarks/serve.py --json benchmarks/serve.json --page docs/how-to/serve.md`` writes it."""
    module = load_script("serve", "benchmarks")
    page = (BENCHMARKS.parent / "docs" / "how-to" / "serve.md").read_text(encoding="utf-8")
    out = json.loads((BENCHMARKS / "serve.json").read_text(encoding="utf-8"))
    assert module.table(out) in page
    statuses = {
        s
        for rows in (*out["conversations"], *out["recordings"], *out["twice_too_much"].values())
        for s in rows["statuses"]
    }
    assert statuses <= {"200", "202", "429"}
    assert set(out["twice_too_much"]["jobs"]["jobs"]) == {"done"}
