"""Made-up feature pickles in the tuple layouts of the field."""

from collections.abc import Mapping
from typing import Any

import numpy as np

SIZES = {"text": 4, "text2": 4, "text3": 4, "text4": 4, "speech": 3, "visual": 2}


def parts(lengths: Mapping[Any, int], classes: int, seed: int = 0) -> dict[str, Any]:
    """Every element that any layout has, for conversations of the given lengths."""
    draw = np.random.default_rng(seed)
    out: dict[str, Any] = {
        "ids": {k: [f"{k}_{'FM'[i % 2]}{i:03d}" for i in range(n)] for k, n in lengths.items()},
        "speakers": {k: ["FM"[i % 2] for i in range(n)] for k, n in lengths.items()},
        "labels": {k: [int(x) for x in draw.integers(0, classes, n)] for k, n in lengths.items()},
        "sentences": {k: [f"Sentence {i} of {k}." for i in range(n)] for k, n in lengths.items()},
        "extra": {k: [0] * n for k, n in lengths.items()},
    }
    for name, size in SIZES.items():
        out[name] = {k: list(draw.normal(size=(n, size)).astype(np.float32)) for k, n in lengths.items()}
    return out


def make(names: tuple[str, ...], elements: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(elements[n] for n in names)


IEMOCAP = {
    "Ses01F_impro01": 3, "Ses02F_script01_1": 2, "Ses01M_impro01": 2, "Ses03F_impro01": 1,
    "Ses05F_impro01": 2, "Ses05M_impro02": 1,
}  # fmt: skip
TRAIN = ["Ses02F_script01_1", "Ses01F_impro01", "Ses01M_impro01", "Ses03F_impro01"]
TEST = ["Ses05M_impro02", "Ses05F_impro01"]
DEV = ["Ses01M_impro01", "Ses03F_impro01"]


def iemocap(**changes: Any) -> dict[str, Any]:
    return {**parts(IEMOCAP, 6), "train": set(TRAIN), "test": TEST, "dev": DEV, **changes}


def meld(**changes: Any) -> dict[str, Any]:
    elements = parts(dict.fromkeys(range(25), 7), 7)
    elements["labels"] = {k: list(range(7)) for k in elements["labels"]}  # every emotion once a dialogue
    elements["ids"] = {k: [str(i) for i in range(7)] for k in elements["labels"]}
    elements["speakers"] = {k: list(np.eye(9, dtype=int)[[0, 1, 2, 8, 0, 1, 2]]) for k in elements["labels"]}
    # neutral 0, positive 1, negative 2
    elements["sentiments"] = {k: [0, 2, 2, 2, 1, 2, 2] for k in elements["labels"]}
    return {**elements, "train": set(range(20)), "test": set(range(20, 25)), "dev": [18, 19], **changes}
