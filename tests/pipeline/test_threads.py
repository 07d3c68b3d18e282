"""One recognizer in many threads gives what it gives in one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import nn

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError
from moodline.core.prediction import Prediction
from moodline.pipeline import recognizer as module
from moodline.pipeline.recognizer import Recognizer
from tests.listen.clips import part

T, R = TypeVar("T"), TypeVar("R")
WORDS = ("bus", "letter", "garden", "window", "brother", "dinner", "ticket", "piano", "river", "doctor", "winter")
MOODS = ("I love the {}", "I hate the {}, get out", "where is the {}", "no, the {} is gone", "hooray, a {}")


def talks(count: int, turns: int = 3) -> list[Conversation]:
    """Conversations with texts that occur nowhere else, so that each is encoded the same way in any order."""
    return [
        Conversation(
            f"talk-{c}",
            tuple(
                Utterance(f"{c}-{u}", "AB"[u % 2], text=f"{MOODS[(c + u) % 5]}, number {c} {u}".format(WORDS[c % 11]))
                for u in range(turns)
            ),
        )
        for c in range(count)
    ]


def at_once(run: Callable[[T], R], given: Sequence[T], threads: int) -> list[R]:
    """``run`` of everything given, in threads that begin together."""
    start = threading.Barrier(threads)
    with ThreadPoolExecutor(threads, initializer=start.wait) as pool:
        return list(pool.map(run, given))


@pytest.mark.parametrize("count", [48, pytest.param(200, marks=pytest.mark.slow)])
def test_eight_threads_give_what_one_gives(count: int) -> None:
    conversations = talks(count)
    serial = Recognizer.load("meld-text", device="cpu")
    expected = [serial.recognize(c) for c in conversations]
    assert len({u.emotion for p in expected for u in p.utterances}) > 2
    cold = Recognizer.load("meld-text", device="cpu")  # the encoder is loaded by whichever thread comes first
    assert at_once(cold.recognize, conversations, 8) == expected


def test_a_conversation_that_goes_on_in_many_threads() -> None:
    """Threads share the vectors of texts; which of them encodes a text decides the last bits only."""
    (long,) = talks(1, turns=24)
    grown = [Conversation(long.id, long.utterances[: n + 1]) for n in range(len(long))] * 4
    serial = Recognizer.load("meld-text", device="cpu")
    found = at_once(Recognizer.load("meld-text", device="cpu").recognize, grown, 8)
    for prediction, conversation in zip(found, grown, strict=True):
        for ours, theirs in zip(prediction.utterances, serial.recognize(conversation).utterances, strict=True):
            assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)


def test_four_threads_listen_to_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("silero_vad")
    recordings = [part(tmp_path / f"clip-{n}.wav", end=7.0 + n) for n in range(2)] * 2

    def listened(cache: str, run: Callable[[Recognizer], list[Prediction]]) -> list[Prediction]:
        monkeypatch.setenv("MOODLINE_CACHE", str(tmp_path / cache))
        return run(Recognizer.load("voice-words", device="cpu"))

    expected = listened("serial", lambda r: [r.listen(path) for path in recordings])
    found = listened("threads", lambda r: at_once(r.listen, recordings, 4))
    assert [p.to_dict() for p in found] == [p.to_dict() for p in expected]
    assert all("speech" in u.modalities for p in found for u in p.utterances)


@pytest.mark.process
def test_a_cold_start_in_eight_threads() -> None:
    """A process whose first act is to load and recognize in eight threads at once: nothing is imported yet."""
    code = """
import threading
from concurrent.futures import ThreadPoolExecutor
import moodline

start = threading.Barrier(8)
def run(n):
    start.wait()
    talk = moodline.Conversation("c", (moodline.Utterance("u", text="I hate the bus, get out"),))
    return moodline.Recognizer.load(device="cpu").recognize(talk)
with ThreadPoolExecutor(8) as pool:
    found = list(pool.map(run, range(8)))
assert all(p == found[0] for p in found), found
print(found[0].utterances[0].emotion)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    alone = Recognizer.load(device="cpu").recognize(Conversation("c", (Utterance("u", text=MOODS[1].format("bus")),)))
    assert done.stdout.strip() == alone.utterances[0].emotion


def test_a_loaded_network_is_never_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    recognizer = Recognizer.load("meld-text", device="cpu")
    (conversation,) = talks(1)
    recognizer.recognize(conversation)
    switched: list[Any] = []
    original = nn.Module.train
    monkeypatch.setattr(nn.Module, "train", lambda self, mode=True: switched.append(self) or original(self, mode))
    recognizer.recognize(conversation)
    recognizer.recognize(talks(2)[1])
    assert not switched
    assert not recognizer.checkpoint.model.training


def test_what_is_remembered_stays_bounded_in_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 20)
    recognizer = Recognizer.load("meld-text", device="cpu")
    at_once(recognizer.recognize, talks(40), 8)
    assert 0 < len(recognizer._known["text"]) <= 20 + 3  # it starts anew before a conversation, not in one


def test_the_number_of_threads() -> None:
    before = torch.get_num_threads()
    (conversation,) = talks(1)
    try:
        expected = Recognizer.load("meld-text", device="cpu").recognize(conversation)
        found = Recognizer.load("meld-text", device="cpu", threads=1).recognize(conversation)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
    for ours, theirs in zip(found.utterances, expected.utterances, strict=True):
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)
    with pytest.raises(ConfigError, match=r"threads must be at least 1 \(found: 0\)"):
        Recognizer.load("meld-text", threads=0)


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_wait_passively_unless_the_user_says_otherwise(given: str | None, expected: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if given is not None:
        environment["OMP_WAIT_POLICY"] = given
    code = "import moodline, os; print(os.environ['OMP_WAIT_POLICY'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
