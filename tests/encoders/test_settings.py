"""Encoder specs, the registry and what importing costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from moodline.core.errors import ConfigError, UnknownNameError
from moodline.core.settings import parse
from moodline.encoders.backbones import load_backbone
from moodline.encoders.load import load_encoder
from moodline.encoders.registry import ENCODERS, encoder_modality, resolve_spec
from moodline.encoders.settings import EncoderSpec, FinetuneConfig


def test_round_trip() -> None:
    spec = EncoderSpec("moonshine-tiny", pooling="mean_std", layers=(0, 3, -1), max_seconds=10)
    assert EncoderSpec.from_dict(spec.to_dict()) == spec
    assert EncoderSpec.from_dict({"max_seconds": 5, "layers": [2]}).layers == (2,)
    assert EncoderSpec.from_dict({"combine": "concat", "layers": "all"}).combine == "concat"
    config = parse(FinetuneConfig, {"targets": ["query"], "alpha": 16}, "x")
    assert config == FinetuneConfig(targets=("query",), alpha=16.0)


def test_all_problems_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        EncoderSpec.from_dict({"poling": "mean", "max_tokens": "many", "layers": [1, "x"], "lower": 1, "name": None})
    for word in ("poling (did you mean pooling?)", "max_tokens", "layers", "lower (known: ", "name"):
        assert word in str(error.value)
    with pytest.raises(ConfigError) as error:
        EncoderSpec(pooling="median", layers="first", batch_size=0, dtype="int8", combine="sum", max_seconds=-1)
    for word in ("median", "first", "batch_size", "int8", "sum", "max_seconds"):
        assert word in str(error.value)
    with pytest.raises(ConfigError, match="expected a mapping"):
        EncoderSpec.from_dict(["minilm"])  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as error:
        FinetuneConfig(method="all", rank=0, dropout=1.0, alpha=0, gamma=-1, pooling="max")
    for word in ("method", "rank", "dropout", "alpha", "gamma", "pooling"):
        assert word in str(error.value)


def test_unknown_names() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean minilm"):
        load_encoder(EncoderSpec("minilmm"))
    with pytest.raises(UnknownNameError):
        load_encoder(EncoderSpec("hf-text:"))
    with pytest.raises(ConfigError, match="no network"):
        load_backbone(EncoderSpec("egemaps"))
    with pytest.raises(ConfigError, match="expected a model folder"):
        load_encoder(EncoderSpec("hf-text:./nowhere"))


def test_modalities_and_defaults() -> None:
    assert encoder_modality("hf-speech:x/y") == "speech"
    assert encoder_modality("finetuned:x") is None
    assert (resolve_spec(EncoderSpec()).layers, resolve_spec(EncoderSpec()).combine) == ("last", "average")
    moonshine = resolve_spec(EncoderSpec("moonshine-tiny"))
    assert (moonshine.layers, moonshine.combine) == ("all", "concat")
    for facts in ENCODERS.values():
        assert {"modality", "description", "needs", "dim", "licence"} <= set(facts)


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, moodline.encoders.registry, moodline.encoders.settings, moodline.features, moodline.media.audio\n"
    )
    code += "print([m for m in ('torch', 'transformers', 'pyarrow', 'soundfile', 'soxr', 'peft') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.process
def test_minilm_and_moonshine_load_without_transformers(tmp_path: Path) -> None:
    code = "import sys\nfrom moodline.encoders.load import load_encoder\n"
    code += "from moodline.encoders.settings import EncoderSpec\n"
    code += "load_encoder(EncoderSpec()).encode(['hello'])\nload_encoder(EncoderSpec('moonshine-tiny'))\n"
    code += "print([m for m in ('transformers', 'onnxruntime', 'peft', 'torch._dynamo') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
