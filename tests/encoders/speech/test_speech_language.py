"""Speech-language models as encoders: against transformers, in any company, fine-tuned and loaded again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from moodline.core.errors import ConfigError
from moodline.core.labels import LabelSet
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import (
    Collate,
    Example,
    FinetuneConfig,
    UtteranceClassifier,
    load_finetuned,
    save_finetuned,
)
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from tests.encoders.conftest import voice
from tests.encoders.tiny_models import save_qwen_audio

LABELS = LabelSet("toy-2", ("calm", "angry"))
PAPER = FinetuneConfig(
    embedding_dim=24, pooling="mean", rank=16, alpha=8, lora_dropout=0.05, targets=("q_proj", "k_proj"), crop_seconds=1
)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_qwen_audio(tmp_path_factory.mktemp("qwen2-audio"))


def test_qwen_is_what_transformers_computes(qwen: Path) -> None:
    """transformers repeats the mark of the sound for each of its tokens, and has no gap to mask."""
    from transformers import AutoModel, AutoTokenizer

    backbone = load_backbone(EncoderSpec(f"hf-speech:{qwen}"))
    model, tokenizer = AutoModel.from_pretrained(qwen).eval(), AutoTokenizer.from_pretrained(qwen)
    with torch.inference_mode():
        for seconds in (0.05, 1.0, 2.34):
            tensors = backbone.prepare([voice(seconds)])
            states, mask = backbone(tensors)
            frames = int(tensors["lengths"])
            tokens = int(model.audio_tower._get_feat_extract_output_lengths(tensors["lengths"])[1])
            assert abs(tokens - seconds * 25) <= 1
            marks = "<|AUDIO|>" * tokens
            text = f"<|audio_bos|>{marks}<|audio_eos|>What is the emotion of the person?:"
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            real = (torch.arange(3000) < frames)[None].long()
            theirs = model(
                input_ids=ids, attention_mask=torch.ones_like(ids), input_features=tensors["features"],
                feature_attention_mask=real, output_hidden_states=True,
            )  # fmt: skip
            assert len(states) == len(theirs.hidden_states) == 4
            for a, b in zip(states, theirs.hidden_states, strict=True):
                torch.testing.assert_close(a[mask], b[0], atol=1e-5, rtol=1e-4)


def test_in_any_company(qwen: Path) -> None:
    """To 1e-5, from 0.05 s to 120 s, of which 30 are heard."""
    encoder = load_encoder(EncoderSpec(f"hf-speech:{qwen}"))
    clips = [voice(s, 100 + 10 * s) for s in (1.0, 0.05, 2.5, 120.0)]
    together = encoder.encode(clips)
    for clip, vector in zip(clips, together, strict=True):
        assert vector.shape == (32,)
        np.testing.assert_allclose(encoder.encode([clip])[0], vector, atol=1e-5)
    np.testing.assert_allclose(encoder.encode([clips[3][: 30 * 16_000]])[0], together[3], atol=1e-5)


def test_the_paper_fine_tunes_the_language_model_only(qwen: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = UtteranceClassifier(load_backbone(EncoderSpec(f"hf-speech:{qwen}")), 2, PAPER)
    names = {n for n, p in model.backbone.network.named_parameters() if p.requires_grad}
    assert len(names) == 3 * 2 * 2
    assert all(n.startswith("language_model.") and "lora_" in n for n in names)
    model.train()
    assert not model.backbone.network.get_submodule("audio_tower").training
    assert model.backbone.network.get_submodule("language_model").training
    examples = [Example((str(n),), voice(1.5, 100 + 120 * n), (n,), 75) for n in range(2)]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    losses = []
    for step in range(5):
        torch.manual_seed(step)
        batch = Collate(model.backbone, 1.0)(examples)
        assert batch.tensors["lengths"].tolist() == [100, 100]
        loss = model.loss(batch, model(batch))["total"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    model.eval()
    with torch.inference_mode():
        before = model(Collate(model.backbone)(examples)).extras["embedding"][:, 0].numpy()
    save_finetuned(model, tmp_path, LABELS)
    encoder = load_finetuned(tmp_path)
    np.testing.assert_allclose(np.stack(encoder.encode([e.input for e in examples])), before, atol=1e-5)


def test_another_question_is_another_encoder(qwen: Path) -> None:
    one, other = (load_encoder(EncoderSpec(f"hf-speech:{qwen}", prompt=p)) for p in (None, "Who speaks?"))
    assert "prompt" not in one.settings
    assert other.settings["prompt"] == "Who speaks?"
    assert np.abs(one.encode([voice(1.0)])[0] - other.encode([voice(1.0)])[0]).max() > 1e-3
    with pytest.raises(ConfigError, match="hears at most 30 s"):
        load_encoder(EncoderSpec(f"hf-speech:{qwen}", max_seconds=60))
