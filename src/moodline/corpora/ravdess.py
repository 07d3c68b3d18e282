"""RAVDESS: acted speech, one clip a conversation.

Layout: ``Actor_01/`` … ``Actor_24/`` with ``03-01-EMOTION-INTENSITY-STATEMENT-REPETITION-ACTOR.wav`` (or flac).
A clip stands alone, so it is a conversation of one utterance. The two statements are the same for every emotion;
they are left out so that no model can be asked to read emotions from them.
"""

from __future__ import annotations

import re
from pathlib import Path

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, CorpusError
from moodline.core.groups import Groups
from moodline.core.labels import RAVDESS_8
from moodline.corpora.base import SPLITS, Corpus, CorpusDescriptor, Defect, FoldSplits
from moodline.corpora.files import children, expected, hashes

DESCRIPTOR = CorpusDescriptor(
    title="RAVDESS: 24 actors say two sentences in eight emotions",
    licence="CC BY-NC-SA 4.0 (Livingstone & Russo 2018)",
    files="Actor_01 to Actor_24 with 03-01-*.wav or .flac",
    language="en",
    labels="ravdess-8",
    modalities=("audio",),
)

ACTORS = 24
FOLDS = 6
_ACTOR = re.compile(r"actor_(\d{2})", re.IGNORECASE)
_CLIP = re.compile(r"(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})\.(wav|flac)", re.IGNORECASE)


def matches(directory: Path) -> bool:
    """Whether there are ``Actor_NN`` folders here."""
    return any(_ACTOR.fullmatch(p.name) and p.is_dir() for p in children(directory))


def read(directory: Path, *, fold: int | None = None) -> Corpus:
    """Read RAVDESS speech.

    Args:
        directory: the folder with the ``Actor_NN`` folders.
        fold: None for actors 1–16 train, 17–20 dev, 21–24 test; 0 to 5 for six-fold testing in which no actor is in
            two splits: actors 4·fold+1 … 4·fold+4 test, the four after them (round the circle) dev, the others train.

    Returns:
        The corpus; ``audio`` is the clip, ``speaker`` the actor, times cover the clip, there is no text.

    Raises:
        CorpusError: no clips here, or a clip's name is not one of the corpus.
        ConfigError: ``fold`` is not 0 to 5.
    """
    if fold is not None and (isinstance(fold, bool) or not isinstance(fold, int) or not 0 <= fold < FOLDS):
        raise ConfigError(f"ravdess: the option fold must be 0 to {FOLDS - 1}, or none", repr(fold))
    folders = [p for p in children(directory) if _ACTOR.fullmatch(p.name) and p.is_dir()]
    clips: dict[str, Path] = {}
    defects: list[Defect] = []
    for path in (p for folder in folders for p in children(folder)):
        match = _CLIP.fullmatch(path.name)
        if match is None or match.group(1) == "02":
            defects.append(Defect("not an audio clip", f"{path.parent.name}/{path.name}", "dropped"))
        elif match.group(2) != "01":
            defects.append(Defect("song", f"{path.parent.name}/{path.name}", "dropped", "only speech is read"))
        elif path.stem in clips:
            defects.append(Defect("clip in two files", f"{path.parent.name}/{path.name}", "dropped"))
        else:
            clips[path.stem] = path
    if not clips:
        raise expected(
            "ravdess", "Actor_01/03-01-*.wav or .flac", directory, "Pass the folder that holds the Actor_NN folders."
        )
    actors = split_actors(fold)
    splits: dict[str, list[Conversation]] = {s: [] for s in SPLITS}
    used = []
    speakers: dict[str, str] = {}
    for key, path in sorted(clips.items(), key=lambda item: (int(item[0][-2:]), item[0])):
        seconds, wrong = _duration(path)
        if wrong:
            defects.append(Defect("unreadable clip", f"{path.parent.name}/{path.name}", "dropped", wrong))
            continue
        emotion, actor = int(key.split("-")[2]), int(key.split("-")[6])
        if not 1 <= emotion <= len(RAVDESS_8) or not 1 <= actor <= ACTORS:
            raise CorpusError(f"ravdess: {path.name}: emotions are 01 to 08 and actors 01 to {ACTORS}")
        split = next(s for s in SPLITS if actor in actors[s])
        speakers[key] = f"actor_{actor:02d}"
        utterance = Utterance(key, speakers[key], 0.0, seconds, audio=path, emotion=RAVDESS_8.labels[emotion - 1])
        splits[split].append(Conversation(key, (utterance,)))
        used.append(path)
    return Corpus(
        "ravdess", RAVDESS_8, {s: tuple(c) for s, c in splits.items() if c}, {}, tuple(defects),
        hashes(directory, used), {"options": {"fold": fold}, "actors": actors}, folds=_folds(splits),
        speakers="corpus",
        groups=Groups("actors", speakers),
    )  # fmt: skip


def _folds(splits: dict[str, list[Conversation]]) -> tuple[FoldSplits, ...]:
    """What each value of the option ``fold`` gives."""
    ids = sorted((c.id for members in splits.values() for c in members), key=lambda i: (int(i[-2:]), i))
    parted = map(split_actors, range(FOLDS))
    return tuple({s: tuple(i for i in ids if int(i[-2:]) in actors[s]) for s in SPLITS} for actors in parted)


def split_actors(fold: int | None) -> dict[str, list[int]]:
    """Which actors (1 to 24) are in which split; see ``read``."""
    first = ACTORS - 4 if fold is None else 4 * fold
    test = [first + n + 1 for n in range(4)]
    after = first - 4 if fold is None else (first + 4) % ACTORS
    dev = [after + n + 1 for n in range(4)]
    train = [a for a in range(1, ACTORS + 1) if a not in test and a not in dev]
    return {"train": train, "dev": dev, "test": test}


def _duration(path: Path) -> tuple[float, str]:
    """The clip's seconds, and what is wrong with it; reads the header and the last sample only."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            if file.frames < 1:
                return 0.0, "no samples"
            file.seek(file.frames - 1)
            if len(file.read(1)) != 1:
                return 0.0, "cut off"
            return file.frames / file.samplerate, ""
    except (soundfile.SoundFileError, OSError) as error:
        return 0.0, ("an empty file" if path.is_file() and path.stat().st_size == 0 else f"{error}".split(": ")[-1])
