"""The pickles of MSE-Adapter: ``NAME_{train,valid,test}.pkl``, a list of utterances without ids, NAME meld or cherma.

Each is ``{"label", "features": {"text", "audio", "video", "audio_len", "video_len"}}``: the label's name, the words as
text, and frames padded to one length with how many of them are real.

Certain, from MSE-Adapter's loader and settings: these names; 157 frames of 64 values of audio and 32 of 64 of video for
MELD, 543 of 1024 and 16 of 2048 for CHERMA; the names of the labels. The files do not say which utterances belong to
one conversation, so each stands alone; ids are made of split and place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CorpusError
from moodline.core.labels import CHERMA_7, CHERMA_7_ZH, MELD_7, LabelSet
from moodline.corpora.base import Corpus, CorpusDescriptor, Defect
from moodline.corpora.files import children, expected, hashes
from moodline.corpora.safe_pickle import load_pickle
from moodline.corpora.text import repair_text

DESCRIPTOR = CorpusDescriptor(
    title="MSE-Adapter's pickles of MELD: single utterances with frames of sound and video",
    licence="those of MELD",
    files="meld_train.pkl, meld_valid.pkl, meld_test.pkl",
    language="en",
    labels="meld-7",
    modalities=("text", "speech features", "visual features"),
)

NAMES = {"meld": (MELD_7, MELD_7), "cherma": (CHERMA_7_ZH, CHERMA_7)}
"""Corpus to the labels as the files have them, and as they are read unless asked otherwise."""

_SPLITS = {"train": "train", "dev": "valid", "test": "test"}
_SETS = {"audio": "speech", "video": "visual"}


def matches(directory: Path) -> bool:
    """Whether the three pickles of MELD are here; those of CHERMA are that reader's."""
    return parts(directory, "meld") is not None


def read(directory: Path) -> Corpus:
    """Read the pickles of MELD; those of CHERMA are read by ``cherma.py``.

    Args:
        directory: the folder with the three pickles.

    Returns:
        The corpus, every utterance a conversation. Feature sets ``"speech"`` and ``"visual"``: frames [T, D].

    Raises:
        CorpusError: files are missing or broken.
        UnsafePickleError: a pickle asks for more than arrays and plain containers.
    """
    if parts(directory, "meld") is None:
        what = "meld_train.pkl, meld_valid.pkl and meld_test.pkl"
        raise expected("mse-adapter", what, directory, "Pass the folder that holds the three files.")
    return read_parts(directory, "meld", "mse-adapter")


def parts(directory: Path, name: str) -> dict[str, Path] | None:
    """Split to its pickle; None unless all three are there."""
    by_name = {p.name.lower(): p for p in children(directory)}
    out = {split: by_name.get(f"{name}_{part}.pkl") for split, part in _SPLITS.items()}
    known = {split: path for split, path in out.items() if path is not None}
    return known if len(known) == len(out) else None


def read_parts(directory: Path, name: str, reader: str, labels: LabelSet | None = None) -> Corpus:
    """The corpus of three pickles that are there.

    Args:
        directory: their folder.
        name: of the corpus, a key of ``NAMES``.
        reader: named in errors.
        labels: the names to give to the labels, in the order of the files' own; None for the usual ones.
    """
    paths = parts(directory, name)
    assert paths is not None
    theirs, usual = NAMES[name]
    labels = labels or usual
    defects: list[Defect] = []
    splits: dict[str, tuple[Conversation, ...]] = {}
    features: dict[str, dict[str, np.ndarray]] = {}
    for split, path in paths.items():
        data, where = load_pickle(path), f"{reader}: {path.name}"
        if not isinstance(data, list) or not data:
            raise CorpusError(f"{where}: expected a list of utterances", type(data).__name__, "Use MSE-Adapter's file.")
        talks = []
        for n, item in enumerate(data):
            key = f"{name}-{split}-{n}"
            utterance = _utterance(item, key, f"{where}: utterance {n}", theirs, labels, defects)
            for their, own in _SETS.items():
                frames = _frames(item["features"], their, f"{where}: utterance {n}", key, defects)
                if frames is not None:
                    features.setdefault(own, {})[key] = frames
            talks.append(Conversation(key, (utterance,)))
        splits[split] = tuple(talks)
    check_sizes(features, reader)
    info = {"options": {"labels": labels.name}, "layout": "MSE-Adapter pickles"}
    return Corpus(name, labels, splits, features, tuple(defects), hashes(directory, paths.values()), info)


def check_sizes(features: Mapping[str, Mapping[str, np.ndarray]], reader: str) -> None:
    """Raise unless each feature set has frames of one size."""
    for name, rows in features.items():
        sizes = {v.shape[-1] for v in rows.values()}
        if len(sizes) > 1:
            odd = next(k for k, v in rows.items() if v.shape[-1] != next(iter(rows.values())).shape[-1])
            raise CorpusError(f"{reader}: {name} frames must all have one size", f"{sorted(sizes)}, at {odd}")


def _utterance(item: Any, key: str, where: str, theirs: LabelSet, labels: LabelSet, defects: list[Defect]) -> Utterance:
    if not isinstance(item, dict) or not isinstance(item.get("features"), dict) or "label" not in item:
        names = ", ".join(map(str, item)) if isinstance(item, dict) else type(item).__name__
        raise CorpusError(f"{where}: expected label and features", names, "Use MSE-Adapter's file.")
    label = str(item["label"])
    if label not in theirs.labels:
        raise CorpusError(f"{where}: unknown label", label, f"Expected one of: {', '.join(theirs.labels)}.")
    text, repaired = repair_text(str(item["features"].get("text") or ""))
    if repaired:
        defects.append(Defect("wrongly decoded characters", key, "repaired", text[:60]))
    if not text:
        defects.append(Defect("empty text", key, "reported"))
    return Utterance(key, text=text or None, emotion=labels.labels[theirs.labels.index(label)])


def _frames(features: Mapping[str, Any], name: str, where: str, key: str, defects: list[Defect]) -> np.ndarray | None:
    """The real frames of a modality; None where there is none."""
    try:
        frames = np.array(features[name], dtype=np.float32)
        length = int(np.asarray(features.get(f"{name}_len", len(frames))).item())
    except (KeyError, TypeError, ValueError, OverflowError):
        raise CorpusError(
            f"{where}: expected {name} as frames [T, D] and {name}_len as a number", fix="Use MSE-Adapter's file."
        ) from None
    if frames.ndim != 2 or not 0 <= length <= len(frames):
        found = f"shape {list(frames.shape)}, {name}_len {length}"
        raise CorpusError(f"{where}: {name} must be frames [T, D], {name}_len at most T", found)
    return real_frames(frames[:length], key, name, defects)


def real_frames(frames: np.ndarray, key: str, name: str, defects: list[Defect]) -> np.ndarray | None:
    """Frames with what is not finite set to 0; None, noted as a defect, where there is no frame."""
    if not frames.size:
        defects.append(Defect(f"{name} without frames", key, "dropped"))
        return None
    bad = ~np.isfinite(frames)
    if bad.any():
        frames = np.where(bad, np.float32(0), frames)
        defects.append(Defect(f"{name} not finite", key, "repaired", f"{int(bad.sum())} values set to 0"))
    return frames
