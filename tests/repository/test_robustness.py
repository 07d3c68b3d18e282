"""The script that corrupts features: each corruption is what its name says, and the page is its numbers."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from moodline.training.data import ConversationExample
from tests.tiny import load_script

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "models" / "sure-robustness.md"
SOURCE = ROOT / "results" / "models" / "sure-robustness.json"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("measure_robustness")


def examples() -> list[ConversationExample]:
    rng = np.random.default_rng(1)
    out = []
    for n, length in enumerate((40, 60)):
        features = {
            "speech": rng.standard_normal((length, 30)).astype(np.float32),
            "text": np.ones((length, 4), np.float32),
        }
        features["text"] *= np.arange(length, dtype=np.float32)[:, None] + 1000 * n
        present = {m: rng.random(length) > 0.1 for m in features}
        ids = tuple(f"{n}-{u}" for u in range(length))
        out.append(ConversationExample(str(n), ids, features, present, np.zeros(length, int), np.zeros(length, int)))
    return out


def test_corruptions_do_what_their_names_say(script: ModuleType) -> None:
    clean, sd = examples(), {"speech": np.full(30, 2.0), "text": np.full(4, 5.0)}
    changes = script.conditions(["speech", "text"], sd)

    def joined(name: str, part: str, m: str) -> Any:
        changed = script.corrupted(clean, changes[name], 0)
        return np.concatenate([getattr(e, part)[m] for e in changed])

    speech, text = (np.concatenate([e.features[m] for e in clean]) for m in ("speech", "text"))
    here = np.concatenate([e.present["text"] for e in clean])
    assert (joined("clean", "features", "speech") == speech).all()
    for strength in (0.1, 0.3, 1.0):
        noisy = joined(f"noise {strength:g} sd on speech", "features", "speech")
        assert np.std(noisy - speech) == pytest.approx(2 * strength, rel=0.05)
        assert (joined(f"noise {strength:g} sd on speech", "features", "text") == text).all()
        assert np.std(joined(f"noise {strength:g} sd on everything", "features", "text") - text) > 0
    swapped = joined("text of another utterance", "features", "text")
    assert (swapped[here, 0] != text[here, 0]).all()
    assert sorted(swapped[here, 0]) == sorted(text[here, 0])
    assert not joined("text missing", "present", "text").any()
    assert joined("text missing", "present", "speech").any()
    before = np.concatenate([e.present["speech"] for e in clean])
    left = joined("30 % missing", "present", "speech")
    assert (left <= before).all()
    assert left.sum() == pytest.approx(0.7 * before.sum(), rel=0.15)
    assert (np.concatenate([e.features["speech"] for e in clean]) == speech).all()  # the examples are left alone


def test_moved_is_the_share_of_work_that_went_to_others(script: ModuleType) -> None:
    clean = [{"f1": 80.0, "usage text": [0.5, 0.5, 0.0]}]
    noisy = [{"f1": 70.0, "usage text": [0.2, 0.5, 0.3]}]
    assert script.with_moved(clean, clean) == [{"f1": 80.0, "moved text": 0.0}]
    assert script.with_moved(noisy, clean)[0]["moved text"] == pytest.approx(0.3)


@pytest.mark.skipif(not SOURCE.is_file(), reason="not measured yet")
def test_the_page_is_the_file(script: ModuleType) -> None:
    data = json.loads(SOURCE.read_text(encoding="utf-8"))
    assert PAGE.read_text(encoding="utf-8") == script.page(data, SOURCE.relative_to(ROOT).as_posix())
