"""CHERMA: Chinese television, seven emotions; the published features, or MSE-Adapter's pickles.

The features published with LFMIM (github.com/sunjunaimer/LFMIM): ``SPLIT.json``, a list of ``{"audio_file",
"video_file", "txt_label", "audio_label", "visual_label", "video_label"}``, and for each the frames of one clip in
``text/SPLIT/CLIP.npy`` [T, 1024], ``audio/SPLIT/CLIP.npy`` [T, 1024] and ``visual/SPLIT/CLIP.mp4.npy`` [T, 2048], CLIP
being ``audio_file`` without ``.wav``. The label of all modalities together is ``video_label``.

Certain, from LFMIM's loader: these names and places, the splits train and test, the seven labels and their order.
Assumed: that the third split is called dev, valid or val; that clips are no conversations (the files do not say), so
each stands alone. This layout has no words, MSE-Adapter's (see ``mse_adapter.py``) has them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, CorpusError
from moodline.core.labels import CHERMA_7, CHERMA_7_ZH, LABEL_SETS, LabelSet
from moodline.corpora import mse_adapter
from moodline.corpora.base import Corpus, CorpusDescriptor, Defect
from moodline.corpora.files import children, expected, hashes, read_bytes
from moodline.corpora.mse_adapter import check_sizes, real_frames

DESCRIPTOR = CorpusDescriptor(
    title="CHERMA: Chinese television, seven emotions",
    licence="research terms of the corpus's authors",
    files="train.json, dev.json, test.json with text, audio, visual (LFMIM), or cherma_{train,valid,test}.pkl",
    language="zh",
    labels="cherma-7",
    other_labels=("cherma-7-zh",),
    modalities=("text (from pickles)", "text features", "speech features", "visual features"),
)

ANNOTATIONS = {"M": "video_label", "T": "txt_label", "A": "audio_label", "V": "visual_label"}
"""Whose label: of those who had all modalities, or one."""

_SPLITS = {"train": ("train",), "dev": ("dev", "valid", "val"), "test": ("test",)}
_FOLDERS = {"text": "text", "audio": "speech", "visual": "visual"}
_SIZES = {"text": 1024, "speech": 1024, "visual": 2048}


def matches(directory: Path) -> bool:
    """Whether the features of LFMIM or MSE-Adapter's pickles are here."""
    return _layout(directory) or mse_adapter.parts(directory, "cherma") is not None


def read(directory: Path, *, labels: str = "cherma-7", annotation: str = "M") -> Corpus:
    """Read CHERMA.

    Args:
        directory: the folder with ``train.json`` and ``text``, ``audio``, ``visual``; or with ``cherma_train.pkl``,
            ``cherma_valid.pkl`` and ``cherma_test.pkl``.
        labels: ``"cherma-7"``, English names, or ``"cherma-7-zh"``, the Chinese ones of the files.
        annotation: the label that annotators gave who had all modalities, ``"M"``, or only ``"T"``, ``"A"``, ``"V"``;
            pickles have ``"M"``.

    Returns:
        The corpus, every clip a conversation. Feature sets ``"text"`` (not from pickles), ``"speech"``, ``"visual"``:
        frames [T, D].

    Raises:
        CorpusError: files are missing or broken.
        ConfigError: an option's value.
        UnsafePickleError: a pickle asks for more than arrays and plain containers.
    """
    for option, value, known in (
        ("labels", labels, (CHERMA_7.name, CHERMA_7_ZH.name)),
        ("annotation", annotation, tuple(ANNOTATIONS)),
    ):
        if value not in known:
            raise ConfigError(f"cherma: the option {option} must be one of {', '.join(known)}", repr(value))
    chosen = LABEL_SETS[labels]
    if not _layout(directory) and mse_adapter.parts(directory, "cherma") is not None:
        if annotation != "M":
            raise ConfigError("cherma: the pickles have one label each", f"annotation={annotation}", "Leave it out.")
        return mse_adapter.read_parts(directory, "cherma", "cherma", chosen)
    if not _layout(directory):
        raise expected(
            "cherma", "train.json beside text, audio and visual, or cherma_{train,valid,test}.pkl", directory,
            "Pass the folder that holds them.",
        )  # fmt: skip
    return _read_features(directory, chosen, annotation)


def _layout(directory: Path) -> bool:
    names = {p.name for p in children(directory)}
    return "train.json" in names and bool(names & set(_FOLDERS))


def _read_features(directory: Path, labels: LabelSet, annotation: str) -> Corpus:
    defects: list[Defect] = []
    splits: dict[str, tuple[Conversation, ...]] = {}
    features: dict[str, dict[str, np.ndarray]] = {}
    files: list[Path] = []
    for split, names in _SPLITS.items():
        path = next((directory / f"{n}.json" for n in names if (directory / f"{n}.json").is_file()), None)
        if path is None:
            raise CorpusError(
                f"cherma: expected {' or '.join(f'{n}.json' for n in names)}", fix="Get all three splits."
            )
        files.append(path)
        talks = []
        for n, row in enumerate(_rows(path)):
            clip, emotion = _clip(row, f"cherma: {path.name}: clip {n}", ANNOTATIONS[annotation])
            key = f"{split}-{clip}"
            talks.append(Conversation(key, (Utterance(key, emotion=labels.labels[CHERMA_7_ZH.labels.index(emotion)]),)))
            for folder, name in _FOLDERS.items():
                file = directory / folder / path.stem / f"{clip}{'.mp4' if folder == 'visual' else ''}.npy"
                frames = _load(file, _SIZES[name], key, folder, defects)
                if frames is not None:
                    features.setdefault(name, {})[key] = frames
                    files.append(file)
        splits[split] = tuple(talks)
    check_sizes(features, "cherma")
    info: dict[str, Any] = {"options": {"labels": labels.name, "annotation": annotation}, "layout": "LFMIM features"}
    return Corpus("cherma", labels, splits, features, tuple(defects), hashes(directory, files), info)


def _rows(path: Path) -> list[Any]:
    try:
        rows = json.loads(read_bytes(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"cherma: {path.name} is not JSON", str(error)[:80], "Get the file again.") from None
    if not isinstance(rows, list) or not rows:
        raise CorpusError(f"cherma: {path.name} must be a list of clips", type(rows).__name__)
    return rows


def _clip(row: Any, where: str, column: str) -> tuple[str, str]:
    """The clip's name and its Chinese label."""
    if not isinstance(row, dict) or not all(isinstance(row.get(k), str) for k in ("audio_file", column)):
        found = ", ".join(map(str, row)) if isinstance(row, dict) else type(row).__name__
        raise CorpusError(f"{where}: expected the texts audio_file and {column}", found)
    if row[column] not in CHERMA_7_ZH.labels:
        raise CorpusError(
            f"{where}: unknown {column}", row[column], f"Expected one of: {', '.join(CHERMA_7_ZH.labels)}."
        )
    clip = row["audio_file"].removesuffix(".wav")
    if not clip or Path(clip).name != clip:
        raise CorpusError(f"{where}: audio_file must be a file's name, without folders", row["audio_file"])
    return clip, row[column]


def _load(path: Path, size: int, key: str, name: str, defects: list[Defect]) -> np.ndarray | None:
    """The frames of one file; None, noted as a defect, where it is not there."""
    if not path.is_file():
        defects.append(Defect(f"no {name} file", key, "reported", path.name))
        return None
    try:
        frames = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CorpusError(f"cherma: {path.name} is not a readable npy file", str(error)[:80], "Get it again.") from None
    if frames.ndim == 1 and frames.size:
        frames = frames[None]
    if frames.dtype.kind != "f" or frames.ndim != 2 or frames.shape[1] != size:
        raise CorpusError(
            f"cherma: {path.parent.parent.name}/{path.parent.name}/{path.name}: expected frames [T, {size}]",
            f"{frames.dtype} {list(frames.shape)}",
        )
    return real_frames(frames.astype(np.float32), key, name, defects)
