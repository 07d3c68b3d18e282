"""EmoryNLP: the csv files of the MELD repository, and the json files of its authors.

Layouts: ``emorynlp_{train,dev,test}_final.csv``, or ``emotion-detection-{trn,dev,tst}.json``
(``{season_id, episodes: [{scenes: [{utterances: […]}]}]}``). A scene is a conversation. Ids are written as the
json files write them: conversation ``s01_e02_c03``, utterance ``s01_e02_c03_u004``. The files may lie in ``json/``,
``csv/``, ``emorynlp/`` or ``data/emorynlp/``. Tables without seasons, episodes or times are read too: then a
conversation is named after its split and scene, ``train_c03``.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CorpusError, LabelError
from moodline.core.labels import EMORYNLP_7
from moodline.corpora.base import SPLITS, Corpus, CorpusDescriptor, Defect
from moodline.corpora.files import children, expected, hashes, one_pickle, pickles, read_bytes, subfolder
from moodline.corpora.text import decode, integer, read_table, read_times, repair_text

DESCRIPTOR = CorpusDescriptor(
    title="EmoryNLP: scenes from the series Friends, seven emotions",
    licence="see emorynlp/emotion-detection; the dialogues remain the broadcaster's",
    files="emorynlp_{train,dev,test}_final.csv or emotion-detection-{trn,dev,tst}.json",
    language="en",
    labels="emorynlp-7",
    modalities=("text",),
)

HINT = "emory"
"""What a feature pickle of this corpus has in its name or its folder's name."""

_COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID")
_PLACES = ((), ("json",), ("csv",), ("emorynlp",), ("data",), ("data", "emorynlp"), ("data", "emory"))
_FILES = {
    "train": r"(emorynlp_)?train(_final)?\.csv|emotion-detection-trn\.json|(emorynlp_)?train\.json",
    "dev": r"(emorynlp_)?dev(_final)?\.csv|emotion-detection-dev\.json|(emorynlp_)?dev\.json",
    "test": r"(emorynlp_)?test(_final)?\.csv|emotion-detection-tst\.json|(emorynlp_)?test\.json",
}
_SURE = re.compile(r"emorynlp_|emotion-detection-")


def matches(directory: Path) -> bool:
    """Whether EmoryNLP's csv or json files, or a feature pickle with its name, are here."""
    return any(_SURE.match(p.name) for p in _found(directory).values()) or bool(pickles(directory, HINT))


def read(directory: Path) -> Corpus:
    """Read EmoryNLP.

    Args:
        directory: the folder with the three csv or json files.

    Returns:
        The corpus with the official splits; several speakers of one utterance are joined with " & ".

    Raises:
        CorpusError: files are missing or broken.
        LabelError: a label is not one of the corpus.
    """
    found = _found(directory)
    if not found:
        pickle = one_pickle("emorynlp", directory, HINT)
        if pickle is not None:
            from moodline.corpora.feature_pickles import read_feature_pickle

            return read_feature_pickle(pickle, "emorynlp")
    absent = [s for s in SPLITS if s not in found]
    if absent:
        files = "emorynlp_train_final.csv, emorynlp_dev_final.csv and emorynlp_test_final.csv"
        raise expected(
            "emorynlp", f"{files} (or emotion-detection-{{trn,dev,tst}}.json; missing: {', '.join(absent)})", directory,
            "Pass the folder that holds the three files.",
        )  # fmt: skip
    splits: dict[str, tuple[Conversation, ...]] = {}
    defects: list[Defect] = []
    seen: dict[str, str] = {}
    for split in SPLITS:
        path = found[split]
        scenes = _read_csv(path, split, defects) if path.suffix.lower() == ".csv" else _read_json(path, defects)
        for scene in scenes:
            if scene in seen:
                raise CorpusError(f"emorynlp: the scene {scene} is in two splits", f"{seen[scene]} and {split}")
            seen[scene] = split
        splits[split] = tuple(Conversation(scene, tuple(turns.values())) for scene, turns in scenes.items())
    layout = found["train"].suffix.removeprefix(".")
    return Corpus(
        "emorynlp", EMORYNLP_7, splits, {}, tuple(defects), hashes(directory, found.values()),
        {"options": {}, "layout": layout}, speakers="corpus",
    )  # fmt: skip


def _found(directory: Path) -> dict[str, Path]:
    for place in _PLACES:
        folder = subfolder(directory, *place)
        names = children(folder) if folder is not None else []
        out = {}
        for split, pattern in _FILES.items():
            hits = [p for p in names if re.fullmatch(pattern, p.name, re.IGNORECASE) and p.is_file()]
            if hits:
                out[split] = hits[0]
        if out:
            return out
    return {}


def _add(scenes: dict[str, dict[str, Utterance]], scene: str, utterance: Utterance, place: str) -> None:
    try:
        EMORYNLP_7.index(utterance.emotion)
    except LabelError as error:
        raise LabelError(f"emorynlp: {place}: {error}") from None
    if utterance.id in scenes.setdefault(scene, {}):
        raise CorpusError(f"emorynlp: {place}: the utterance {utterance.id} occurs twice")
    scenes[scene][utterance.id] = utterance


def _text(raw: str, key: str, defects: list[Defect]) -> str | None:
    text, repaired = repair_text(raw)
    if repaired:
        defects.append(Defect("wrongly decoded characters", key, "repaired", text[:60]))
    if not text:
        defects.append(Defect("empty text", key, "reported"))
    return text or None


def _read_csv(path: Path, split: str, defects: list[Defect]) -> dict[str, dict[str, Utterance]]:
    rows, found = read_table("emorynlp", path, _COLUMNS)
    defects += found
    scenes: dict[str, dict[str, Utterance]] = {}
    last: dict[str, tuple[int, float | None]] = {}
    for number, row in enumerate(rows, start=2):
        turn = integer("emorynlp", path, number, row, "Utterance_ID")
        scene = _scene(path, split, number, row)
        key = f"{scene}_u{turn:03d}"
        times = [row.get(f"{side}_Time") or row.get(f"{side}Time") for side in ("Start", "End")]
        start, end, wrong = read_times(times[0], times[1], key) if times[0] and times[1] else (None, None, [])
        defects += wrong
        before, began = last.get(scene, (turn - 1, None))
        if turn <= before:
            defects.append(Defect("utterance number goes back", key, "reported"))
        if began is not None and start is not None and start < began:
            detail = f"{start:.3f} s after {began:.3f} s"
            defects.append(Defect("starts before the previous utterance", key, "reported", detail))
        last[scene] = (turn, start)
        utterance = Utterance(
            key, _speaker(row["Speaker"]), start, end, _text(row["Utterance"], key, defects),
            emotion=row["Emotion"].strip().lower(),
        )  # fmt: skip
        _add(scenes, scene, utterance, f"{path.name}: row {number}")
    for scene, turns in scenes.items():
        numbers = [int(key.rsplit("_u", 1)[1]) for key in turns]
        missing = sorted(set(range(1, max(numbers) + 1)) - set(numbers))
        if missing:
            detail = f"utterances {', '.join(map(str, missing))} do not exist"
            defects.append(Defect("gap in utterance numbers", scene, "reported", detail))
    return scenes


def _scene(path: Path, split: str, number: int, row: dict[str, str]) -> str:
    """The conversation's id: by season, episode and scene; without the first two by the split and the scene."""
    scene = integer("emorynlp", path, number, row, "Scene_ID")
    if "Season" not in row or "Episode" not in row:
        return f"{split}_c{scene:02d}"
    season, episode = (integer("emorynlp", path, number, row, c) for c in ("Season", "Episode"))
    return f"s{season:02d}_e{episode:02d}_c{scene:02d}"


def _speaker(raw: str) -> str | None:
    """The speakers of ``"['A', 'B']"``; anything that is no such list is taken as a name."""
    try:
        names = ast.literal_eval(raw)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        names = [raw]
    names = names if isinstance(names, list | tuple) else [raw]
    return " & ".join(str(n).strip() for n in names if str(n).strip()) or None


def _read_json(path: Path, defects: list[Defect]) -> dict[str, dict[str, Utterance]]:
    text, repaired = decode(read_bytes(path))
    if repaired:
        defects.append(Defect("not UTF-8", path.name, "repaired", f"{repaired} lines read as cp1252"))
    scenes: dict[str, dict[str, Utterance]] = {}
    try:
        seasons = json.loads(text)
        for season in seasons if isinstance(seasons, list) else [seasons]:
            for episode in season["episodes"]:
                for scene in episode["scenes"]:
                    for row in scene["utterances"]:
                        _add_row(scenes, row, path, defects)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorpusError(
            f"emorynlp: {path.name} must be {{episodes: [{{scenes: [{{utterances: [...]}}]}}]}}",
            f"{type(error).__name__}: {error}",
            "Use the file as its authors published it.",
        ) from None
    if not scenes:
        raise CorpusError(f"emorynlp: {path.name} holds no utterances")
    return scenes


def _add_row(scenes: dict[str, dict[str, Utterance]], row: dict[str, Any], path: Path, defects: list[Defect]) -> None:
    key = str(row["utterance_id"])
    scene, separator, _ = key.rpartition("_u")
    if not separator:
        raise ValueError(f"utterance_id {key!r} does not name its scene")
    speakers = row.get("speakers") or []
    utterance = Utterance(
        key, " & ".join(str(s) for s in speakers) or None, text=_text(str(row.get("transcript") or ""), key, defects),
        emotion=str(row["emotion"]).strip().lower(),
    )  # fmt: skip
    _add(scenes, scene, utterance, path.name)
