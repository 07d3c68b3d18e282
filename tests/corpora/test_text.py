"""Wrong decodings, clock times, tables."""

from pathlib import Path

import pytest

from moodline.core.errors import CorpusError
from moodline.corpora.text import decode, parse_clock, read_table, read_times, repair_text


@pytest.mark.parametrize(
    ("raw", "clean", "repaired"),
    [
        ("It's fine.", "It's fine.", False),
        (" it’s… né ", "it’s… né", False),
        ("it\x92s", "it’s", True),
        ("wait\x85 \x93no\x94", "wait… “no”", True),
        ("itâ€™s", "it’s", True),
        ("it\u00e2\u0080\u0099s", "it’s", True),
        ("cafÃ©", "café", True),
        ("São Paulo, Âge", "São Paulo, Âge", False),
        ("", "", False),
        ("你好", "你好", False),
    ],
)
def test_repair_text(raw: str, clean: str, repaired: bool) -> None:
    assert repair_text(raw) == (clean, repaired)


def test_decode_lines_one_by_one() -> None:
    assert decode("﻿ä\nb".encode()) == ("ä\nb", 0)
    assert decode("ä\n".encode() + b"it\x92s\n") == ("ä\nit’s\n", 1)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("00:16:16,059", (976.059, True)),
        ("00:16:16.059", (976.059, True)),
        ("0:12:32,632", (752.632, False)),
        ("01:00:00", (3600.0, False)),
        ("1:2:3,5", (3723.5, False)),
        ("16:16,059", None),
        ("", None),
        ("noon", None),
        ("00:00:01,0591", None),
    ],
)
def test_parse_clock(text: str, result: tuple[float, bool] | None) -> None:
    assert parse_clock(text) == result


@pytest.mark.parametrize(
    ("start", "end", "times", "kinds"),
    [
        ("00:00:01,000", "00:00:02,000", (1.0, 2.0), []),
        ("0:00:01,000", "00:00:02,000", (1.0, 2.0), ["time not written in full"]),
        ("00:00:02,000", "00:00:02,000", (2.0, None), ["end not after start"]),
        ("00:00:03,000", "00:00:02,000", (3.0, None), ["end not after start"]),
        ("soon", "00:00:02,000", (None, 2.0), ["unreadable time"]),
        ("00:00:01,000", "", (1.0, None), ["unreadable time"]),
    ],
)
def test_read_times(start: str, end: str, times: tuple[float | None, float | None], kinds: list[str]) -> None:
    *found, defects = read_times(start, end, "here")
    assert tuple(found) == times
    assert [d.kind for d in defects] == kinds


def test_read_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,"x, y"\n2,z\n', encoding="utf-8")
    assert read_table("c", path, ("a", "b")) == ([{"a": "1", "b": "x, y"}, {"a": "2", "b": "z"}], [])
    path.write_bytes(b"a,b\n1,it\x92s\n")
    rows, defects = read_table("c", path, ("a",))
    assert rows[0]["b"] == "it’s"
    assert [(d.kind, d.action) for d in defects] == [("not UTF-8", "repaired")]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "lacks the columns a, b"),
        ("a\n1\n", "lacks the column b"),
        ("a,b\n", "no rows"),
        ("a,b\n1\n", "row 2 does not have 2 fields"),
        ("a,b\n1,2\n1,2,3\n", "row 3 does not have 2 fields"),
        ("a,b\n1," + "x" * 200_000 + "\n", "not a comma-separated table"),
    ],
)
def test_bad_tables(content: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CorpusError, match=says):
        read_table("c", path, ("a", "b"))
