"""Pictures: valid, the same every time, and no trace left in matplotlib."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moodline.core.errors import ConfigError, StorageError
from moodline.report import plots

LABELS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
rng = np.random.default_rng(0)
HISTORY = [
    [
        {"epoch": e, "loss": 2 / (e + 1), "dev_weighted_f1": 0.6 - 0.3 / (e + 1), "dev_accuracy": 0.6}
        for e in range(6 + s)
    ]
    for s in range(3)
]
CONFIDENCES = rng.beta(5, 2, 500)
CORRECT = rng.random(500) < CONFIDENCES

PICTURES: dict[str, Callable[[Path], Any]] = {
    "curves": lambda path: plots.plot_learning_curves(HISTORY, path),
    "curves-of-terms": lambda path: plots.plot_learning_curves(
        [[{"epoch": 0, "dev_weighted_f1": 0.1} | {f"loss_{k}": 1.0 for k in ("kl", "focal", "total")}]], path
    ),
    "curves-of-many": lambda path: plots.plot_learning_curves(
        [[{"epoch": e, "loss": 1.0} | {f"dev_{n}": 0.1 * n for n in range(12)} for e in range(3)]], path
    ),
    "curves-with-gaps": lambda path: plots.plot_learning_curves(
        [[{"epoch": 1, "loss": 1.0}, {"epoch": 2, "dev_accuracy": 0.5}], [], [{"epoch": 9, "loss": 2.0}]], path
    ),
    "confusion": lambda path: plots.plot_confusion(rng.permuted(np.arange(49)).reshape(7, 7), LABELS, path, "MELD"),
    "confusion-with-empty-row": lambda path: plots.plot_confusion([[0, 0], [1, 3]], ("a", "b"), path),
    "gates": lambda path: plots.plot_gate_weights(
        {k: {"speech": 0.2, "text": 0.3, "fusion": 0.5} for k in LABELS}, path
    ),
    "gates-of-text": lambda path: plots.plot_gate_weights({k: {"text": 1.0} for k in LABELS}, path),
    "gates-of-others": lambda path: plots.plot_gate_weights({"a": {f"e{n}": 0.1 for n in range(10)}, "b": {}}, path),
    "reliability": lambda path: plots.plot_reliability(CONFIDENCES, CORRECT, path, before=np.sqrt(CONFIDENCES)),
    "reliability-alone": lambda path: plots.plot_reliability([0.0, 1.0], [True, False], path),
    "per-class": lambda path: plots.plot_per_class({k: (60.0 + n, 2.0) for n, k in enumerate(LABELS)}, path),
    "per-class-one-seed": lambda path: plots.plot_per_class({"a": (100.0, 0.0), "b": (0.0, 0.0)}, path),
}


@pytest.mark.parametrize("name", PICTURES)
def test_both_kinds_are_written_and_valid(tmp_path: Path, name: str) -> None:
    written = PICTURES[name](tmp_path / name)
    assert written == (tmp_path / f"{name}.svg", tmp_path / f"{name}.png")
    assert sorted(tmp_path.iterdir()) == sorted(written)
    root = ET.parse(written[0]).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    png = written[1].read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert 400 < width < 2400
    assert 150 < height < 2400


@pytest.mark.parametrize("name", ["curves", "gates", "reliability"])
@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_data_give_the_same_bytes(tmp_path: Path, name: str, suffix: str) -> None:
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    assert PICTURES[name](first) == (first,)
    PICTURES["per-class"](tmp_path / "other.svg")
    PICTURES[name](second)
    assert first.read_bytes() == second.read_bytes()
    assert b"<dc:date>" not in first.read_bytes()


def test_nothing_of_matplotlib_is_changed(tmp_path: Path) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 42, "figure.facecolor": "red"}):
        before = dict(mpl.rcParams)
        PICTURES["per-class"](tmp_path / "a.svg")
        assert dict(mpl.rcParams) == before
    PICTURES["per-class"](tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda p: plots.plot_learning_curves([], p), "at least one seed with 'loss'"),
        (lambda p: plots.plot_learning_curves([[{"epoch": 1}]], p), "at least one seed with 'loss'"),
        (lambda p: plots.plot_confusion([[1, 2]], LABELS, p), "expected a 7 by 7 matrix"),
        (lambda p: plots.plot_gate_weights({}, p), "at least one label with one expert"),
        (lambda p: plots.plot_reliability([], [], p), "one confidence for every answer"),
        (lambda p: plots.plot_reliability([0.5], [True, False], p), "one confidence for every answer"),
        (lambda p: plots.plot_per_class({}, p), "at least one label"),
    ],
)
def test_data_that_cannot_be_drawn(tmp_path: Path, draw: Callable[[Path], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        draw(tmp_path / "a.svg")
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"unknown kind of picture \(found: '.pdf'\). Use .svg, .png"):
        PICTURES["gates"](tmp_path / "a.pdf")
    with pytest.raises(ConfigError, match="does not exist"):
        PICTURES["gates"](tmp_path / "no" / "a.svg")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageError, match="No space left"):
        PICTURES["gates"](tmp_path / "a.svg")
    assert list(tmp_path.iterdir()) == []
