"""Ctrl-C at any moment: while modules load, inside a library that swallows the exception, in plain code."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import moodline
from moodline.cli.interrupt import EXIT_CODE, MESSAGE, Interruptible, bad_moment

SAMPLE = Path(moodline.__file__).parent / "samples" / "support_call.srt"

SLOW = """
import signal, time
signal.raise_signal(signal.SIGINT)
time.sleep(0.2)
loaded = True
"""


def run(body: Callable[[], object]) -> None:
    with Interruptible():
        body()


def test_plain_code_is_interrupted_at_once() -> None:
    def body() -> None:
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")

    with pytest.raises(SystemExit) as stop:
        run(body)
    assert stop.value.code == EXIT_CODE


def test_a_module_that_is_being_loaded_is_loaded_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "slow_to_load.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)

    def body() -> None:
        assert importlib.import_module("slow_to_load").loaded
        time.sleep(5)
        pytest.fail("went on")

    with pytest.raises(SystemExit) as stop:
        run(body)
    assert stop.value.code == EXIT_CODE
    assert capsys.readouterr().err == MESSAGE + "\n"


def test_an_error_that_a_library_makes_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ValueError("could not determine the shape") from None

    with pytest.raises(SystemExit) as stop:
        run(body)
    assert stop.value.code == EXIT_CODE
    assert capsys.readouterr().err == MESSAGE + "\n"


def test_other_errors_and_a_good_end_stay_as_they_are() -> None:
    with pytest.raises(ValueError, match="wrong"), Interruptible():
        raise ValueError("wrong")
    with Interruptible():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruptible():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


class Press:
    """Ctrl-C when it is written to a file."""

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        signal.raise_signal(signal.SIGINT)
        return str, ("pressed",)


def test_a_file_is_written_to_its_end(tmp_path: Path) -> None:
    def body() -> None:
        torch.save({"first": Press(), "weights": torch.ones(3)}, tmp_path / "state.pt")
        assert torch.load(tmp_path / "state.pt", weights_only=True)["first"] == "pressed"
        time.sleep(5)
        pytest.fail("went on")

    with pytest.raises(SystemExit) as stop:
        run(body)
    assert stop.value.code == EXIT_CODE


def test_in_another_thread() -> None:
    """Where signals cannot be handled, the body runs all the same."""
    done: list[int] = []
    thread = threading.Thread(target=run, args=[lambda: done.append(1)])
    thread.start()
    thread.join()
    assert done == [1]


def test_no_bad_moment() -> None:
    assert not bad_moment(sys._getframe())


HOOK = """
import signal, sys
name = sys.argv.pop(1)
def hook(event, arguments):
    global name
    if event == "import" and arguments[0] == name:
        name = None
        signal.raise_signal(signal.SIGINT)
sys.addaudithook(hook)
from moodline.__main__ import main
main()
"""


@pytest.mark.process
@pytest.mark.parametrize("module", ["moodline.cli.app", "numpy", "torch", "torch._C", "moodline.pipeline.recognizer"])
def test_while_a_command_loads_its_modules(module: str, tmp_path: Path) -> None:
    """Torch's C++ parts took the exception for the end of the process (exit code -6)."""
    arguments = [sys.executable, "-c", HOOK, module, "analyze", str(SAMPLE), "--json"]
    environment = {**os.environ, "MOODLINE_CACHE": str(tmp_path)}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_CODE, "", MESSAGE + "\n")
