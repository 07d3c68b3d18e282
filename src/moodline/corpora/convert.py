"""Write any corpus as a house directory: JSON lines and safetensors, nothing that can run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from moodline.core.conversation import Conversation
from moodline.core.errors import CorpusError, StorageError
from moodline.core.files import replacing_folder
from moodline.corpora.base import Corpus
from moodline.corpora.native_features import write_features
from moodline.corpora.native_folds import FILE as FOLDS
from moodline.corpora.registry import detect_corpus, read_corpus


def convert(source: Path, out: Path, corpus: str | None = None, **options: Any) -> dict[str, Any]:
    """Read a corpus and write it as a house directory (layout: ``house.py``), all or nothing.

    Args:
        source: the corpus's folder or file.
        out: the directory to write; it must not exist, or be empty.
        corpus: the corpus's name; None: told from the files.
        options: the reader's options; they are recorded.

    Returns:
        ``{"corpus", "out", "splits": {split: {"conversations", "utterances"}}, "features": {name: utterances},
        "defects"}``.

    Raises:
        MoodlineError: the source cannot be read, ``out`` is in use, or the disk refuses.
    """
    source, out = Path(source), Path(out)
    check_free(out)
    if corpus is None:
        if not source.exists():
            raise CorpusError(f"convert: there is no file or folder {source}")
        corpus = detect_corpus(source)
    read = read_corpus(corpus, source, **options)
    write_house(read, out)
    return {
        "corpus": read.name,
        "out": str(out),
        "splits": {s: {"conversations": len(c), "utterances": sum(map(len, c))} for s, c in read.splits.items()},
        "features": {name: len(rows) for name, rows in read.features.items()},
        "defects": len(read.defects),
    }


def check_free(out: Path) -> None:
    """A house directory can be written here: there is nothing, or an empty directory.

    Raises:
        CorpusError: ``out`` is in use.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CorpusError(f"{out} is in use", fix="Choose a directory that does not exist or is empty.")


def write_house(corpus: Corpus, out: Path) -> None:
    """Write a corpus as a house directory: beside the place first, then moved there in one step.

    Raises:
        CorpusError: ``out`` is in use.
        FeatureError: features that the format cannot hold.
        StorageError: the disk refuses.
    """
    out = Path(out).resolve()
    try:
        with replacing_folder(out) as draft:
            _write(corpus, draft, out)
    except StorageError as error:
        check_free(out)  # another process may have filled it
        raise error from None
    except UnicodeEncodeError as error:
        raise CorpusError(
            "convert: a text holds half a character (a lone surrogate)", repr(error.object)[:60]
        ) from None


def _write(corpus: Corpus, folder: Path, final: Path) -> None:
    for split, conversations in corpus.splits.items():
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for conversation in conversations:
                file.write(json.dumps(_row(conversation, final), ensure_ascii=False, allow_nan=False) + "\n")
    _dump(folder / "labels.json", {"name": corpus.labels.name, "labels": list(corpus.labels.labels)})
    if corpus.scale is not None:
        scale = corpus.scale
        _dump(folder / "scores.json", {"name": scale.name, "low": scale.low, "high": scale.high})
    if corpus.groups.of:
        _dump(folder / "groups.json", {"name": corpus.groups.name, "of": dict(corpus.groups.of)})
    if corpus.folds:
        _dump(folder / FOLDS, corpus.folds)
    record = {"name": corpus.name, "speakers": corpus.speakers, "info": corpus.info, "read_from": corpus.files}
    _dump(folder / "corpus.json", record | ({"languages": corpus.languages} if corpus.languages else {}))
    defects = [{"kind": d.kind, "where": d.where, "action": d.action, "detail": d.detail} for d in corpus.defects]
    _dump(folder / "defects.json", defects)
    write_features(folder / "features", corpus.features)


def _dump(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _row(conversation: Conversation, final: Path) -> dict[str, Any]:
    """The conversation's JSON, media paths relative to where the file will be."""
    row = conversation.to_dict()
    for part in (row, *row["utterances"]):
        for field in ("media", "audio", "video"):
            if field in part:
                part[field] = Path(os.path.relpath(Path(part[field]).resolve(), final)).as_posix()
    return row
