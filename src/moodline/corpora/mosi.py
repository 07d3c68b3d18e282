"""CMU-MOSI: the MMSA pickle, or the bc-LSTM arrays.

``mosi_bclstm_aligned.npz`` has ``{train,test}_{ids,y,sentence,text,audio,video}``, labels negative and positive and no
scores; the pickle's layout is in ``mmsa.py``. A score below 0 is negative, 0 and above positive. A video is a
conversation with one speaker.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from moodline.core.errors import ConfigError, CorpusError
from moodline.core.labels import LABEL_SETS, SENTIMENT_2
from moodline.corpora.base import Corpus, CorpusDescriptor, Defect
from moodline.corpora.files import expected, one_pickle, pickles
from moodline.corpora.mmsa import FEATURES, HINT, MOSI, Row, check_options, clean, corpus_of, found, read_pickle

DESCRIPTOR = CorpusDescriptor(
    title="CMU-MOSI: opinions in videos, scores from −3 to 3, negative or positive",
    licence="research terms of the corpus's authors; bc-LSTM arrays MIT (declare-lab)",
    files="one MMSA pickle (unaligned_50.pkl, aligned_50.pkl) or mosi_bclstm_aligned.npz (without scores)",
    language="en",
    labels="sentiment-2",
    other_labels=("sentiment-3",),
    modalities=("text", "text features", "speech features", "visual features"),
)

DEV_VIDEOS = 10
"""How many training videos, the last in id order, make the dev split where the files have none."""

_ARRAYS = ("ids", "y", "sentence", "text", "audio", "video")


def matches(directory: Path) -> bool:
    """Whether a bc-LSTM npz file or an MMSA pickle with a telling name is here."""
    return any(p.suffix.lower() == ".npz" for p in pickles(directory, HINT, ".npz")) or found(MOSI, directory)


def read(directory: Path, *, case: str = "lower", conversation: str = "auto", labels: str = "sentiment-2") -> Corpus:
    """Read CMU-MOSI.

    Args:
        directory: the folder with one npz file or pickle, or the file itself.
        case: ``"lower"``: upper-case text is made lower-case (encoders read that better); ``"asis"``: left alone.
        conversation: ``"video"``, ``"clip"`` (every clip stands alone) or ``"auto"``: video, unless splits share one.
        labels: ``"sentiment-2"`` or ``"sentiment-3"``, for scores by their sign.

    Returns:
        The corpus, utterances of a video in order of their clip number. Feature sets ``"text"``, ``"speech"``,
        ``"visual"``: frames [T, D] from a pickle, vectors [D] from the npz file, which has no scores.

    Raises:
        CorpusError: files are missing or broken.
        ConfigError: an option's value.
        UnsafePickleError: a pickle asks for more than arrays and plain containers.
    """
    check_options("mosi", case=case, conversation=conversation, labels=labels)
    defects: list[Defect] = []
    path = _npz(directory)
    if path is not None:
        if labels != SENTIMENT_2.name:
            raise ConfigError(
                f"mosi: {path.name} has two classes and no scores", f"labels={labels}", "Leave labels out."
            )
        rows = _read_npz(path, defects)
        info = {"layout": "bc-LSTM npz", "dev": f"the last {DEV_VIDEOS} training videos in id order"}
    else:
        path = one_pickle("mosi", directory, HINT)
        if path is None:
            raise expected(
                "mosi", "mosi_bclstm_aligned.npz or one MMSA pickle (unaligned_50.pkl)", directory,
                "Pass the folder that holds the file, or the file.",
            )  # fmt: skip
        rows = read_pickle(path, MOSI, LABEL_SETS[labels], "M", defects)
        info = {"layout": "MMSA pickle", "dev": "as in the file"}
    return corpus_of(MOSI, path, rows, info, defects, case, conversation, labels)


def _npz(directory: Path) -> Path | None:
    """The npz file to read; None where there is none, or more than one."""
    found = [p for p in pickles(directory, "", ".npz") if p.suffix.lower() == ".npz"]
    found = [p for p in found if "mosi" in p.name.lower()] or found
    return found[0] if len(found) == 1 else None


def _read_npz(path: Path, defects: list[Defect]) -> dict[str, list[Row]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {k: file[k] for k in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CorpusError(f"mosi: {path.name} is not a readable npz file", error, "Download the file again.") from None
    rows: dict[str, list[Row]] = {"train": [], "dev": [], "test": []}
    for split in ("train", "test"):
        absent = [n for n in _ARRAYS if f"{split}_{n}" not in arrays]
        if absent:
            names = ", ".join(list(arrays)[:6]) or "no arrays"
            raise CorpusError(
                f"mosi: {path.name}: expected the array {split}_{absent[0]}", names, "Use the bc-LSTM file."
            )
        part = {n: arrays[f"{split}_{n}"] for n in _ARRAYS}
        sizes = {n: len(a) if a.ndim else 0 for n, a in part.items()}
        if len(set(sizes.values())) != 1 or any(part[n].ndim != 2 for n in ("text", "audio", "video")):
            raise CorpusError(f"mosi: {path.name}: the {split} arrays must be [N] and [N, D]", sizes)
        for n, key in enumerate(map(str, part["ids"])):
            video, separator, clip = key.rpartition("_")
            label = int(part["y"][n])
            if not separator or label not in (0, 1):
                raise CorpusError(f"mosi: {path.name}: expected ids video_segment and labels 0 or 1", f"{key}, {label}")
            row = Row(video, clip, None, SENTIMENT_2.labels[label], str(part["sentence"][n]))
            row.features = {FEATURES[m]: clean(part[m][n], key, m, defects) for m in ("text", "audio", "video")}
            rows[split].append(row)
    held_out = sorted({r.video for r in rows["train"]})[-DEV_VIDEOS:]
    rows["dev"] = [r for r in rows["train"] if r.video in held_out]
    rows["train"] = [r for r in rows["train"] if r.video not in held_out]
    detail = (
        "text and video arrays were fitted with the training labels, dev is cut from training: choose nothing there"
    )
    defects.append(Defect("features fitted with labels", path.name, "reported", detail))
    return rows
