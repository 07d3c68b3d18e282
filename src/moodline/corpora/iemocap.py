"""IEMOCAP: the official release tree, and the pickles that circulate.

Six classes; session 5 tests; dev is COSMIC's twelve dialogues. The option ``fold`` leaves one session out to test.
The release tree is read by ``iemocap_release``, pickles by ``feature_pickles``. The circulating pickles hold 7433
utterances, the raw labels give 7380: 53 utterances on which the annotators did not agree (``xxx``) are counted as
happy. The option ``xxx_as_happy`` decides, with the list ``consensus_xxx_counted_happy.txt`` (an utterance id a line)
beside the files.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError, CorpusError
from moodline.core.labels import IEMOCAP_6
from moodline.corpora import feature_pickles, iemocap_release
from moodline.corpora.base import SPLITS, Corpus, CorpusDescriptor, Defect, FoldSplits
from moodline.corpora.files import expected, one_pickle, pickles, read_bytes, sha256
from moodline.corpora.text import decode

DESCRIPTOR = CorpusDescriptor(
    title="IEMOCAP: ten actors in five sessions, six emotions",
    licence="research terms of USC SAIL; ask there for the release",
    files="Session1 to Session5 (IEMOCAP_full_release), or one pickle (COSMIC, MMGCN, SDT, SURE, GraphSmile)",
    language="en",
    labels="iemocap-6",
    modalities=("text", "audio", "video", "features (from pickles)"),
)

HINT = "iemocap"
"""What a pickle of this corpus has in its name or its folder's name."""

DEV = (
    "Ses01M_impro01", "Ses01M_script03_1", "Ses02F_impro02", "Ses02F_impro07",
    "Ses02M_script01_2", "Ses03F_impro01", "Ses03M_impro02", "Ses03M_impro08a",
    "Ses03M_script02_2", "Ses03M_script03_2", "Ses04F_impro07", "Ses04F_script02_1",
)  # fmt: skip
"""The twelve dialogues that COSMIC took for dev."""

FOLDS = 5
"""Sessions; each tests in one fold."""
DEV_EVERY = 8
"""With ``fold``, every eighth dialogue of the other sessions, in order of id, is dev."""

XXX_LIST = "consensus_xxx_counted_happy.txt"
_NUMBERED = re.compile(r"(.+_[FM])(\d{3})")


def matches(directory: Path) -> bool:
    """Whether the release tree, or a pickle with the corpus's name, is here."""
    return bool(iemocap_release.sessions(directory)) or bool(pickles(directory, HINT))


def read(
    directory: Path, *, xxx_as_happy: bool | None = None, fold: int | None = None, dev_session: int | None = None
) -> Corpus:
    """Read IEMOCAP.

    Args:
        directory: ``IEMOCAP_full_release`` or the folder around it; or a folder with one pickle, or the pickle.
        xxx_as_happy: whether the 53 utterances without agreement count as happy. None: as the files have it (the
            release tree without them, pickles with them). Changing that needs the list beside the files, and, for
            a pickle, utterance ids in it.
        fold: None for session 5 as test and COSMIC's twelve dialogues as dev; 0 to 4 to test session fold + 1 (its two
            actors are in no other): every eighth dialogue of the others, in order of id, is then dev, the rest train.
        dev_session: 1 to 5, a session that does not test, to take as dev as a whole, as MiSTER-E's paper does (which
            one is not known); None for dev as above.

    Returns:
        The corpus. Conversations of the release tree are in order of time, those of pickles in the file's order.

    Raises:
        CorpusError: files are missing or broken.
        ConfigError: an option's value, or an option that these files cannot serve.
        UnsafePickleError: a pickle asks for more than arrays and plain containers.
    """
    if fold is not None and (isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < FOLDS):
        raise ConfigError(f"iemocap: the option fold must be 0 to {FOLDS - 1}, or none", repr(fold))
    if xxx_as_happy is not None and not isinstance(xxx_as_happy, bool):
        raise ConfigError("iemocap: the option xxx_as_happy must be true or false", repr(xxx_as_happy))
    tests = FOLDS if fold is None else fold + 1
    if dev_session is not None and (
        isinstance(dev_session, bool) or dev_session not in range(1, FOLDS + 1) or dev_session == tests
    ):
        raise ConfigError(
            f"iemocap: the option dev_session must be 1 to {FOLDS}, not {tests}, which tests", repr(dev_session)
        )
    options: dict[str, Any] = {"xxx_as_happy": xxx_as_happy, "fold": fold}
    if dev_session is not None:
        options["dev_session"] = dev_session
    if iemocap_release.sessions(directory):
        listed = _xxx(directory, needed="count the xxx utterances as happy") if xxx_as_happy else None
        corpus = iemocap_release.read_release(directory, set(listed[1]) if listed else set())
        whole = {c.id: c for conversations in corpus.splits.values() for c in conversations}
        ids = split_dialogues(whole, fold, dev_session)
        splits = {s: tuple(whole[i] for i in members) for s, members in ids.items() if members}
        files = corpus.files | ({listed[0].name: sha256(listed[0])} if listed else {})
        options["xxx_as_happy"] = bool(xxx_as_happy)
        info = {**corpus.info, "options": options, "dev": _dev_words(fold, dev_session)}
        return replace(corpus, splits=splits, files=files, info=info, folds=_folds(whole, whole))
    pickle = one_pickle("iemocap", directory, HINT)
    if pickle is None:
        raise expected(
            "iemocap", "Session1 to Session5 (the official release) or a pickle", directory,
            "Pass the folder IEMOCAP_full_release, or the folder that holds the pickle.",
        )  # fmt: skip
    options["xxx_as_happy"] = xxx_as_happy is not False
    return _read_pickle(pickle, options)


def split_dialogues(ids: Iterable[str], fold: int | None, dev_session: int | None = None) -> dict[str, list[str]]:
    """Which dialogues are in which split, in the order given; see ``read``."""
    ids = list(ids)
    test = {i for i in ids if _session(i) == (FOLDS if fold is None else fold + 1)}
    others = sorted(i for i in ids if i not in test)
    dev = {i for i in DEV if i not in test} if fold is None else set(others[DEV_EVERY - 1 :: DEV_EVERY])
    if dev_session is not None:
        dev = {i for i in others if _session(i) == dev_session}
    return {
        "train": [i for i in ids if i not in test and i not in dev],
        "dev": [i for i in ids if i in dev],
        "test": [i for i in ids if i in test],
    }


def _folds(ids: Iterable[str], there: Collection[str]) -> tuple[FoldSplits, ...]:
    """What each value of the option ``fold`` gives, of the dialogues that are there; none if some have other names."""
    ids = list(ids)
    if not all(map(_session, ids)):
        return ()
    parted = (split_dialogues(ids, fold) for fold in range(FOLDS))
    return tuple({s: tuple(i for i in members if i in there) for s, members in fold.items()} for fold in parted)


def _dev_words(fold: int | None, dev_session: int | None = None) -> str:
    if dev_session is not None:
        return f"session {dev_session}"
    return "COSMIC's twelve dialogues" if fold is None else "every eighth dialogue of the sessions that do not test"


def _read_pickle(path: Path, options: dict[str, Any]) -> Corpus:
    found = feature_pickles.recognise(path, "iemocap")
    fold, dev_session = options["fold"], options.get("dev_session")
    ids: dict[str, list[Any]] = {s: list(found.parts[s]) for s in ("train", "test")}
    ids["dev"] = list(found.parts.get("dev", ()))
    how = "as in the file" if "dev" in found.parts else _dev_words(fold)
    if fold is not None or dev_session is not None:
        nameless = [k for keys in ids.values() for k in keys if not _session(str(k))]
        if nameless:
            raise ConfigError(
                f"iemocap: the options fold and dev_session need dialogues named Ses01 … Ses05, {path.name} has others",
                nameless[0],
            )
        every = sorted({k for keys in ids.values() for k in keys})
        how, ids = _dev_words(fold, dev_session), split_dialogues(every, fold, dev_session)
    elif "dev" not in found.parts:
        ids["dev"] = [d for d in DEV if d in {*ids["train"], *ids["test"]}]
    ids["train"] = [k for k in ids["train"] if k not in set(ids["dev"])]
    ids = {split: ids[split] for split in SPLITS}
    ids = {split: feature_pickles.in_order(keys) for split, keys in ids.items()}
    info = {"options": options, "layout": found.description, "dev": how}
    corpus = feature_pickles.build(found, ids, IEMOCAP_6, info)
    if not options["xxx_as_happy"]:
        corpus = _without_xxx(corpus, path)
    defects = (*corpus.defects, *_xxx_defects(corpus, path), *_order_defects(corpus, path))
    there = {c.id for conversations in corpus.splits.values() for c in conversations}
    return replace(
        corpus,
        speakers="corpus",
        defects=defects,
        folds=_folds(sorted(str(k) for keys in ids.values() for k in keys), there),
    )


def _session(dialogue: str) -> int:
    return int(dialogue[3:5]) if dialogue[3:5].isdigit() else 0


def _xxx(directory: Path, needed: str) -> tuple[Path, list[str]]:
    """The list file and the utterance ids in it.

    Raises:
        ConfigError: there is no list.
    """
    for folder in (directory, directory.parent):
        path = folder / XXX_LIST
        if path.is_file():
            return path, [line.split()[0] for line in decode(read_bytes(path))[0].splitlines() if line.split()]
    raise ConfigError(
        f"iemocap: to {needed}, the file {XXX_LIST} (an utterance id a line) must lie beside the corpus's files",
        fix="Add it, or leave the option xxx_as_happy out.",
    )


def _without_xxx(corpus: Corpus, path: Path) -> Corpus:
    """A pickle's corpus without the listed utterances."""
    listed = _xxx(path.parent, needed="leave the xxx utterances out")
    if corpus.info["utterance_ids"] != "of the corpus":
        raise ConfigError(
            f"iemocap: {path.name} has no utterance ids, so those in {XXX_LIST} cannot be found in it",
            fix="Use a pickle with utterance ids or the release tree, or leave the option xxx_as_happy out.",
        )
    emotions = {u.id: u.emotion for conversations in corpus.splits.values() for c in conversations for u in c}
    wrong = [i for i in listed[1] if emotions.get(i) != "happy"]
    if wrong:
        raise CorpusError(f"iemocap: {len(wrong)} utterances of {XXX_LIST} are not happy ones in {path.name}", wrong[0])
    drop = set(listed[1])
    splits: dict[str, tuple[Conversation, ...]] = {}
    for split, conversations in corpus.splits.items():
        kept = [(c, tuple(u for u in c if u.id not in drop)) for c in conversations]
        splits[split] = tuple(replace(c, utterances=turns) for c, turns in kept if turns)
    features = {n: {i: v for i, v in values.items() if i not in drop} for n, values in corpus.features.items()}
    defects = corpus.defects + tuple(Defect("no agreed label", i, "dropped", "xxx counted as happy") for i in listed[1])
    files = corpus.files | {XXX_LIST: sha256(listed[0])}
    return replace(corpus, splits=splits, features=features, defects=defects, files=files)


def _xxx_defects(corpus: Corpus, path: Path) -> list[Defect]:
    """The utterances that count as happy without an agreed label, if the list of them is there."""
    if not corpus.info["options"]["xxx_as_happy"] or not any(
        (folder / XXX_LIST).is_file() for folder in (path.parent, path.parent.parent)
    ):
        return []
    listed = _xxx(path.parent, needed="report the xxx utterances")[1]
    return [Defect("no agreed label, counted as happy", i, "reported", f"listed in {XXX_LIST}") for i in listed]


def _order_defects(corpus: Corpus, path: Path) -> list[Defect]:
    """What a pickle tells about the order of time: at best the numbers of each speaker's utterances."""
    if corpus.info["utterance_ids"] != "of the corpus":
        detail = "no times and no utterance ids in the file; COSMIC's has 124 neighbouring pairs out of time order"
        return [Defect("order of time cannot be checked", path.name, "reported", detail)]
    out = []
    for conversation in (c for conversations in corpus.splits.values() for c in conversations):
        for speaker in sorted({u.speaker or "" for u in conversation}):
            for before, after in pairwise([u for u in conversation if u.speaker == speaker]):
                a, b = _NUMBERED.fullmatch(before.id), _NUMBERED.fullmatch(after.id)
                if a and b and a.group(1) == b.group(1) and int(b.group(2)) < int(a.group(2)):
                    out.append(
                        Defect("out of the order of utterance numbers", after.id, "reported", f"after {before.id}")
                    )
    return out
