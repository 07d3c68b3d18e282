"""The recipes of SURE at the paper's size read the field's feature pickles as they are, in one command."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from moodline.corpora.feature_pickles import LAYOUTS
from tests.corpora import tuples
from tests.tiny import call

SMALL = ("hidden=16", "expert_hidden=8", "feed_forward=16", "heads=2")
SIZES = {"iemocap": {"speech": 1582, "text": 1024, "visual": 342}, "meld": {"speech": 300, "text": 1024, "visual": 342}}


@pytest.mark.train
@pytest.mark.parametrize("corpus", ["iemocap", "meld"])
def test_a_published_pickle_is_trained_on_and_tested_in_one_command_each(
    corpus: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = SIZES[corpus]
    monkeypatch.setattr(tuples, "SIZES", sizes | dict.fromkeys(("text2", "text3", "text4"), 1024))
    (names,) = (n for authors, corpora, n in LAYOUTS if authors.startswith("SDT") and corpora == (corpus,))
    elements: dict[str, Any] = {"iemocap": tuples.iemocap, "meld": tuples.meld}[corpus]()
    (tmp_path / "features.pkl").write_bytes(pickle.dumps(tuples.make(names, elements)))
    settings = [word for s in SMALL for word in ("--set", f"model.{s}")] + ["--set", "training.epochs=1"]
    run = tmp_path / "run"
    code, _, err = call("train", f"sure/{corpus}-paper", "--data", tmp_path, "--out", run, "-q", *settings)
    assert code == 0, err
    assert json.loads((run / "seed-0" / "config.json").read_text())["dims"] == sizes
    code, _, err = call("evaluate", run, "--data", tmp_path)
    assert code == 0, err
    (seed,) = json.loads((run / "results.json").read_text())["seeds"]
    assert 0 <= seed["test"]["weighted_f1"] <= 100


def test_features_of_another_size_are_refused_in_one_line(tmp_path: Path) -> None:
    (names,) = (n for authors, corpora, n in LAYOUTS if authors.startswith("SDT") and corpora == ("iemocap",))
    (tmp_path / "features.pkl").write_bytes(pickle.dumps(tuples.make(names, tuples.iemocap())))
    code, _, err = call("train", "sure/iemocap-paper", "--data", tmp_path, "--out", tmp_path / "run", "-q")
    assert code != 0
    assert "speech: the recipe expects features of size 1582 (found: 3)" in " ".join(err.split())
    assert "Traceback" not in err
