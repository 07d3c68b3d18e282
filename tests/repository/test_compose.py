"""Composed conversations: who speaks with which voice, and what is lost on purpose."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation, Utterance
from moodline.core.labels import MELD_7, RAVDESS_8
from moodline.media.audio import RATE, load_audio
from moodline.media.effects import EFFECTS, apply_effect
from tests.tiny import load_script

ACTORS = ("actor_01", "actor_02", "actor_03")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("compose_corpus")


def clips(script: ModuleType) -> dict[str, dict[str, list[Path]]]:
    return {a: {e: [Path(f"{a}/{e}-{n}.flac") for n in range(2)] for e in MELD_7.labels} for a in ACTORS}


def talk(turns: int = 12, speakers: int = 2) -> Conversation:
    labels = (*MELD_7.labels, None)
    return Conversation(
        "d",
        tuple(Utterance(f"u{n}", f"S{n % speakers}", text=f"line {n}", emotion=labels[n % 8]) for n in range(turns)),
    )


def spoken(script: ModuleType, seed: int = 0, conditions: tuple[str, ...] = (), **shares: float):  # type: ignore[no-untyped-def]
    none = dict.fromkeys(script.Shares.__dataclass_fields__, 0.0)
    return script.spoken(
        talk(), clips(script), script.Shares(**{**none, **shares}), conditions, "x", np.random.default_rng(seed)
    )


def test_every_emotion_of_ravdess_has_its_counterpart(script: ModuleType) -> None:
    assert list(script.SPOKEN) == list(RAVDESS_8.labels)
    assert set(script.SPOKEN.values()) == set(MELD_7.labels)


def test_without_losses_each_voice_shows_the_label_and_each_speaker_is_one_actor(script: ModuleType) -> None:
    made, takes = spoken(script)
    assert [u.text for u in made] == [u.text for u in talk()]
    assert [u.emotion for u in made] == [u.emotion for u in talk()]
    cast: dict[str, set[str]] = {}
    for utterance in made:
        if utterance.emotion is None:
            assert utterance.id not in takes  # nobody knows what that voice should show
            continue
        path, condition = takes[utterance.id]
        assert condition == "clean"
        assert path.name.startswith(utterance.emotion)
        cast.setdefault(str(utterance.speaker), set()).add(path.parent.name)
    assert sorted(cast) == ["x S0", "x S1"]
    assert all(len(actors) == 1 for actors in cast.values())
    assert len(set.union(*cast.values())) == 2  # two speakers, two actors


@pytest.mark.parametrize(
    ("share", "check"),
    [
        ("silent", lambda made, takes: not takes),
        ("flat", lambda made, takes: all(p.name.startswith("neutral") for p, _ in takes.values())),
        ("contrary", lambda made, takes: all(
            not takes[u.id][0].name.startswith(u.emotion) for u in made if u.id in takes
        )),
        ("drowned", lambda made, takes: {c for _, c in takes.values()} == {"drowned"}),
        ("wordless", lambda made, takes: all((u.text is None) == (u.id in takes) for u in made)),
        ("lost_voice", lambda made, takes: {c for _, c in takes.values()} == {"drowned"}),
        ("lost_words", lambda made, takes: all(
            (new.text == old.text) == (new.id not in takes) for new, old in zip(made, talk(), strict=True)
        )),
        ("only_words", lambda made, takes: not takes and all(u.text is not None for u in made)),
        ("only_voice", lambda made, takes: all(u.text is None for u in made if u.id in takes)),
    ],
)  # fmt: skip
def test_each_share_does_what_it_says(script: ModuleType, share: str, check) -> None:  # type: ignore[no-untyped-def]
    made, takes = spoken(script, **{share: 1.0})
    assert check(made, takes)


def test_a_dialogue_has_one_condition_and_words_of_its_own(script: ModuleType) -> None:
    _, takes = spoken(script, conditions=("room", "codec"), worse=1.0)
    assert len({c for _, c in takes.values()}) == 1
    made, _ = spoken(script, muddled=1.0)
    assert {u.text for u in made} <= {u.text for u in talk()}
    assert [u.text for u in made] != [u.text for u in talk()]
    made, takes = spoken(script, garbled=1.0)
    for new, old in zip(made, talk(), strict=True):
        assert (new.text == old.text) == (new.id not in takes)
        assert [c.isalpha() for c in str(new.text)] == [c.isalpha() for c in str(old.text)]


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_sessions_have_voices_of_their_moods_and_no_words(script: ModuleType, seed: int) -> None:
    made, takes = script.session(clips(script), script.CONDITIONS, 0.5, "v", np.random.default_rng(seed))
    assert 1 <= len(made) <= script.LONGEST
    assert set(takes) == {u.id for u in made}
    assert all(u.text is None and takes[u.id][0].name.startswith(str(u.emotion)) for u in made)
    assert all(takes[u.id][0].parent.name == str(u.speaker).removeprefix("v ") for u in made)
    assert len({condition for _, condition in takes.values()}) == 1


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 7))
def test_the_same_seed_composes_the_same(script: ModuleType, seed: int, speakers: int) -> None:
    one, two = (
        script.spoken(
            talk(9, speakers), clips(script), script.Shares(), script.CONDITIONS, "x", np.random.default_rng(seed)
        )
        for _ in range(2)
    )
    assert one == two
    kinds = Counter(u.text is None and u.id not in one[1] for u in one[0])
    assert not kinds[True]  # something is left of every utterance


def test_a_take_is_written_once_and_lasts_as_long(script: ModuleType, tmp_path: Path) -> None:
    clip = tmp_path / "03-01-05-01-01-01-07.wav"
    soundfile.write(clip, np.sin(np.arange(RATE) / 9) * 0.3, RATE)
    assert script.record((clip, "clean"), tmp_path / "audio") == clip
    path = script.record((clip, "noise-10"), tmp_path / "audio")
    before = path.stat().st_mtime_ns
    assert script.record((clip, "noise-10"), tmp_path / "audio").stat().st_mtime_ns == before
    assert len(load_audio(path)) == RATE


@pytest.mark.parametrize("effect", EFFECTS)
def test_effects_keep_length_and_range_and_repeat(effect: str) -> None:
    voice = (np.random.default_rng(1).standard_normal(RATE // 2) * 0.1).astype(np.float32)
    once, again = (apply_effect(effect, voice.copy(), (3,)) for _ in range(2))
    assert len(once) == len(voice)
    assert once.dtype == np.float32
    assert np.abs(once).max() <= 1.0 + 1e-6
    np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("snr", [20, 10, 5])
def test_noise_is_as_loud_as_it_says(snr: int) -> None:
    voice = (np.sin(np.arange(RATE) / 11) * 0.1).astype(np.float32)
    noise = apply_effect(f"noise-{snr}", voice, (0,)) - voice
    assert 10 * np.log10(np.mean(voice**2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.1)


def test_a_telephone_takes_what_is_outside_its_band() -> None:
    time = np.arange(RATE) / RATE

    def left(hertz: float) -> float:
        tone = (0.2 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
        return float(np.std(apply_effect("telephone", tone, (0,))[2000:-2000]) / np.std(tone))

    assert left(1000) == pytest.approx(1, abs=0.1)
    assert left(80) < 0.05
    assert left(5000) < 0.05
