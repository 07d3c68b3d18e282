"""Fixtures for all tests."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.tiny import TEXT, write_house, write_recipe

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, and bits depend on the number of threads
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background; what is started would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MOODLINE_DATA", ROOT.parent / "shared" / "data"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Note what each test costs, fixtures included, where ``scripts/test_durations.py`` names a folder for it.

    A line is: the test, its processor seconds (with processes that it started and waited for), its wall-clock seconds.
    """
    folder = os.environ.get("MOODLINE_TEST_DURATIONS")
    begun, processor = time.perf_counter(), sum(os.times()[:4])
    outcome = yield
    if folder:
        row = (item.nodeid, sum(os.times()[:4]) - processor, time.perf_counter() - begun)
        with (Path(folder) / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    return outcome


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


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is read from or written to the caches of whoever runs the tests."""
    os.environ["MOODLINE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny corpus; see ``tests/tiny.py``. Copy it before changing it."""
    return write_house(tmp_path_factory.mktemp("corpora") / "house")


@pytest.fixture(scope="session")
def text_run(house: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the text recipe with two seeds, trained and not evaluated. Copy it before changing it."""
    from moodline.experiments.train import train
    from moodline.pipeline.recipe import load_recipe

    folder = tmp_path_factory.mktemp("runs")
    train(load_recipe(str(write_recipe(folder / "tiny-text.yaml", TEXT))), house, folder / "text", range(2))
    return folder / "text"


@pytest.fixture(scope="session")
def tiny_model(text_run: Path) -> Path:
    """The checkpoint of a tiny text model. Copy it before changing it."""
    return text_run / "seed-0"
