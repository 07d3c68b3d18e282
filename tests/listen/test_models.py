"""The parts that hear: voice activity, recognizer, speaker vectors, against the originals where these can be run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from moodline.core.errors import CheckpointError, MissingDependencyError, UnknownNameError
from moodline.listen import vad
from moodline.listen.base import Recognized, Span, SpeakerSpan, Word
from moodline.listen.diarizer import (
    ClusterSettings,
    Diarizer,
    VoiceClusters,
    assign,
    best_path,
    find_speakers,
    load_diarizer,
    windows_of,
)
from moodline.listen.ge2e import FRAMES, HOP, SpeakerEncoder
from moodline.listen.moonshine import Moonshine
from moodline.listen.pyannote import from_annotation
from moodline.listen.transcriber import Transcriber, append_log, load_transcriber, read_log
from moodline.listen.vad import packaged_file, speech_probabilities, speech_segments
from moodline.listen.whisper import from_faster_whisper, from_whisperx
from moodline.media.audio import load_audio
from tests.listen.clips import PLAY_TURNS, noise, part, play


@pytest.fixture(scope="module")
def recognizer() -> Moonshine:
    return Moonshine()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return part(tmp_path_factory.mktemp("clips") / "play.wav", 28.277)


@pytest.mark.process
def test_onnxruntime_makes_no_id_of_its_user_and_reports_nothing(tmp_path: Path) -> None:
    """Its telemetry is on by default; it would leave a device id and a queue in the user's cache."""
    code = "import moodline; from moodline.listen.moonshine import Moonshine; Moonshine()"
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    places = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")}
    subprocess.run([sys.executable, "-c", code], env=environment | places, check=True)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


# -- voice activity ---------------------------------------------------------------------------------------------


def test_probabilities_are_those_of_the_package_and_of_any_block(sound: Path) -> None:
    import torch
    from silero_vad import load_silero_vad

    found = speech_probabilities(sound)
    np.testing.assert_allclose(speech_probabilities(sound, block=7), found, atol=1e-5)
    model = load_silero_vad(onnx=True)
    samples = torch.from_numpy(load_audio(sound))[: 512 * 200]
    original = [model(samples[n : n + 512], 16_000).item() for n in range(0, len(samples), 512)]
    np.testing.assert_allclose(found[:200], original, atol=1e-4)


def test_segments_of_the_play(sound: Path) -> None:
    segments = speech_segments(speech_probabilities(sound), 28.277)
    assert len(segments) == len(PLAY_TURNS)
    for span, (_, start, end, _) in zip(segments, PLAY_TURNS, strict=True):
        assert abs(span.start - start) < 0.1
        assert abs(span.end - end) < 0.1


def test_noise_is_no_speech(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "noise.wav", noise(10), 16_000)
    assert speech_segments(speech_probabilities(tmp_path / "noise.wav"), 10) == []
    assert len(speech_probabilities(tmp_path / "noise.wav")) == 313


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingDependencyError, match=r"\[listen\]"):
        packaged_file("no_such_package_anywhere", "x", "nothing==1")
    with pytest.raises(CheckpointError, match=r"silero-vad==6\.2\.3"):
        packaged_file("silero_vad", "data/another", "silero-vad==6.2.3")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match="onnxruntime"):
        vad.onnx_session(Path("x"))


# -- words ------------------------------------------------------------------------------------------------------


@pytest.mark.process
def test_the_same_words_as_the_package(recognizer: Moonshine) -> None:
    """In a process of its own: the package's library brings another onnxruntime."""
    low, high = 4.5, 14.3
    code = (
        "import sys, soundfile\n"
        "from moonshine_voice import ModelArch, Transcriber, get_model_path\n"
        "options = {'vad_threshold': '0', 'return_audio_data': 'false'}\n"
        "t = Transcriber(str(get_model_path('tiny-en')), ModelArch.TINY, options=options)\n"
        "samples = soundfile.read(sys.argv[1], dtype='float32')[0].tolist()\n"
        "print(' '.join(line.text for line in t.transcribe_without_streaming(samples, 16000).lines))\n"
    )
    samples = load_audio(play(), start=low, end=high)
    folder = Path(packaged_file("moonshine_voice", "assets/tiny-en/tokenizer.bin", "moonshine-voice==0.1.0")).parent
    assert folder.is_dir()
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        soundfile.write(Path(place) / "clip.wav", samples, 16_000, subtype="FLOAT")
        done = subprocess.run(
            [sys.executable, "-c", code, str(Path(place) / "clip.wav")], capture_output=True, text=True, check=False
        )
    if done.returncode and "PortAudio" in done.stderr:
        pytest.skip("the package itself needs PortAudio")
    assert done.returncode == 0, done.stderr
    assert recognizer.transcribe(samples).text == " ".join(done.stdout.split())


def test_confidence_and_odd_clips(recognizer: Moonshine) -> None:
    clear = recognizer.transcribe(load_audio(play(), start=11.8, end=14.3))
    assert clear.text == "No, not heartily, just less heartily."
    assert clear.confidence is not None
    assert clear.confidence > -0.3
    assert recognizer.transcribe(np.zeros(16_000, np.float32)).text in ("", ".", "Thank you.", "You", "you")
    assert isinstance(recognizer.transcribe(np.zeros(1, np.float32)), Recognized)
    backwards = recognizer.transcribe(load_audio(play(), start=4.8, end=14.3)[::-1].copy())
    assert backwards.confidence is not None
    assert backwards.confidence < clear.confidence - 0.3  # nobody speaks like that


def test_protocols(recognizer: Moonshine) -> None:
    assert isinstance(recognizer, Transcriber)
    assert isinstance(VoiceClusters(), Diarizer)
    with pytest.raises(UnknownNameError, match="moonshine"):
        load_transcriber("moonshin")
    with pytest.raises(UnknownNameError, match="clusters"):
        load_diarizer("cluster")
    for name in ("whisper", "whisper:tiny", "whisperx"):
        with pytest.raises(MissingDependencyError):
            load_transcriber(name)
    with pytest.raises(MissingDependencyError, match=r"\[pyannote\]"):
        load_diarizer("pyannote")


def test_the_log_survives_a_crash(tmp_path: Path) -> None:
    log = tmp_path / "words.jsonl"
    append_log(log, 0, 10, Recognized("Hello.", (Word("Hello.", 0.1, 0.4),), -0.1, "en"))
    with log.open("ab") as file:
        file.write(b'{"first": 10, "last": 20, "te')  # killed here
    append_log(log, 20, 30, Recognized("Ünïcode"))
    found = read_log(log)
    assert found == {
        (0, 10): Recognized("Hello.", (Word("Hello.", 0.1, 0.4),), -0.1, "en"),
        (20, 30): Recognized("Ünïcode"),
    }
    assert read_log(tmp_path / "nowhere") == {}


# -- results of packages that cannot be run here ----------------------------------------------------------------


def test_results_of_faster_whisper() -> None:
    def word(text: str, start: float, end: float) -> Any:
        return SimpleNamespace(word=text, start=start, end=end)

    segments = [
        SimpleNamespace(
            text=" Hello there.", words=[word(" Hello", 0, 0.4), word(" there.", 0.5, 1)], avg_logprob=-0.2
        ),
        SimpleNamespace(text=" Yes.", words=None, avg_logprob=-0.4),
    ]
    found = from_faster_whisper(iter(segments), "en")
    assert found.text == "Hello there. Yes."
    assert found.words == (Word("Hello", 0, 0.4), Word("there.", 0.5, 1))
    assert found.language == "en"
    assert found.confidence == pytest.approx((-0.2 * 13 - 0.4 * 5) / 18)
    assert from_faster_whisper([], None) == Recognized("")


def test_results_of_whisperx() -> None:
    words = [{"word": "In", "start": 0.1, "end": 0.2}, {"word": "1984"}, {"word": "it", "start": 0.9, "end": 1.0}]
    found = from_whisperx({"segments": [{"start": 0.1, "end": 1.0, "text": " In 1984 it", "words": words}]}, "en")
    assert found.text == "In 1984 it"
    assert found.words == (Word("In", 0.1, 0.2), Word("1984", 0.2, 0.2), Word("it", 0.9, 1.0))
    assert from_whisperx({"segments": []}, None) == Recognized("")


def test_results_of_pyannote() -> None:
    class Annotation:
        def itertracks(self, yield_label: bool) -> list[Any]:
            assert yield_label
            segment = SimpleNamespace
            rows = [
                (segment(start=2.0, end=3.0), "B"),
                (segment(start=0.0, end=1.5), "A"),
                (segment(start=3.0, end=4.0), "A"),
            ]
            return [(s, "track", name) for s, name in rows]

    assert from_annotation(Annotation()) == [
        SpeakerSpan(0.0, 1.5, "S1"),
        SpeakerSpan(2.0, 3.0, "S2"),
        SpeakerSpan(3.0, 4.0, "S1"),
    ]


# -- voices -----------------------------------------------------------------------------------------------------


def test_voices_of_the_play() -> None:
    encoder = SpeakerEncoder.load()
    clips = [load_audio(play(), start=a, end=b) for _, a, b, _ in PLAY_TURNS if b - a > 1.2]
    who = np.array([name for name, a, b, _ in PLAY_TURNS if b - a > 1.2])
    x = encoder.embed(clips)
    assert x.shape == (len(clips), 256)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-5)
    same = who[:, None] == who[None]
    likeness = x @ x.T
    assert likeness[same & ~np.eye(len(x), dtype=bool)].mean() > 0.7
    assert likeness[~same].max() < likeness[same].mean()
    np.testing.assert_allclose(encoder.embed(clips[:1])[0], x[0], atol=1e-5)  # company changes nothing
    np.testing.assert_allclose(encoder.embed([clips[0] * 1e-3])[0], encoder.embed([clips[0] * 2e-3])[0], atol=1e-4)
    assert encoder.embed([np.ones(1, np.float32), np.zeros(FRAMES * HOP * 2, np.float32)]).shape == (2, 256)


def test_voices_are_resemblyzers() -> None:
    """Numbers that the package Resemblyzer 0.1.4 gives for the first 1.6 s of speech of two turns."""
    encoder = SpeakerEncoder.load()
    x = encoder.embed([load_audio(play(), start=4.8, end=6.4), load_audio(play(), start=8.7, end=10.3)])
    assert float(x[0] @ x[1]) == pytest.approx(0.6259, abs=5e-3)
    np.testing.assert_allclose(np.sort(x[0])[::-1][:4], [0.3964, 0.2350, 0.2063, 0.2026], atol=2e-3)


def test_diarization_of_the_play(sound: Path, tmp_path: Path) -> None:
    segments = [Span(a, b) for _, a, b, _ in PLAY_TURNS]
    calls = list[tuple[str, int, int]]()
    for speakers in (None, 2):
        found = VoiceClusters().diarize(sound, segments, speakers, tmp_path, lambda *c: calls.append(c))
        assert [s.speaker for s in found] == [who for who, *_ in PLAY_TURNS]
    assert len([c for c in calls if c[1] == c[2]]) == 1  # the second time the voices are known
    assert {s.speaker for s in VoiceClusters().diarize(sound, segments, 1)} == {"S1"}
    assert VoiceClusters().diarize(sound, [], None) == []
    few = VoiceClusters().diarize(sound, segments[:2], 5)
    assert len({s.speaker for s in few}) <= 2


def voices(count: int, each: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = np.abs(random.normal(size=(count, 256)))
    who = np.repeat(np.arange(count), each)
    x = centres[who] + spread * random.normal(size=(len(who), 256))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), who


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_number_of_speakers_is_found(count: int) -> None:
    x, who = voices(count, 40, 0.3)
    centres = find_speakers(x, np.full(len(x), 1.6, np.float32), None, ClusterSettings())
    assert len(centres) == count
    nearest = (x @ centres.T).argmax(axis=1)
    assert all(len(set(nearest[who == k])) == 1 for k in range(count))


def test_hours_are_clustered_from_a_sample() -> None:
    x, who = voices(3, 6000, 0.3)
    order = np.random.default_rng(1).permutation(len(x))
    x, who = x[order], who[order]
    centres = find_speakers(x, np.full(len(x), 1.6, np.float32), None, ClusterSettings())
    nearest = (x @ centres.T).argmax(axis=1)
    assert len(centres) == 3
    assert all(len(set(nearest[who == k])) == 1 for k in range(3))


def test_a_change_of_speaker_inside_a_segment() -> None:
    segment = Span(10.0, 18.0)
    own = windows_of(segment)
    assert own[0].start == 10.0
    assert own[-1].end == pytest.approx(18.0)
    likeness = np.array([[0.9, 0.6] if w.start + 0.8 < 14 else [0.6, 0.9] for w in own], np.float32)
    found = assign([segment], [own], likeness, 0.12)
    assert [s.speaker for s in found] == ["S1", "S2"]
    assert found[0].start == 10.0
    assert found[0].end == found[1].start == pytest.approx(14.0, abs=0.5)
    assert found[1].end == 18.0
    blip = np.array([[0.9, 0.6]] * 4 + [[0.8, 0.85]] + [[0.9, 0.6]] * 4, np.float32)
    assert set(best_path(blip, 0.12)) == {0}
