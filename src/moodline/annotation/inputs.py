"""What to annotate: files, folders, patterns and manifests as a list of items."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from moodline.annotation.item import Item
from moodline.annotation.manifest import MANIFESTS, is_manifest, read_manifest
from moodline.core.errors import ConfigError
from moodline.media.kinds import RECORDINGS, is_recording, sounds
from moodline.transcripts.read import FORMATS

TRANSCRIPTS = tuple(f".{name}" for name in FORMATS if name != "audacity")
"""Suffixes of transcripts; of several beside one recording, the first of these is read."""


def find_items(inputs: Sequence[str | Path], leave_out: Path | None = None) -> list[Item]:
    """The items of all inputs, sorted by id.

    Args:
        inputs: recordings, transcripts, folders (searched with all folders in them), patterns such as ``calls/*.wav``,
            and manifests (CSV or JSONL with ``audio_filepath`` or ``transcript_filepath``).
        leave_out: a folder in which nothing is looked for: that of the results.

    Returns:
        At least one item. A transcript with the name of a recording beside it belongs to it.

    Raises:
        ConfigError: an input does not exist, a pattern or folder has no file to annotate, or a manifest is wrong.
    """
    files: list[tuple[Path, Path]] = []
    items: list[Item] = []
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            files += _or_refuse(path, ((p, path) for p in _below(path, leave_out)))
        elif path.is_file() and path.suffix.lower() in MANIFESTS and is_manifest(path):
            items += read_manifest(path)
        elif path.exists():
            files.append((path, path.parent))
        elif glob.has_magic(str(given)):
            matches = sorted(map(Path, glob.glob(str(given), recursive=True)))  # noqa: PTH207  (absolute patterns)
            fixed = re.split(r"[*?\[]", str(given), maxsplit=1)[0]
            base = Path(os.path.dirname(fixed) or ".")  # noqa: PTH120  (a slash at the end counts)
            files += _or_refuse(path, ((p, base) for p in matches if p.is_file() and _known(p)))
        else:
            raise ConfigError(f"{path}: no such file or folder", fix="Check the path; quote patterns.")
    items += _paired(files)
    return sorted(_unique(items), key=lambda item: item.id)


def _or_refuse(path: Path, files: Iterable[tuple[Path, Path]]) -> list[tuple[Path, Path]]:
    found = list(files)
    if not found:
        raise ConfigError(
            f"{path}: nothing to annotate",
            fix=f"Expected recordings ({', '.join(sorted(RECORDINGS)[:4])}, …) or transcripts "
            f"({', '.join(TRANSCRIPTS[:4])}, …), or a manifest.",
        )
    return found


def _known(path: Path) -> bool:
    """Whether to annotate a file of a folder: by its suffix; one with another is a recording if it begins as such."""
    suffix = path.suffix.lower()
    return suffix in RECORDINGS or suffix in TRANSCRIPTS or sounds(path)


def _below(folder: Path, leave_out: Path | None) -> Iterator[Path]:
    """Recordings and transcripts in a folder and all folders in it, but hidden ones."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or (leave_out is not None and path.resolve() == leave_out.resolve()):
            continue
        if path.is_dir():
            yield from _below(path, leave_out)
        elif _known(path):
            yield path


def _paired(files: Iterable[tuple[Path, Path]]) -> list[Item]:
    """Recordings with the transcripts of their name, and transcripts without a recording."""
    bases = dict(files)
    recordings = {p for p in bases if p.suffix.lower() not in TRANSCRIPTS and is_recording(p)}
    stems = {p.with_suffix("") for p in recordings}
    items = []
    for path, base in bases.items():
        if path in recordings:
            transcript = next((t for suffix in TRANSCRIPTS if (t := path.with_suffix(suffix)) in bases), None)
            if transcript is None:
                transcript = next((t for s in TRANSCRIPTS if (t := path.with_suffix(s)).is_file()), None)
            items.append(Item(_id(path, base), path, transcript))
        elif path.with_suffix("") not in stems:
            items.append(Item(_id(path, base), None, path))
    return items


def _id(path: Path, base: Path) -> str:
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


def _unique(items: Sequence[Item]) -> Iterator[Item]:
    """Items without suffixes in their ids where these stay unique; the same file named twice is one item."""
    once = list({(i.path.absolute(), str(i.transcript), str(i.turns)): i for i in items}.values())
    short = Counter(_short(i) for i in once)
    whole = Counter(i.id for i in once)
    for item in once:
        if short[_short(item)] == 1:
            name = _short(item)
        elif whole[item.id] == 1:
            name = item.id
        else:
            name = item.path.absolute().as_posix().lstrip("/")
        yield Item(name, item.recording, item.transcript, item.turns, item.about)


def _short(item: Item) -> str:
    suffix = item.path.suffix
    return item.id.removesuffix(suffix) if suffix and item.id != suffix else item.id
