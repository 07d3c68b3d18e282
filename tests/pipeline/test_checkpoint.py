"""Checkpoints: what is saved is loaded, and whatever is wrong with a folder is said in one line."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from moodline.core.errors import CheckpointError, ConfigError, StorageError
from moodline.core.labels import LabelSet
from moodline.pipeline import checkpoint
from moodline.pipeline.checkpoint import build_model, load_checkpoint, save_checkpoint
from moodline.pipeline.recipe import ModalitySpec
from tests.models.helpers import random_batch

LABELS = LabelSet("tiny", ("neutral", "joy", "anger"))
SETTINGS = {"name": "mister-e", "hidden": 8, "gru_layers": 1, "fusion_layers": 1, "heads": 2, "head_width": 3}
DIMS = {"speech": 5, "text": 6}
CALIBRATION = {"temperature": 1.5, "experts": {"speech": 1.0, "text": 2.0, "fusion": 1.0}}
FILES = ("config.json", "labels.json", "calibration.json", "model.safetensors")


def make(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    model = build_model(SETTINGS, DIMS, 3)
    model.fit_statistics([random_batch(DIMS, [5, 3], 3)])  # type: ignore[operator]
    return model.eval()


def save(directory: Path, model: torch.nn.Module, **changes: Any) -> Path:
    arguments: dict[str, Any] = {
        "name": "tiny (seed 0)",
        "model": model,
        "settings": SETTINGS,
        "dims": DIMS,
        "target": LABELS,
        "modalities": {m: ModalitySpec(features=m) for m in DIMS},
        "calibration": CALIBRATION,
        "metrics": {"seed": 0},
        "card": "# tiny\n",
    }
    save_checkpoint(directory, **{**arguments, **changes})
    return directory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save(tmp_path / "model", make())


def test_saved_and_loaded_gives_the_same_answers(folder: Path) -> None:
    batch, model = random_batch(DIMS, [4, 2], 3, seed=3, missing=0.3), make()
    loaded = load_checkpoint(folder)
    a, b = model(batch), loaded.model(batch)
    assert torch.equal(a.logits, b.logits)
    assert torch.equal(a.weights, b.weights)
    assert (loaded.target, loaded.name, loaded.calibration) == (LABELS, "tiny (seed 0)", CALIBRATION)
    assert not loaded.model.training
    assert sorted(p.name for p in folder.iterdir()) == sorted([*FILES, "metrics.json", "README.md"])


def test_half_precision_is_half_the_size_and_nearly_the_same(folder: Path, tmp_path: Path) -> None:
    half = save(tmp_path / "half", make(), half=True)
    sizes = [sum(v.nbytes for v in load_file(f / "model.safetensors").values()) for f in (half, folder)]
    assert sizes[0] * 2 == sizes[1]
    batch = random_batch(DIMS, [4, 2], 3, seed=3)
    a, b = load_checkpoint(folder).model(batch).logits, load_checkpoint(half).model(batch).logits
    assert torch.allclose(a, b, atol=1e-2)
    assert b.dtype == torch.float32


def edit(path: Path, change: Callable[[Any], Any]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


class Harmful:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was executed",))


def with_pickle(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps(Harmful()))


def with_torch_pickle(folder: Path) -> None:
    torch.save({"weight": Harmful()}, folder / "model.safetensors")


def with_other_names(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["extra.weight"] = torch.zeros(2)
    save_file(weights, folder / "model.safetensors")


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda f: (f / "model.safetensors").write_bytes(b""), "truncated or not safetensors"),
    "a pickle": (with_pickle, "truncated or not safetensors"),
    "a torch pickle": (with_torch_pickle, "truncated or not safetensors"),
    "garbage": (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 999), "truncated or not safetensors"),
    "other names": (with_other_names, "extra.weight expected None"),
    "other sizes": (
        lambda f: edit(f / "config.json", lambda d: d["model"].update(hidden=12)),
        "do not fit config.json",
    ),
    "huge sizes": (lambda f: edit(f / "config.json", lambda d: d["model"].update(hidden=2**22)), "do not fit config"),
    "absurd sizes": (lambda f: edit(f / "config.json", lambda d: d["dims"].update(text=2**62)), "model"),
    "other dims": (lambda f: edit(f / "config.json", lambda d: d["dims"].update(text=9)), "do not fit config.json"),
    "a dim less": (lambda f: edit(f / "config.json", lambda d: d["dims"].pop("text")), "dims and modalities"),
    "other labels": (lambda f: edit(f / "labels.json", lambda d: d["labels"].append("x")), "expected the labels"),
    "labels twice": (lambda f: edit(f / "labels.json", lambda d: d.update(labels=["a", "a"])), "two distinct labels"),
    "no labels": (lambda f: edit(f / "labels.json", lambda d: d.pop("labels")), "KeyError: 'labels'"),
    "labels none": (lambda f: edit(f / "labels.json", lambda d: d.update(labels=None)), "TypeError"),
    "other model": (
        lambda f: edit(f / "config.json", lambda d: d["model"].update(name="sured")),
        "unknown model 'sured'",
    ),
    "no model": (lambda f: edit(f / "config.json", lambda d: d.update(model=[])), "TypeError"),
    "other settings": (lambda f: edit(f / "config.json", lambda d: d["model"].update(a=1)), "unknown key a"),
    "modality": (lambda f: edit(f / "config.json", lambda d: d["modalities"].update(text={})), "features or encoder"),
    "modalities": (lambda f: edit(f / "config.json", lambda d: d.update(modalities=[])), "AttributeError"),
    "format": (lambda f: edit(f / "config.json", lambda d: d.update(format=2)), "expected checkpoint format 1"),
    "temperature": (lambda f: edit(f / "calibration.json", lambda d: d.update(temperature=0)), "must be positive"),
    "nan": (lambda f: edit(f / "calibration.json", lambda d: d.update(temperature=float("nan"))), "must be positive"),
    "experts": (lambda f: edit(f / "calibration.json", lambda d: d.pop("experts")), "KeyError: 'experts'"),
    "list": (lambda f: (f / "config.json").write_text("[1]"), "expected an object"),
    "broken": (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
    "deep": (lambda f: (f / "config.json").write_text("[" * 100_000), "not valid JSON"),
    "latin": (lambda f: (f / "labels.json").write_bytes(b'{"name": "\xe9"}'), "not valid JSON"),
    "a folder": (lambda f: [(f / "config.json").unlink(), (f / "config.json").mkdir()], "not valid JSON"),
    **{f"no {name}": (lambda f, n=name: (f / n).unlink(), f"expected {name}") for name in FILES},
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_is_one_line(folder: Path, kind: str) -> None:
    damage, message = DAMAGE[kind]
    damage(folder)
    with pytest.raises(CheckpointError) as error:
        load_checkpoint(folder)
    assert message in str(error.value)
    assert folder.name in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_truncated_weights(folder: Path, share: float) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match="truncated or not safetensors"):
        load_checkpoint(folder)


def test_not_a_directory(folder: Path) -> None:
    for path in (folder / "nowhere", folder / "config.json"):
        with pytest.raises(CheckpointError, match="no model at"):
            load_checkpoint(path)
    with pytest.raises(CheckpointError, match=r"expected config\.json"):
        load_checkpoint(folder.parent)


@pytest.mark.parametrize("moment", ["save_file", "labels.json", "metrics.json", "config.json"])
def test_a_save_that_is_interrupted_leaves_no_valid_model(
    folder: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saving over an old model: until the last file is there, the folder is no model at all."""
    original = checkpoint._write_json

    def full(path: Path, data: Any) -> None:
        if path.name == moment:
            raise OSError(28, "No space left on device")
        original(path, data)

    def no_weights(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write_json", full)
    if moment == "save_file":
        monkeypatch.setattr("safetensors.torch.save_file", no_weights)
    with pytest.raises(StorageError, match=r"could not write .*No space left"):
        save(folder, make(1))
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"expected config\.json"):
        load_checkpoint(folder)
    batch = random_batch(DIMS, [3], 3)
    save(folder, make(1))
    assert torch.equal(load_checkpoint(folder).model(batch).logits, make(1)(batch).logits)
    assert not list(folder.glob("*.tmp"))


def test_a_fine_tuned_encoder_beside_the_weights_is_kept(folder: Path) -> None:
    (folder / "encoder-text").mkdir()
    (folder / "encoder-text" / "encoder.json").write_text("{}")
    save(folder, make())
    assert (folder / "encoder-text" / "encoder.json").is_file()


def test_wrong_settings_of_a_new_model_are_the_recipes_fault() -> None:
    with pytest.raises(ConfigError, match=r"model mister-e: unknown key hiden \(did you mean hidden\?\)"):
        build_model({"name": "mister-e", "hiden": 4}, DIMS, 3)


def test_a_checkpoint_can_be_moved(folder: Path, tmp_path: Path) -> None:
    moved = Path(shutil.move(folder, tmp_path / "else where"))
    assert load_checkpoint(moved).directory == moved


def test_weights_that_are_not_finite_are_refused(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["context.text.skip.weight"][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"finite .*context\.text\.skip\.weight"):
        load_checkpoint(folder)


@pytest.mark.parametrize("labels", [["anger", "joy", "neutral"], ["calm", "angry", "relieved"]])
def test_labels_of_another_model_are_refused(folder: Path, labels: list[str]) -> None:
    (folder / "labels.json").write_text(json.dumps({"name": "tiny", "labels": labels}))
    with pytest.raises(CheckpointError, match=r"labels\.json: expected the labels"):
        load_checkpoint(folder)


def test_a_known_label_set_keeps_its_order(folder: Path) -> None:
    (folder / "labels.json").write_text(
        json.dumps({"name": "sentiment-3", "labels": ["positive", "neutral", "negative"]})
    )
    with pytest.raises(CheckpointError, match="expected the labels negative, neutral, positive"):
        load_checkpoint(folder)


def test_a_run_is_no_model_and_says_which_ones_it_holds(tmp_path: Path) -> None:
    for seed in (3, 1):
        (tmp_path / f"seed-{seed}").mkdir()
        (tmp_path / f"seed-{seed}" / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"a run of 2 models.*seed-1"):
        load_checkpoint(tmp_path)
