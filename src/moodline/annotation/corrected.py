"""From files that people corrected to a corpus that a model learns from."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError, CorpusError, LabelError, TranscriptError
from moodline.core.hashing import text_hash
from moodline.core.labels import LABEL_SETS, LabelSet
from moodline.corpora.base import SPLITS, Corpus, Defect
from moodline.corpora.convert import check_free, write_house
from moodline.corpora.files import hashes
from moodline.transcripts.labelled import FORMATS, read_labelled

NAME = "corrected"
"""What ``moodline convert --corpus`` calls it."""

SHARE = 0.1
"""Of the conversations, each of dev and test gets this share where the folders do not part them; at least one."""


def convert_corrected(source: Path, out: Path, labels: str | None = None) -> dict[str, Any]:
    """Read corrected results and annotations and write them as a house directory, all or nothing.

    Args:
        source: a file, or a folder with files, searched with all folders in it; see ``read_labelled`` for their kinds.
            Folders ``train``, ``dev`` and ``test`` part the corpus; without them a tenth of the conversations each is
            dev and test, by a hash of their names, so that the same one always goes to the same.
        out: the directory to write; it must not exist, or be empty.
        labels: the name of a label set; None for the first that is known with all labels that occur, else these.

    Returns:
        What ``corpora.convert.convert`` gives, and ``labels``: label to number of utterances.

    Raises:
        CorpusError: there is no file with labels, ``out`` is in use, or two conversations have one name.
        LabelError: a label is not in the label set, or there are fewer than two.
        TranscriptError, ConversationError, StorageError: a file cannot be read; the disk refuses.
    """
    check_free(out)
    corpus = read_corrected(source, labels)
    write_house(corpus, out)
    counts = Counter(u.emotion for members in corpus.splits.values() for c in members for u in c if u.emotion)
    return {
        "corpus": corpus.name,
        "out": str(out),
        "splits": {s: {"conversations": len(c), "utterances": sum(map(len, c))} for s, c in corpus.splits.items()},
        "labels": dict(counts.most_common()),
        "features": {},
        "defects": len(corpus.defects),
    }


def read_corrected(source: Path, labels: str | None = None) -> Corpus:
    """The corpus of ``convert_corrected``, not written yet."""
    if labels is not None and labels not in LABEL_SETS:
        raise ConfigError("unknown label set", labels, f"Known: {', '.join(LABEL_SETS)}.")
    base = source if source.is_dir() else source.parent
    defects: list[Defect] = []
    files, found = [], list[tuple[str | None, Conversation]]()
    for path in _files(source):
        try:
            read = read_labelled(path)
        except TranscriptError as error:
            if source.is_file():
                raise
            defects.append(Defect("no labels", path.relative_to(base).as_posix(), "dropped", error.rule[:200]))
            continue
        files.append(path)
        found += [(_split(path, base), c) for c in read]
    if not found:
        raise CorpusError(
            f"{source}: no file with labels",
            f"{len(defects)} files without" if defects else "no file of a kind that has some",
            f"Expected results or annotations: {', '.join(f'.{f}' for f in FORMATS)}.",
        )
    named = _named(found)
    label_set = _label_set([c for _, c in named], labels)
    splits = _splits(named)
    missing = [s for s in SPLITS if s not in splits]
    if missing:
        defects.append(Defect("split without conversations", ", ".join(missing), "reported", "too few conversations"))
    return Corpus(
        NAME, label_set, splits, {}, tuple(defects), hashes(base, files), {"options": {}, "layout": NAME},
    )  # fmt: skip


def _files(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    if not source.is_dir():
        raise CorpusError(f"{source}: no such file or folder", fix="Check the path.")
    for folder, names, files in os.walk(source):
        names[:] = sorted(n for n in names if not n.startswith("."))
        for name in sorted(files):
            path = Path(folder) / name
            if not name.startswith(".") and path.suffix.lower().removeprefix(".") in FORMATS:
                yield path


def _split(path: Path, base: Path) -> str | None:
    """The split that a file's folder is named after."""
    names = [part.lower() for part in path.relative_to(base).parts[:-1]]
    return next((n for n in names if n in SPLITS), None)


def _named(found: Sequence[tuple[str | None, Conversation]]) -> list[tuple[str | None, Conversation]]:
    """Conversations and utterances with ids that are unique in the corpus; media by its whole path.

    Raises:
        CorpusError: two conversations have one name.
    """
    double = [name for name, n in Counter(c.id for _, c in found).items() if n > 1]
    if double:
        raise CorpusError(
            f"{NAME}: conversation names must be unique, '{double[0][:60]}' is not",
            fix="Rename a file, or leave out one of two files of the same conversation.",
        )
    out = []
    for split, c in found:
        rows = tuple(replace(u, id=f"{c.id}_{u.id}") for u in c)
        media = c.media if c.media is not None and c.media.exists() else None
        out.append((split, replace(c, utterances=rows, media=media, notes=(), events=())))
    return out


def _splits(named: Sequence[tuple[str | None, Conversation]]) -> dict[str, tuple[Conversation, ...]]:
    """The conversations of each split: those of the folders, or by a hash of their names."""
    if any(split is not None for split, _ in named):
        parts = {s: tuple(c for split, c in named if (split or "train") == s) for s in SPLITS}
        return {s: members for s, members in parts.items() if members}
    order = sorted((text_hash(c.id), n) for n, (_, c) in enumerate(named))
    count = max(1, round(SHARE * len(named))) if len(named) > 2 else 0
    of = dict.fromkeys(range(len(named)), "train")
    of |= dict.fromkeys((n for _, n in order[:count]), "test")
    of |= dict.fromkeys((n for _, n in order[count : 2 * count]), "dev")
    parts = {s: tuple(c for n, (_, c) in enumerate(named) if of[n] == s) for s in SPLITS}
    return {s: members for s, members in parts.items() if members}


def _label_set(conversations: Sequence[Conversation], wanted: str | None) -> LabelSet:
    seen = {u.emotion: f"{c.id}: {u.id}" for c in conversations for u in c if u.emotion is not None}
    if wanted is not None:
        for label, where in seen.items():
            try:
                LABEL_SETS[wanted].index(label)
            except LabelError as error:
                raise LabelError(f"{where}: {error}") from None
        return LABEL_SETS[wanted]
    known = next((s for s in LABEL_SETS.values() if set(seen) <= set(s.labels)), None)
    if known is not None:
        return known
    if len(seen) < 2:
        raise LabelError(f"{NAME}: expected at least two labels", ", ".join(seen) or "none")
    return LabelSet(NAME, tuple(sorted(seen)))
