"""What one result is of: a recording, a transcript, or both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Item:
    """One recording, with its transcript if there is one, or one transcript.

    Args:
        id: unique among the items of a run: the path below the folder that was named, without its suffix where that is
            enough; or the manifest's ``id``.
        recording: the sound or film file; None for a transcript alone.
        transcript: what is said in the recording; None if it is to be recognized.
        turns: what a manifest's rows say of the recording: rows of the house format (speaker, start, end, text).
        about: the manifest's other columns, such as a group.
    """

    id: str
    recording: Path | None = None
    transcript: Path | None = None
    turns: tuple[Mapping[str, Any], ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file that names the item in messages."""
        path = self.recording or self.transcript
        assert path is not None
        return path
