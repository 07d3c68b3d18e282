"""Uploads: from the form of a request to files of the service."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from pathlib import Path

from fastapi import UploadFile

from moodline.core.errors import MissingDependencyError, MoodlineError
from moodline.core.files import make_folder, writing
from moodline.media.source import recording_seconds
from moodline.service.errors import ServiceError, of_moodline
from moodline.service.rooms import Rooms
from moodline.service.wish import Wish, file_name


def save(
    rooms: Rooms, wish: Wish, recording: UploadFile, transcript: UploadFile | None
) -> tuple[Path, Wish, float | None]:
    """Write an upload into a folder of its own.

    Args:
        rooms: where.
        wish: how it is to be read, without its files.
        recording, transcript: as the framework received them.

    Returns:
        The folder; the wish with its files; how long the recording claims to last.

    Raises:
        ServiceError: 415, not a recording; 507, the disk is full. Nothing of the upload stays.
    """
    folder = rooms.uploads / secrets.token_hex(12)
    name = file_name(recording.filename, "recording")
    try:
        for kind in ("recording", "transcript"):
            make_folder(folder / kind)
        _copy(recording, folder / "recording" / name)
        inside = None
        if transcript is not None and transcript.filename:
            inside = f"transcript/{file_name(transcript.filename, 'transcript')}"
            _copy(transcript, folder / inside)
        seconds = _seconds(folder / "recording" / name, wish.track)
        return folder, replace(wish, recording=f"recording/{name}", name=name, transcript=inside), seconds
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, MoodlineError):
            raise of_moodline(error) from None
        raise


def _seconds(path: Path, track: int | None) -> float | None:
    try:
        return recording_seconds(path, track)
    except MissingDependencyError:
        raise ServiceError(415, "this service reads no recordings of this kind", path.suffix, "Send WAV.") from None
    except MoodlineError as error:
        raise of_moodline(error, 415, hide=str(path), shown=path.name) from None


def _copy(upload: UploadFile, path: Path) -> None:
    with writing(path), path.open("xb") as file:
        shutil.copyfileobj(upload.file, file, 1 << 20)
