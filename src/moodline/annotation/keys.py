"""Keys of results: SHA-256 of everything that a result depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moodline import __version__
from moodline.annotation.item import Item
from moodline.core.errors import ConfigError
from moodline.core.hashing import file_hash, json_hash
from moodline.pipeline.recognizer import model_directory

FORMAT = 1
"""The version of a result file."""


class KeyMaker:
    """Keys of items under one model and one set of settings.

    Args:
        model: see ``AnnotationSettings``.
        settings: those that a result depends on, see ``AnnotationSettings.of_key``.

    Raises:
        UnknownNameError: there is no such model.
    """

    def __init__(self, model: str | None, settings: dict[str, Any]) -> None:
        self._model, self._settings = model, settings
        self._revisions: dict[bool, str] = {}

    def revision(self, recording: bool) -> str:
        """SHA-256 of the files of the model that reads recordings, or transcripts."""
        if recording not in self._revisions:
            folder = model_directory(self._model, recording=recording)
            files = sorted(p for p in folder.rglob("*") if p.suffix in (".safetensors", ".json"))
            self._revisions[recording] = json_hash([[p.relative_to(folder).as_posix(), file_hash(p)] for p in files])
        return self._revisions[recording]

    def key(self, item: Item, hashes: list[str | None]) -> str:
        """The item's key.

        Args:
            item: which one.
            hashes: of ``content_hashes``.
        """
        return json_hash(
            {
                "format": FORMAT,
                "files": hashes,
                "name": item.path.stem,  # it is the conversation's id in the result
                "turns": [dict(turn) for turn in item.turns],
                "model": self.revision(item.recording is not None),
                "settings": self._settings,
                "version": __version__,
            },
            sort_keys=True,
        )


def content_hashes(item: Item) -> list[str | None]:
    """SHA-256 of the item's recording and of its transcript; None for one that it has not.

    Raises:
        ConfigError: a file cannot be read.
    """
    return [None if path is None else _hash(path) for path in (item.recording, item.transcript)]


def stamp(item: Item) -> list[Any]:
    """Size and time of change of the item's files; empty if one cannot be read.

    A file with the same stamp as in an earlier run is not hashed again.
    """
    out: list[Any] = []
    for path in (item.recording, item.transcript):
        try:
            facts = None if path is None else path.stat()
        except OSError:
            return []
        out.append(None if facts is None else [facts.st_size, facts.st_mtime_ns])
    return out


def _hash(path: Path) -> str:
    try:
        return file_hash(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", fix="Check the path.") from None
