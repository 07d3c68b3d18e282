"""Compose conversations with words and voice: dialogues of MELD and EmoryNLP, spoken by the actors of RAVDESS.

    python scripts/compose_corpus.py --data DIR --out runs/voice-words

No corpus with both real voices and the text of conversations may be had freely, so one is put together. Each speaker of
a dialogue is given an actor of the same split, and each utterance a clip of that actor with the same emotion. In a
share of utterances the voice says something else, so that a gate has to learn whom to believe: it is missing, neutral,
drowned in noise, or contradicts; in others the words are missing, garbled, or another utterance's. A dialogue has one
recording condition (noise, telephone, …). To train come sessions without words, in which one to three actors speak
once or for many turns, so that a voice is learned with little and with much known of its speaker. Dialogues of EmoryNLP
that share lines with MELD's dev or test split are left out, and the rest is only trained on.

Writes two house directories under OUT, whose audio lies in OUT/audio; run again, it goes on where it stopped.

    composed/    train, dev, test: the conversations
    voice/       train, dev, test: RAVDESS alone with the same seven emotions, training clips in several conditions
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile
from numpy.random import Generator

from moodline.core.conversation import Conversation, Utterance
from moodline.core.files import replacing
from moodline.core.labels import MELD_7
from moodline.core.progress import Progress
from moodline.corpora.base import SPLITS, Corpus
from moodline.corpora.convert import write_house
from moodline.corpora.overlap import overlapping
from moodline.corpora.registry import read_corpus
from moodline.media.audio import RATE, load_audio
from moodline.media.effects import EFFECTS, apply_effect

SPOKEN = {
    "neutral": "neutral", "calm": "neutral", "happy": "joy", "sad": "sadness", "angry": "anger", "fearful": "fear",
    "disgust": "disgust", "surprised": "surprise",
}  # fmt: skip
"""RAVDESS's emotions as MELD's."""
WRITTEN = {"joyful": "joy", "mad": "anger", "neutral": "neutral", "sad": "sadness", "scared": "fear"}
"""EmoryNLP's emotions as MELD's; peaceful and powerful have no counterpart and stay unlabelled."""
CONDITIONS = ("quiet", "loud", "noise-20", "noise-10", "noise-5", "telephone", "codec", "room")
KINDS = ("mixed", "only_words", "only_voice", "lost_words", "lost_voice")
LONGEST = 60
"""Turns of the longest session."""


@dataclass(frozen=True)
class Shares:
    """How often the modalities do not agree; the rest of the utterances has a voice of its own emotion.

    Args:
        silent: share of utterances whose voice is missing.
        flat: share whose voice is neutral whatever is said, as most voices mostly are.
        contrary: share whose voice shows any other emotion.
        drowned: share whose voice is lost in noise.
        wordless: share without words.
        garbled: share whose words are letters at random.
        muddled: share with the words of another utterance.
        only_words, only_voice: shares of dialogues with one modality throughout.
        lost_words, lost_voice: shares of dialogues with one modality garbled or drowned throughout.
        worse: share of training dialogues recorded in one of ``CONDITIONS``.
    """

    silent: float = 0.1
    flat: float = 0.25
    contrary: float = 0.05
    drowned: float = 0.05
    wordless: float = 0.1
    garbled: float = 0.05
    muddled: float = 0.02
    only_words: float = 0.1
    only_voice: float = 0.1
    lost_words: float = 0.07
    lost_voice: float = 0.07
    worse: float = 0.6

    def kinds(self) -> list[float]:
        """How often a dialogue is of each of ``KINDS``."""
        special = [getattr(self, kind) for kind in KINDS[1:]]
        return [1 - sum(special), *special]


Clips = dict[str, dict[str, list[Path]]]
"""Actor to emotion to files."""
Take = tuple[Path, str]
"""A clip and the condition it is recorded in."""
Splits = dict[str, tuple[Conversation, ...]]


def clips_of(conversations: Iterable[Conversation]) -> Clips:
    """The clips of a split of RAVDESS by actor and MELD's emotion."""
    found: Clips = {}
    for utterance in (u for c in conversations for u in c):
        assert utterance.audio is not None
        assert utterance.speaker is not None
        assert utterance.emotion is not None
        found.setdefault(utterance.speaker, {}).setdefault(SPOKEN[utterance.emotion], []).append(utterance.audio)
    return found


def voice_emotion(emotion: str | None, shares: Shares, random: Generator) -> str | None:
    """The emotion that the voice of an utterance shows; None for no voice."""
    draw = random.random()
    if draw < shares.silent or emotion is None:
        return None
    if draw < shares.silent + shares.flat:
        return "neutral"
    if draw < shares.silent + shares.flat + shares.contrary:
        return str(random.choice([e for e in MELD_7.labels if e != emotion]))
    return emotion


def spoken(
    conversation: Conversation, clips: Clips, shares: Shares, conditions: Sequence[str], name: str, random: Generator
) -> tuple[Conversation, dict[str, Take]]:
    """A dialogue with voices.

    Args:
        conversation: words, speakers, emotions of MELD.
        clips: of the actors that may speak.
        shares: see ``Shares``.
        conditions: what a worse recording may be; none for clean ones only.
        name: the new conversation's id; utterances and speakers get it as a prefix, for an actor is another person in
            each dialogue.
        random: the generator.

    Returns:
        The conversation, without audio files yet; utterance id to its take.
    """
    people = list(dict.fromkeys(u.speaker for u in conversation))
    actors = list(itertools.islice(itertools.cycle(random.permutation(sorted(clips))), len(people)))
    cast = dict(zip(people, actors, strict=True))
    kind = KINDS[int(random.choice(len(KINDS), p=shares.kinds()))]
    condition = str(random.choice(conditions)) if conditions and random.random() < shares.worse else "clean"
    utterances: list[Utterance] = []
    takes: dict[str, Take] = {}
    said = [u.text for u in conversation]
    for number, utterance in enumerate(conversation):
        own = replace(
            utterance, id=f"{name}_{number}", speaker=f"{name} {utterance.speaker}", start=None, end=None, audio=None
        )
        shown = None if kind == "only_words" else voice_emotion(utterance.emotion, shares, random)
        wordless = random.random() < shares.wordless or kind == "only_voice"
        if shown is not None:
            choices = clips[cast[utterance.speaker]][shown]
            heard = "drowned" if random.random() < shares.drowned or kind == "lost_voice" else condition
            takes[own.id] = (choices[random.integers(len(choices))], heard)
            own = replace(own, text=None) if wordless else own
            luck = random.random()
            if own.text is not None and (luck < shares.garbled or kind == "lost_words"):
                own = replace(own, text=garbled(own.text, random))
            elif own.text is not None and luck < shares.garbled + shares.muddled:
                own = replace(own, text=said[random.integers(len(said))])
        utterances.append(own)
    return Conversation(name, tuple(utterances)), takes


def garbled(text: str, random: Generator) -> str:
    """The text with every letter replaced by a random one."""
    letters = "".join(chr(97 + n) for n in random.integers(0, 26, len(text)))
    return "".join(new if old.isalpha() else old for old, new in zip(text, letters, strict=True))


def session(
    clips: Clips, conditions: Sequence[str], worse: float, name: str, random: Generator
) -> tuple[Conversation, dict[str, Take]]:
    """Voices alone: one to three actors, 1 to ``LONGEST`` turns, moods that mostly last for a few of them.

    Args:
        clips, conditions, name, random: see ``spoken``.
        worse: see ``Shares``.
    """
    cast = [str(a) for a in random.permutation(sorted(clips))[: random.integers(1, 4)]]
    condition = str(random.choice(conditions)) if random.random() < worse else "clean"
    moods = {actor: str(random.choice(MELD_7.labels)) for actor in cast}
    utterances: list[Utterance] = []
    takes: dict[str, Take] = {}
    for number in range(round(float(LONGEST ** random.random()))):
        actor = cast[random.integers(len(cast))]
        if random.random() < 0.5:
            moods[actor] = str(random.choice(MELD_7.labels))
        choices = clips[actor][moods[actor]]
        key = f"{name}_{number}"
        takes[key] = (choices[random.integers(len(choices))], condition)
        utterances.append(Utterance(key, f"{name} {actor}", emotion=moods[actor]))
    return Conversation(name, tuple(utterances)), takes


def dialogues(data: Path) -> dict[str, list[Conversation]]:
    """MELD's splits, and EmoryNLP's dialogues with MELD's emotions added to train."""
    meld, emory = read_corpus("meld", data), read_corpus("emorynlp", data)
    hidden = overlapping(meld, emory)
    found = {split: list(meld.splits[split]) for split in SPLITS}
    for conversation in (c for split in emory.splits.values() for c in split if c.id not in hidden):
        renamed = tuple(replace(u, emotion=WRITTEN.get(u.emotion or "")) for u in conversation)
        found["train"].append(Conversation(f"emory_{conversation.id}", renamed))
    return found


def compose(data: Path, seed: int, copies: int, sessions: int, shares: Shares) -> tuple[Splits, dict[str, Take]]:
    """Every split's conversations, and the takes that they need; dev and test are clean."""
    said, voices = dialogues(data), read_corpus("ravdess", data)
    splits: Splits = {}
    takes: dict[str, Take] = {}
    for place, split in enumerate(SPLITS):
        clips, made = clips_of(voices.splits[split]), []
        for copy in range(copies if split == "train" else 1):
            for number, conversation in enumerate(said[split]):
                random = np.random.default_rng((seed, place, copy, number))
                conditions = CONDITIONS if split == "train" else ()
                name = f"{split}_{copy}_{number}"
                whole, needed = spoken(conversation, clips, shares, conditions, name, random)
                made.append(whole)
                takes |= needed
        for number in range(sessions if split == "train" else 0):
            random = np.random.default_rng((seed, place, copies, number))
            whole, needed = session(clips, CONDITIONS, shares.worse, f"{split}_voices_{number}", random)
            made.append(whole)
            takes |= needed
        splits[split] = tuple(made)
    return splits, takes


def alone(data: Path, seed: int, versions: int) -> tuple[Splits, dict[str, Take]]:
    """RAVDESS with MELD's emotions: training clips clean and in ``versions`` conditions each, dev and test clean."""
    corpus = read_corpus("ravdess", data)
    splits: Splits = {}
    takes: dict[str, Take] = {}
    for split, conversations in corpus.splits.items():
        made = []
        for number, (utterance,) in enumerate(c.utterances for c in conversations):
            random = np.random.default_rng((seed, number))
            chosen = random.choice(CONDITIONS, versions, replace=False) if split == "train" else ()
            for condition in ("clean", *map(str, chosen)):
                key = f"{utterance.id}_{condition}"
                assert utterance.audio is not None
                takes[key] = (utterance.audio, condition)
                own = replace(utterance, id=key, emotion=SPOKEN[utterance.emotion or ""], start=None, end=None)
                made.append(Conversation(key, (own,)))
        splits[split] = tuple(made)
    return splits, takes


def record(take: Take, audio: Path) -> Path:
    """The file of a take: the clip itself if it is clean, else a file under ``audio``, written if it is not there."""
    clip, condition = take
    if condition == "clean":
        return clip.resolve()
    path = audio / condition / f"{clip.stem}.flac"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = (list(EFFECTS).index(condition), *map(int, clip.stem.split("-")))
        samples = apply_effect(condition, load_audio(clip), seed)
        with replacing(path) as file:
            soundfile.write(file, samples, RATE, format="FLAC", subtype="PCM_16")
    return path.resolve()


def write(
    name: str, splits: dict[str, tuple[Conversation, ...]], takes: dict[str, Take], out: Path, info: dict[str, Any]
) -> None:
    """The takes' files, and the house directory ``out/name``."""
    needed = sorted(set(takes.values()))
    with Progress(f"recording {name}", total=len(needed)) as bar:
        for done, take in enumerate(needed, 1):
            record(take, out / "audio")
            bar.share(done, len(needed))
    with_audio = {
        split: tuple(
            replace(c, utterances=tuple(
                replace(u, audio=record(takes[u.id], out / "audio")) if u.id in takes else u for u in c
            )) for c in conversations
        )
        for split, conversations in splits.items()
    }  # fmt: skip
    speakers: Literal["conversation", "corpus"] = "corpus" if name == "voice" else "conversation"
    write_house(Corpus(name, MELD_7, with_audio, {}, (), {}, info, speakers=speakers), out / name)


def compose_all(data: Path, out: Path, seed: int = 0, copies: int = 1, sessions: int = 700, versions: int = 3) -> None:
    """Both house directories, unless they are there.

    Args:
        data: the folder that holds MELD, EmoryNLP and RAVDESS.
        out: where they go.
        seed: of everything random.
        copies: of each training dialogue, with other voices.
        sessions: of voices without words, in train.
        versions: worse recordings of each training clip in ``voice``.
    """
    out.mkdir(parents=True, exist_ok=True)
    info = {"composed": True, "seed": seed, "sources": ["meld", "emorynlp", "ravdess"]}
    if not (out / "voice").exists():
        write("voice", *alone(data, seed, versions), out, {**info, "versions": versions})
    if not (out / "composed").exists():
        shares = Shares()
        counts = {"copies": copies, "sessions": sessions, "shares": vars(shares)}
        write("composed", *compose(data, seed, copies, sessions, shares), out, info | counts)


def main() -> None:
    """Compose both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds MELD, EmoryNLP and RAVDESS")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--copies", type=int, default=1, help="of each training dialogue, with other voices")
    parser.add_argument("--sessions", type=int, default=700, help="of voices without words, in train")
    parser.add_argument("--versions", type=int, default=3, help="worse recordings of each training clip in voice/")
    options = parser.parse_args()
    compose_all(options.data, options.out, options.seed, options.copies, options.sessions, options.versions)
    for name in ("voice", "composed"):
        corpus = read_corpus("house", options.out / name)
        counts = {s: f"{len(c)} conversations, {sum(map(len, c))} utterances" for s, c in corpus.splits.items()}
        print(name, *(f"  {split}: {count}" for split, count in counts.items()), sep="\n")


if __name__ == "__main__":
    main()
