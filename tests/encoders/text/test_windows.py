"""Turns read in one go: windows, their tokens, MPNet, frozen blocks kept on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import (
    Collate,
    FinetuneConfig,
    UtteranceClassifier,
    load_finetuned,
    make_examples,
    save_finetuned,
)
from moodline.encoders.finetuning.activation_cache import FrozenStates
from moodline.encoders.inputs import TextInput, TurnInput, Window, conversation_inputs, windows
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.text.encoder import load_bert
from tests.encoders.finetuning.test_finetune import LABELS, SMALL, conversation, embeddings, steps
from tests.encoders.text.test_text import package

WINDOW = EncoderSpec(window=4, context_turns=2, context_after=1)


@given(st.integers(0, 60), st.integers(1, 12), st.integers(0, 5), st.integers(0, 5))
def test_windows_want_every_turn_once(turns: int, size: int, before: int, after: int) -> None:
    lines = [str(n) for n in range(turns)]
    cut = windows(lines, size, before, after)
    assert [x for w in cut for x in w.turns[w.first : w.first + w.size]] == lines
    for w in cut:
        assert 1 <= w.size <= size
        assert w.first <= before
        assert len(w.turns) - w.first - w.size <= after
        start = int(w.turns[0])
        assert list(w.turns) == lines[start : start + len(w.turns)]


def test_a_turn_sees_its_neighbours_and_is_pooled_alone() -> None:
    from transformers import AutoTokenizer, BertModel

    tokenizer = AutoTokenizer.from_pretrained(package(), local_files_only=True)
    model = BertModel.from_pretrained(package(), local_files_only=True).eval()
    turns = ("Where were you?", "At the station, waiting.", "Again!", "I know, I am sorry about that.")
    ids, spans = [tokenizer.cls_token_id], []
    for turn in turns:
        start = len(ids)
        ids += [*tokenizer(turn, add_special_tokens=False)["input_ids"], tokenizer.sep_token_id]
        spans.append((start, len(ids)))
    with torch.inference_mode():
        state = model(torch.tensor([ids])).last_hidden_state[0]
    encoder = load_encoder(EncoderSpec(window=8))
    got = encoder.encode([TurnInput(Window(turns, 1, 2), 1), TurnInput(Window(turns, 1, 2), 0)])
    for vector, (start, stop) in zip(got, (spans[2], spans[1]), strict=True):
        np.testing.assert_allclose(vector, state[start:stop].mean(0).numpy(), atol=2e-5)


def test_company_and_order_do_not_matter() -> None:
    talk = Conversation("t", tuple(Utterance(f"u{n}", text="word " * (1 + 3 * n % 7)) for n in range(11)))
    encoder = load_encoder(WINDOW)
    inputs = conversation_inputs(talk, "text", WINDOW)
    together = encoder.encode(inputs)
    for n in (10, 0, 5):
        np.testing.assert_allclose(encoder.encode([inputs[n]])[0], together[n], atol=1e-5)
    again = encoder.encode(inputs[::-1])[::-1]
    np.testing.assert_allclose(np.stack(again), np.stack(together), atol=1e-5)


def test_turns_without_words_are_left_out() -> None:
    talk = Conversation("t", (Utterance("a", text="hello"), Utterance("b"), Utterance("c", text="who is there")))
    first, second, third = conversation_inputs(talk, "text", WINDOW)
    assert second is None
    assert first.window == third.window == Window(("hello", "who is there"), 0, 2)


def test_names_stand_before_turns() -> None:
    talk = Conversation("t", (Utterance("a", speaker="Ann", text="hello"), Utterance("b", text="hi")))
    spec = EncoderSpec(window=4, context_speakers=True)
    assert conversation_inputs(talk, "text", spec)[0].window.turns == ("Ann: hello", "hi")


def test_letters_stand_for_speakers() -> None:
    said = [("Ann", "hello"), ("Bob", "hi"), ("Ann", "well"), (None, "beep")]
    talk = Conversation("t", tuple(Utterance(f"u{n}", speaker=s, text=x) for n, (s, x) in enumerate(said)))
    spec = EncoderSpec(window=4, speaker_letters=True)
    assert conversation_inputs(talk, "text", spec)[0].window.turns == ("A: hello", "B: hi", "A: well", "beep")
    single = EncoderSpec(speaker_letters=True, context_turns=1)
    assert conversation_inputs(talk, "text", single)[2] == TextInput("A: well", ("B: hi",))


@pytest.mark.parametrize("limit", [12, 20, 40])
def test_too_many_tokens_cost_context_first(limit: int) -> None:
    backbone = load_backbone(EncoderSpec(window=4, max_tokens=limit))
    turns = ("far away and long ago there was a word", "near to it", "this one is wanted", "and this follows")
    tensors = backbone.prepare([Window(turns, 2, 1)])
    assert tensors["input_ids"].shape[1] <= limit
    assert len(tensors["tokens_of_turn"]) == 1
    kept = tensors["input_ids"][0, tensors["tokens_of_turn"][0]][tensors["pool_mask"][0]]
    assert backbone.tokens.tokenizer.decode(kept.tolist()) == "this one is wanted"
    long = backbone.prepare([Window(("word " * 100, "other " * 50), 0, 2)])
    assert long["input_ids"].shape[1] <= limit
    assert long["pool_mask"].any(1).all()


def test_following_turns_need_a_window() -> None:
    with pytest.raises(ConfigError, match="context_after needs window"):
        EncoderSpec(context_after=1)


@pytest.fixture(scope="module")
def mpnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random MPNet, saved by transformers."""
    from transformers import MPNetConfig, MPNetModel

    folder = tmp_path_factory.mktemp("mpnet")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
    MPNetModel(MPNetConfig(vocab_size=30527, **sizes)).save_pretrained(folder)
    shutil.copy(package() / "tokenizer.json", folder)
    return folder


def test_mpnet_is_what_transformers_computes(mpnet: Path) -> None:
    from transformers import MPNetModel

    ours = load_bert(mpnet, "small", EncoderSpec(max_tokens=300)).eval()
    tensors = ours.prepare(["a short one", "a long one " * 90])
    theirs = MPNetModel.from_pretrained(mpnet).eval()
    # the ids of this tokenizer pad with 0, MPNet's positions count what is not 1: the mask says what is real
    ids = tensors["input_ids"].masked_fill(~tensors["attention_mask"], 1)
    with torch.inference_mode():
        states, _ = ours(tensors)
        expected = theirs(
            input_ids=ids, attention_mask=tensors["attention_mask"].long(), output_hidden_states=True
        ).hidden_states
    for a, b in zip(states, expected, strict=True):
        torch.testing.assert_close(a[tensors["attention_mask"]], b[tensors["attention_mask"]], atol=2e-5, rtol=1e-4)


FROZEN = FinetuneConfig(**SMALL, rank=4, alpha=8, freeze_blocks=4, targets=("query", "key", "value", "dense"))


def small_model(config: FinetuneConfig = FROZEN) -> UtteranceClassifier:
    torch.manual_seed(0)
    return UtteranceClassifier(load_backbone(WINDOW), len(LABELS), config)


def test_training_wants_context_turns_too_and_the_rest_is_padding() -> None:
    backbone = load_backbone(WINDOW)
    train = make_examples([conversation()], LABELS, backbone, training=True)
    dev = make_examples([conversation()], LABELS, backbone)
    for part in (train, dev):
        assert [i for e in part for i in e.ids] == [*(f"u{n}" for n in range(8)), "x"]
    assert [len(e.labels) for e in train] == [5, 4]
    assert [len(e.labels) for e in dev] == [3, 3, 3]
    batch = Collate(backbone)(train)
    assert batch.valid.sum() == 9
    assert batch.count() == 8
    assert batch.tensors["tokens_of_turn"].shape[0] == 9


@pytest.mark.train
def test_it_learns_and_loads_and_leaves_frozen_blocks_alone(tmp_path: Path) -> None:
    model = small_model()
    before = {n: p.clone() for n, p in model.backbone.network.named_parameters()}
    assert {n.split(".")[2] for n, p in before.items() if "lora" in n} == {"4", "5"}
    examples = make_examples([conversation()], LABELS, model.backbone)
    losses = steps(model, examples, 25, 3e-3)
    assert losses[-1] < losses[0] / 3
    changed = {n for n, p in model.backbone.network.named_parameters() if not torch.equal(p, before[n])}
    assert changed
    assert all("lora" in n for n in changed)
    save_finetuned(model, tmp_path / "e", LABELS)
    encoder = load_finetuned(tmp_path / "e")
    with torch.inference_mode():
        batch = Collate(model.backbone)(examples)
        expected = model(batch).extras["embedding"][batch.valid].numpy()
    inputs = [x for x in conversation_inputs(conversation(), "text", WINDOW) if x is not None]
    np.testing.assert_allclose(np.stack(encoder.encode(inputs)), expected, atol=1e-4)


def test_kept_states_change_nothing_but_the_third_digit(tmp_path: Path) -> None:
    from dataclasses import replace

    model = small_model()
    examples = make_examples([conversation()], LABELS, model.backbone)
    plain = embeddings(model, examples)
    keep = FrozenStates(model.backbone, tmp_path)
    known = keep([e.input for e in examples])
    with_states = [replace(e, hidden=h) for e, h in zip(examples, known, strict=True)]
    np.testing.assert_allclose(embeddings(model, with_states), plain, atol=2e-2)
    files = sorted(tmp_path.rglob("*.npy"))
    assert len(files) == len(examples)
    files[0].write_bytes(b"damaged")
    asked = []
    again = keep([e.input for e in examples], lambda done, total: asked.append((done, total)))
    assert asked == [(1, 1)]
    for a, b in zip(again, known, strict=True):
        np.testing.assert_allclose(a, b, atol=5e-3)  # other company, another last digit


def test_a_loaded_encoder_can_keep_frozen_states(tmp_path: Path) -> None:
    model = small_model()
    save_finetuned(model, tmp_path / "e", LABELS)
    encoder = load_finetuned(tmp_path / "e")
    inputs = [x for x in conversation_inputs(conversation(), "text", WINDOW) if x is not None]
    plain = encoder.encode(inputs)
    encoder.keep_frozen(tmp_path / "states")
    for _ in range(2):
        np.testing.assert_allclose(np.stack(encoder.encode(inputs)), np.stack(plain), atol=2e-2)
    assert len(list((tmp_path / "states").rglob("*.npy"))) == 3
    record = json.loads((tmp_path / "e" / "encoder.json").read_text())
    assert record["spec"]["window"] == 4


def test_states_of_layers_below_are_not_kept() -> None:
    backbone = load_backbone(EncoderSpec(window=4, layers="all"))
    backbone.frozen = 2
    assert not FrozenStates.usable(backbone)
