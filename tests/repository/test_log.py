"""What docs/log.md says of a search is what the search's file says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEARCHES = sorted((ROOT / "results" / "searches").glob("*.jsonl"))
WORDS = {4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve"}


def entries(stem: str) -> list[str]:
    """The bullets of the log that name the recipe of a search."""
    bullets = re.split(r"^- ", (ROOT / "docs" / "log.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return [b for b in bullets if re.search(rf"`(?:[\w-]+/)?{re.escape(stem)}`", b)]


@pytest.mark.parametrize("path", SEARCHES, ids=lambda p: p.stem)
def test_figures_of_a_search(path: Path) -> None:
    """Some entry has the number of settings, in words or digits, and the lowest and highest dev figure."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    dev = [r["dev"] for r in rows if r["dev"] is not None]
    wanted = [f"{min(dev):.1f}", f"{max(dev):.1f}"]
    said = entries(path.stem)
    assert said, f"docs/log.md: no entry names `{path.stem}`"
    for entry in said:
        numbers = re.findall(r"\d+(?:\.\d+)?", entry)
        count = str(len(dev)) in numbers or re.search(rf"\b{WORDS.get(len(dev), '-')}\b", entry)
        if count and all(w in numbers for w in wanted):
            return
    pytest.fail(f"docs/log.md: no entry on `{path.stem}` says {len(dev)} settings, dev {wanted[0]} to {wanted[1]}")


def test_the_search_files_are_there() -> None:
    assert SEARCHES
