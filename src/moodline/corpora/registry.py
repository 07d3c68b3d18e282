"""Corpora on disk: readers, and what they have in common.

``read_corpus("meld", Path("data"))`` finds the corpus there and reads it. The table below is literal and lazy:
listing it imports no reader.
"""

from __future__ import annotations

import importlib
import inspect as _inspect
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from moodline.core.errors import ConfigError, CorpusError, UnknownNameError
from moodline.core.labels import LABEL_SETS
from moodline.corpora import files
from moodline.corpora import native as house
from moodline.corpora import native_folds as house_folds
from moodline.corpora.base import SPLITS, Corpus, CorpusDescriptor, Defect

READERS: dict[str, str] = {
    "meld": "moodline.corpora.meld",
    "emorynlp": "moodline.corpora.emorynlp",
    "iemocap": "moodline.corpora.iemocap",
    "mosi": "moodline.corpora.mosi",
    "mosei": "moodline.corpora.mosei",
    "sims": "moodline.corpora.sims",
    "simsv2": "moodline.corpora.simsv2",
    "cherma": "moodline.corpora.cherma",
    "mse-adapter": "moodline.corpora.mse_adapter",
    "ravdess": "moodline.corpora.ravdess",
    "goemotions": "moodline.corpora.goemotions",
    "house": "moodline.corpora.native",
}
"""Corpus name to the module with its ``DESCRIPTOR`` and ``read``."""

__all__ = [
    "READERS",
    "SPLITS",
    "Corpus",
    "Defect",
    "describe",
    "detect_corpus",
    "read_corpus",
    "reader_options",
]


def describe(name: str) -> CorpusDescriptor:
    """What a corpus is, without reading it.

    Raises:
        UnknownNameError: there is no such corpus.
    """
    descriptor: CorpusDescriptor = _module(name).DESCRIPTOR
    return descriptor


def reader_options(name: str) -> dict[str, Any]:
    """The options of a corpus's reader and their defaults.

    Args:
        name: a name in ``READERS``.

    Raises:
        UnknownNameError: there is no such corpus.
    """
    parameters = _inspect.signature(_module(name).read).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def read_corpus(name: str, directory: Path, **options: Any) -> Corpus:
    """Read a corpus, wherever under ``directory`` it lies.

    Args:
        name: a name in ``READERS``.
        directory: the corpus's folder, or a folder with exactly one immediate subfolder that is it; for some
            corpora one file; or a house directory made from this corpus (``moodline convert``), whose labels must
            then be this corpus's.
        options: the reader's own (``reader_options``). A house directory was made with certain options; other
            values than those are refused, but for ``fold``: it holds all folds (``folds.json``).

    Returns:
        The corpus.

    Raises:
        UnknownNameError: there is no such corpus.
        ConfigError: an unknown option, or a value that does not fit.
        CorpusError: nothing to read here, or it is broken.
        LabelError: a label is not in the label set.
        FeatureError: features are broken.
    """
    module, directory = _module(name), Path(directory)
    known = reader_options(name)
    unknown = [o for o in options if o not in known]
    if unknown:
        raise ConfigError(f"{name}: unknown option '{unknown[0]}'", fix=f"Known: {', '.join(known) or 'none'}.")
    if not directory.exists():
        raise CorpusError(f"{name}: there is no folder {directory}", fix=f"Pass the folder that holds {_files(name)}.")
    places = [directory, *(p for p in files.children(directory) if p.is_dir())]
    if module.matches(directory):
        return _spoken(_distinct(module.read(directory, **options)), name)
    if house.matches(directory):
        return _read_house(name, directory, options)
    found = [p for p in places[1:] if module.matches(p)]
    if not found and name != "house":
        found = [p for p in places[1:] if house.matches(p) and p.name == name]
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise CorpusError(f"{name}: several folders under {directory} could be meant", names, "Pass one of them.")
    if found:
        return read_corpus(name, found[0], **options)
    if hasattr(module, "HINT") and files.pickles(directory, "", ".npz"):
        corpus = _distinct(module.read(directory, **options))  # a file with any name, since the corpus was named
        return _spoken(corpus, name)
    raise files.expected(name, _files(name), directory, "Pass the folder that holds them.")


def _distinct(corpus: Corpus) -> Corpus:
    """The corpus, if no utterance id stands twice in it: features are kept by id, over all splits."""
    place: dict[str, str] = {}
    for split, conversations in corpus.splits.items():
        for utterance in (u for c in conversations for u in c):
            if utterance.id in place:
                raise CorpusError(
                    f"{corpus.name}: utterance ids must be unique in the whole corpus",
                    f"{utterance.id} in {place[utterance.id]} and in {split}",
                    "Rename one of them.",
                )
            place[utterance.id] = split
    return corpus


def _spoken(corpus: Corpus, name: str) -> Corpus:
    """The corpus with its language; a house directory says it itself."""
    language = describe(name).language
    return corpus if language is None else replace(corpus, languages=(language,))


def detect_corpus(directory: Path) -> str:
    """Which corpus lies in ``directory`` itself.

    Raises:
        CorpusError: none, or more than one could be meant.
    """
    if house.matches(directory):
        return "house"
    found = [n for n in READERS if _module(n).matches(directory)]
    if len(found) == 1:
        return found[0]
    what = "more than one corpus fits" if found else "no corpus is known by these files"
    raise CorpusError(
        f"{what}: {directory}", ", ".join(found) or files.listing(directory), f"Name the corpus: {', '.join(READERS)}."
    )


def _module(name: str) -> ModuleType:
    if name not in READERS:
        raise UnknownNameError("corpus", name, READERS)
    return importlib.import_module(READERS[name])


def _files(name: str) -> str:
    return describe(name).files


def _read_house(name: str, directory: Path, options: dict[str, Any]) -> Corpus:
    """A house directory in place of a corpus's own files."""
    allowed = [describe(name).labels, *describe(name).other_labels]
    if options.get("labels") in LABEL_SETS:
        allowed = [options["labels"]]
    elif options.get("labels") == "sentiment":
        allowed = allowed[1:]
    elif "labels" in options:
        allowed = allowed[:1]
    stored = directory.is_dir() and (directory / "labels.json").is_file()
    fold = options.get("fold") if (directory / house_folds.FILE).is_file() else None
    corpus = house.read(directory, labels=None if stored else allowed[0], fold=fold)
    if corpus.labels.labels not in [LABEL_SETS[a].labels for a in allowed]:
        LABEL_SETS[allowed[0]].check_same(corpus.labels.labels, f"{name}: {directory.name}/labels.json")
    settled = {**reader_options(name), **house.options_of(corpus.info)}
    for option, value in options.items():
        if option != "labels" and settled[option] != value:
            how = "" if option == "fold" and value is not None else " with this option"  # else it lacks folds.json
            raise ConfigError(
                f"{name}: {directory.name} was written with {option}={settled[option]}",
                f"{option}={value}",
                f"Convert the original files again{how}, or leave it out.",
            )
    return corpus
