"""Whatever is written can be read again; whatever is read never ends in a traceback; large files are quick."""

from __future__ import annotations

import contextlib
import cProfile
import csv
import html
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import MoodlineError
from moodline.transcripts.common import squeeze
from moodline.transcripts.nonspeech import split_sounds
from moodline.transcripts.read import FORMATS, read_transcript
from moodline.transcripts.speaker_names import plausible

quick = settings(max_examples=80, deadline=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transcripts")


def clock(seconds: float | None, decimal: str) -> str:
    thousandths = round((seconds or 0) * 1000)
    whole, rest = divmod(thousandths, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{decimal}{rest:03d}"


def house(c: Conversation) -> str:
    return json.dumps(c.to_dict(), indent=1)


def house_lines(c: Conversation) -> str:
    return json.dumps(c.to_dict(), ensure_ascii=False) + "\n"


def whisper(c: Conversation) -> str:
    return json.dumps(
        {"segments": [{"start": u.start, "end": u.end, "text": f" {u.text}", "speaker": u.speaker} for u in c]}
    )


def srt(c: Conversation) -> str:
    return "\n".join(
        f"{n}\n{clock(u.start, ',')} --> {clock(u.end, ',')}\n{u.speaker}: {u.text}\n" for n, u in enumerate(c, 1)
    )


def vtt(c: Conversation) -> str:
    voices = [f"<v {html.escape(u.speaker or '')}>{html.escape(u.text or '')}</v>" for u in c]
    cues = [f"{clock(u.start, '.')} --> {clock(u.end, '.')}\n{voice}\n" for u, voice in zip(c, voices, strict=True)]
    return "\n".join(["WEBVTT\n", *cues])


def table(delimiter: str) -> Callable[[Conversation], str]:
    def write(c: Conversation) -> str:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter)
        writer.writerow(["speaker", "end", "text", "start"])
        writer.writerows([u.speaker, u.end, u.text, u.start] for u in c)
        return out.getvalue()

    return write


def plain(c: Conversation) -> str:
    return "".join(f"{u.speaker}: {u.text}\n" for u in c)


WRITERS = {
    "json": house, "jsonl": house_lines, "whisper.json": whisper, "srt": srt, "vtt": vtt,
    "csv": table(","), "tsv": table("\t"), "txt": plain,
}  # fmt: skip

names = st.from_regex(r"\A[A-Z][a-zé]{1,8}( [A-Z][a-z]{1,7}| [0-9])?\Z").filter(plausible)
words = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp"), exclude_characters="<>{}'="), min_size=1, max_size=60
)
texts = words.map(squeeze).filter(lambda t: t != "" and t[0] not in "+-@" and split_sounds(t) == (t, []))
milliseconds = st.integers(0, 36_000_000)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    rows = draw(st.lists(st.tuples(names, texts, milliseconds, st.integers(0, 9000)), min_size=1, max_size=8))
    utterances = [Utterance(f"u{n}", s, a / 1000, (a + d) / 1000, t) for n, (s, t, a, d) in enumerate(rows)]
    return Conversation("talk", tuple(utterances))


@pytest.mark.parametrize("kind", WRITERS)
@given(conversation=conversations())
@quick
def test_what_is_written_is_read_again(folder: Path, kind: str, conversation: Conversation) -> None:
    path = folder / f"talk.{kind.split('.')[-1]}"
    path.write_bytes(WRITERS[kind](conversation).encode())
    (read,) = read_transcript(path)
    assert [(u.id, u.speaker, u.text) for u in read] == [(u.id, u.speaker, u.text) for u in conversation]
    if kind != "txt":
        for one, other in zip(read, conversation, strict=True):
            assert (one.start, one.end) == pytest.approx((other.start, other.end), abs=1e-9)


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.binary(max_size=300) | st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
@quick
def test_random_bytes_are_refused_politely(folder: Path, name: str, data: bytes) -> None:
    path = folder / f"noise.{name}"
    path.write_bytes(data)
    try_to_read(path)


pieces = st.sampled_from(
    ["1", "\n", "\n\n", "00:00:01,000", " --> ", "-->", "00:02.5", "Ann: ", "[X]: ", "<v Bo>", "</v>", "hi", " ",
     "WEBVTT", "NOTE", '"', ",", ";", "text", "start", "id", "\t", "nan", ":", "- ",
     "[joy 0.81] ", "'", "=", "\u2028", "\x1c"]
)  # fmt: skip


@pytest.mark.parametrize("name", ["srt", "vtt", "csv", "tsv", "txt"])
@given(text=st.lists(pieces, max_size=40).map("".join), head=st.sampled_from(["", "WEBVTT\n\n", "text,start,id\n"]))
@quick
def test_almost_right_files_are_read_or_refused(folder: Path, name: str, text: str, head: str) -> None:
    path = folder / f"almost.{name}"
    path.write_bytes((head + text).encode())
    try_to_read(path)


keys = st.sampled_from(
    ["id", "media", "utterances", "segments", "text", "start", "end", "speaker", "words", "word", "score", "emotion"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("\ud800")
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=5), max_leaves=12)
rows_ = st.lists(st.dictionaries(keys, values, max_size=5), max_size=3)


@pytest.mark.parametrize("name", ["json", "jsonl"])
@given(data=values | rows_ | st.fixed_dictionaries({"utterances": rows_}) | st.fixed_dictionaries({"segments": rows_}))
@quick
def test_any_json_is_read_or_refused(folder: Path, name: str, data: object) -> None:
    path = folder / f"any.{name}"
    path.write_text(json.dumps(data))
    try_to_read(path)


def try_to_read(path: Path) -> None:
    for skip_empty in (False, True):
        with contextlib.suppress(MoodlineError):
            for conversation in read_transcript(path, skip_empty=skip_empty):
                assert len(conversation) > 0
                json.dumps(conversation.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize("kind", WRITERS)
def test_work_grows_no_faster_than_the_file(folder: Path, kind: str) -> None:
    """Ten times as many utterances, ten times as many calls; counted, since times depend on who else computes."""

    def calls(count: int) -> int:
        rows = (
            Utterance(f"u{n}", ("Ann", "Bo")[n % 2], n, n + 0.9, f"this is sentence number {n}, is it?")
            for n in range(count)
        )
        path = folder / f"large.{kind.split('.')[-1]}"
        path.write_text(WRITERS[kind](Conversation("large", tuple(rows))))
        with cProfile.Profile() as profile:
            (read,) = read_transcript(path)
        assert len(read) == count
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(10_000) < 11 * calls(1000)


def test_importing_the_readers_imports_nothing_heavy() -> None:
    code = "import sys, moodline.transcripts.read; print(*{m.split('.')[0] for m in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "pyarrow", "rich", "pandas", "transformers"} & set(loaded)
