"""The page put together: template, style, script and data in one file that asks nothing of the network."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from moodline.core.errors import MediaError, MissingDependencyError
from moodline.core.hashing import text_hash
from moodline.core.prediction import Prediction
from moodline.report.html.data import page_data
from moodline.report.html.sound import LIMIT, Sound, read_sound

SCRIPTS = ("base.js", "scores.js", "timeline.js", "turns.js", "details.js", "player.js", "main.js")
"""The script's parts, in the order in which they stand in the page."""


def write_html(prediction: list[Prediction], file: BinaryIO, limit: int = LIMIT) -> None:
    """Write one page for all conversations.

    A recording that cannot be read costs the page its sound, not its answers; a note says so.

    Args:
        prediction: the conversations; with none, the page says that there is none.
        file: where the page goes; if it has a name, a sound that is too large is addressed from there.
        limit: bytes of sound that the page may hold.
    """
    sounds: list[Sound | None] = []
    beside: list[str | None] = []
    shown: list[Prediction] = []
    for p in prediction:
        sound, p = _sound(p, limit)
        limit -= len(sound.mp3) if sound is not None and sound.mp3 is not None else 0
        large = sound is not None and sound.mp3 is None
        sounds.append(sound)
        beside.append(_address(p, file) if large else None)
        shown.append(p)
    style, script = _part("style.css"), "\n".join(_part(name) for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{script}\n}})();'
    values = {
        "title": html.escape(_title(shown)),
        "policy": html.escape(_policy(style, script)),
        "style": style,
        "script": script,
        "data": embedded(page_data(shown, sounds, beside)),
        "sounds": "\n".join(
            f'<script type="application/octet-stream" id="sound-{n}">{base64.b64encode(sound.mp3).decode()}</script>'
            for n, sound in enumerate(sounds)
            if sound is not None and sound.mp3 is not None
        ),
    }
    # one pass, so that nothing inside a value can be taken for a place
    page = re.sub(r"<!--\{(\w+)\}-->|\{\{(\w+)\}\}", lambda m: values[m[1] or m[2]], _part("page.html"))
    file.write(page.encode("utf-8", "replace"))


def embedded(data: dict[str, Any]) -> str:
    """JSON that can stand in a script element: ASCII, and nothing in it can end the element or begin a comment."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(name: str) -> str:
    return (files("moodline.report") / "html" / name).read_text(encoding="utf-8").strip()


def _title(predictions: list[Prediction]) -> str:
    names = [p.conversation for p in predictions]
    return f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''} · Moodline"


def _policy(style: str, script: str) -> str:
    """What the page may do: run this script, wear this style, play its sound; nothing else."""

    def fingerprint(text: str) -> str:
        return f"'sha256-{base64.b64encode(bytes.fromhex(text_hash(text))).decode()}'"

    return (
        f"default-src 'none'; script-src {fingerprint(script)}; style-src {fingerprint(style)}; "
        "media-src 'self' blob: file:; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _sound(p: Prediction, limit: int) -> tuple[Sound | None, Prediction]:
    """The recording, if there is one that can be read; else the prediction with a note that says why not."""
    if p.sound is None:
        return None, p
    try:
        sound = read_sound(Path(p.sound), limit)
    except (MediaError, MissingDependencyError) as error:
        return None, replace(p, notes=(*p.notes, f"This report has no sound. {error}"))
    return sound, replace(p, notes=tuple(dict.fromkeys((*p.notes, *sound.notes))))


def _address(p: Prediction, file: BinaryIO) -> str:
    """Where the recording's own file is, seen from the page; beside it, where the page is no file yet."""
    path = Path(p.media or p.sound or "").absolute()
    name = getattr(file, "name", None)
    if not isinstance(name, str):
        return "./" + quote(path.name)
    folder = Path(name).absolute().parent
    if folder.drive != path.drive:
        return path.as_uri()
    return "./" + quote(Path(os.path.relpath(path, folder)).as_posix())
