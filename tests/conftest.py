"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MOODLINE_DATA", ROOT.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Corpus tests need the corpora; say so when they are absent."""
    if DATA.is_dir():
        return
    skip = pytest.mark.skip(reason=f"corpora not found at {DATA} (set MOODLINE_DATA)")
    for item in items:
        if "corpus" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of the corpora."""
    return DATA


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return ROOT
