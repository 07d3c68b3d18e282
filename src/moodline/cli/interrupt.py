"""Ctrl-C: one line and exit code 130, whatever was running when it was pressed."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from types import FrameType, TracebackType

EXIT_CODE = 130
"""What shells expect of a program that was interrupted."""
AGAIN = 0.05
"""Seconds until a Ctrl-C that came at a bad moment is tried again."""
MESSAGE = (
    "moodline: interrupted; training, encoding and listening go on where they were when the same command is run again"
)
NOT_NOW = ("<frozen importlib._bootstrap>", f"torch{os.sep}serialization.py")
"""Code with C++ below it that takes an exception for the end of the process, or makes another error of it: loading
modules, and reading and writing torch's files."""


def bad_moment(frame: FrameType | None) -> bool:
    """Whether the code that runs, or any that has called it, is one of ``NOT_NOW``."""
    while frame is not None:
        if frame.f_code.co_filename.endswith(NOT_NOW):
            return True
        frame = frame.f_back
    return False


class Interruptible:
    """A context in which Ctrl-C raises KeyboardInterrupt, but not at a ``bad_moment``: then just after it.

    However the body ends after a Ctrl-C, the user is told the same: libraries may make another error of the exception.
    A process told to ignore the signal, as by ``nohup``, goes on ignoring it.

    Raises:
        SystemExit: code 130 in place of any exception of the body, if Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.pressed = False
        self._timer: threading.Timer | None = None

    def __enter__(self) -> None:
        here = threading.current_thread() is threading.main_thread()  # Python allows no other to handle signals
        if here and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        if bad_moment(frame):
            self._timer = threading.Timer(AGAIN, _thread.interrupt_main)
            self._timer.daemon = True
            self._timer.start()
        else:
            raise KeyboardInterrupt

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._timer is not None:
            self._timer.cancel()
        made_of_it = isinstance(error, SystemExit) and error.code == EXIT_CODE  # by typer
        if kind is not None and (self.pressed or made_of_it or issubclass(kind, KeyboardInterrupt)):
            print(MESSAGE, file=sys.stderr)
            raise SystemExit(EXIT_CODE) from None
