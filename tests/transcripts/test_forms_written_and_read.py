"""What is written in any of the forms that are understood is read as the same conversation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation, Utterance
from moodline.transcripts.read import read_transcript

VOCABULARY = "we they never really thought that kettle storm was not there again on its own today but cross".split()  # noqa: SIM905
sentences = st.lists(st.sampled_from(VOCABULARY), min_size=2, max_size=9).map(lambda w: " ".join(w).capitalize() + ".")
starts = st.integers(0, 3_000_000)


@st.composite
def talks(draw: st.DrawFn) -> Conversation:
    """Two speakers in turn, three turns at least, times that go on."""
    first, second = draw(st.sampled_from([("Ada", "Per"), ("Ines Cruz", "Rui Silva"), ("Speaker 1", "Speaker 2")]))
    texts = draw(st.lists(sentences, min_size=4, max_size=8))
    times = sorted(draw(st.lists(starts, min_size=len(texts), max_size=len(texts), unique_by=lambda t: t // 1000)))
    times = [t // 10 * 10 for t in times]
    rows = [
        Utterance(f"u{n}", (first, second)[n % 2], t / 1000, (t + 500) / 1000, text)
        for n, (t, text) in enumerate(zip(times, texts, strict=True))
    ]
    return Conversation("talk", tuple(rows))


def clock(seconds: float | None, digits: int = 3, mark: str = ".") -> str:
    ms = round((seconds or 0) * 1000)
    whole = f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d}"
    return whole + (f"{mark}{ms % 1000:03d}" if digits else "")


def srt(texts: list[str], talk: Conversation) -> str:
    return "\n".join(
        f"{n}\n{clock(u.start, mark=',')} --> {clock(u.end, mark=',')}\n{text}\n"
        for n, (u, text) in enumerate(zip(talk, texts, strict=True), 1)
    )


def ticks(seconds: float | None) -> int:
    return round((seconds or 0) * 1e7)


WORDS: dict[str, Callable[[Conversation], str]] = {
    "brackets.txt": lambda c: "".join(f"[{u.speaker}] {u.text}\n" for u in c),
    "angles.txt": lambda c: "".join(f"<{u.speaker}> {u.text}\n" for u in c),
    "colon.txt": lambda c: "".join(f"{u.speaker}:\n{u.text}\n\n" for u in c),
    "above.txt": lambda c: "".join(f"{(u.speaker or '').upper()}\n{u.text}\n\n" for u in c),
    "headings.md": lambda c: "".join(f"#### {u.speaker}\n\n{u.text}\n\n" for u in c),
    "bold.md": lambda c: "".join(f"**{u.speaker}:** {u.text}\n\n" for u in c),
    "dash.txt": lambda c: "".join(f"{u.speaker} - {u.text}\n" for u in c),
}
STARTS: dict[str, Callable[[Conversation], str]] = {
    "otter.txt": lambda c: "".join(f"{u.speaker}  {clock(u.start)}\n{u.text}\n\n" for u in c),
    "stamps.txt": lambda c: "".join(f"[{clock(u.start)}] {u.speaker}: {u.text}\n" for u in c),
    "below.txt": lambda c: "".join(f"{u.speaker}\n{clock(u.start)}\n{u.text}\n\n" for u in c),
}
TIMED: dict[str, Callable[[Conversation], str]] = {
    "tabs.txt": lambda c: "".join(f"{u.speaker}\t{clock(u.start)}\t{clock(u.end)}\t{u.text}\n" for u in c),
    "brackets.srt": lambda c: srt([f"[{u.speaker}] {u.text}" for u in c], c),
    "above.srt": lambda c: srt([f"{u.speaker}\n{u.text}" for u in c], c),
    "names.vtt": lambda c: "WEBVTT\n\n"
    + "\n".join(f"{u.speaker}\n{clock(u.start)} --> {clock(u.end)}\n{u.text}\n" for u in c),
    "duration.csv": lambda c: "speaker;start;duration_ms;text\n"
    + "".join(f"{u.speaker};{u.start};500;{u.text}\n" for u in c),
    "azure.json": lambda c: json.dumps(
        {"recognizedPhrases": [
            {"speaker": u.speaker, "offsetInTicks": ticks(u.start), "durationInTicks": 5000000,
             "nBest": [{"display": u.text}]} for u in c
        ]}
    ),
    "funasr.json": lambda c: json.dumps(
        [{"key": "x", "text": "", "sentence_info": [
            {"text": u.text, "start": round((u.start or 0) * 1000), "end": round((u.end or 0) * 1000), "spk": u.speaker}
            for u in c
        ]}]
    ),
    "unknown.json": lambda c: json.dumps(
        {"a": {"b": [
            {"spk": u.speaker, "beginMs": round((u.start or 0) * 1000), "endMs": round((u.end or 0) * 1000),
             "asr_text": u.text} for u in c
        ]}}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@pytest.mark.parametrize("kind", [*WORDS, *STARTS, *TIMED])
@given(talk=talks())
@settings(max_examples=40, deadline=None)
def test_forms(folder: Path, kind: str, talk: Conversation) -> None:
    path = folder / kind
    path.write_text((WORDS | STARTS | TIMED)[kind](talk), encoding="utf-8")
    (back,) = read_transcript(path)
    capitals = kind == "above.txt"
    names = [(u.speaker or "").upper() if capitals else u.speaker for u in talk]
    assert [(u.speaker, u.text) for u in back] == list(zip(names, [u.text for u in talk], strict=True))
    if kind in STARTS or kind in TIMED:
        assert [u.start for u in back] == pytest.approx([u.start for u in talk], abs=1e-3)
    if kind in TIMED:
        assert [u.end for u in back] == pytest.approx([u.end for u in talk], abs=1e-3)
