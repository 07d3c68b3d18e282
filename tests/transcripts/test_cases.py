"""Small files as people bring them, and what each must give: ``cases/table.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from moodline.transcripts.read import read_transcript

FOLDER = Path(__file__).parent / "cases"
TABLE: list[dict[str, Any]] = json.loads((FOLDER / "table.json").read_text(encoding="utf-8"))
"""Objects ``{"file", "rows": [[speaker, start, end, words]], "note"?: part of one, "events"?: [marks], "ids"?}``."""


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case["file"])
def test_case(case: dict[str, Any]) -> None:
    conversations = read_transcript(FOLDER / case["file"])
    rows = [[u.speaker, u.start, u.end, u.text] for c in conversations for u in c]
    assert rows == case["rows"]
    notes = " ".join(note for c in conversations for note in c.notes)
    assert case.get("note", "") in notes
    if not case.get("note"):
        assert not notes
    assert [e.text for c in conversations for e in c.events] == case.get("events", [])
    assert [c.id for c in conversations] == case.get("ids", [Path(case["file"]).stem])


def test_every_case_is_in_the_table() -> None:
    files = {p.name for p in FOLDER.iterdir() if p.name not in ("table.json", "README.md")}
    assert files == {case["file"] for case in TABLE}
