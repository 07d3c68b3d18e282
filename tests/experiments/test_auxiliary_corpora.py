"""Auxiliary corpora: what overlaps with dev or test is left out, and stage 1 learns from the rest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import MoodlineError
from moodline.core.labels import LabelSet
from moodline.corpora.base import Corpus
from moodline.corpora.convert import write_house
from moodline.experiments.auxiliary_corpora import read_auxiliary, with_auxiliary
from moodline.experiments.encoder_stage import class_weights
from moodline.pipeline.examples import training_view
from moodline.pipeline.recipe import load_recipe
from tests.encoders.finetuning.test_finetune import Example

LABELS = LabelSet("toy-2", ("calm", "angry"))
LINES = {
    "train": ("the kettle sings on the old iron stove", "nobody had asked the ferryman about his wooden leg"),
    "dev": ("seven grey geese crossed the frozen harbour at noon", "and the baker counted every single one of them"),
    "test": ("she folded the map and threw it into the river", "which carried it past the mill and out to sea"),
}


def talk(name: str, lines: tuple[str, ...]) -> Conversation:
    turns = (Utterance(f"{name}-{n}", text=x, emotion=LABELS.labels[n % 2]) for n, x in enumerate(lines))
    return Conversation(name, tuple(turns))


def corpus(name: str, splits: dict[str, tuple[Conversation, ...]]) -> Corpus:
    return Corpus(name, LABELS, splits)


@pytest.fixture
def target() -> Corpus:
    return corpus("target", {s: (talk(s, lines),) for s, lines in LINES.items()})


def recipe(options: dict[str, str]):
    base = load_recipe("mister-e/meld-minilm-window")
    text = base.modalities["text"]
    from moodline.pipeline.recipe import CorpusSpec

    finetune = dataclasses.replace(text.finetune, auxiliary=(CorpusSpec("house", options),))
    return dataclasses.replace(base, modalities={"text": dataclasses.replace(text, finetune=finetune)})


def test_what_overlaps_with_dev_or_test_is_left_out(target: Corpus, tmp_path: Path) -> None:
    fresh = talk("fresh", ("a lighthouse keeper wrote one letter every winter", "until the boat stopped coming by"))
    copies = {s: talk(f"copy-{s}", tuple(x.upper() for x in lines)) for s, lines in LINES.items()}
    splits = {"train": (copies["train"], copies["test"]), "dev": (fresh,), "test": (copies["dev"],)}
    write_house(corpus("other", splits), tmp_path / "other")
    whole = with_auxiliary(target, read_auxiliary(recipe({}).modalities.values(), tmp_path / "other"))
    assert [[c.id for c in a.splits["train"]] for a in whole.auxiliary] == [["copy-train", "fresh"]]
    assert whole.auxiliary[0].info["overlapping"] == 2
    assert training_view(whole).auxiliary == whole.auxiliary


def test_an_auxiliary_corpus_that_is_not_there(target: Corpus, tmp_path: Path) -> None:
    with pytest.raises(MoodlineError):
        read_auxiliary(recipe({}).modalities.values(), tmp_path)


def test_rare_classes_weigh_more() -> None:
    examples = [Example((str(n),), "", (int(n == 0), -100), 1) for n in range(4)]
    assert class_weights(examples, 2, 0.0) is None
    weights = class_weights(examples, 2, 1.0)
    torch.testing.assert_close(weights, torch.tensor([2 / 3, 2.0]))
