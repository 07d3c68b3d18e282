"""A transcript beside a recording with one speaker on each channel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodline.core.conversation import Conversation, Utterance
from moodline.encoders.inputs import speech_inputs
from moodline.listen.base import Recognized, Samples
from moodline.listen.channels import _loudest
from moodline.listen.listen import Listened, listen
from moodline.media.audio import load_audio
from tests.listen.clips import PLAY_TURNS, play
from tests.tiny import call

TURNS, SECONDS = PLAY_TURNS[:7], 14.3
NAMES = {"S1": "Nell", "S2": "Nagg"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODLINE_CACHE", str(tmp_path / "cache"))


class Deaf:
    """A recognizer that hears the words that stand in it, and how loud they are."""

    id = "deaf-1"
    languages: tuple[str, ...] = ("en",)
    max_seconds = 12.0

    def transcribe(self, samples: Samples) -> Recognized:
        return Recognized("so it is" if np.abs(samples).max() > 0.05 else "far away", confidence=-0.1)


@pytest.fixture
def samples() -> np.ndarray:
    """[N, 2]: the first speaker on the right channel, the second on the left one, each heard from afar on the other."""
    mono = 0.5 * load_audio(play(), end=SECONDS)
    apart = np.zeros((len(mono), 2), np.float32)
    for who, start, end, _ in TURNS:
        own = 2 - int(who[1])
        at = slice(round(max(0.0, start - 0.1) * 16_000), round((end + 0.1) * 16_000))
        apart[at, own], apart[at, 1 - own] = mono[at], 0.03 * mono[at]
    return apart


@pytest.fixture
def two(samples: np.ndarray, tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "two.wav", samples, 16_000)
    return tmp_path / "two.wav"


def given(times: bool = True, names: bool = True, words: bool = True) -> Conversation:
    return Conversation(
        "talk",
        tuple(
            Utterance(
                f"t{n}",
                NAMES[who] if names else None,
                start if times else None,
                end if times else None,
                text if words else None,
            )
            for n, (who, start, end, text) in enumerate(TURNS)
        ),
    )


def check_sound(heard: Listened, samples: np.ndarray, speakers: list[str]) -> None:
    assert [u.speaker for u in heard.conversation] == speakers
    for u, clip, (who, *_) in zip(heard.conversation, speech_inputs(heard.conversation), TURNS, strict=True):
        assert clip is not None
        assert u.start is not None
        assert u.end is not None
        at = slice(round(u.start * 16_000), round(u.end * 16_000))
        np.testing.assert_allclose(clip.load(), samples[at, 2 - int(who[1])][: len(clip.load())], atol=1e-3)


def test_each_speaker_of_a_transcript_is_heard_on_his_channel(two: Path, samples: np.ndarray) -> None:
    heard = listen(two, given(), channels="split", diarizer="no such diarizer is loaded")
    check_sound(heard, samples, [NAMES[who] for who, *_ in TURNS])
    assert [u.text for u in heard.conversation] == [text for *_, text in TURNS]
    assert heard.notes == ()


def test_where_nobody_is_named_the_channel_gives_the_name(two: Path, samples: np.ndarray) -> None:
    heard = listen(two, given(names=False), channels="split", diarizer="no such diarizer is loaded")
    check_sound(heard, samples, ["S" + str(3 - int(who[1])) for who, *_ in TURNS])


def test_channels_that_cancel_each_other_out_are_heard_with_a_transcript(two: Path, samples: np.ndarray) -> None:
    mono = samples.sum(axis=1)
    soundfile.write(two, np.stack([mono, -mono], axis=1), 16_000)
    heard = listen(two, given(), channels="split")
    assert all(np.abs(clip.load()).max() > 0.02 for clip in speech_inputs(heard.conversation) if clip is not None)
    assert "All speakers of the transcript are loudest on channel" in " ".join(heard.notes)


def test_a_diarization_is_heard_on_each_speakers_channel(two: Path) -> None:
    heard = listen(two, given(words=False), channels="split", transcriber=Deaf())
    assert {u.text for u in heard.conversation} == {"so it is"}
    assert [u.speaker for u in heard.conversation] == [NAMES[who] for who, *_ in TURNS]
    assert all(u.audio is not None for u in heard.conversation)


def test_times_are_found_on_all_channels(two: Path) -> None:
    heard = listen(two, given(times=False), channels="split")
    for u, (who, start, *_) in zip(heard.conversation, TURNS, strict=True):
        assert u.start == pytest.approx(start, abs=0.6)
        assert u.speaker == NAMES[who]
        assert u.audio is not None


def test_the_option_goes_with_a_recording(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "talk.csv").write_text("text\nhello\n")
    for value in ("split", "mix"):
        code, _, error = call("analyze", tmp_path / "talk.csv", "-m", tiny_model, "--channels", value)
        assert code == 2
        assert "--channels goes with a recording" in error


@pytest.mark.parametrize(
    ("levels", "channel"), [((-20.0, -50.0), 0), ((-50.0, -20.0), 1), ((-30.0, -29.999999), 0), ((-30.0, -29.8), 1)]
)
def test_the_loudest_channel_is_chosen_and_rounding_decides_nothing(levels: tuple[float, float], channel: int) -> None:
    assert _loudest([12.0 * level for level in levels], 12.0) == channel
