"""``moodline`` and ``python -m moodline``: errors of the user in one line, exit code 2."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
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
