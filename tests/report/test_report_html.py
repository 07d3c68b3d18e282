"""The HTML report: what stands in it, that it asks nothing of the network, that no text of the data becomes markup."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import re
import tracemalloc
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.labels import LABEL_SETS
from moodline.core.prediction import Prediction, UtterancePrediction
from moodline.report.html import write_html
from moodline.report.html.sound import read_sound
from moodline.report.html.summary import UNSURE, summarize
from moodline.report.html.theme import COLOURS, theme_of
from moodline.report.write import write_prediction

Make = Callable[..., Prediction]
HOSTILE = (
    "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> ]]> \u2028 {{data}} <!--{data}--> '\"`&amp;"
)


class Page(HTMLParser):
    """The elements of a page, with their attributes and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

        self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.elements[-1][2].append(data)

    def text(self, name: str, **attributes: str) -> str:
        (found,) = [
            "".join(words)
            for tag, attrs, words in self.elements
            if tag == name and all(attrs.get(k) == v for k, v in attributes.items())
        ]
        return found


def page_of(predictions: list[Prediction], **options: Any) -> tuple[str, Page]:
    out = io.BytesIO()
    write_html(predictions, out, **options)
    text = out.getvalue().decode()
    return text, Page(text)


def data_of(page: Page) -> dict[str, Any]:
    return json.loads(page.text("script", id="data"))


def test_scores_weights_and_experts_are_in_the_page(make: Make) -> None:
    prediction = dataclasses.replace(make(), notes=("One note.",), media=Path("somewhere/call.wav"))
    _, page = page_of([prediction])
    data = data_of(page)
    (talk,) = data["conversations"]
    assert (talk["id"], talk["model"], talk["media"], talk["notes"]) == ("talk", "tiny", "call.wav", ["One note."])
    assert (talk["labels"], talk["experts"]) == (["neutral", "joy", "anger"], ["speech", "text", "fusion"])
    for turn, u in zip(talk["turns"], prediction.utterances, strict=True):
        assert (turn["i"], turn["t"], talk["speakers"][turn["s"]]["name"]) == (u.id, u.text, u.speaker)
        assert (talk["labels"][turn["e"]], bool(turn["u"])) == (u.emotion, u.abstained)
        for n, label in enumerate(talk["labels"]):
            assert turn["p"][n] / data["scale"] == pytest.approx(u.probabilities[label], abs=1e-4)
            assert turn["x"][1][n] / data["scale"] == pytest.approx(u.experts["text"][label], abs=1e-4)
        assert [w / data["scale"] for w in turn["w"]] == pytest.approx(list(u.weights.values()), abs=1e-4)
        assert (turn["a"], turn["b"]) == (u.start, pytest.approx(u.end, abs=0.001))


def test_the_page_needs_no_network_and_runs_only_its_own_script(make: Make) -> None:
    text, page = page_of([make()])
    (policy,) = [a["content"] for tag, a, _ in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    scripts = [("".join(words), a) for tag, a, words in page.elements if tag == "script"]
    run = [words for words, a in scripts if "type" not in a]
    for name, content in (
        ("script-src", run),
        ("style-src", ["".join(w) for t, _, w in page.elements if t == "style"]),
    ):
        assert len(content) == 1
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    for tag, attrs, _ in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in attrs), tag
        assert tag not in ("link", "iframe", "object", "embed", "img", "base", "form")
        for name in ("src", "href", "action"):
            assert (attrs.get(name) or "#").startswith("#"), (tag, attrs)
    assert "http://" not in text
    assert "https://" not in text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|url\(|@import", text)


def test_no_text_of_the_data_becomes_markup(make: Make) -> None:
    plain = make()
    scores = {HOSTILE: 0.9, "joy": 0.1}
    u = dataclasses.replace(
        plain.utterances[0], id=HOSTILE, speaker=HOSTILE, text=HOSTILE + "\ud800", probabilities=scores,
        experts={HOSTILE: scores}, weights={HOSTILE: 1.0}, modalities=(HOSTILE,),
    )  # fmt: skip
    hostile = Prediction(
        HOSTILE, HOSTILE, HOSTILE, (HOSTILE, "joy"), (u,), media=Path("a") / HOSTILE.replace("/", "|"), notes=(HOSTILE,)
    )
    _, page = page_of([hostile])
    assert [tag for tag, *_ in page.elements] == [tag for tag, *_ in page_of([plain])[1].elements]
    assert page.text("title") == f"{HOSTILE} · Moodline"
    (talk,) = data_of(page)["conversations"]
    assert {talk["id"], talk["model"], talk["notes"][0], talk["labels"][0], talk["turns"][0]["i"]} == {HOSTILE}
    assert talk["turns"][0]["t"] == HOSTILE + "\ud800"


def test_several_conversations_and_none(make: Make) -> None:
    talks = data_of(page_of([make("a"), make("b", timed=False)])[1])["conversations"]
    assert [(talk["id"], talk["timed"], talk["length"]) for talk in talks] == [
        ("a", True, pytest.approx(3 * 3661 + 1.235)),
        ("b", False, 4),
    ]
    assert data_of(page_of([])[1])["conversations"] == []


def test_a_turn_without_an_end_lasts_until_the_next(make: Make) -> None:
    plain = make()
    rows = tuple(dataclasses.replace(u, end=None) for u in plain.utterances)
    turns = data_of(page_of([dataclasses.replace(plain, utterances=rows)])[1])["conversations"][0]["turns"]
    assert [turn["b"] for turn in turns] == [3661, 7322, 10983, 10985]


def test_a_turn_without_a_time_costs_only_its_own_mark(make: Make, recording: Path) -> None:
    plain = make()
    rows = (plain.utterances[0], dataclasses.replace(plain.utterances[1], start=None, end=None), *plain.utterances[2:])
    spoken = dataclasses.replace(plain, utterances=rows, media=recording, sound=recording)
    (talk,) = data_of(page_of([spoken])[1])["conversations"]
    assert talk["timed"]
    assert talk["wave"]
    assert [(t["a"], t["b"]) for t in talk["turns"]][:2] == [(0.0, 1.235), (None, None)]
    assert len(talk["turns"]) == len(rows)
    (untimed,) = data_of(page_of([make(timed=False)])[1])["conversations"]
    assert (untimed["timed"], untimed["length"], untimed["turns"][0]["b"]) == (False, len(rows), None)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three seconds of stereo at 44.1 kHz: silence, a loud tone, a soft one."""
    rate = 44_100
    tone = np.sin(2 * np.pi * 220 * np.arange(rate) / rate)
    samples = np.concatenate([np.zeros(rate), 0.8 * tone, 0.2 * tone])
    path = tmp_path / "in" / "my call.wav"
    path.parent.mkdir()
    soundfile.write(path, np.stack([samples, samples], axis=1), rate)
    return path


def test_peaks_and_sound(recording: Path) -> None:
    sound = read_sound(recording)
    assert (sound.seconds, sound.rate, len(sound.peaks)) == (3, 20, 60)
    peaks = np.frombuffer(sound.peaks, np.uint8).reshape(3, 20)
    assert peaks[0].max() == 0
    assert peaks[1].min() == 255
    assert set(peaks[2].tolist()) <= {63, 64}
    assert sound.mp3 is not None
    heard, rate = soundfile.read(io.BytesIO(sound.mp3))
    assert (heard.ndim, rate) == (1, 24_000)
    assert len(heard) / rate == pytest.approx(3, abs=0.15)
    assert np.abs(heard[int(1.2 * rate) : int(1.8 * rate)]).max() == pytest.approx(0.8, abs=0.1)
    assert len(sound.mp3) < 0.1 * recording.stat().st_size


def test_blocks_join_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rate = 8000
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, rate * 5)
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    whole = read_sound(tmp_path / "a.wav")
    monkeypatch.setattr("moodline.media.source.BLOCK", 5_613)
    assert read_sound(tmp_path / "a.wav") == whole


def test_a_long_recording_has_as_many_bins_as_can_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 1000 * 10)
    soundfile.write(tmp_path / "a.wav", samples, 1000, subtype="FLOAT")
    monkeypatch.setattr("moodline.report.html.sound.PEAKS", 70)
    sound = read_sound(tmp_path / "a.wav")
    assert (len(sound.peaks), sound.rate) == (67, pytest.approx(20 / 3))
    expected = [np.abs(samples[n * 150 : n * 150 + 150]).max() for n in range(67)]
    assert list(sound.peaks) == pytest.approx(np.array(expected) / np.abs(samples).max() * 255, abs=0.51)


def test_a_damaged_recording_is_used_as_far_as_it_goes(make: Make, recording: Path, tmp_path: Path) -> None:
    recording.write_bytes(recording.read_bytes()[:-200_000])
    prediction = dataclasses.replace(make(), media=recording, sound=recording)
    write_prediction([prediction], tmp_path / "a.html")
    talk = data_of(Page((tmp_path / "a.html").read_text()))["conversations"][0]
    assert talk["sound"] == "inside"
    assert "damaged or cut off" in talk["notes"][0]


words = st.text(max_size=40) | st.text("<>!-/&'\"{}script\u2028\ud800", max_size=30)


@given(words, words, words, words)
@settings(deadline=None, max_examples=60)
def test_whatever_the_words_they_come_back_as_words(name: str, speaker: str, text: str, note: str) -> None:
    scores = {"joy": 1.0}
    u = UtterancePrediction("u0", speaker, 0.0, 1.0, text, scores, False, {}, {})
    written, page = page_of([Prediction(name, "m", "0", ("joy",), (u,), notes=(note,))])
    (talk,) = data_of(page)["conversations"]
    assert (talk["id"], talk["notes"], talk["turns"][0]["t"]) == (name, [note], text)
    assert talk["speakers"][0]["name"] == (speaker or None)
    assert sum(tag == "script" for tag, *_ in page.elements) == written.count("<script") == 2


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        for _ in range(40):
            file.write(np.random.default_rng(0).uniform(-0.5, 0.5, 16_000 * 60))
    tracemalloc.start()
    sound = read_sound(path, limit=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (sound.seconds, sound.mp3, len(sound.peaks)) == (2400, None, 48_000)
    assert peak < 60e6  # the samples alone would take 154 MB


def test_the_sound_is_in_the_page_or_beside_it(make: Make, recording: Path, tmp_path: Path) -> None:
    prediction = dataclasses.replace(make(), media=recording, sound=recording)
    write_prediction([prediction], tmp_path / "a.html")
    page = Page((tmp_path / "a.html").read_text())
    talk = data_of(page)["conversations"][0]
    assert (talk["sound"], talk["address"], talk["media"]) == ("inside", None, "my call.wav")
    assert soundfile.info(io.BytesIO(base64.b64decode(page.text("script", id="sound-0")))).format == "MP3"
    with (tmp_path / "b.html").open("wb") as file:
        write_html([prediction, prediction], file, limit=20_000)
    page = Page((tmp_path / "b.html").read_text())
    first, second = data_of(page)["conversations"]
    assert (first["sound"], second["sound"]) == ("inside", "beside")  # the limit is the page's
    assert second["address"] == "./in/my%20call.wav"
    assert second["wave"] == first["wave"]
    assert not [a for tag, a, _ in page.elements if a.get("id") == "sound-1"]


@pytest.mark.parametrize("damage", ["gone", "no sound"])
def test_a_recording_that_cannot_be_read_costs_only_the_sound(make: Make, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "call.wav"
    if damage == "no sound":
        path.write_bytes(b"RIFF but not really")
    prediction = dataclasses.replace(make(), media=path, sound=path, notes=("First.",))
    write_prediction([prediction], tmp_path / "a.html")
    talk = data_of(Page((tmp_path / "a.html").read_text()))["conversations"][0]
    assert (talk["sound"], talk["wave"], len(talk["turns"])) == (None, None, 4)
    assert talk["notes"][0] == "First."
    assert talk["notes"][1].startswith("This report has no sound. ")


@pytest.mark.parametrize("name", list(LABEL_SETS))
def test_every_label_set_can_be_told_apart(name: str) -> None:
    labels = LABEL_SETS[name].labels
    found = theme_of(labels)
    assert set(found) == set(labels)
    codes = [look.code for look in found.values()]
    assert len(set(codes)) == len(codes)
    if len(labels) <= len(COLOURS):
        assert len({look.colour for look in found.values()}) == len(labels)
    for look in found.values():
        assert contrast(look.colour, look.ink) >= 4.5


def contrast(a: str, b: str) -> float:
    """WCAG's contrast of two colours."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_labels_nobody_foresaw() -> None:
    many = theme_of([f"label {n}" for n in range(30)])
    assert len({look.code for look in many.values()}) == 30
    assert theme_of(["angry", "anger", "mad"])["anger"].colour != theme_of(["angry", "anger", "mad"])["angry"].colour


def turn(n: int, who: str | None, emotion: str, sure: float, seconds: float | None, abstained: bool = False) -> Any:
    rest = "neutral" if emotion != "neutral" else "joy"
    end = None if seconds is None else n * 10 + seconds
    return UtterancePrediction(
        f"u{n}",
        who,
        None if seconds is None else n * 10.0,
        end,
        "hi",
        {emotion: sure, rest: 1 - sure},
        abstained,
        {},
        {},
    )


def test_summary_of_a_speaker() -> None:
    rows = (
        turn(0, "A", "neutral", 0.9, 2), turn(1, "A", "anger", 0.6, 6), turn(2, "B", "joy", 0.8, 1),
        turn(3, "A", "joy", 0.55, 1, True), turn(4, "A", "neutral", 0.7, 1), turn(5, "A", "anger", 0.8, 0),
    )  # fmt: skip
    first, second = summarize(Prediction("c", "m", "0", ("neutral", "anger", "joy"), rows))
    assert (first.speaker, first.turns, first.seconds, first.by_time) == ("A", 5, 10, True)
    assert first.shares == {"anger": 0.6, "neutral": 0.3, UNSURE: 0.1}
    assert (first.shifts, first.commonest) == (3, ("neutral", "anger", 2))
    assert first.confidence == pytest.approx(0.71)
    assert (first.abstained, first.moments) == (1, (5, 1))
    assert (second.shares, second.shifts, second.commonest, second.moments) == ({"joy": 1.0}, 0, None, (2,))
    untimed = summarize(Prediction("c", "m", "0", ("neutral",), (*rows, turn(6, "A", "neutral", 1, None))))[0]
    assert (untimed.by_time, untimed.seconds) == (False, None)
    assert untimed.shares == {"neutral": 0.5, "anger": pytest.approx(1 / 3), UNSURE: pytest.approx(1 / 6)}


rows_ = st.tuples(
    st.sampled_from(["A", "B", None]), st.sampled_from(["joy", "neutral", "fear"]), st.floats(0.5, 1),
    st.none() | st.floats(0, 9), st.booleans(),
)  # fmt: skip


@given(st.lists(rows_, min_size=1, max_size=30))
@settings(deadline=None)
def test_summaries_add_up(rows: list[tuple[str | None, str, float, float | None, bool]]) -> None:
    turns = tuple(turn(n, *row) for n, row in enumerate(rows))
    found = summarize(Prediction("c", "m", "0", ("neutral", "joy", "fear"), turns))
    assert sum(s.turns for s in found) == len(turns)
    for s in found:
        own = [u for u in turns if u.speaker == s.speaker]
        assert sum(s.shares.values()) == pytest.approx(1)
        assert s.shifts == sum(a.emotion != b.emotion for a, b in pairwise([u for u in own if not u.abstained]))
        assert all(turns[n].speaker == s.speaker and turns[n].emotion != "neutral" for n in s.moments)
        assert s.abstained == sum(u.abstained for u in own)
