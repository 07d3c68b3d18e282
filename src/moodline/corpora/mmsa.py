"""The pickles of MMSA (github.com/thuiar/MMSA): CMU-MOSI, CMU-MOSEI, CH-SIMS and CH-SIMS v2 in one layout.

``train|valid|test`` to ``raw_text``, ``id`` (``video$_$clip``), ``regression_labels``, and frames padded to one length:
``text`` (BERT's states), ``audio``, ``vision``, with ``audio_lengths`` and ``vision_lengths`` where they are not
aligned with the tokens, whose mask is in ``text_bert``. CH-SIMS also has ``regression_labels_T|_A|_V``, what annotators
said who saw or heard one modality only; its second version a ``train_mix`` of clips without labels, which is not read.

Certain, from MMSA's and CH-SIMS v2's loaders and MSE-Adapter's settings: these names, sizes (``Family.sizes``), ranges,
−infinity in audio and NaN in vision of some files (set to 0 here). Assumed: that a speaker talks alone in a video.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, CorpusError
from moodline.core.groups import ALONE, Groups
from moodline.core.labels import LABEL_SETS, MOSI_SCALE, SIMS_SCALE, LabelSet, ValueScale
from moodline.corpora.base import SPLITS, Corpus, Defect
from moodline.corpora.files import expected, one_pickle, pickles, sha256
from moodline.corpora.safe_pickle import load_pickle
from moodline.corpora.text import repair_text

HINT = r"mos(i|ei)|sims|mmsa|aligned"
"""What a pickle of these corpora has in its name or its folder's name."""


@dataclass(frozen=True)
class Family:
    """One of the four corpora.

    Args:
        name: of its reader.
        scale: of its scores.
        sizes: published sizes D of ``audio`` and ``vision``.
        labels: the label sets that scores can be read as, the default first.
        zero: the class of a score of 0 where there are two: that of the corpus's own binary accuracy.
    """

    name: str
    scale: ValueScale
    sizes: tuple[int, int]
    labels: tuple[str, ...] = ("sentiment-2", "sentiment-3")
    zero: int = 1


_CHINESE = ("sentiment-2", "sentiment-3", "sentiment-2-zh", "sentiment-3-zh")
MOSI = Family("mosi", MOSI_SCALE, (5, 20))
MOSEI = Family("mosei", MOSI_SCALE, (74, 35))
SIMS = Family("sims", SIMS_SCALE, (33, 709), _CHINESE, zero=0)
SIMS2 = Family("simsv2", SIMS_SCALE, (25, 177), _CHINESE, zero=0)
FAMILIES = {f.name: f for f in (MOSI, MOSEI, SIMS, SIMS2)}

_LENGTHS = {"text": "text_lengths", "audio": "audio_lengths", "vision": "vision_lengths"}
FEATURES = {"text": "text", "audio": "speech", "vision": "visual", "video": "visual"}
"""A file's name of a modality to that of the feature set."""
ANNOTATIONS = ("M", "T", "A", "V")


@dataclass
class Row:
    """An utterance as the files have it."""

    video: str
    clip: str
    score: float | None
    emotion: str
    text: str | None
    features: dict[str, np.ndarray] = field(default_factory=dict)


def guess(path: Path) -> str:
    """Which of the four corpora a pickle is of, by its own and its folder's name; CMU-MOSI if they do not tell."""
    text = re.sub(r"[^a-z0-9]", "", f"{path.parent.name}{path.stem}".lower())
    if re.search(r"sims(v|version)?2", text):
        return "simsv2"
    return next((n for n in ("mosei", "sims") if n in text), "mosi")


def found(family: Family, directory: Path) -> bool:
    """Whether a pickle with the name of this corpus is here."""
    return any(guess(p) == family.name for p in pickles(directory, HINT))


def read_family(
    family: Family,
    directory: Path,
    *,
    case: str = "lower",
    conversation: str = "auto",
    labels: str = "sentiment-2",
    annotation: str = "M",
) -> Corpus:
    """Read one of the four corpora from its pickle.

    Args:
        family: which one.
        directory: the folder with the pickle, or the pickle itself.
        case: ``"lower"``: upper-case text is made lower-case; ``"asis"``: left alone.
        conversation: ``"video"``, ``"clip"`` (every clip stands alone) or ``"auto"``.
        labels: ``"sentiment-2"`` or ``"sentiment-3"``, for scores by their sign; of CH-SIMS with ``-zh`` also their
            Chinese names.
        annotation: of CH-SIMS the score that annotators gave who had all modalities, ``"M"``, or the one of ``"T"``,
            ``"A"``, ``"V"``.

    Returns:
        The corpus. Feature sets ``"text"``, ``"speech"``, ``"visual"``: frames [T, D].

    Raises:
        CorpusError: files are missing or broken, or of another of the four.
        ConfigError: an option's value.
        UnsafePickleError: a pickle asks for more than arrays and plain containers.
    """
    check_options(family.name, case=case, conversation=conversation, labels=labels, annotation=annotation)
    path = one_pickle(family.name, directory, HINT)
    if path is None:
        raise expected(
            family.name, "one MMSA pickle (unaligned_50.pkl)", directory,
            "Pass the folder that holds the file, or the file.",
        )  # fmt: skip
    defects: list[Defect] = []
    rows = read_pickle(path, family, LABEL_SETS[labels], annotation, defects)
    info = {"layout": "MMSA pickle", "dev": "as in the file"}
    return corpus_of(family, path, rows, info, defects, case, conversation, labels, annotation)


def check_options(name: str, **options: str) -> None:
    """Raise a ConfigError for a value that no reader of the family knows."""
    known = {
        "case": ("lower", "asis"),
        "conversation": ("auto", "video", "clip"),
        "labels": FAMILIES[name].labels,
        "annotation": ANNOTATIONS,
    }
    for option, value in options.items():
        if value not in known[option]:
            raise ConfigError(f"{name}: the option {option} must be one of {', '.join(known[option])}", repr(value))


def corpus_of(
    family: Family,
    path: Path,
    rows: dict[str, list[Row]],
    info: dict[str, Any],
    defects: list[Defect],
    case: str,
    conversation: str,
    labels: str,
    annotation: str = "M",
) -> Corpus:
    """Rows by split as a corpus: a video is a conversation, unless splits share videos or clips are to stand alone."""
    shared = _shared_videos(rows)
    alone = conversation == "clip" or (conversation == "auto" and (family is SIMS2 or bool(shared)))
    if shared and not alone:
        raise ConfigError(f"{family.name}: video {shared[0]} is in two splits", fix="Use conversation=clip or auto.")
    splits, features = _conversations(family.name, rows, alone, case, defects)
    options = {"case": case, "conversation": "clip" if alone else "video", "labels": labels}
    if family in (SIMS, SIMS2):
        options["annotation"] = annotation
    scored = any(r.score is not None for split in rows.values() for r in split)
    return Corpus(
        family.name,
        LABEL_SETS[labels],
        splits,
        features,
        tuple(defects),
        {path.name: sha256(path)},
        {"options": options, **info},
        scale=family.scale if scored else None,
        speakers="corpus",
        groups=_videos(splits) if alone else ALONE,
    )


def _videos(splits: dict[str, tuple[Conversation, ...]]) -> Groups:
    """Clips that stand alone are still of one video, whose name their utterance has as its speaker."""
    return Groups("videos", {c.id: str(c.utterances[0].speaker) for split in splits.values() for c in split})


def _shared_videos(rows: dict[str, list[Row]]) -> list[str]:
    videos = [(r.video, s) for s, split in rows.items() for r in split]
    first: dict[str, str] = {}
    return sorted({v for v, s in videos if first.setdefault(v, s) != s})


def _clip_order(row: Row) -> tuple[str, int, str]:
    return (row.video, int(row.clip) if row.clip.isdigit() else -1, row.clip)


def _conversations(
    name: str, rows: dict[str, list[Row]], alone: bool, case: str, defects: list[Defect]
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
            utterance = Utterance(key, row.video, text=text or None, emotion=row.emotion, value=row.score)
            turns.setdefault(key if alone else row.video, []).append(utterance)
            for modality, values in row.features.items():
                features.setdefault(modality, {})[key] = values
        splits[split] = tuple(Conversation(key, tuple(utterances)) for key, utterances in turns.items())
    for modality, vectors in features.items():
        shapes = sorted({(v.ndim, v.shape[-1]) for v in vectors.values()})
        if len(shapes) > 1:
            raise CorpusError(f"{name}: {modality} features must be all [D] or all [T, D], of one size D", shapes)
    return splits, features


def clean(values: np.ndarray, key: str, name: str, defects: list[Defect]) -> np.ndarray:
    """Values as float32, those that are not finite set to 0 and counted."""
    values = np.array(values, dtype=np.float32)
    bad = ~np.isfinite(values)
    if bad.any():
        values[bad] = 0
        defects.append(Defect(f"{name} not finite", key, "repaired", f"{int(bad.sum())} values set to 0"))
    return values


def read_pickle(
    path: Path, family: Family, labels: LabelSet, annotation: str, defects: list[Defect]
) -> dict[str, list[Row]]:
    """The utterances of a pickle by split.

    Raises:
        CorpusError: a split is missing or empty, or something in it is wrong.
    """
    data = load_pickle(path)
    where = f"{family.name}: {path.name}"
    if not isinstance(data, dict) or not any(isinstance(data.get(s), dict) for s in ("train", "valid", "test")):
        names = ", ".join(map(str, list(data)[:6])) if isinstance(data, dict) else type(data).__name__
        raise CorpusError(f"{where}: expected a mapping of train, valid and test", names, "Use an MMSA pickle.")
    out: dict[str, list[Row]] = {}
    for split, key in (("train", "train"), ("dev", "valid"), ("test", "test")):
        if key in data:
            if not isinstance(data[key], dict):
                raise CorpusError(f"{where}: {key} must be a mapping", type(data[key]).__name__)
            out[split] = _read_part(data[key], f"{where}: {key}", family, labels, annotation, defects)
    if not any(out.values()):
        raise CorpusError(f"{where} holds no utterances")
    missing = [key for split, key in (("train", "train"), ("dev", "valid"), ("test", "test")) if not out.get(split)]
    if missing:
        raise CorpusError(f"{where}: expected train, valid and test", f"no {missing[0]}", "Get the whole file.")
    _check_sizes(out, family, where)
    return out


def _check_sizes(rows: dict[str, list[Row]], family: Family, where: str) -> None:
    """Raise if the features have the published sizes of another of the four corpora."""
    some = next((r for split in rows.values() for r in split if {"speech", "visual"} <= r.features.keys()), None)
    if some is None:
        return
    sizes = (some.features["speech"].shape[-1], some.features["visual"].shape[-1])
    other = next((f.name for f in FAMILIES.values() if f.sizes == sizes), family.name)
    if other != family.name:
        raise CorpusError(
            f"{where}: audio of {sizes[0]} and vision of {sizes[1]} values are those of {other}",
            fix=f"Name the corpus {other}.",
        )


def emotion_of(score: float, labels: LabelSet, family: Family) -> str:
    """The label of a score: by its sign, and where there are two classes 0 goes where the corpus puts it."""
    if len(labels) == 3:
        return labels.labels[int(np.sign(score)) + 1]
    return labels.labels[family.zero if score == 0 else int(score > 0)]


def _read_part(
    part: Mapping[str, Any], where: str, family: Family, labels: LabelSet, annotation: str, defects: list[Defect]
) -> list[Row]:
    """One split of an MMSA pickle."""
    column = "regression_labels" if annotation == "M" else f"regression_labels_{annotation}"
    need = ("id", "raw_text", column)
    absent = [n for n in need if part.get(n) is None]
    if absent:
        names = ", ".join(map(str, list(part)[:8]))
        raise CorpusError(f"{where}: expected {', '.join(need)}", names, "Use an MMSA pickle.")
    used = (*need, *_LENGTHS, *_LENGTHS.values(), "text_bert")
    part = {n: part[n] for n in used if part.get(n) is not None}
    sizes = {n: _size(column) for n, column in part.items()}
    if len(set(sizes.values())) != 1:
        names = ", ".join(f"{n} {size}" for n, size in sizes.items())
        raise CorpusError(f"{where}: all parts must be arrays or lists of the same length", names)
    ids = [_string(k) for k in part["id"]]
    if len(set(ids)) != len(ids):
        raise CorpusError(f"{where}: ids must be unique", next(k for k in ids if ids.count(k) > 1))
    scores = _numbers(part, column, where)
    lengths = {n: _numbers(part, length, where) for n, length in _LENGTHS.items() if length in part}
    rows = []
    for n, key in enumerate(ids):
        video, separator, clip = key.partition("$_$")
        if not separator:
            raise CorpusError(f"{where}: ids must be video$_$clip", key, "Use an MMSA pickle.")
        score = float(scores[n])
        if not family.scale.low <= score <= family.scale.high:
            low, high = family.scale.range
            raise CorpusError(f"{where}: scores lie between {low:g} and {high:g}", f"{score:g} of {key}")
        row = Row(video, clip, score, emotion_of(score, labels, family), _string(part["raw_text"][n]))
        for name in (m for m in _LENGTHS if m in part):
            frames = _array(part[name][n], f"{where}: {name} of {key}")
            if frames.ndim == 2:
                bert = _array(part["text_bert"][n], f"{where}: text_bert of {key}") if "text_bert" in part else None
                frames = frames[: _frames(frames, lengths[name][n] if name in lengths else None, bert)]
            if frames.size:
                row.features[FEATURES[name]] = clean(frames, f"{video}_{clip}", name, defects)
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
