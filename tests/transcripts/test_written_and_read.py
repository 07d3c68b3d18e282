"""For each further format: a writer in a few lines, and what it writes is read again, whatever is said."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import docx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodline.transcripts.read import read_transcript

Turn = tuple[str, float, float, str]
"""Speaker, start and end in seconds, words."""


def clock(seconds: float, decimal: str = ".", digits: int = 3) -> str:
    whole, rest = divmod(round(seconds * 10**digits), 10**digits)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}{decimal}{rest:0{digits}d}"


def sbv(turns: list[Turn]) -> str:
    return "\n".join(f"{clock(a)},{clock(b)}\n{who}: {text}\n" for who, a, b, text in turns)


def lrc(turns: list[Turn]) -> str:
    return "".join(f"[{int(a) // 60:02d}:{a % 60:06.3f}]{who}: {text}\n" for who, a, _, text in turns)


def ass(turns: list[Turn]) -> str:
    head = "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\n"
    head += "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    rows = [
        f"Dialogue: 0,{clock(a, digits=2)},{clock(b, digits=2)},Default,{who},0,0,0,,{text}\n"
        for who, a, b, text in turns
    ]
    return head + "".join(rows)


def ttml(turns: list[Turn]) -> str:
    names = list(dict.fromkeys(who for who, *_ in turns))
    agents = "".join(
        f'<ttm:agent xml:id="a{n}"><ttm:name>{escape(w)}</ttm:name></ttm:agent>' for n, w in enumerate(names)
    )
    rows = "".join(
        f'<p begin="{a}s" end="{b}s" ttm:agent="a{names.index(who)}">{escape(text)}</p>' for who, a, b, text in turns
    )
    return (
        '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttm="http://www.w3.org/ns/ttml#metadata">'
        f"<head>{agents}</head><body><div>{rows}</div></body></tt>"
    )


def stm(turns: list[Turn]) -> str:
    return "".join(f"talk 1 {who.replace(' ', '_')} {a} {b} <o,f0,x> {text}\n" for who, a, b, text in turns)


def cha(turns: list[Turn]) -> str:
    names = list(dict.fromkeys(who for who, *_ in turns))
    people = ", ".join(f"SP{n} {who.replace(' ', '_')} Participant" for n, who in enumerate(names))
    rows = "".join(
        f"*SP{names.index(who)}:\t{text} . \x15{round(a * 1000)}_{round(b * 1000)}\x15\n" for who, a, b, text in turns
    )
    return f"@UTF8\n@Begin\n@Participants:\t{people}\n{rows}@End\n"


def exb(turns: list[Turn]) -> str:
    names = list(dict.fromkeys(who for who, *_ in turns))
    times = sorted({t for _, a, b, _ in turns for t in (a, b)})
    point = {t: f"T{n}" for n, t in enumerate(times)}
    people = "".join(
        f'<speaker id="S{n}"><abbreviation>{escape(w)}</abbreviation></speaker>' for n, w in enumerate(names)
    )
    line = "".join(f'<tli id="{i}" time="{t}"/>' for t, i in point.items())
    tiers = "".join(
        f'<tier id="t{n}" speaker="S{n}" category="v" type="t" display-name={quoteattr(w + " [v]")}>'
        + "".join(
            f'<event start="{point[a]}" end="{point[b]}">{escape(text)}.</event>'
            for who, a, b, text in turns
            if who == w
        )
        + "</tier>"
        for n, w in enumerate(names)
    )
    return (
        f"<basic-transcription><head><speakertable>{people}</speakertable></head><basic-body><common-timeline>{line}"
        f"</common-timeline>{tiers}</basic-body></basic-transcription>"
    )


def otr(turns: list[Turn]) -> str:
    rows = [
        f'<p><span class="timestamp" data-timestamp="{a}">0:00</span> {escape(f"{who}: {text}")}</p>'
        for who, a, _, text in turns
    ]
    return json.dumps({"text": "".join(rows)})


def word(turns: list[Turn]) -> bytes:
    document, file = docx.Document(), io.BytesIO()
    table = document.add_table(len(turns) + 1, 3)
    for row, cells in zip(
        table.rows, [("Time", "Speaker", "Text"), *((clock(a), w, t) for w, a, _, t in turns)], strict=True
    ):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.save(file)
    return file.getvalue()


WRITERS: dict[str, Callable[[list[Turn]], str | bytes]] = {
    "sbv": sbv, "lrc": lrc, "ass": ass, "ttml": ttml, "stm": stm, "cha": cha, "exb": exb, "otr": otr, "docx": word,
}  # fmt: skip
NO_ENDS = ("lrc", "otr", "docx")

CODES = ("xxx", "yyy", "www", "xx", "yy", "ww", "sil", "spn", "sp", "nsn")
word_ = st.from_regex(r"\A[a-zäé]{2,9}\Z").filter(lambda w: w not in CODES)
spoken = st.lists(word_, min_size=2, max_size=7).map(" ".join)
names = st.sampled_from(["Ada", "Ben", "Eva Lee"])


@st.composite
def talks(draw: st.DrawFn) -> list[Turn]:
    """Turns one after the other, to hundredths of a second, so that every format holds their times."""
    out, at = [], 0.0
    for who, gap, length, text in draw(
        st.lists(st.tuples(names, st.integers(1, 500), st.integers(30, 900), spoken), min_size=3, max_size=8)
    ):
        start = round(at + gap / 100, 2)
        at = round(start + length / 100, 2)
        out.append((who, start, at, text))
    return out


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=60, deadline=None)
@given(turns=talks())
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, kind: str, turns: list[Turn]) -> None:
    path = tmp_path_factory.mktemp("written") / f"talk.{kind}"
    content = WRITERS[kind](turns)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (read,) = read_transcript(path)
    people = list(dict.fromkeys(who for who, *_ in turns))
    for u, (who, start, end, text) in zip(read, turns, strict=True):
        expected = {"cha": f"SP{people.index(who)}", "stm": who.replace(" ", "_")}.get(kind, who)
        assert (u.speaker, (u.text or "").rstrip(".")) == (expected, text)
        assert u.start == pytest.approx(start, abs=1e-6)
        if kind not in NO_ENDS:
            assert u.end == pytest.approx(end, abs=1e-6)


def test_every_further_format_has_a_writer(tmp_path: Path) -> None:
    """Formats whose writers stand in ``test_transcript_properties`` or in the tests of our own files are not here."""
    from moodline.transcripts.read import FORMATS

    elsewhere = {"json", "jsonl", "srt", "vtt", "csv", "tsv", "txt", "textgrid", "eaf", "rttm", "audacity", "ctm"}
    assert set(FORMATS) - elsewhere - {"ssa", "dfxp"} == set(WRITERS)
