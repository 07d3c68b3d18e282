"""How the service runs: address, keys, limits, retention."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from moodline.core.errors import ConfigError

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
"""Suffix of a duration to seconds."""


def default_folder() -> Path:
    """Where jobs are kept: ``moodline/serve`` below ``XDG_STATE_HOME``, or ``~/.local/state``."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "moodline" / "serve"


def default_workers() -> int:
    """Threads that compute: one for each core that this process may use, at most four."""
    return max(1, min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


@dataclass(frozen=True)
class ServiceSettings:
    """How the service runs.

    Args:
        host, port: where it listens; port 0 for any free one.
        models: names of ``moodline models`` or directories; the first is the default. None for the two defaults, one
            of conversations and one of recordings.
        keys: tokens of which a request must carry one; none for a service that anybody who reaches it may use.
        open: allow an address that others reach without any key.
        recordings: read recordings too; without, only conversations are answered.
        folder: where jobs are kept.
        keep: seconds that a result is kept after its job has ended.
        short: seconds of sound up to which a recording is answered at once.
        workers: threads that compute conversations, and as many that read recordings.
        queue: requests of a kind that may be in work or wait at a time; one more gets 429.
        jobs: jobs that may wait; one more gets 429.
        upload: bytes of one recording.
        threads: processor threads of each network.
        device: cpu, cuda, …
        transcriber, diarizer: see ``moodline.listen.listen.listen``.
        exact: answers have the same bytes whatever arrived together; False to encode conversations in one go, which
            is quicker on a GPU and the same up to rounding.
        grace: seconds that running requests get when the service ends.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    models: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    open: bool = False
    recordings: bool = True
    folder: Path = field(default_factory=default_folder)
    keep: float = 3600.0
    short: float = 120.0
    workers: int = field(default_factory=default_workers)
    queue: int = 128
    jobs: int = 1000
    upload: int = 512_000_000
    threads: int = 1
    device: str = "auto"
    transcriber: str | None = None
    diarizer: str | None = None
    exact: bool = True
    grace: float = 30.0

    def __post_init__(self) -> None:
        if any(len(key) < 8 or not re.fullmatch(r"[\x21-\x7e]+", key) for key in self.keys):
            raise ConfigError(
                "an API key must have at least 8 printable characters and no space",
                fix="Make one: openssl rand -hex 24.",
            )
        if self.keep < 1:
            raise ConfigError("--keep must be at least one second", f"{self.keep:g} s", "For example: --keep 1h.")
        if not self.keys and not self.open and not self.loopback:
            raise ConfigError(
                f"others can reach {self.host}, so requests must carry a key",
                fix="Give --api-key or set MOODLINE_API_KEY; or --open if everybody may use the service.",
            )

    @property
    def loopback(self) -> bool:
        """True where only this machine reaches the service."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_duration(text: str) -> float:
    """Seconds of ``90``, ``90s``, ``15m``, ``24h`` or ``7d``.

    Raises:
        ConfigError: anything else.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None:
        raise ConfigError("a duration is a number with s, m, h or d", text, "For example: --keep 24h.")
    return float(found[1]) * UNITS[found[2] or "s"]
