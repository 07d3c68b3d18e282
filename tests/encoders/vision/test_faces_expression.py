"""The expression network beside the original (scripts/provenance/face_expression_original.cjs)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from moodline.core.errors import CheckpointError
from moodline.encoders.vision import expression as vision_expression
from moodline.encoders.vision.expression import EXPRESSIONS, load_expression_network, read_expressions, weights_file
from tests.media.videos import golden_crops

GOLDEN = json.loads((Path(__file__).parent / "face_expression.json").read_text())


@pytest.fixture(scope="module")
def network() -> vision_expression.ExpressionNetwork:
    return load_expression_network()


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_it_computes_what_the_original_computes(network: vision_expression.ExpressionNetwork, name: str) -> None:
    (row,) = read_expressions(network, golden_crops()[name][None])
    np.testing.assert_allclose(row[:256], GOLDEN[name]["embedding"], atol=2e-5)
    np.testing.assert_allclose(row[256:], GOLDEN[name]["probabilities"], atol=1e-5)


def test_two_portraits(network: vision_expression.ExpressionNetwork) -> None:
    crops = golden_crops()
    rows = read_expressions(network, np.stack([crops["astronaut"], crops["hopper"]]))
    assert [EXPRESSIONS[n] for n in rows[:, 256:].argmax(axis=1)] == ["happy", "neutral"]


def test_the_batch_changes_nothing(
    network: vision_expression.ExpressionNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = np.stack(list(golden_crops().values()))
    together = read_expressions(network, crops)
    monkeypatch.setattr(vision_expression, "BATCH", 1)
    np.testing.assert_allclose(read_expressions(network, crops[::-1])[::-1], together, atol=1e-5)
    assert read_expressions(network, crops[:0]).shape == (0, 263)


def test_the_packaged_files() -> None:
    """As pretrained/face-expression/README.md says."""
    readme = (weights_file().parent / "README.md").read_text()
    assert hashlib.sha256(weights_file().read_bytes()).hexdigest() in readme
    assert "MIT License" in (weights_file().parent / "LICENSE").read_text()
    assert weights_file().stat().st_size < 350_000


def test_damaged_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = load_file(weights_file())
    tensors.pop("fc/bias")
    save_file(tensors, tmp_path / "less.safetensors", {"quantization": "{}"})
    (tmp_path / "cut.safetensors").write_bytes(weights_file().read_bytes()[:1000])
    for name in ("less", "cut", "none"):
        monkeypatch.setattr(vision_expression, "weights_file", lambda name=name: tmp_path / f"{name}.safetensors")
        with pytest.raises(CheckpointError, match="cannot be read"):
            load_expression_network()
