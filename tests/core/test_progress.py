"""Progress where standard error is no terminal: nothing for short work, a line every ten seconds for long work."""

from __future__ import annotations

import pytest

from moodline.core import progress
from moodline.core.progress import Progress, progress_bar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of a clock that a test sets by hand."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def train(clock: list[float], seconds: float, quiet: bool = False) -> None:
    """Four epochs of two steps, each step as long as given."""
    with Progress("tiny seed 0", total=4, quiet=quiet) as bar:
        for epoch in range(4):
            for half in (0.5, 1.0):
                clock[0] += seconds
                bar.step(half)
            bar.epoch(epoch + 1, "WF1", 50.0, 62.5, 1.25)


def test_long_training_prints_lines(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    train(clock, 6)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "tiny seed 0: 1.0 of 4, 12 s",
        "tiny seed 0: 2.0 of 4  loss 1.250  dev WF1 50.00  best 62.50, 24 s",
        "tiny seed 0: 3.0 of 4  loss 1.250  dev WF1 50.00  best 62.50, 36 s",
        "tiny seed 0: 4.0 of 4  loss 1.250  dev WF1 50.00  best 62.50, 48 s",
    ]


@pytest.mark.parametrize(("seconds", "quiet"), [(1, False), (60, True)])
def test_short_or_quiet_training_prints_nothing(
    clock: list[float], capsys: pytest.CaptureFixture[str], seconds: float, quiet: bool
) -> None:
    train(clock, seconds, quiet)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("quiet", "expected"), [(False, "encoding text: 3 of 4 (15.0 a minute, 0:00:04 left), 12 s\n"), (True, "")]
)
def test_long_encoding_prints_lines(
    clock: list[float], capsys: pytest.CaptureFixture[str], quiet: bool, expected: str
) -> None:
    with progress_bar(quiet) as step:
        for done in range(5):
            step("encoding text", done, 4)
            clock[0] += 4
    assert capsys.readouterr() == ("", expected)
