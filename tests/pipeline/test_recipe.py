"""Recipes: the packaged ones build, and every mistake in one of your own is named, all of them at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from moodline.core.errors import ConfigError, UnknownNameError
from moodline.corpora.registry import READERS, reader_options
from moodline.encoders.finetuning import FinetuneConfig
from moodline.encoders.registry import ENCODERS
from moodline.encoders.settings import EncoderSpec
from moodline.pipeline.checkpoint import build_model
from moodline.pipeline.recipe import Recipe, load_recipe, parse, recipe_names, recipe_path, to_plain
from moodline.training.settings import TrainConfig
from tests.models.helpers import random_batch, tiny_backbone
from tests.tiny import LORA, TEXT, write_recipe


def broken(tmp_path: Path, content: str | bytes | dict[str, Any], *overrides: str) -> str:
    """The message that a recipe is refused with."""
    path = tmp_path / "mine.yaml"
    if isinstance(content, dict):
        content = yaml.safe_dump(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as error:
        load_recipe(str(path), overrides)
    message = str(error.value)
    assert "\n" not in message
    assert str(path) in message or overrides
    return message


def changed(**changes: Any) -> dict[str, Any]:
    return {**TEXT, **changes}


@pytest.mark.parametrize("name", recipe_names())
def test_packaged_recipes_build_a_model_that_answers(name: str) -> None:
    recipe = load_recipe(name)
    assert (recipe.name, name.count("/")) == (name, 1)
    assert recipe.corpus.name in READERS
    assert set(recipe.corpus.options) <= set(reader_options(recipe.corpus.name))
    assert recipe.description.endswith(".")
    dims = {}
    for m, spec in recipe.modalities.items():
        encoder = ENCODERS.get(spec.encoder.name, {"dim": 16}) if spec.encoder else {"dim": 16}
        dims[m] = spec.dim or (spec.finetune.model.embedding_dim if spec.finetune else encoder["dim"])
    settings, labels = recipe.model, tuple("abcdefg")
    if "backbone" in settings:  # a language model of that size is not here; the rest is the recipe's own
        settings = {**settings, "backbone": tiny_backbone(), "dtype": "float32"}
    model = build_model(settings, dims, 7, labels=labels).eval()
    with torch.inference_mode():
        output = model(random_batch(dims, [2]))
    assert output.logits.shape == (1, 2, 7)


@pytest.mark.parametrize("name", recipe_names())
def test_a_resolved_recipe_is_read_back(name: str) -> None:
    recipe = load_recipe(name)
    assert parse(Recipe, yaml.safe_load(yaml.safe_dump(to_plain(recipe))), "again") == recipe


def test_every_setting_is_documented() -> None:
    """Configs are the reference of the recipes: each field has its sentence under it."""
    import ast
    import inspect

    import moodline.encoders.settings
    import moodline.models.mister_e
    import moodline.pipeline.recipe
    import moodline.training.settings

    for module in (
        moodline.pipeline.recipe,
        moodline.training.settings,
        moodline.encoders.settings,
        moodline.models.mister_e,
    ):
        for node in ast.parse(inspect.getsource(module)).body:
            if not isinstance(node, ast.ClassDef) or "Settings" not in [getattr(b, "id", "") for b in node.bases]:
                continue
            for field, following in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign):
                    assert isinstance(following, ast.Expr), f"{node.name}.{ast.unparse(field.target)}: no docstring"


def test_all_mistakes_are_reported_together_on_one_line(tmp_path: Path) -> None:
    message = broken(
        tmp_path,
        """
        description: x
        corpus: {name: meld, optionss: {}}
        modalities:
          text: {encoder: {name: minilm, poling: mean, context_turns: many}}
        model: {name: mister-e, hiden: 3, gamma: x}
        training: {epoch: 1, batch_size: 2.5}
        """,
    )
    for part in (
        "unknown key corpus.optionss (did you mean options?)",
        "unknown key modalities.text.encoder.poling (did you mean pooling?)",
        "modalities.text.encoder.context_turns: input should be a valid integer",
        "unknown key model.hiden (did you mean hidden?)",
        "model.gamma: input should be a valid number",
        "unknown key training.epoch (did you mean epochs?)",
        "training.batch_size: input should be a valid integer",
    ):
        assert part in message


def test_wrong_values_are_reported_together(tmp_path: Path) -> None:
    message = broken(
        tmp_path,
        changed(
            model={"name": "mister-e", "hidden": 7, "dropout": 2},
            training={"epochs": 0, "learning_rate": float("nan"), "warmup": 3, "weight_decay": -1},
        ),
    )
    for part in ("epochs must be at least 1, got 0", "learning_rate must be positive, got nan", "warmup", "got -1"):
        assert part in message
    for part in ("hidden must be even and positive, got 7", "dropout must be in [0, 1), got 2"):
        assert part in message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"corpus": None}, "corpus"),
        ({"training": []}, "training"),
        ({"training": {"optimizer": "sgd"}}, "training.optimizer: input should be 'adam' or 'adamw' (found: 'sgd')"),
        ({"modalities": {}}, "modalities must be some of speech, text, visual, got none"),
        ({"modalities": {"words": {"features": "x"}}}, "got words"),
        ({"modalities": {"text": {}}}, "a modality needs either features or encoder"),
        ({"modalities": {"text": {"features": "x", "encoder": {"name": "minilm"}}}}, "not both"),
        ({"modalities": {"text": {"features": "x", "finetune": {}}}}, "finetune needs encoder"),
        ({"modalities": {"speech": {"encoder": {"name": "minilm"}}}}, "speech: the encoder minilm reads text"),
        ({"modalities": {"text": {"encoder": {"name": "minlm"}}}}, "unknown encoder 'minlm'. Did you mean minilm?"),
        ({"model": {}}, "model needs a name"),
        ({"model": {"name": "mistere"}}, "unknown model 'mistere'. Did you mean mister-e"),
        ({"model": {"name": "mister-e", "structure": "monolithic"}}, "needs at least two modalities"),
        ({"modell": {}}, "unknown key modell (did you mean model?)"),
        ({"name": "../up"}, "name must be words"),
        ({"name": "/etc/x"}, "name must be words"),
        ({1: 2}, "keys must be words (found: 1)"),
    ],
)  # fmt: skip
def test_one_mistake(tmp_path: Path, changes: Any, expected: str) -> None:
    assert expected in broken(tmp_path, {**TEXT, **changes})


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    assert "corpus is missing" in broken(tmp_path, {k: v for k, v in TEXT.items() if k != "corpus"})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [1, 2\nb: 3", "mine.yaml:2:2: broken YAML"),
        ("a: b: c", "mine.yaml:1:5: broken YAML"),
        ("a: !!python/object/apply:os.system [true]", "broken YAML (found: could not determine a constructor"),
        ("day: 2001-99-99", "broken YAML"),
        ("[" * 5000, "broken YAML"),
        ("a: \x01", "broken YAML"),
        (b"description: caf\xe9", "expected UTF-8 text"),
        (b"\xff\xfe\x00a", "expected UTF-8 text"),
        ("", "expected a mapping (found: NoneType)"),
        ("- a", "expected a mapping (found: list)"),
    ],
)
def test_broken_files(tmp_path: Path, content: str | bytes, expected: str) -> None:
    assert expected in broken(tmp_path, content)


def test_names() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean mister-e/meld-minilm"):
        load_recipe("mister-e/meld-mini")
    with pytest.raises(UnknownNameError, match=r"Known: .*mister-e/mosi-bclstm.* See: moodline recipes"):
        load_recipe("zzz")
    with pytest.raises(ConfigError, match="no such recipe file"):
        load_recipe("nowhere.yaml")
    assert all(recipe_path(name).is_file() for name in recipe_names())


def test_a_file_is_named_after_itself_and_may_have_a_byte_order_mark(tmp_path: Path) -> None:
    path = write_recipe(tmp_path / "my own recipe.yaml", TEXT)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_recipe(str(path)).name == "my own recipe"


def test_set(tmp_path: Path) -> None:
    path = str(write_recipe(tmp_path / "mine.yaml", LORA))
    recipe = load_recipe(
        path,
        ["training.epochs=7", "model.hidden=12", "modalities.text.finetune.model.rank=3", "training.seed=4", "name=a/b",
         "corpus.options={labels: meld-7}", "modalities.text.encoder.layers=[1, 2]", "training.schedule=cosine",
         "training.learning_rate=1e-3"],
    )  # fmt: skip
    assert (recipe.name, recipe.training.epochs, recipe.training.seed) == ("a/b", 7, 4)
    assert (recipe.model["hidden"], recipe.training.schedule, recipe.training.learning_rate) == (12, "cosine", 1e-3)
    assert recipe.corpus.options == {"labels": "meld-7"}
    text = recipe.modalities["text"]
    assert text.finetune is not None
    assert text.encoder is not None
    assert (text.finetune.model.rank, text.encoder.layers) == (3, (1, 2))


def test_set_leaves_a_modality_out(tmp_path: Path) -> None:
    both = changed(modalities={**TEXT["modalities"], "speech": {"features": "tones"}})
    path = str(write_recipe(tmp_path / "mine.yaml", both))
    assert list(load_recipe(path, ["modalities.speech=null"]).modalities) == ["text"]
    assert "got none" in broken(tmp_path, TEXT, "modalities.text=null")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.epochs", "--set expects KEY=VALUE"),
        ("=3", "--set expects KEY=VALUE"),
        ("training.epochz=3", "unknown key training.epochz (did you mean epochs?)"),
        ("training.epochs=many", "training.epochs: input should be a valid integer"),
        ("description.x=3", "description is not a group of settings"),
        ("description.x.y=3", "description.x is not a group of settings"),
        ("training.epochs=[", "not valid YAML"),
        ("training.epochs=2001-99-99", "not valid YAML"),
        ("training=3", "training"),
    ],
)
def test_wrong_overrides(tmp_path: Path, override: str, expected: str) -> None:
    assert expected in broken(tmp_path, TEXT, override)


def test_defaults_are_valid_and_frozen() -> None:
    for kind in (TrainConfig, FinetuneConfig, EncoderSpec):
        with pytest.raises(dataclasses.FrozenInstanceError):
            kind().dropout = 1  # type: ignore[union-attr]
