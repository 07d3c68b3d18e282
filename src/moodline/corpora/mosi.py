"""CMU-MOSI and its relatives: MMSA pickles and the bc-LSTM arrays.

Layouts: an MMSA pickle (``unaligned_50.pkl`` and the like: ``train|valid|test`` to ``raw_text``, ``audio``,
``vision``, ``id`` (``video$_$clip``), ``text``, lengths, ``regression_labels``), also those of CMU-MOSEI, CH-SIMS and
CH-SIMS v2; or ``mosi_bclstm_aligned.npz`` (``{train,test}_{ids,y,sentence,text,audio,video}``).

Labels: a score below 0 is negative, 0 and above positive. A video is a conversation with one speaker; where the
splits share videos (SIMS v2), a clip stands alone.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moodline.conversation import Conversation, Utterance
from moodline.corpora.base import SPLITS, Corpus, Defect
from moodline.corpora.files import expected, one_pickle, pickles, sha256
from moodline.corpora.safe_pickle import load_pickle
from moodline.corpora.text import repair_text
from moodline.errors import ConfigError, CorpusError
from moodline.labels import SENTIMENT_2

HINT = r"mos(i|ei)|sims|mmsa|aligned"
"""What a pickle of these corpora has in its name or its folder's name."""

NAMES = ("mosi", "mosei", "sims", "simsv2")
DEV_VIDEOS = 10
"""How many training videos, the last in id order, make the dev split where the files have none."""

_ARRAYS = ("ids", "y", "sentence", "text", "audio", "video")
_LENGTHS = {"text": "text_lengths", "audio": "audio_lengths", "vision": "vision_lengths"}
_FEATURES = {"text": "text", "audio": "speech", "vision": "visual", "video": "visual"}


@dataclass
class _Row:
    video: str
    clip: str
    score: float | None
    emotion: str
    text: str | None
    features: dict[str, np.ndarray] = field(default_factory=dict)


def matches(directory: Path) -> bool:
    """Whether a bc-LSTM npz file or an MMSA pickle with a telling name is here."""
    return bool(pickles(directory, HINT, ".npz"))


def read(directory: Path, *, case: str = "lower", name: str | None = None, conversation: str = "auto") -> Corpus:
    """Read CMU-MOSI, CMU-MOSEI, CH-SIMS or CH-SIMS v2.

    Args:
        directory: the folder with one npz file or pickle, or the file itself.
        case: ``"lower"``: upper-case text is made lower-case (encoders read that better); ``"asis"``: left alone.
        name: ``"mosi"``, ``"mosei"``, ``"sims"`` or ``"simsv2"``; None: told from the file's and folder's name,
            else "mosi".
        conversation: ``"video"``, ``"clip"`` (every clip stands alone) or ``"auto"``: video, unless the corpus is
            ``simsv2`` or splits share a video.

    Returns:
        The corpus, utterances of a video in order of their clip number. Feature sets ``"text"``, ``"speech"``,
        ``"visual"``: frames [T, D] from a pickle, vectors [D] from the npz file.

    Raises:
        CorpusError: files are missing or broken.
        ConfigError: an option's value.
        UnsafePickleError: a pickle asks for more than arrays and plain containers.
    """
    for option, value, known in (
        ("case", case, ("lower", "asis")),
        ("name", name, (None, *NAMES)),
        ("conversation", conversation, ("auto", "video", "clip")),
    ):
        if value not in known:
            raise ConfigError(
                f"mosi: the option {option} must be one of {', '.join(k for k in known if k)}", repr(value)
            )
    defects: list[Defect] = []
    path = _npz(directory)
    info: dict[str, Any] = {}
    if path is not None:
        rows = _read_npz(path, defects)
        info = {"layout": "bc-LSTM npz", "dev": f"the last {DEV_VIDEOS} training videos in id order"}
    else:
        path = one_pickle("mosi", directory, HINT)
        if path is None:
            raise expected(
                "mosi", "mosi_bclstm_aligned.npz or one MMSA pickle (unaligned_50.pkl)", directory,
                "Pass the folder that holds the file, or the file.",
            )  # fmt: skip
        rows = _read_mmsa(path, defects)
        info = {"layout": "MMSA pickle", "dev": "as in the file"}
    name = name or _guess_name(path)
    shared = _shared_videos(rows)
    alone = conversation == "clip" or (conversation == "auto" and (name == "simsv2" or bool(shared)))
    if shared and not alone:
        raise ConfigError(f"mosi: video {shared[0]} is in two splits", fix="Use conversation=clip or auto.")
    splits, features = _conversations(rows, alone, case, defects)
    options = {"case": case, "name": name, "conversation": "clip" if alone else "video"}
    return Corpus(
        name, SENTIMENT_2, splits, features, tuple(defects), {path.name: sha256(path)}, {"options": options, **info}
    )


def _npz(directory: Path) -> Path | None:
    """The npz file to read; None where there is none, or more than one."""
    found = [p for p in pickles(directory, "", ".npz") if p.suffix.lower() == ".npz"]
    found = [p for p in found if "mosi" in p.name.lower()] or found
    return found[0] if len(found) == 1 else None


def _guess_name(path: Path) -> str:
    text = re.sub(r"[^a-z0-9]", "", f"{path.parent.name}{path.stem}".lower())
    if re.search(r"sims(v|version)?2", text):
        return "simsv2"
    return next((n for n in ("mosei", "sims") if n in text), "mosi")


def _shared_videos(rows: dict[str, list[_Row]]) -> list[str]:
    videos = [(r.video, s) for s, split in rows.items() for r in split]
    first: dict[str, str] = {}
    return sorted({v for v, s in videos if first.setdefault(v, s) != s})


def _clip_order(row: _Row) -> tuple[str, int, str]:
    return (row.video, int(row.clip) if row.clip.isdigit() else -1, row.clip)


def _conversations(
    rows: dict[str, list[_Row]], alone: bool, case: str, defects: list[Defect]
) -> tuple[dict[str, tuple[Conversation, ...]], dict[str, dict[str, np.ndarray]]]:
    splits: dict[str, tuple[Conversation, ...]] = {}
    features: dict[str, dict[str, np.ndarray]] = {}
    for split in (s for s in SPLITS if rows.get(s)):
        turns: dict[str, list[Utterance]] = {}
        for row in sorted(rows[split], key=_clip_order):
            key = f"{row.video}_{row.clip}"
            text, repaired = repair_text(row.text or "")
            if repaired:
                defects.append(Defect("wrongly decoded characters", key, "repaired", text[:60]))
            if not text:
                defects.append(Defect("empty text", key, "reported"))
            if case == "lower" and text.isupper():
                text = text.lower()
            utterance = Utterance(key, row.video, text=text or None, emotion=row.emotion, score=row.score)
            turns.setdefault(key if alone else row.video, []).append(utterance)
            for modality, values in row.features.items():
                features.setdefault(modality, {})[key] = values
        splits[split] = tuple(Conversation(key, tuple(utterances)) for key, utterances in turns.items())
    for modality, vectors in features.items():
        shapes = sorted({(v.ndim, v.shape[-1]) for v in vectors.values()})
        if len(shapes) > 1:
            raise CorpusError(f"mosi: {modality} features must be all [D] or all [T, D], of one size D", shapes)
    return splits, features


def _clean(values: np.ndarray, key: str, name: str, defects: list[Defect]) -> np.ndarray:
    """Values as float32, those that are not finite set to 0 and counted."""
    values = np.array(values, dtype=np.float32)
    bad = ~np.isfinite(values)
    if bad.any():
        values[bad] = 0
        defects.append(Defect(f"{name} not finite", key, "repaired", f"{int(bad.sum())} values set to 0"))
    return values


def _read_npz(path: Path, defects: list[Defect]) -> dict[str, list[_Row]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {k: file[k] for k in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CorpusError(f"mosi: {path.name} is not a readable npz file", error, "Download the file again.") from None
    rows: dict[str, list[_Row]] = {"train": [], "dev": [], "test": []}
    for split in ("train", "test"):
        absent = [n for n in _ARRAYS if f"{split}_{n}" not in arrays]
        if absent:
            found = ", ".join(list(arrays)[:6]) or "no arrays"
            raise CorpusError(
                f"mosi: {path.name}: expected the array {split}_{absent[0]}", found, "Use the bc-LSTM file."
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
            row = _Row(video, clip, None, SENTIMENT_2.labels[label], str(part["sentence"][n]))
            row.features = {_FEATURES[m]: _clean(part[m][n], key, m, defects) for m in ("text", "audio", "video")}
            rows[split].append(row)
    held_out = sorted({r.video for r in rows["train"]})[-DEV_VIDEOS:]
    rows["dev"] = [r for r in rows["train"] if r.video in held_out]
    rows["train"] = [r for r in rows["train"] if r.video not in held_out]
    detail = (
        "text and video arrays were fitted with the training labels, dev is cut from training: choose nothing there"
    )
    defects.append(Defect("features fitted with labels", path.name, "reported", detail))
    return rows


def _read_mmsa(path: Path, defects: list[Defect]) -> dict[str, list[_Row]]:
    data = load_pickle(path)
    if not isinstance(data, dict) or not any(isinstance(data.get(s), dict) for s in ("train", "valid", "test")):
        found = ", ".join(map(str, list(data)[:6])) if isinstance(data, dict) else type(data).__name__
        raise CorpusError(
            f"mosi: {path.name}: expected a mapping of train, valid and test", found, "Use an MMSA pickle."
        )
    out: dict[str, list[_Row]] = {}
    for split, key in (("train", "train"), ("dev", "valid"), ("test", "test")):
        if key in data:
            if not isinstance(data[key], dict):
                raise CorpusError(f"mosi: {path.name}: {key} must be a mapping", type(data[key]).__name__)
            out[split] = _read_part(data[key], f"mosi: {path.name}: {key}", defects)
    if not any(out.values()):
        raise CorpusError(f"mosi: {path.name} holds no utterances")
    return out


def _read_part(part: Mapping[str, Any], where: str, defects: list[Defect]) -> list[_Row]:
    """One split of an MMSA pickle."""
    need = ("id", "raw_text", "regression_labels")
    absent = [n for n in need if part.get(n) is None]
    if absent:
        found = ", ".join(map(str, list(part)[:8]))
        raise CorpusError(f"{where}: expected {', '.join(need)}", found, "Use an MMSA pickle.")
    used = (*need, *_LENGTHS, *_LENGTHS.values(), "text_bert")
    part = {n: part[n] for n in used if part.get(n) is not None}
    sizes = {n: _size(column) for n, column in part.items()}
    if len(set(sizes.values())) != 1:
        found = ", ".join(f"{n} {size}" for n, size in sizes.items())
        raise CorpusError(f"{where}: all parts must be arrays or lists of the same length", found)
    ids = [_string(k) for k in part["id"]]
    if len(set(ids)) != len(ids):
        raise CorpusError(f"{where}: ids must be unique", next(k for k in ids if ids.count(k) > 1))
    scores = _numbers(part, "regression_labels", where)
    lengths = {n: _numbers(part, column, where) for n, column in _LENGTHS.items() if column in part}
    rows = []
    for n, key in enumerate(ids):
        video, separator, clip = key.partition("$_$")
        if not separator:
            raise CorpusError(f"{where}: ids must be video$_$clip", key, "Use an MMSA pickle.")
        score = float(scores[n])
        row = _Row(video, clip, score, SENTIMENT_2.labels[int(score >= 0)], _string(part["raw_text"][n]))
        for name in (m for m in _LENGTHS if m in part):
            frames = _array(part[name][n], f"{where}: {name} of {key}")
            if frames.ndim == 2:
                bert = _array(part["text_bert"][n], f"{where}: text_bert of {key}") if "text_bert" in part else None
                frames = frames[: _frames(frames, lengths[name][n] if name in lengths else None, bert)]
            if frames.size:
                row.features[_FEATURES[name]] = _clean(frames, f"{video}_{clip}", name, defects)
            else:
                defects.append(Defect(f"{name} without frames", f"{video}_{clip}", "dropped"))
        rows.append(row)
    return rows


def _size(column: Any) -> int:
    """The length of a list or an array; -1 for anything else."""
    if isinstance(column, np.ndarray):
        return len(column) if column.ndim else -1
    return len(column) if isinstance(column, list | tuple) else -1


def _string(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _numbers(part: Mapping[str, Any], name: str, where: str) -> np.ndarray:
    """A column of finite numbers, float64 [N]."""
    try:
        values = np.asarray(part[name], dtype=np.float64).reshape(len(part[name]))
    except (TypeError, ValueError):
        raise CorpusError(f"{where}: {name} must be one number an utterance", fix="Use an MMSA pickle.") from None
    if not np.isfinite(values).all():
        raise CorpusError(f"{where}: {name} must be finite", values[~np.isfinite(values)][0])
    return values


def _array(value: Any, where: str) -> np.ndarray:
    """One utterance's numbers, [D] or [T, D]."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros(())
    if array.ndim not in (1, 2):
        raise CorpusError(f"{where} must be a vector [D] or frames [T, D]", fix="Use an MMSA pickle.")
    return array


def _frames(frames: np.ndarray, length: float | None, bert: np.ndarray | None) -> int:
    """How many frames are real: the given length, else BERT's mask, else up to the last that is not all zero.

    ``bert`` is [3, T]: token ids, mask, segments; it tells the length of frames that are aligned with the tokens.
    """
    if length is not None:
        return int(max(0, min(length, len(frames))))
    if bert is not None and bert.shape == (3, len(frames)):
        return int((bert[1] > 0).sum())
    filled = np.flatnonzero(np.nan_to_num(frames, nan=1.0).any(axis=1))
    return int(filled[-1]) + 1 if filled.size else 0
