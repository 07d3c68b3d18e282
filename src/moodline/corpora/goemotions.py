"""GoEmotions: comments of a forum, with the emotions of Ekman and neutral (Demszky et al. 2020).

Layout: ``train.tsv``, ``dev.tsv``, ``test.tsv`` with the columns comment, class numbers parted by commas, id, without a
header; ``labels.txt`` or ``emotions.txt`` with one class name on each line. A
comment stands alone, so it is a conversation of one utterance. Comments with several emotions are left without a label:
nobody can say which one a turn carries. The masks ``[NAME]`` and ``[RELIGION]`` stay as they are.
"""

from __future__ import annotations

from pathlib import Path

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CorpusError
from moodline.core.labels import MELD_7
from moodline.corpora.base import SPLITS, Corpus, CorpusDescriptor, Defect
from moodline.corpora.files import children, expected, hashes, read_bytes
from moodline.corpora.text import decode

DESCRIPTOR = CorpusDescriptor(
    title="GoEmotions: comments of a forum, the six emotions of Ekman and neutral",
    licence="CC BY 4.0 (Demszky et al. 2020, google-research/goemotions)",
    files="train.tsv, dev.tsv, test.tsv and labels.txt",
    language="en",
    labels="meld-7",
    modalities=("text",),
)

NAMES = ("labels.txt", "emotions.txt")
"""Where the names of the classes stand."""


def matches(directory: Path) -> bool:
    """Whether the three tables and the names of the classes are here."""
    have = {p.name for p in children(directory)}
    return {f"{split}.tsv" for split in SPLITS} <= have and not have.isdisjoint(NAMES)


def read(directory: Path) -> Corpus:
    """Read GoEmotions with Ekman's classes.

    Args:
        directory: the folder with the tables.

    Returns:
        The corpus; no speakers, no times.

    Raises:
        CorpusError: a file is missing, a row has other than three columns, a class number is not in ``labels.txt``, or
            the names are not Ekman's and neutral.
    """
    if not matches(directory):
        raise expected("goemotions", DESCRIPTOR.files, directory, "Pass the folder that holds them.")
    names_file = next(directory / name for name in NAMES if (directory / name).is_file())
    names = decode(read_bytes(names_file))[0].split()
    if set(names) != set(MELD_7.labels):
        raise CorpusError(
            f"goemotions: {names_file.name}: expected the names {', '.join(sorted(MELD_7.labels))}",
            ", ".join(names[:8]),
            "Take the files with Ekman's classes (ekman), not the 28 fine ones.",
        )
    defects: list[Defect] = []
    splits = {split: _rows(directory / f"{split}.tsv", split, names, defects) for split in SPLITS}
    used = [names_file, *(directory / f"{split}.tsv" for split in SPLITS)]
    return Corpus("goemotions", MELD_7, splits, {}, tuple(defects), hashes(directory, used), {})


def _rows(path: Path, split: str, names: list[str], defects: list[Defect]) -> tuple[Conversation, ...]:
    found: dict[str, Conversation] = {}
    text, repaired = decode(read_bytes(path))
    if repaired:
        defects.append(Defect("not UTF-8", path.name, "repaired", f"{repaired} lines read as cp1252"))
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        cells = line.rstrip("\r").split("\t")
        if len(cells) != 3:
            raise CorpusError(f"goemotions: {path.name}, line {number}: expected three columns", f"{len(cells)}")
        comment, numbers, key = cells
        try:
            classes = [names[int(n)] for n in numbers.split(",")]
        except (ValueError, IndexError):
            raise CorpusError(
                f"goemotions: {path.name}, line {number}: expected class numbers from 0 to {len(names) - 1}", numbers
            ) from None
        where = f"{split}/{key}"
        if not comment.strip() or where in found:
            kind = "no words" if not comment.strip() else "repeated id"
            defects.append(Defect(kind, f"{path.name}, line {number}", "dropped"))
            continue
        emotion = classes[0] if len(set(classes)) == 1 else None
        if emotion is None:
            defects.append(Defect("several emotions", where, "reported", ", ".join(classes)))
        found[where] = Conversation(where, (Utterance(where, text=" ".join(comment.split()), emotion=emotion),))
    if not found:
        raise CorpusError(f"goemotions: {path.name} holds no comment", fix="Get the file again.")
    return tuple(found.values())
