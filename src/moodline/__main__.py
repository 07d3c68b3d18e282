"""``moodline`` and ``python -m moodline``: errors of the user in one line, exit code 2."""

from __future__ import annotations

import os
import sys
from typing import Any


def main() -> None:
    """Run the command line."""
    from moodline.cli.interrupt import Interruptible
    from moodline.core.errors import MoodlineError

    try:
        with Interruptible():
            _run()
    except BrokenPipeError:  # the reader, e.g. head, has seen enough
        _forget_stdout()
        raise SystemExit(0) from None
    except MoodlineError as error:
        print(f"moodline: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which is not imported for this
            raise
        told = str(error).split(". ")[0]
        fix = "Take --device cpu, a smaller model, or end what else is on the GPU."
        print(f"moodline: the device's memory is full (found: {told}). {fix}", file=sys.stderr)
        raise SystemExit(MoodlineError.exit_code) from None
    except OSError as error:  # the machine: no space, no permission, a file that went away
        _forget_stdout()
        place = f"{error.filename}: " if error.filename else ""
        print(f"moodline: {place}{error.strerror or error}", file=sys.stderr)
        raise SystemExit(MoodlineError.exit_code) from None


def _run() -> None:
    """The command; what is wrong with its arguments in one line, too."""
    import typer

    from moodline.cli.app import app

    wrong_usage: Any = typer.BadParameter.__base__  # UsageError, which typer does not name in public
    try:
        code = app(prog_name="moodline", standalone_mode=False)
    except wrong_usage as error:
        told = error.format_message().rstrip(".")
        if "\n" not in told:  # else it is the whole help, for moodline alone
            place = error.ctx.command_path if error.ctx else "moodline"
            told = f"{place}: {told}{'' if told.endswith('?') else '.'} See: {place} -h"
        print(told, file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    finally:
        sys.stdout.flush()
    if code:
        raise SystemExit(code)


def _forget_stdout() -> None:
    """What is still to be printed goes nowhere, so that the interpreter does not complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


if __name__ == "__main__":
    main()
