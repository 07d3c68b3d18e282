"""The house format: conversations as JSON lines, features as safetensors.

Layout of a house directory:

    train.jsonl, dev.jsonl, test.jsonl      any of them; one conversation a line (docs/how-to/your-data.md)
    conversations.jsonl                     instead, all in one; with splits.json {"train": [conversation ids], …},
                                            or everything is "test"
    folds.json                              for the option fold (cross-validation), see house_folds.py
    labels.json                             {"name": …, "labels": […]}
    scores.json                             {"name": …, "low": −3, "high": 3}, the range of scores, where there are any
    groups.json                             {"name": "speakers", "of": {conversation id: group, …}}, where conversations
                                            share somebody or something (``Groups``)
    corpus.json, defects.json               written by ``moodline convert``: name, info, languages, whether a speaker's
                                            name is the same person in the whole corpus ("speakers": "corpus") or
                                            only within a conversation ("conversation"); what was repaired
    features/NAME.safetensors               values float32 [N, D]; for frames also offsets int64 [n + 1]
    features/NAME.json                      {"ids": [utterance ids]}, in the order of the rows

Utterance ids are unique in the corpus. A single ``.jsonl`` file is a corpus too: its split is its name if that is
train, dev or test, else "test". Media paths are relative to the file that names them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError, CorpusError, LabelError
from moodline.core.groups import ALONE, Groups
from moodline.core.labels import LABEL_SETS, SENTIMENT_2, VALUE_SCALES, LabelSet, ValueScale
from moodline.corpora.base import SPLITS, Corpus, CorpusDescriptor, Defect, FoldSplits
from moodline.corpora.files import expected, hashes, read_bytes, unreadable
from moodline.corpora.native_features import read_features
from moodline.corpora.native_folds import FILE as FOLDS
from moodline.corpora.native_folds import parse_folds

DESCRIPTOR = CorpusDescriptor(
    title="Your own conversations in Moodline's format",
    licence="yours",
    files="train.jsonl, dev.jsonl, test.jsonl or conversations.jsonl; labels.json; features/NAME.safetensors",
    language=None,
    labels="",
    modalities=("text", "audio", "video", "features"),
)

WHOLE = "conversations.jsonl"


def matches(directory: Path) -> bool:
    """Whether this is a house directory, or one file of the house format."""
    if directory.is_file():
        return directory.suffix.lower() == ".jsonl"
    return any((directory / name).is_file() for name in (WHOLE, *(f"{s}.jsonl" for s in SPLITS)))


def read(directory: Path, *, labels: str | None = None, name: str | None = None, fold: int | None = None) -> Corpus:
    """Read a house directory or one ``.jsonl`` file.

    Args:
        directory: the directory or the file.
        labels: the name of a known label set (e.g. ``"meld-7"``), for files without ``labels.json``. None: the
            file's, or else the labels that occur, in alphabetical order.
        name: the corpus's name; None: as recorded, or "house".
        fold: None for the files' own splits; from 0, for those of that entry of ``folds.json``.

    Raises:
        CorpusError: files are missing or broken; a line is no conversation; ids repeat.
        ConversationError: utterances contradict each other.
        LabelError: a label is not in the label set, or a score not in its range.
        FeatureError: features are broken, not finite, or of utterances that do not exist.
        ConfigError: ``labels`` is no known label set, or contradicts ``labels.json``; there is no such fold.
    """
    root = directory.parent if directory.is_file() else directory
    files: list[Path] = []
    splits = _read_splits(directory, files)
    record: dict[str, Any] = {}
    defects: tuple[Defect, ...] = ()
    features: dict[str, dict[str, np.ndarray]] = {}
    ids = _check_ids(splits)
    label_set = scale = None
    groups = ALONE
    if directory.is_dir():
        record = _object(root / "corpus.json", files)
        label_set = _labels_file(root / "labels.json", files)
        scale = _scores_file(root / "scores.json", files)
        groups = _groups(root / "groups.json", files)
        defects = _defects(root / "defects.json", files)
        features = read_features(root / "features", ids, files)
    unlabelled = not any(u.emotion for c in splits.values() for conversation in c for u in conversation)
    label_set = SENTIMENT_2 if scale and unlabelled and not label_set else _label_set(label_set, labels, splits)
    _check_labels(label_set, splits)
    if scale is not None:
        _check_scores(scale, splits)
    folds = _folds(root / FOLDS, splits, files, fold) if directory.is_dir() or fold is not None else ()
    own = {"options": {"labels": labels, "fold": fold}, "layout": "house"}
    info = dict(record["info"]) if isinstance(record.get("info"), dict) else own
    corpus = Corpus(
        name or str(record.get("name") or "house"), label_set, splits, features, defects, hashes(root, files),
        info, speakers=_speakers(record), folds=folds, scale=scale, groups=groups,
        languages=_languages(record.get("languages", [])),
    )  # fmt: skip
    if fold is None:
        return corpus
    _check_fold(fold, folds)
    return corpus.in_fold(fold)  # the classes are those of the files' own splits, the same in every fold


def _languages(codes: Any) -> tuple[str, ...]:
    if not isinstance(codes, list) or not all(isinstance(code, str) and code for code in codes):
        raise CorpusError('house: languages of corpus.json must be a list of codes, as ["en"]', repr(codes)[:60])
    return tuple(codes)


def _read_splits(path: Path, files: list[Path]) -> dict[str, tuple[Conversation, ...]]:
    if path.is_file():
        files.append(path)
        return {path.stem if path.stem in SPLITS else "test": tuple(_conversations(path))}
    if (path / WHOLE).is_file():
        files.append(path / WHOLE)
        return _divide(list(_conversations(path / WHOLE)), path / "splits.json", files)
    found = {s: path / f"{s}.jsonl" for s in SPLITS if (path / f"{s}.jsonl").is_file()}
    if not found:
        raise expected(
            "house", "train.jsonl, dev.jsonl, test.jsonl or conversations.jsonl", path,
            "Pass a directory that moodline convert wrote, or a .jsonl file.",
        )  # fmt: skip
    files += found.values()
    return {s: tuple(_conversations(p)) for s, p in found.items()}


def _divide(conversations: list[Conversation], path: Path, files: list[Path]) -> dict[str, tuple[Conversation, ...]]:
    if not path.is_file():
        return {"test": tuple(conversations)}
    wanted = _object(path, files)
    by_id = {c.id: c for c in conversations}
    out: dict[str, tuple[Conversation, ...]] = {}
    placed: set[str] = set()
    for split, ids in wanted.items():
        if split not in SPLITS or not isinstance(ids, list):
            raise CorpusError(f"house: {path.name}: expected lists of conversation ids for train, dev, test", split)
        unknown = [i for i in ids if not isinstance(i, str) or i not in by_id]
        if unknown:
            raise CorpusError(
                f"house: {path.name}: no conversation has the id {unknown[0]!r}", fix=f"Ids are in {WHOLE}."
            )
        counts = Counter(ids)
        again = [i for i in ids if i in placed or counts[i] > 1]
        if again:
            raise CorpusError(f"house: {path.name}: conversation {again[0]!r} is in two splits or twice in one")
        placed |= set(ids)
    for split in SPLITS:
        members = set(wanted.get(split, ()))
        if members:
            out[split] = tuple(c for c in conversations if c.id in members)
    rest = [c.id for c in conversations if c.id not in placed]
    if rest:
        raise CorpusError(
            f"house: {path.name}: conversation {rest[0]!r} is in no split", fix="Name every conversation."
        )
    return out


def _folds(
    path: Path, splits: dict[str, tuple[Conversation, ...]], files: list[Path], fold: int | None
) -> tuple[FoldSplits, ...]:
    """The folds; their file is one of those that were read only where one of them is wanted."""
    data = _json(path, files if fold is not None else [])
    return () if data is None else parse_folds(data, [c.id for members in splits.values() for c in members])


def _check_fold(fold: int, folds: tuple[FoldSplits, ...]) -> None:
    """Raise a ConfigError unless there is such a fold."""
    if not folds:
        raise ConfigError(f"house: the option fold needs {FOLDS}", fix="Write the folds' conversation ids there.")
    if isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < len(folds):
        raise ConfigError(f"house: the option fold must be 0 to {len(folds) - 1}, or none", repr(fold))


def options_of(info: dict[str, Any]) -> dict[str, Any]:
    """The reader's options that a corpus was converted with."""
    options = info.get("options")
    return options if isinstance(options, dict) else {}


def _conversations(path: Path) -> Iterator[Conversation]:
    """The conversations of one file, in its order."""
    number = count = 0
    for number, line in enumerate(read_bytes(path).removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        where = f"{path.name}:{number}"
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"house: {where} is not UTF-8", f"byte {error.start + 1} of the line", "Save the file as UTF-8."
            ) from None
        if not text.strip():
            continue
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            reason = "too deeply nested" if isinstance(error, RecursionError) else error
            raise CorpusError(f"house: {where} is not JSON: {reason}", fix="One object a line.") from None
        yield Conversation.from_dict(_with_ids(data, where), where, path.parent)
        count += 1
    if not count:
        raise CorpusError(
            f"house: {path.name} holds no conversations", fix="One object a line; see docs/how-to/your-data.md."
        )


def _with_ids(data: Any, where: str) -> Any:
    """Ids of utterances that have none carry the conversation's, so that they are unique in the corpus."""
    if not isinstance(data, dict) or not isinstance(data.get("utterances"), list):
        return data
    if not isinstance(data.get("id"), str) or not data["id"]:
        raise CorpusError(f"house: {where}: a conversation needs an id, a string", repr(data.get("id"))[:40])
    rows = [
        {**row, "id": f"{data['id']}_u{n}"} if isinstance(row, dict) and row.get("id") is None else row
        for n, row in enumerate(data["utterances"])
    ]
    for row in rows:
        paths = [row.get(k) for k in ("audio", "video")] if isinstance(row, dict) else []
        if any(p is not None and not isinstance(p, str) for p in (*paths, data.get("media"))):
            raise CorpusError(f"house: {where}: media paths must be strings")
    return {**data, "utterances": rows}


def _check_ids(splits: dict[str, tuple[Conversation, ...]]) -> list[str]:
    """Utterance ids in order.

    Raises:
        CorpusError: an id of a conversation or of an utterance occurs twice.
    """
    seen: dict[str, str] = {}
    conversations: dict[str, str] = {}
    for split, members in splits.items():
        for conversation in members:
            if conversation.id in conversations:
                raise CorpusError(
                    f"house: conversation ids must be unique, {conversation.id!r} is not",
                    f"in {conversations[conversation.id]} and {split}", "Rename one of them.",
                )  # fmt: skip
            conversations[conversation.id] = split
            for utterance in conversation:
                if utterance.id in seen:
                    raise CorpusError(
                        f"house: utterance ids must be unique in the corpus, {utterance.id!r} is not",
                        f"in {seen[utterance.id]} and {conversation.id}", "Rename one of them.",
                    )  # fmt: skip
                seen[utterance.id] = conversation.id
    return list(seen)


def _json(path: Path, files: list[Path]) -> Any:
    if not path.is_file():
        if path.exists():
            raise unreadable(path, OSError(0, "not a file"))
        return None
    files.append(path)
    try:
        return json.loads(read_bytes(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"house: {path.name} is not JSON: {error}") from None


def _object(path: Path, files: list[Path]) -> dict[str, Any]:
    data = _json(path, files)
    if data is not None and not isinstance(data, dict):
        raise CorpusError(f"house: {path.name} must hold an object", type(data).__name__)
    return data or {}


def _labels_file(path: Path, files: list[Path]) -> LabelSet | None:
    if not path.is_file():
        return None
    data = _object(path, files)
    names = data.get("labels")
    if not isinstance(names, list) or not all(isinstance(n, str) and n for n in names):
        raise LabelError(f"house: {path.name} must be {{name, labels: [strings]}}", repr(names)[:60])
    return LabelSet(str(data.get("name") or "house"), tuple(names))


def _speakers(record: dict[str, Any]) -> Literal["conversation", "corpus"]:
    """What a speaker's name means, see ``Corpus``."""
    found = record.get("speakers", "conversation")
    if found not in ("conversation", "corpus"):
        raise CorpusError('house: corpus.json: speakers must be "conversation" or "corpus"', repr(found)[:40])
    return "corpus" if found == "corpus" else "conversation"


def _defects(path: Path, files: list[Path]) -> tuple[Defect, ...]:
    rows = _json(path, files)
    try:
        return tuple(Defect(**{k: str(v) for k, v in row.items()}) for row in rows or ())
    except (TypeError, AttributeError):
        raise CorpusError(f"house: {path.name} must be a list of kind, where, action, detail") from None


def _label_set(stored: LabelSet | None, wanted: str | None, splits: dict[str, tuple[Conversation, ...]]) -> LabelSet:
    if wanted is not None and wanted not in LABEL_SETS:
        raise ConfigError("house: unknown label set", wanted, f"Known: {', '.join(LABEL_SETS)}.")
    if stored is not None:
        if wanted is not None:
            LABEL_SETS[wanted].check_same(stored.labels, "house: labels.json")
        return stored
    if wanted is not None:
        return LABEL_SETS[wanted]
    seen = {s: members for s, members in splits.items() if s != "test"} or splits  # test data defines no class
    found = sorted({u.emotion for members in seen.values() for c in members for u in c if u.emotion is not None})
    if len(found) < 2:
        raise LabelError(
            "house: expected labels.json, the option labels, or at least two labels in the conversations",
            ", ".join(found) or "no labels",
            f"Known label sets: {', '.join(LABEL_SETS)}.",
        )
    return LabelSet("house", tuple(found))


def _check_labels(labels: LabelSet, splits: dict[str, tuple[Conversation, ...]]) -> None:
    for split, members in splits.items():
        for utterance in (u for c in members for u in c):
            try:
                labels.index(utterance.emotion)
            except LabelError as error:
                raise LabelError(f"house: {split}: utterance {utterance.id}: {error}") from None


def _scores_file(path: Path, files: list[Path]) -> ValueScale | None:
    if not path.is_file():
        return None
    data = _object(path, files)
    name, ends = data.get("name"), [data.get(k) for k in ("low", "high")]
    if not isinstance(name, str) or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in ends):
        raise LabelError(f"house: {path.name} must be {{name, low, high}}", repr(data)[:60])
    scale = ValueScale(name, float(data["low"]), float(data["high"]))
    if name in VALUE_SCALES:
        VALUE_SCALES[name].check_same(scale, f"house: {path.name}")
    return scale


def _groups(path: Path, files: list[Path]) -> Groups:
    if not path.is_file():
        return ALONE
    data = _object(path, files)
    name, of = data.get("name"), data.get("of")
    if not isinstance(name, str) or not isinstance(of, dict) or not all(isinstance(g, str) for g in of.values()):
        raise CorpusError(f"house: {path.name} must be {{name, of: {{conversation id: group}}}}", repr(data)[:60])
    return Groups(name, of)


def _check_scores(scale: ValueScale, splits: dict[str, tuple[Conversation, ...]]) -> None:
    for split, members in splits.items():
        for utterance in (u for c in members for u in c):
            scale.check(utterance.value, f"house: {split}: utterance {utterance.id}")
