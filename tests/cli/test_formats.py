"""``moodline formats`` lists what is read and written, all of it and nothing else."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from moodline.cli.app import app
from moodline.cli.formats import READ, WRITTEN
from moodline.report.write import WRITERS
from moodline.transcripts.read import FORMATS


def test_every_format_is_described() -> None:
    assert set(READ) == set(FORMATS)
    assert {f".{name}" for name in WRITTEN} == set(WRITERS)


def test_the_command_lists_them() -> None:
    result = CliRunner().invoke(app, ["formats", "--json"])
    assert result.exit_code == 0
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["srt"] | {"description": "", "result": ""} == {
        "name": "srt", "kind": "transcript", "read": True, "written": True, "description": "", "result": "",
    }  # fmt: skip
    assert rows["wav"]["kind"] == "recording"
    assert not rows["parquet"]["read"]
    table = CliRunner().invoke(app, ["formats"])
    assert table.exit_code == 0
    assert all(name in table.stdout for name in FORMATS)
