"""Files that were cut off anywhere are read as far as they go, or refused in one line; never a traceback."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from moodline.core.errors import MoodlineError
from moodline.transcripts.read import read_transcript
from tests.transcripts.test_recognizers_json import SERVICES
from tests.transcripts.test_services_more import SERVICES as MORE

CASES = sorted(p for p in (Path(__file__).parent / "cases").iterdir() if p.suffix != ".json" and p.name != "README.md")


def try_cuts(path: Path, data: bytes) -> None:
    whole = len(data)
    for end in range(0, whole, 1 if whole < 160 else whole // 120):
        path.write_bytes(data[:end])
        with contextlib.suppress(MoodlineError):
            for conversation in read_transcript(path):
                assert len(conversation) > 0


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_cut_cases(tmp_path: Path, case: Path) -> None:
    try_cuts(tmp_path / case.name, case.read_bytes())


@pytest.mark.parametrize("name", [*SERVICES, *MORE])
def test_cut_services(tmp_path: Path, name: str) -> None:
    data = json.dumps((SERVICES | MORE)[name]).encode()
    path = tmp_path / "cut.json"
    for end in range(0, len(data), 1 + len(data) // 40):
        path.write_bytes(data[:end])
        with pytest.raises(MoodlineError):
            read_transcript(path)


def test_cut_cue_keeps_the_whole_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    cue = "{n}\n00:00:0{n},000 --> 00:00:0{n},500\nline {n}\n\n"
    text = "".join(cue.format(n=n) for n in range(1, 6))
    for end in range(text.index("line 4") + 6, len(text)):
        path.write_text(text[:end])
        assert [u.text for u in read_transcript(path)[0]][:3] == ["line 1", "line 2", "line 3"]
