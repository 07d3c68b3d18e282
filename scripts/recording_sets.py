"""Conversations with words and voice to judge ``words-first`` by: words of MELD, voices of actors or machines.

A pool holds the voice features of clips. A set is a list of talks: a conversation, and the features of each modality
by utterance. Nothing is written to disk but the features, which take minutes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from compose_corpus import CONDITIONS, SPOKEN
from numpy.random import Generator
from numpy.typing import NDArray

from moodline.core.conversation import Conversation, Utterance
from moodline.core.labels import MELD_7
from moodline.core.progress import Progress
from moodline.encoders.base import Encoder
from moodline.media.audio import load_audio
from moodline.media.effects import apply_effect

ACTORS = {"train": range(1, 17), "dev": range(17, 21), "test": range(21, 25)}
SENTENCES = {"01": "Kids are talking by the door.", "02": "Dogs are sitting by the door."}
JUDGED = ("clean", "telephone", "noise-10", "room", "drowned", "loud")
"""Conditions of recording that dev and test actors are judged in; ``loud`` is clipped."""


@dataclass(frozen=True)
class Pool:
    """Voice features of clips.

    Args:
        features: float32 [N, D].
        emotion: int [N], the class that the voice shows.
        speaker: [N], actor or synthetic voice.
        condition: [N], how it was recorded.
        name: [N], of the clip.
    """

    features: NDArray[np.float32]
    emotion: NDArray[np.int64]
    speaker: NDArray[np.str_]
    condition: NDArray[np.str_]
    name: NDArray[np.str_]

    def where(self, chosen: NDArray[np.bool_]) -> Pool:
        """Some of the clips."""
        return Pool(*(getattr(self, f)[chosen] for f in self.__dataclass_fields__))


def actor_pool(data: Path, encoder: Encoder, split: str, kept: Path, progress: Progress | None = None) -> Pool:
    """RAVDESS in one split: training clips clean and in two random conditions, others in all of ``JUDGED``."""
    clips: list[Callable[[], Any]] = []
    rows = []
    for path in sorted((data / "ravdess-16k").glob("Actor_*/*.flac")):
        _, _, emotion, _, _, _, actor = path.stem.split("-")
        if int(actor) not in ACTORS[split]:
            continue
        random = np.random.default_rng([int(x) for x in path.stem.split("-")])
        conditions = JUDGED if split != "train" else ("clean", *random.permutation(CONDITIONS)[:2])
        label = MELD_7.index(list(SPOKEN.values())[int(emotion) - 1])
        seed = tuple(map(int, path.stem.split("-")))
        for condition in conditions:
            clips.append(partial(_recorded, path, condition, seed))
            rows.append((label, f"actor-{actor}", condition, path.stem))
    return _encoded(clips, rows, encoder, kept / f"actors-{split}.npz")


def synthetic_pool(spoken: Path, encoder: Encoder, split: str, kept: Path) -> tuple[Pool, list[dict[str, Any]]]:
    """Sentences of MELD by synthetic voices (``provenance/speak_meld.py``), and what is known of each."""
    lines = (spoken / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
    about = [row for row in map(json.loads, lines) if row["split"] == split]
    clips = [partial(load_audio, spoken / row["file"]) for row in about]
    rows = [(0, row["voice"], "clean", row["file"]) for row in about]
    return _encoded(clips, rows, encoder, kept / f"synthetic-{split}.npz"), about


def _recorded(path: Path, condition: str, seed: tuple[int, ...]) -> Any:
    return apply_effect(condition, load_audio(path), seed)


def _encoded(
    clips: list[Callable[[], Any]], rows: list[tuple[int, str, str, str]], encoder: Encoder, file: Path
) -> Pool:
    names = [f"{name} {condition}" for _, _, condition, name in rows]
    if file.is_file() and (stored := np.load(file))["names"].tolist() == names:
        features = stored["features"]
    else:
        parts = [np.stack(encoder.encode([clip() for clip in clips[i : i + 64]])) for i in range(0, len(clips), 64)]
        features = np.concatenate(parts).astype(np.float32)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, names=np.array(names), features=features)
    emotion, speaker, condition, name = map(np.array, zip(*rows, strict=True))
    return Pool(features, emotion.astype(np.int64), speaker, condition, name)


Talk = tuple[Conversation, dict[str, dict[str, NDArray[np.float32]]]]
Choose = Callable[[Utterance], int | None]
"""The emotion that the voice of an utterance shows; None for no voice."""


def with_voices(
    conversations: Sequence[Conversation], words: dict[str, Any], pool: Pool, choose: Choose, random: Generator
) -> list[Talk]:
    """Each speaker becomes a speaker of the pool, each utterance a clip of that one.

    Args:
        conversations: of MELD.
        words: utterance id to text features.
        pool: clips in one condition.
        choose: see ``Choose``.
        random: draws actors and clips.
    """
    talks, cast = [], sorted(set(pool.speaker))
    for conversation in conversations:
        names = list(dict.fromkeys(u.speaker for u in conversation))
        order = random.permutation(cast)
        actor = {name: order[i % len(order)] for i, name in enumerate(names)}
        voices = {}
        for utterance in conversation:
            shown = choose(utterance)
            if shown is None:
                continue
            clips = np.flatnonzero((pool.speaker == actor[utterance.speaker]) & (pool.emotion == shown))
            voices[utterance.id] = pool.features[random.choice(clips)]
        talks.append((conversation, {"text": {u.id: words[u.id] for u in conversation}, "speech": voices}))
    return talks


def synthetic_talks(
    conversations: Sequence[Conversation], words: dict[str, Any], pool: Pool, about: Sequence[dict[str, Any]]
) -> list[Talk]:
    """The dialogues that synthetic voices spoke.

    Args:
        conversations: of MELD's split.
        words: utterance id to text features.
        pool, about: of ``synthetic_pool``.
    """
    voices = {row["utterance"]: x for row, x in zip(about, pool.features, strict=True)}
    talks = []
    for conversation in conversations:
        mine = {u.id: voices[key] for u in conversation if (key := u.id.rpartition("/")[2]) in voices}
        if mine:
            talks.append((conversation, {"text": {u.id: words[u.id] for u in conversation}, "speech": mine}))
    return talks


def sentence_talks(pool: Pool, words: dict[str, Any], turns: int, random: Generator) -> list[Talk]:
    """The actors' own neutral sentences, ``turns`` of one actor in a conversation."""
    talks = []
    for actor in sorted(set(pool.speaker)):
        clips = random.permutation(np.flatnonzero(pool.speaker == actor))
        for n in range(0, len(clips) - turns + 1, turns):
            part = clips[n : n + turns]
            rows = [
                Utterance(f"{pool.name[i]}", actor, text=SENTENCES[pool.name[i].split("-")[4]],
                          emotion=MELD_7.labels[pool.emotion[i]])
                for i in part
            ]  # fmt: skip
            text = {u.id: words[u.text] for u in rows}
            voices = {u.id: pool.features[i] for u, i in zip(rows, part, strict=True)}
            talks.append((Conversation(f"{actor}-{n}", tuple(rows)), {"text": text, "speech": voices}))
    return talks


def without(talks: Sequence[Talk], modality: str) -> list[Talk]:
    """The same talks without a modality."""
    return [(c, {m: {} if m == modality else f for m, f in features.items()}) for c, features in talks]


def single_turns(talks: Sequence[Talk]) -> list[Talk]:
    """Each utterance with a voice as a conversation of its own: nothing else of its speaker is known."""
    return [
        (
            replace(c, id=f"{c.id}-{u.id}", utterances=(u,)),
            {m: {u.id: f[u.id]} if u.id in f else {} for m, f in features.items()},
        )
        for c, features in talks
        for u in c
        if u.id in features["speech"]
    ]
