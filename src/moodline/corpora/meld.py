"""MELD: the official csv files, alone or in the release tree, and the feature pickles made from it.

Layout: ``train_sent_emo.csv``, ``dev_sent_emo.csv``, ``test_sent_emo.csv`` under the folder (or in ``train/``,
``dev/``, ``test/``, or ``data/MELD/``), and beside them, if downloaded, ``train_splits/``,
``dev_splits_complete/``, ``output_repeated_splits_test/`` with ``dia{D}_utt{U}.mp4``, or with the same clips as sound
(``.wav``, ``.flac``, …), also in folders such as ``train_splits_wav/`` and ``test/``. Dialogue numbers restart in
each split, so ids carry the split: conversation ``train/dia0``, utterance ``train/dia0_utt0``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, CorpusError, LabelError
from moodline.core.labels import MELD_7, SENTIMENT_3, LabelSet
from moodline.corpora.base import SPLITS, Corpus, CorpusDescriptor, Defect
from moodline.corpora.files import children, expected, hashes, one_pickle, pickles, read_bytes, subfolder
from moodline.corpora.text import decode, integer, read_table, read_times, repair_text

DESCRIPTOR = CorpusDescriptor(
    title="MELD: dialogues from the series Friends, seven emotions or three sentiments",
    licence="GPL-3.0 for the annotations (declare-lab/MELD); the clips remain the broadcaster's",
    files="train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv (with or without clips), or a feature pickle",
    language="en",
    labels="meld-7",
    other_labels=("sentiment-3",),
    modalities=("text", "video", "visual features (action units, optional)"),
)

HINT = "meld"
"""What a feature pickle of this corpus has in its name or its folder's name."""

LONG = 60.0
"""Seconds; an utterance that lasts longer is reported (two of the test set last minutes: wrong cuts)."""

_COLUMNS = (
    "Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "StartTime", "EndTime",
)  # fmt: skip
_LABELS = {"emotion": ("Emotion", MELD_7), "sentiment": ("Sentiment", SENTIMENT_3)}
_MEDIA = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
_BAD_MEDIA = {
    "train/dia125_utt3": "corrupt file",
    "test/dia38_utt4": "wrong cut",
    "test/dia220_utt0": "wrong cut",
}
_FOLDERS = {
    "train": r"train(?:_?splits?)?(?:_?complete)?(?:[_-]?\w+)?",
    "dev": r"(?:dev|val)(?:_?splits?)?(?:_?complete)?(?:[_-]?\w+)?",
    "test": r"(?:output_repeated_splits_test|test(?:_?splits?)?(?:_?complete)?)(?:[_-]?\w+)?",
}
"""What else the folders of clips are called, for example after they were converted."""
_VIDEO, _AUDIO = (".mp4", ".mkv", ".avi", ".mov", ".webm"), (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac")
_CLIP = re.compile(r"dia(\d+)_utt(\d+)")


def matches(directory: Path) -> bool:
    """Whether MELD's csv files, or a feature pickle with its name, are here."""
    return any(_table(directory, s) for s in SPLITS) or bool(pickles(directory, HINT))


def read(directory: Path, *, labels: str = "emotion", action_units: bool = True) -> Corpus:
    """Read MELD.

    Args:
        directory: the folder with the csv files or with one feature pickle, or the pickle itself.
        labels: ``"emotion"`` for the seven emotions, ``"sentiment"`` for the three sentiments.
        action_units: whether to read ``openface-au17/*.txt``, if there, as feature set ``"visual"`` [17].

    Returns:
        The corpus with the official splits. ``video``, or ``audio`` of clips that were made sound, is set where the
        media folder of a split is there.

    Raises:
        CorpusError: files are missing or broken.
        ConfigError: ``labels`` is neither of the two.
        LabelError: a label is not one of the corpus.
    """
    if labels not in _LABELS:
        raise ConfigError("meld: the option labels must be 'emotion' or 'sentiment'", repr(labels))
    tables = {s: _table(directory, s) for s in SPLITS}
    if not any(tables.values()):
        pickle = one_pickle("meld", directory, HINT)
        if pickle is not None:
            from moodline.corpora.feature_pickles import read_feature_pickle

            return read_feature_pickle(pickle, "meld", labels=labels)
    absent = [f"{s}_sent_emo.csv" for s, path in tables.items() if path is None]
    if absent:
        raise expected("meld", " and ".join(absent), directory, "Pass the folder that holds the three csv files.")

    column, label_set = _LABELS[labels]
    splits: dict[str, tuple[Conversation, ...]] = {}
    defects: list[Defect] = []
    for split, path in tables.items():
        assert path is not None
        splits[split] = _read_split(split, path, column, label_set, defects)
        splits[split] = _with_media(directory, split, path, splits[split], defects)
    files = [p for p in tables.values() if p is not None]
    features: dict[str, dict[str, np.ndarray]] = {}
    if action_units and (folder := subfolder(directory, "openface-au17")):
        units = {s: folder / f"{s}.txt" for s in SPLITS if (folder / f"{s}.txt").is_file()}
        known = {s: {u.id for c in conversations for u in c} for s, conversations in splits.items()}
        features["visual"] = {}
        for split, path in units.items():
            features["visual"] |= _read_units(split, path, known[split], defects)
            files.append(path)
    info = {"options": {"labels": labels, "action_units": action_units}, "layout": "csv"}
    hashed = hashes(directory, files)
    return Corpus("meld", label_set, splits, features, tuple(defects), hashed, info, speakers="corpus")


def _table(directory: Path, split: str) -> Path | None:
    name = f"{split}_sent_emo.csv"
    for place in (directory, directory / split, directory / "data" / "MELD"):
        if (place / name).is_file():
            return place / name
    return None


def _read_split(
    split: str, path: Path, column: str, labels: LabelSet, defects: list[Defect]
) -> tuple[Conversation, ...]:
    rows, found = read_table("meld", path, _COLUMNS)
    defects += found
    dialogues: dict[int, dict[int, Utterance]] = {}
    for number, row in enumerate(rows, start=2):
        dialogue = integer("meld", path, number, row, "Dialogue_ID")
        turn = integer("meld", path, number, row, "Utterance_ID")
        turns = dialogues.setdefault(dialogue, {})
        if turn in turns:
            raise CorpusError(f"meld: {path.name}: row {number} repeats dialogue {dialogue}, utterance {turn}")
        turns[turn] = _utterance(f"{split}/dia{dialogue}_utt{turn}", row, column, defects)
        try:
            labels.index(turns[turn].emotion)
        except LabelError as error:
            raise LabelError(f"meld: {path.name}: row {number}: {error}") from None
    for missing in sorted(set(range(max(dialogues) + 1)) - set(dialogues)):
        defects.append(Defect("missing dialogue number", f"{split}/dia{missing}", "reported"))
    out = []
    for dialogue, turns in sorted(dialogues.items()):
        where = f"{split}/dia{dialogue}"
        gaps = sorted(set(range(max(turns) + 1)) - set(turns))
        if gaps:
            detail = f"utterances {', '.join(map(str, gaps))} do not exist"
            defects.append(Defect("gap in utterance numbers", where, "reported", detail))
        conversation = Conversation(where, tuple(u for _, u in sorted(turns.items())))
        for before, after in pairwise(conversation):
            if before.start is not None and after.start is not None and after.start < before.start:
                detail = f"{after.start:.3f} s after {before.start:.3f} s"
                defects.append(Defect("starts before the previous utterance", after.id, "reported", detail))
        out.append(conversation)
    return tuple(out)


def _utterance(key: str, row: dict[str, str], column: str, defects: list[Defect]) -> Utterance:
    text, repaired = repair_text(row["Utterance"])
    speaker, repaired_speaker = repair_text(row["Speaker"])
    if repaired or repaired_speaker:
        defects.append(Defect("wrongly decoded characters", key, "repaired", (text if repaired else speaker)[:60]))
    if not text:
        defects.append(Defect("empty text", key, "reported"))
    start, end, found = read_times(row["StartTime"], row["EndTime"], key)
    defects += found
    if start is not None and end is not None and end - start > LONG:
        defects.append(Defect("very long utterance", key, "reported", f"{end - start:.0f} s"))
    return Utterance(key, speaker or None, start, end, text or None, emotion=row[column].strip().lower())


def _with_media(
    directory: Path, split: str, table: Path, conversations: tuple[Conversation, ...], defects: list[Defect]
) -> tuple[Conversation, ...]:
    """Attach the clips of a split; nothing happens where its media folder was not downloaded."""
    folders = _media_folders(directory, split, table)
    if not folders:
        return conversations
    files = [p for folder in folders for p in children(folder) if p.suffix.lower() in (*_VIDEO, *_AUDIO)]
    films = {p.stem: p for p in reversed(files) if _CLIP.fullmatch(p.stem) and p.suffix.lower() in _VIDEO}
    sounds = {p.stem: p for p in reversed(files) if _CLIP.fullmatch(p.stem) and p.suffix.lower() in _AUDIO}
    stray = [p.name for p in files if not _CLIP.fullmatch(p.stem)]
    known = {u.id.split("/")[1] for c in conversations for u in c}
    stray += sorted(p.name for p in (*films.values(), *sounds.values()) if p.stem not in known)
    defects += [Defect("clip of no utterance", f"{split}/{name}", "dropped") for name in stray]
    out = []
    for conversation in conversations:
        turns = []
        for utterance in conversation:
            name = utterance.id.split("/")[1]
            clips = [p for p in (films.get(name), sounds.get(name)) if p is not None]
            reason = _BAD_MEDIA.get(utterance.id) if clips else "no such file"
            if reason is None and any(p.stat().st_size == 0 for p in clips):
                reason = "empty file"
            if reason:
                defects.append(Defect("unusable clip", utterance.id, "dropped", reason))
                turns.append(utterance)
            else:
                turns.append(replace(utterance, video=films.get(name), audio=sounds.get(name)))
        out.append(replace(conversation, utterances=tuple(turns)))
    return tuple(out)


def _media_folders(directory: Path, split: str, table: Path) -> list[Path]:
    """The folders with the clips of a split: the official one, and others that hold some."""
    places = dict.fromkeys((table.parent, directory, directory / split))
    found = [p for p in (subfolder(place, _MEDIA[split]) for place in places) if p is not None]
    for place in places:
        for folder in children(place):
            if folder not in found and re.fullmatch(_FOLDERS[split], folder.name.lower()) and _holds_clips(folder):
                found.append(folder)
    return found


def _holds_clips(folder: Path) -> bool:
    return any(_CLIP.fullmatch(p.stem) and p.suffix.lower() in (*_VIDEO, *_AUDIO) for p in children(folder))


def _read_units(split: str, path: Path, known: set[str], defects: list[Defect]) -> dict[str, np.ndarray]:
    """Read ``dia{D}_utt{U}`` and 17 mean action-unit intensities a line; [17] each."""
    text, _ = decode(read_bytes(path))
    out: dict[str, np.ndarray] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields:
            continue
        key = f"{split}/{fields[0]}"
        try:
            values = np.array(fields[1:], dtype=np.float32)
        except ValueError:
            values = np.zeros(0, np.float32)
        if values.shape != (17,):
            raise CorpusError(
                f"meld: {path.name}: line {number} must be an id and 17 numbers",
                f"{len(fields)} fields",
                "Check the file.",
            )
        if key not in known:
            defects.append(Defect("action units of no utterance", key, "dropped"))
        elif not np.isfinite(values).all() or not values.any():
            defects.append(Defect("action units all zero or not finite", key, "dropped"))
        else:
            out[key] = values
    rows = {f"{split}/{line.split()[0]}" for line in text.splitlines() if line.strip()}
    defects += [Defect("no action units", key, "reported") for key in sorted(known - rows)]
    return out
