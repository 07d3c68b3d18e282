"""The feature pickles of the field: tuples whose order and length tell what they hold.

    authors          corpus     n   elements
    COSMIC, text     IEMOCAP    6   speakers labels sentences train test dev
    DialogueRNN      MELD       9   ids speakers labels text speech sentences train test sentiments
    MMGCN            IEMOCAP    9   ids speakers labels text speech visual sentences train test
    MMGCN            MELD      10   … as before, and one element more
    COSMIC           IEMOCAP*  10   speakers labels text text2 text3 text4 sentences train test dev
    COSMIC           MELD      11   speakers labels sentiments text text2 text3 text4 sentences train test dev
    SDT, SURE, GraphSmile  IEMOCAP  12   ids speakers labels text text2 text3 text4 speech visual sentences train test
    SDT, SURE        MELD      13   … as before, and one element more
    GraphSmile       MELD      14   ids speakers labels sentiments text … text4 speech visual sentences train test …

    * EmoryNLP has the same shape there.

Nothing is taken by position alone: every element must also look like what its place says, and the conversation
ids and labels must be those of the corpus asked for. GraphSmile's tuple of 9 for CMU-MOSEI has the shape of
MMGCN's and is refused by its ids and labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, CorpusError
from moodline.core.labels import EMORYNLP_7, IEMOCAP_6, MELD_7, SENTIMENT_3, LabelSet
from moodline.corpora.base import SPLITS, Corpus, Defect
from moodline.corpora.files import sha256
from moodline.corpora.safe_pickle import load_pickle
from moodline.corpora.text import repair_text

_TEXTS = ("text", "text2", "text3", "text4")
_ONE = ("ids", "speakers", "labels", "text", "speech", "visual", "sentences", "train", "test")
_FOUR = ("ids", "speakers", "labels", *_TEXTS, "speech", "visual", "sentences", "train", "test")
_ENDS = ("sentences", "train", "test", "dev")
LAYOUTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("COSMIC, text only", ("iemocap",), ("speakers", "labels", *_ENDS)),
    ("MMGCN", ("iemocap",), _ONE),
    ("DialogueRNN", ("meld",), (*_ONE[:5], "sentences", "train", "test", "sentiments")),
    ("MMGCN", ("meld",), (*_ONE, "extra")),
    ("COSMIC", ("iemocap", "emorynlp"), ("speakers", "labels", *_TEXTS, *_ENDS)),
    ("COSMIC", ("meld",), ("speakers", "labels", "sentiments", *_TEXTS, *_ENDS)),
    ("SDT, SURE or GraphSmile", ("iemocap",), _FOUR),
    ("SDT or SURE", ("meld",), (*_FOUR, "extra")),
    ("GraphSmile", ("meld",), (*_FOUR[:3], "sentiments", *_FOUR[3:], "extra")),
)
"""Authors, the corpora it can be, the elements in order."""

LABELS: dict[str, LabelSet] = {"iemocap": IEMOCAP_6, "meld": MELD_7, "emorynlp": EMORYNLP_7}

# What an element must look like to stand at a place.
_LOOKS = {
    "ids": ("words", "numbers"), "speakers": ("words", "numbers", "vectors"), "labels": ("numbers",),
    "sentiments": ("numbers",), "sentences": ("words",), "train": ("list",), "test": ("list",), "dev": ("list",),
    **dict.fromkeys((*_TEXTS, "speech", "visual"), ("vectors",)),
}  # fmt: skip


@dataclass(frozen=True)
class Tuple:
    """A recognised feature pickle.

    Args:
        authors: who first wrote this layout.
        corpus: the corpus it holds.
        parts: element name to the element itself.
        path: the file.
    """

    authors: str
    corpus: str
    parts: dict[str, Any]
    path: Path

    @property
    def description(self) -> str:
        """The layout in words, for people."""
        corpus = {"iemocap": "IEMOCAP", "meld": "MELD", "emorynlp": "EmoryNLP"}[self.corpus]
        return f"{self.authors} ({corpus}): {len(self.parts)} elements: {', '.join(self.parts)}"


def recognise(path: Path, corpus: str) -> Tuple:
    """Load a feature pickle and say which layout it has.

    Args:
        path: the file.
        corpus: ``"iemocap"``, ``"meld"`` or ``"emorynlp"``.

    Raises:
        CorpusError: no layout of this corpus fits; the message says what the file holds.
        UnsafePickleError: the file asks for more than arrays and plain containers.
    """
    data = load_pickle(path)
    if not isinstance(data, list | tuple):
        raise CorpusError(
            f"{corpus}: {path.name} must hold a tuple of features",
            _look(data),
            "See docs/how-to/your-data.md for the layouts that are read.",
        )
    looks = [_look(element) for element in data]
    for authors, corpora, names in LAYOUTS:
        if corpus in corpora and len(names) == len(data):
            fits = [n == "extra" or look.split(" ")[0] in _LOOKS[n] for n, look in zip(names, looks, strict=True)]
            if all(fits):
                return Tuple(authors, corpus, dict(zip(names, data, strict=True)), path)
    known = "; ".join(f"{len(n)} ({a})" for a, corpora, n in LAYOUTS if corpus in corpora)
    raise CorpusError(
        f"{corpus}: {path.name} has no known layout; known lengths: {known}",
        f"{len(data)} elements: {', '.join(looks)}",
        "Check that the file belongs to this corpus.",
    )


def _look(element: Any) -> str:
    """What an element of a feature pickle looks like, in a word or two."""
    if not isinstance(element, Mapping):
        if isinstance(element, list | tuple | set | frozenset | np.ndarray):
            if isinstance(element, np.ndarray) and not element.ndim:
                return "number"
            return "list" if all(isinstance(e, str | int | np.integer | np.str_) for e in element) else "values"
        return type(element).__name__
    if not element:
        return "empty mapping"
    rows = next((v for v in element.values() if _length(v)), None)
    if rows is None:
        return "mapping"
    first = next(iter(rows))
    if isinstance(first, str):
        return "words"
    if isinstance(first, bool | int | float | np.number):
        whole = isinstance(first, int | np.integer) or float(first).is_integer()
        return "numbers" if whole else "scores"
    if _length(first) and isinstance(next(iter(first)), bool | int | float | np.number):
        return f"vectors [{len(first)}]"
    return "mapping"


def _length(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return len(value) if value.ndim else 0
    return len(value) if isinstance(value, list | tuple) else 0


def read_feature_pickle(path: Path, corpus: str, *, labels: str = "emotion") -> Corpus:
    """Read a feature pickle of MELD or EmoryNLP (``iemocap.read`` does so for IEMOCAP, with its own options).

    Where the file names no dev conversations, the official ones of MELD are taken if the training list holds
    MELD's 1152 train and dev dialogues (dev is the last 114 in id order), else the last tenth in id order.

    Args:
        path: the file.
        corpus: ``"meld"`` or ``"emorynlp"``.
        labels: for MELD, ``"emotion"`` or ``"sentiment"``; which number means which sentiment is told from the
            emotions they go with, since files differ.

    Raises:
        CorpusError: the layout is unknown, or its parts contradict each other.
        ConfigError: the file has no sentiments.
        UnsafePickleError: the file asks for more than arrays and plain containers.
    """
    found = recognise(path, corpus)
    splits = {s: in_order(found.parts[s]) for s in SPLITS if s in found.parts}
    how = "as in the file"
    if "dev" not in splits:
        size = 114 if corpus == "meld" and len(splits["train"]) == 1152 else max(1, len(splits["train"]) // 10)
        splits["dev"] = splits["train"][-size:]
        splits["train"] = splits["train"][:-size]
        how = f"the last {size} training conversations in id order"
    splits = {s: splits[s] for s in SPLITS}
    info: dict[str, Any] = {
        "options": {"labels": labels} if corpus == "meld" else {},
        "layout": found.description,
        "dev": how,
    }
    if labels == "sentiment":
        return build(found, splits, SENTIMENT_3, info, names=_sentiments(found))
    return build(found, splits, LABELS[corpus], info)


def in_order(keys: Iterable[Any]) -> list[Any]:
    """Conversation ids in order: they may come as sets, as numbers or as words."""
    keys = [k.item() if isinstance(k, np.generic) else k for k in keys]
    return sorted(keys, key=lambda k: (isinstance(k, str), k))


def _sentiments(found: Tuple) -> dict[int, str]:
    """Which number means which sentiment, by the emotion most often seen with it."""
    if "sentiments" not in found.parts:
        raise ConfigError(f"meld: {found.path.name} holds no sentiments", fix="Use the csv files, or labels=emotion.")
    means = {"neutral": "neutral", "joy": "positive", "anger": "negative"}
    together: Counter[tuple[str, int]] = Counter()
    for key, emotions in found.parts["labels"].items():
        sentiments = found.parts["sentiments"].get(key)
        where = f"meld: {found.path.name}: conversation {key}"
        if _length(emotions) != _length(sentiments):
            raise CorpusError(
                f"{where}: parts must have the same length", f"{_length(emotions)}, {_length(sentiments)}"
            )
        for emotion, sentiment in zip(emotions, sentiments, strict=True) if _length(emotions) else ():
            together[_label(emotion, dict(enumerate(MELD_7.labels)), where), _whole(sentiment, where)] += 1
    out = {}
    for emotion, sentiment in means.items():
        counts = {n: c for (e, n), c in together.items() if e == emotion}
        if counts:
            out[max(counts, key=lambda n: counts[n])] = sentiment
    if len(out) != len(means):
        raise CorpusError(f"meld: {found.path.name}: cannot tell which number is which sentiment", sorted(out))
    return out


def build(
    found: Tuple,
    splits: dict[str, list[Any]],
    labels: LabelSet,
    info: dict[str, Any],
    names: dict[int, str] | None = None,
) -> Corpus:
    """Make a corpus of a recognised feature pickle.

    Args:
        found: the recognised pickle.
        splits: split name to the pickle's own conversation ids, in order.
        labels: the label set; numbers index it, or ``names``, if given, maps numbers to its labels.
        info: what to record.

    Returns:
        The corpus; feature sets as in the file, float32 [D] an utterance. An utterance whose vector is not
        finite lacks that modality.

    Raises:
        CorpusError: parts contradict each other.
    """
    twice = [k for k, n in Counter(k for keys in splits.values() for k in keys).items() if n > 1]
    if twice:
        raise CorpusError(
            f"{found.corpus}: {found.path.name}: conversation {twice[0]} is in two splits or twice in one"
        )
    numbers = names if names is not None else dict(enumerate(labels.labels))
    own_ids = _own_ids(found)
    sets = [p for p in found.parts if p in (*_TEXTS, "speech", "visual")]
    features: dict[str, dict[str, np.ndarray]] = {s: {} for s in sets}
    defects: list[Defect] = []
    out: dict[str, tuple[Conversation, ...]] = {}
    for split, keys in splits.items():
        conversations = [_conversation(found, key, own_ids, numbers, features, defects) for key in keys]
        if conversations:
            out[split] = tuple(conversations)
    unused = sorted(str(k) for k in set(found.parts["labels"]) - {k for keys in splits.values() for k in keys})
    defects += [Defect("conversation in no split", key, "dropped") for key in unused]
    for name in sets:
        sizes = sorted({v.shape[0] for v in features[name].values()})
        if len(sizes) > 1:
            raise CorpusError(f"{found.corpus}: {found.path.name}: {name} must have one size", sizes)
    if not out:
        raise CorpusError(f"{found.corpus}: {found.path.name} holds no conversations")
    info = {**info, "utterance_ids": "of the corpus" if own_ids else "position in the conversation"}
    return Corpus(found.corpus, labels, out, features, tuple(defects), {found.path.name: sha256(found.path)}, info)


def _own_ids(found: Tuple) -> dict[Any, list[str]] | None:
    """The corpus's own utterance ids, if the file has them (IEMOCAP's only: others are mere numbers)."""
    if "ids" not in found.parts or found.corpus != "iemocap":
        return None
    ids = {key: [str(i) for i in values] for key, values in found.parts["ids"].items() if _length(values)}
    every = [i for values in ids.values() for i in values]
    return ids if len(set(every)) == len(every) and all(every) else None


def _conversation(
    found: Tuple,
    key: Any,
    own_ids: dict[Any, list[str]] | None,
    numbers: dict[int, str],
    features: dict[str, dict[str, np.ndarray]],
    defects: list[Defect],
) -> Conversation:
    where = f"{found.corpus}: {found.path.name}: conversation {key}"
    column = "sentiments" if set(numbers.values()) == set(SENTIMENT_3.labels) else "labels"
    rows: dict[str, Sequence[Any]] = {}
    for part in ("speakers", "sentences", column, *features):
        values = found.parts[part].get(key)
        if values is None:
            raise CorpusError(f"{where} is in a split but not among the {part}")
        rows[part] = values
    sizes = {part: _length(values) for part, values in rows.items()}
    if len(set(sizes.values())) != 1 or not sizes[column]:
        raise CorpusError(
            f"{where}: parts must have the same length, at least 1", ", ".join(f"{p} {n}" for p, n in sizes.items())
        )
    name = f"dia{key}" if found.corpus == "meld" and not isinstance(key, str) else str(key)
    if found.corpus == "iemocap" and not name.startswith("Ses"):
        raise CorpusError(f"{where}: IEMOCAP's ids start with Ses", fix="Check that the file belongs to this corpus.")
    if found.corpus != "iemocap" and name.startswith("Ses"):
        raise CorpusError(f"{where} looks like IEMOCAP's", fix="Check that the file belongs to this corpus.")
    ids = own_ids[key] if own_ids and len(own_ids.get(key, ())) == sizes[column] else None
    utterances = []
    for n in range(sizes[column]):
        utterance_id = ids[n] if ids else f"{name}_p{n:03d}"
        emotion = _label(rows[column][n], numbers, where)
        text, repaired = repair_text(str(rows["sentences"][n]))
        if repaired:
            defects.append(Defect("wrongly decoded characters", utterance_id, "repaired", text[:60]))
        speaker = _speaker(rows["speakers"][n], name if found.corpus == "iemocap" else "")
        utterances.append(Utterance(utterance_id, speaker, text=text or None, emotion=emotion))
        for part, store in features.items():
            vector = _vector(rows[part][n], f"{where}: {part}")
            if np.isfinite(vector).all():
                store[utterance_id] = vector
            else:
                defects.append(Defect(f"{part} features not finite", utterance_id, "dropped"))
    return Conversation(name, tuple(utterances))


def _label(value: Any, numbers: dict[int, str], where: str) -> str:
    number = _whole(value, where)
    if number not in numbers:
        raise CorpusError(f"{where}: labels must be {min(numbers)} to {max(numbers)}", number)
    return numbers[number]


def _whole(value: Any, where: str) -> int:
    try:
        if isinstance(value, str) or int(value) != value:
            raise ValueError
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise CorpusError(f"{where}: labels must be whole numbers", repr(value)[:40]) from None


def _vector(value: Any, where: str) -> np.ndarray:
    try:
        vector = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        vector = np.zeros((0, 0), np.float32)
    if vector.ndim != 1 or not vector.size:
        raise CorpusError(f"{where}: expected a vector of numbers an utterance", type(value).__name__)
    return vector


def _speaker(value: Any, dialogue: str) -> str | None:
    """A name; IEMOCAP's F and M become the actor (``Ses01_F``), a one-hot row its number."""
    if isinstance(value, str):
        return (f"{dialogue[:5]}_{value}" if dialogue else value.strip()) or None
    if isinstance(value, int | np.integer):
        return f"speaker{value}"
    row = _vector(value, f"{dialogue} speakers".strip())
    return f"speaker{int(row.argmax())}" if row.any() else None
