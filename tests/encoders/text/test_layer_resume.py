"""Networks of transformers that go on from what their frozen blocks gave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moodline.core.errors import ConfigError
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import Collate, FinetuneConfig, load_finetuned, save_finetuned
from moodline.encoders.finetuning.activation_cache import FrozenStates
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.text.layer_resume import resumable_blocks, skip_layers
from tests.encoders.text.test_language_models import LABELS, TEXTS, TURNS, embeddings, examples, tuned
from tests.encoders.tiny_models import SMALL, save_language_model

KINDS = ("llama", "qwen2", "gemma", "gemma3", "roberta")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, text_models) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("stepping")
    made = {kind: save_language_model(kind, root / kind) for kind in KINDS if kind != "roberta"}
    return made | {"roberta": text_models["roberta"]}


@pytest.mark.parametrize("padding", ["right", "left"])
@pytest.mark.parametrize(("kind", "frozen"), [(k, n) for k in KINDS for n in (1, 2) if (k, n) != ("roberta", 2)])
def test_known_states_give_the_same(kind: str, padding: str, frozen: int, sources, tmp_path: Path) -> None:
    model = tuned(sources[kind], FinetuneConfig(embedding_dim=24, freeze_blocks=frozen), max_tokens=40, padding=padding)
    assert FrozenStates.usable(model.backbone)
    parts = examples(model)
    plain = embeddings(model)
    known = FrozenStates(model.backbone, tmp_path)([e.input for e in parts])
    assert {x.dtype for x in known} == {np.dtype(np.float32)}
    with_states = [replace(e, hidden=x) for e, x in zip(parts, known, strict=True)]
    batch = Collate(model.backbone)(with_states)
    with torch.inference_mode():
        np.testing.assert_allclose(model(batch).extras["embedding"][:, 0].numpy(), plain, atol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_a_whole_frozen_network_is_normed_once(kind: str, sources, tmp_path: Path) -> None:
    model = tuned(sources[kind], FinetuneConfig(method="frozen", embedding_dim=24, freeze_blocks=3), max_tokens=40)
    save_finetuned(model, tmp_path / "e", LABELS)
    encoder = load_finetuned(tmp_path / "e")
    plain = encoder.encode(TEXTS)
    encoder.keep_frozen(tmp_path / "states")
    for _ in range(2):
        np.testing.assert_allclose(np.stack(encoder.encode(TEXTS)), np.stack(plain), atol=1e-5)
    assert len(list((tmp_path / "states").rglob("*.npy"))) == len(TEXTS)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_the_same(checkpointing: bool, sources, tmp_path: Path) -> None:
    """What learns above the frozen blocks learns the same from states as from words."""
    config = FinetuneConfig(embedding_dim=24, freeze_blocks=2, gradient_checkpointing=checkpointing)
    model = tuned(sources["gemma3"], replace(config, dropout=0.0, lora_dropout=0.0))
    model.train(checkpointing)  # in eval mode nothing is computed again
    parts = examples(model)
    known = FrozenStates(model.backbone, tmp_path)([e.input for e in parts])
    found = []
    for some in (parts, [replace(e, hidden=x) for e, x in zip(parts, known, strict=True)]):
        model.zero_grad()
        batch = Collate(model.backbone)(some)
        model.loss(batch, model(batch))["total"].backward()
        found.append({n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert any("lora_B" in name for name in found[0])
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-4, atol=1e-6)


def test_few_bits_have_states_of_their_own(sources, tmp_path: Path) -> None:
    backbone = load_backbone(EncoderSpec(f"hf-text:{sources['llama']}"))
    whole = FrozenStates(backbone, tmp_path).folder
    backbone.spec = replace(backbone.spec, quantize="4bit")
    assert FrozenStates(backbone, tmp_path).folder != whole


def test_blocks_that_are_skipped_compute_nothing(sources) -> None:
    backbone = load_backbone(EncoderSpec(f"hf-text:{sources['llama']}"))
    ran = []
    hooks = [
        block.self_attn.register_forward_hook(lambda *_, n=n: ran.append(n)) for n, block in enumerate(backbone.stack)
    ]
    with torch.inference_mode(), skip_layers(backbone.stack[:2]):
        backbone(backbone.prepare([t.text for t in TURNS]))
    assert ran == [2]
    for hook in hooks:
        hook.remove()
    assert all("forward" not in block.__dict__ for block in backbone.stack)


def test_networks_of_one_shared_block_run_from_the_start() -> None:
    """ALBERT has one block that is run several times: there is no state to go on from."""
    from transformers import AlbertConfig, AlbertModel

    sizes = {k: v for k, v in SMALL.items() if k != "vocab_size"} | {"embedding_size": 16}
    assert resumable_blocks(AlbertModel(AlbertConfig(vocab_size=400, **sizes)), 3) == []


def test_lora_needs_a_block_that_is_not_frozen(sources) -> None:
    with pytest.raises(ConfigError, match="all blocks are frozen"):
        tuned(sources["llama"], FinetuneConfig(embedding_dim=24, freeze_blocks=3))
