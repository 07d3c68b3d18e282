"""``moodline`` and ``python -m moodline``: errors of the user in one line, exit code 2."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    # Threads that wait busily for each other halve the speed of a machine that is doing anything else.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from moodline.cli.app import app
    from moodline.errors import MoodlineError

    try:
        app()
    except MoodlineError as error:
        print(f"moodline: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        print("moodline: interrupted; what was finished is kept, run the same command again", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
