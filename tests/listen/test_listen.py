"""From a recording to a conversation, on real speech: alone, with a transcript, interrupted, in another language."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import ConfigError, MediaError
from moodline.encoders.inputs import speech_inputs
from moodline.listen import listen as module
from moodline.listen.base import Chunk, Recognized, Samples, Span, Word
from moodline.listen.language import evidence, foreign_script
from moodline.listen.listen import Listened, listen, recording_folder
from moodline.media.audio import load_audio
from tests.listen.clips import PLAY_TURNS, noise, part, play
from tests.tiny import call, command


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOODLINE_CACHE", str(tmp_path / "cache"))


TURNS, SECONDS = 7, 14.3


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The first turns of the play."""
    return part(tmp_path / "clip.wav", SECONDS)


class Counting:
    """A recognizer that counts what it is asked."""

    id = "counting-1"
    languages: tuple[str, ...] = ("en",)
    max_seconds = 12.0

    def __init__(self, stop_after: int = 10**9, text: str = "well I do not know what you mean") -> None:
        self.asked, self.stop_after, self.text = 0, stop_after, text

    def transcribe(self, samples: Samples) -> Recognized:
        if self.asked == self.stop_after:
            raise KeyboardInterrupt
        self.asked += 1
        return Recognized(f"{self.text} {self.asked}.", confidence=-0.1)


def test_the_play() -> None:
    calls = list[tuple[str, int, int]]()
    heard = listen(play(), progress=lambda *c: calls.append(c))
    rows = heard.conversation.utterances
    assert [u.speaker for u in rows] == [who for who, *_ in PLAY_TURNS]
    assert heard.notes == ()
    assert heard.conversation.media == play()
    said = sum(len(text.split()) for *_, text in PLAY_TURNS)
    right = sum(a in (b.text or "") for (*_, text), b in zip(PLAY_TURNS, rows, strict=True) for a in text.split()[:3])
    assert right > 0.8 * sum(min(3, len(text.split())) for *_, text in PLAY_TURNS)
    assert 0.8 * said < sum(len((u.text or "").split()) for u in rows) < 1.2 * said
    for u, (_, start, end, _) in zip(rows, PLAY_TURNS, strict=True):
        assert u.start == pytest.approx(start, abs=0.15)
        assert u.end == pytest.approx(end, abs=0.15)
    assert {c[0] for c in calls} >= {"finding speech (s)", "telling voices apart", "recognizing words"}
    assert all(clip is not None and len(clip.load()) > 1000 for clip in speech_inputs(heard.conversation))
    again = list[tuple[str, int, int]]()
    assert listen(play(), progress=lambda *c: again.append(c)) == heard
    assert {c[0] for c in again} <= {"recognizing words"}  # told, not done again


def test_what_was_finished_is_kept(clip: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        listen(clip, transcriber=Counting(stop_after=2))
    rest = Counting()
    heard = listen(clip, transcriber=rest)
    assert rest.asked == len(heard.conversation) - 2
    assert [u.text for u in heard.conversation][:2] == [f"well I do not know what you mean {n}." for n in (1, 2)]
    idle = Counting()
    assert listen(clip, transcriber=idle) == heard
    assert idle.asked == 0


def test_the_same_recording_under_another_name_is_known(clip: Path, tmp_path: Path) -> None:
    listen(clip, transcriber=Counting())
    (tmp_path / "copy.wav").write_bytes(clip.read_bytes())
    idle = Counting()
    assert listen(tmp_path / "copy.wav", transcriber=idle).conversation.id == "copy"
    assert idle.asked == 0
    assert recording_folder(clip) != recording_folder(clip, "split")


# -- a transcript -----------------------------------------------------------------------------------------------


def given(rows: list[tuple[str | None, float | None, float | None, str | None]]) -> Conversation:
    return Conversation("talk", tuple(Utterance(f"t{n}", who, a, b, text) for n, (who, a, b, text) in enumerate(rows)))


def test_a_timed_transcript_is_used_as_it_is(clip: Path) -> None:
    rows = given([("Nell", 0.0, 1.0, "Do you hear me?"), ("Nagg", 1.5, 1.9, "Yes.")])
    idle = Counting()
    heard = listen(clip, rows, transcriber=idle, diarizer="no such diarizer is loaded")
    assert heard.conversation.utterances == rows.utterances
    assert (heard.conversation.id, heard.notes, idle.asked) == ("talk", (), 0)


def test_a_transcript_longer_than_the_recording(clip: Path) -> None:
    rows = given([("A", 0.0, 1.0, "Do you hear me?"), ("B", 12.0, 20.0, "Half."), ("A", 30.0, 31.0, "Nowhere.")])
    heard = listen(clip, rows)
    assert [(u.start, u.end) for u in heard.conversation] == [(0.0, 1.0), (12.0, pytest.approx(SECONDS)), (None, None)]
    assert [c is None for c in speech_inputs(heard.conversation)] == [False, False, True]
    assert "longer than the recording" in " ".join(heard.notes)
    with pytest.raises(MediaError, match="no turn of the transcript"):
        listen(clip, given([("A", 100.0, 101.0, "Hello.")]))


def test_a_transcript_without_times(clip: Path) -> None:
    texts = [text for *_, text in PLAY_TURNS[:TURNS]]
    heard = listen(clip, given([(who, None, None, text) for (who, _, _, text) in PLAY_TURNS[:TURNS]]))
    assert [u.text for u in heard.conversation] == texts
    for u, (_, start, _, _) in zip(heard.conversation, PLAY_TURNS, strict=False):
        assert u.start == pytest.approx(start, abs=0.5)
    assert any("no times" in n for n in heard.notes)


def test_a_transcript_without_speakers(clip: Path) -> None:
    heard = listen(clip, given([(None, a, b, text) for (_, a, b, text) in PLAY_TURNS[:TURNS]]), speakers=2)
    assert [u.speaker for u in heard.conversation] == [who for who, *_ in PLAY_TURNS[:TURNS]]


def test_a_diarization_is_used_instead_of_our_own(clip: Path) -> None:
    rows = given([("left", 0.0, 4.5, None), ("right", 4.6, 14.3, None)])
    heard = listen(clip, rows, diarizer="no such diarizer is loaded")
    assert {u.speaker for u in heard.conversation} == {"left", "right"}
    text = " ".join(u.text or "" for u in heard.conversation if u.speaker == "left")
    assert text.lower().startswith("do you hear me")
    assert "laugh" in " ".join(u.text or "" for u in heard.conversation if u.speaker == "right")


def test_a_transcript_in_another_script(clip: Path) -> None:
    rows = given([("A", 0.0, 1.0, "Ты меня слышишь?"), ("B", 1.5, 1.9, "Да.")])
    heard = listen(clip, rows)
    assert [u.text for u in heard.conversation] == [None, None]
    assert heard.texts == {"t0": "Ты меня слышишь?", "t1": "Да."}
    assert any("Latin" in n for n in heard.notes)
    assert not foreign_script(["Ça va très bien, señor Müller", "Łódź"])
    assert foreign_script(["你好吗", "ok"])
    assert not foreign_script(["123 ..."])


# -- channels ---------------------------------------------------------------------------------------------------


def test_one_speaker_on_each_channel(tmp_path: Path) -> None:
    samples = 0.5 * load_audio(play(), end=SECONDS)
    apart = np.zeros((len(samples), 2), np.float32)
    for who, start, end, _ in PLAY_TURNS[:TURNS]:
        own = int(who[1]) - 1
        at = slice(round((start - 0.15) * 16_000) if start > 0.2 else 0, round((end + 0.15) * 16_000))
        apart[at, own] = samples[at]
        apart[at, 1 - own] = 0.05 * samples[at]  # heard from afar: 26 dB lower
    soundfile.write(tmp_path / "two.wav", apart, 16_000)
    heard = listen(tmp_path / "two.wav", channels="split", transcriber=Counting())
    assert [u.speaker for u in heard.conversation] == [who for who, *_ in PLAY_TURNS[:TURNS]]
    for u, clip_ in zip(heard.conversation, speech_inputs(heard.conversation), strict=True):
        assert clip_ is not None
        own = int((u.speaker or "S1")[1]) - 1
        start, end = round((u.start or 0) * 16_000), round((u.end or 0) * 16_000)
        np.testing.assert_allclose(clip_.load(), apart[start:end, own], atol=1e-3)
    soundfile.write(tmp_path / "one.wav", samples, 16_000)
    with pytest.raises(ConfigError, match="several channels"):
        listen(tmp_path / "one.wav", channels="split")


# -- what cannot be used ----------------------------------------------------------------------------------------


def test_nobody_speaks(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "noise.wav", noise(5), 16_000)
    with pytest.raises(MediaError, match="nobody speaks"):
        listen(tmp_path / "noise.wav")
    with pytest.raises(ConfigError, match="at least one speaker"):
        listen(play(), speakers=0)


def test_telephone_quality(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "phone.wav", load_audio(play(), rate=8000, end=8.4), 8000, subtype="ULAW")
    heard = listen(tmp_path / "phone.wav")
    assert "telephones" in " ".join(heard.notes)
    assert sum("hear" in (u.text or "") for u in heard.conversation) >= 1


def chunk(text: str, confidence: float | None = None, language: str | None = None) -> Chunk:
    return Chunk(Span(0, 5), "S1", Recognized(text, (), confidence, language))


def test_evidence_of_another_language() -> None:
    english = "I do not know what you are talking about, but it sounds like you want to go home now."
    assert not evidence([chunk(english, -0.1)]).foreign
    assert evidence([chunk(english, -0.8)]).foreign
    assert evidence([chunk("la casa de mi madre tiene un gran jardin con flores rojas muy bonitas", -0.3)]).foreign
    assert evidence([chunk("the man and the man and the man and the man and the man and the man")]).foreign
    assert not evidence([chunk("Oui, merci", -0.9)]).foreign  # too little to tell
    assert evidence([chunk("hola", None, "es")]).foreign
    assert not evidence([chunk("hola", None, "en")]).foreign
    assert not evidence([]).foreign


def test_speech_that_is_not_english_goes_on_with_the_voice(clip: Path) -> None:
    gibberish = "kasaru mono derimasta okori"
    heard = listen(clip, transcriber=Counting(text=gibberish))
    assert all(u.text is None for u in heard.conversation)
    assert [u.speaker for u in heard.conversation] == [who for who, *_ in PLAY_TURNS[:TURNS] if who] or len(
        heard.conversation
    )
    assert any("not English" in n for n in heard.notes)
    assert all(c is not None for c in speech_inputs(heard.conversation))


def test_a_recognizer_with_word_times(clip: Path) -> None:
    class Timed(Counting):
        id = "timed-1"

        def transcribe(self, samples: Samples) -> Recognized:
            self.asked += 1
            return Recognized("I do", (Word("I", 0.2, 0.3), Word("do", 0.3, 0.5)), -0.1)

    rows = listen(clip, transcriber=Timed()).conversation
    assert all(u.end is not None and u.start is not None and u.end - u.start < 0.4 for u in rows)


def test_where_times_come_from_is_said(clip: Path) -> None:
    texts = [text for *_, text in PLAY_TURNS[:TURNS]]
    no_times = given([("A", None, None, text) for text in texts])
    heard = listen(clip, no_times, transcriber=Counting(text="kasaru mono derimasta okori"))
    assert heard.notes == ("The transcript has no times; they are estimates by length, and turns may be seconds off.",)
    assert all(u.start is not None for u in heard.conversation)
    some = given([("A", None, None, "You mean it."), ("B", None, None, "Kasaru mono.")])
    (note,) = listen(clip, some, transcriber=Counting()).notes
    assert note.endswith("with what was recognized for 1 of 2 turns, the others are estimates by length.")


def english(model: Path, copy: Path) -> Path:
    """The same model, which says that it learned English."""
    shutil.copytree(model, copy, ignore=shutil.ignore_patterns("training"))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "languages": ["en"]}))
    return copy


# -- the command ------------------------------------------------------------------------------------------------


def test_the_command(clip: Path, tmp_path: Path, tiny_model: Path) -> None:
    outputs = [tmp_path / f"moods.{kind}" for kind in ("json", "srt", "csv")]
    options = [x for path in outputs for x in ("-o", path)]
    code, out, error = call("analyze", clip, "-m", tiny_model, "--speakers", "2", *options)
    assert (code, error) == (0, "")
    assert out.count("written: ") == 3
    data = json.loads(outputs[0].read_text())
    assert data["media"] == str(clip)
    assert data["notes"] == []
    assert [u["speaker"] for u in data["utterances"]] == [who for who, *_ in PLAY_TURNS[:TURNS]]
    transcript = tmp_path / "talk.csv"
    transcript.write_text("start,end,speaker,text\n0,1,Nell,Do you hear me?\n20,21,Nagg,Yes.\n")
    code, out, error = call("analyze", clip, "-t", transcript, "-m", tiny_model, "--json")
    assert (code, error) == (0, "")
    data = json.loads(out)
    assert [u["text"] for u in data["utterances"]] == ["Do you hear me?", "Yes."]
    assert "longer than the recording" in data["notes"][0]


def test_one_turn_without_sound_costs_nothing_else(clip: Path, tmp_path: Path, tiny_model: Path) -> None:
    transcript = tmp_path / "talk.csv"
    transcript.write_text("start,end,speaker,text\n0,1,Nell,Do you hear me?\n1.5,1.9,Nagg,Yes.\n20,21,Nagg,No.\n")
    kinds = ("srt", "vtt", "textgrid", "eaf", "json", "html")
    outputs = [tmp_path / f"y.{kind}" for kind in kinds]
    options = [x for path in outputs for x in ("-o", path)]
    code, out, error = call("analyze", clip, "-t", transcript, "-m", tiny_model, *options)
    assert (code, error) == (0, "")
    assert out.count("written: ") == len(outputs)
    data = json.loads((tmp_path / "y.json").read_text())
    assert [u["start"] for u in data["utterances"]] == [0.0, 1.5, None]
    assert any(n.startswith("Subtitles hold turns with times only: 1 of 3 left out") for n in data["notes"])
    assert (tmp_path / "y.srt").read_text().count("-->") == 2
    assert "No." not in (tmp_path / "y.eaf").read_text()


def test_the_command_refuses(clip: Path, tmp_path: Path, tiny_model: Path) -> None:
    talk = tmp_path / "talk.csv"
    talk.write_text("text\nhello\n")
    two = tmp_path / "two.csv"
    two.write_text("conversation,text\na,hello\nb,there\n")
    soundfile.write(tmp_path / "noise.wav", noise(3), 16_000)
    (tmp_path / "broken.mp4").write_bytes(b"nothing of a film")
    copy = tmp_path / "copy.json"
    copy.write_bytes(clip.read_bytes())
    for expected, *arguments in (
        ("nobody speaks", tmp_path / "noise.wav"),
        ("neither sound nor film", tmp_path / "broken.mp4"),
        ("nothing there", tmp_path / "nowhere.wav"),
        ("--transcript goes with a recording", talk, "-t", talk),
        ("--speakers goes with a recording", talk, "--speakers", "2"),
        ("one conversation", clip, "-t", two),
        ("unknown transcriber", clip, "--transcriber", "ear"),
        ("unknown diarizer", clip, "--diarizer", "eye"),
        ("faster-whisper", clip, "--transcriber", "whisper:tiny"),
        ("named twice", clip, "-o", tmp_path / "a.json", "-o", tmp_path / "a.json"),
        ("would replace the transcript", clip, "-t", talk, "-o", talk),
        ("several channels", clip, "--channels", "split"),
    ):
        code, out, error = call("analyze", *arguments, "-m", tiny_model)
        assert (code, out) == (2, ""), expected
        assert expected in error
        assert error.count("\n") == 1, error
    assert call("analyze", clip, "--speakers", "0")[0] == 2
    assert call("analyze", clip, "--channels", "three")[0] == 2


def test_a_voice_that_a_text_model_cannot_read(clip: Path, tmp_path: Path, tiny_model: Path) -> None:
    talk = tmp_path / "talk.csv"
    talk.write_text("start,end,text\n0,1,Ты меня слышишь\n")
    model = english(tiny_model, tmp_path / "english")
    code, _, error = call("analyze", clip, "-t", talk, "-m", model)
    assert code == 2
    assert "not in Latin script" in error
    assert error.count("\n") == 1


@pytest.mark.process
def test_killed_in_the_middle_and_run_again(tmp_path: Path, tiny_model: Path) -> None:
    """kill -9 while words are recognized: the next run takes what is there and ends with the same result."""
    arguments = [sys.executable, "-m", "moodline", "analyze", str(play()), "-m", str(tiny_model), "--json"]
    environment = {**os.environ, "MOODLINE_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (logs := list((tmp_path / "cache").rglob("words-*.jsonl"))) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    kept = len(logs[0].read_bytes().splitlines())
    assert kept >= 1
    code, out, _ = call("analyze", play(), "-m", tiny_model, "--json")
    assert code == 0
    assert len(json.loads(out)["utterances"]) == len(PLAY_TURNS)
    assert len(logs[0].read_bytes().splitlines()) <= len(PLAY_TURNS) + 1


@pytest.mark.process
def test_ctrl_c_says_what_is_kept(tmp_path: Path, tiny_model: Path) -> None:
    arguments = [sys.executable, "-m", "moodline", "analyze", str(play()), "-m", str(tiny_model)]
    environment = {**os.environ, "MOODLINE_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "cache").rglob("sound.wav*")) and time.monotonic() < deadline:
            assert p.poll() is None
            time.sleep(0.01)
        p.send_signal(signal.SIGINT)
        out, error = p.communicate(timeout=60)
    assert p.returncode == 130
    assert "listening go on where they were" in error
    assert "Traceback" not in error
    assert out == ""


def test_the_module_is_light() -> None:
    heavy = "{'torch', 'onnxruntime', 'av', 'sklearn'}"
    code = f"import sys, moodline.listen.listen; print(*sorted({heavy} & set(sys.modules)))"
    assert command  # the package starts as a program, see tests/tiny.py
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert module.listen is listen
    assert replace(Listened(given([("A", None, None, "x")]), Path("x"), ()), notes=("y",)).notes == ("y",)
