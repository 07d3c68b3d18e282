"""The errors a user can cause, in one small hierarchy.

    MoodlineError                  one line: the rule, what was found, the fix; exit code 2
    ├── CorpusError                a corpus folder or one of its files
    ├── TranscriptError            a transcript or a conversation file
    ├── ConversationError          utterances that contradict each other
    ├── MediaError                 audio or video
    │   └── NoPicturesError        a file that was to be a video and has no pictures
    ├── LabelError                 a label, or two label sets that do not match
    ├── FeatureError               feature arrays and feature stores
    ├── UnsafePickleError          a pickle that asks for more than arrays and plain containers
    ├── ConfigError                recipes, settings, command lines
    │   └── UnknownNameError       a name that no registry knows
    ├── CheckpointError            a saved model or a saved training state
    ├── MissingDependencyError     an optional package that is not installed
    ├── DeviceMemoryError          a GPU's memory is full
    └── StorageError               the disk: full, read-only, gone

Everything else that is raised is a defect of Moodline, not of its input.
"""

from __future__ import annotations

import difflib
import errno
import json
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit


class MoodlineError(Exception):
    """Bad input, said in one line.

    Args:
        rule: what is expected, starting with where ("meld: expected train_sent_emo.csv under DIR").
        found: the value that broke the rule, if it helps.
        fix: what the user can do about it.
    """

    exit_code = 2

    def __init__(self, rule: str, found: object = None, fix: str = "") -> None:
        self.rule, self.found, self.fix = rule, found, fix
        message = rule if found is None else f"{rule} (found: {found})"
        if fix:
            message = f"{message.rstrip('.')}. {fix}"
        super().__init__(" ".join(message.split()))


class CorpusError(MoodlineError):
    """A corpus folder or one of its files is not what its reader expects."""


class TranscriptError(MoodlineError):
    """A transcript cannot be read."""


class ConversationError(MoodlineError):
    """Utterances of a conversation contradict each other."""


class MediaError(MoodlineError):
    """Audio or video cannot be read."""


class NoPicturesError(MediaError):
    """A file has no video stream, as a recording of sound alone."""


class LabelError(MoodlineError):
    """A label is not in its label set, or two label sets do not match."""


class FeatureError(MoodlineError):
    """Features are missing, of the wrong shape, or not finite."""


class UnsafePickleError(MoodlineError):
    """A pickle asks for something other than arrays and plain containers."""


class ConfigError(MoodlineError, ValueError):
    """A recipe or a setting is wrong. A ValueError too, so that a validator can collect several."""


class UnknownNameError(ConfigError):
    """A name that is in no registry.

    Args:
        kind: what was asked for, e.g. ``"recipe"``.
        name: the unknown name.
        known: the names that exist; the nearest are suggested.
        fix: how to list them.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], fix: str = "") -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."
        super().__init__(f"unknown {kind} '{name}'", fix=f"{hint} {fix}".strip())


class CheckpointError(MoodlineError):
    """A saved model or training state cannot be used."""


class MissingDependencyError(MoodlineError):
    """An optional package is not installed.

    Args:
        package: the package that is missing.
        extra: the extra of Moodline that brings it; None if it is to be installed by its own name.
        purpose: what needs it.
        options: of pip, e.g. ``--no-deps`` where a package names others that it does not need.
    """

    def __init__(self, package: str, extra: str | None, purpose: str, options: str = "") -> None:
        command = f"Run: pip install {options} {package}".replace("  ", " ")
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed",
            fix=f"Run: {install_command(extra)}." if extra else command,
        )


def install_command(extra: str) -> str:
    """The command that adds an extra to this installation: of a checkout, a wheel, a repository or a registry."""
    source, editable = _installed_from()
    if source.startswith("file://") and not source.endswith((".whl", ".tar.gz")):  # a folder
        return f"pip install {'-e ' if editable else ''}'{unquote(urlsplit(source).path)}[{extra}]'"
    return f"pip install 'moodline[{extra}] @ {source}'" if source else f"pip install 'moodline[{extra}]'"


def _installed_from() -> tuple[str, bool]:
    """The URL that pip installed Moodline from, empty for a registry; and whether it is an editable installation."""
    try:
        data = json.loads(distribution("moodline").read_text("direct_url.json") or "{}")
        url = str(data.get("url", ""))
        if "vcs_info" in data:
            url = f"{data['vcs_info']['vcs']}+{url}"
        return url, bool(data.get("dir_info", {}).get("editable"))
    except (PackageNotFoundError, ValueError, LookupError, TypeError, AttributeError, OSError):
        return "", False


class DeviceMemoryError(MoodlineError):
    """A device's memory does not hold what was asked of it."""


class StorageError(MoodlineError):
    """The disk refused a write: full, read-only or gone."""

    @classmethod
    def writing(cls, path: str | Path, cause: OSError) -> StorageError:
        """The error for a failed write to ``path``."""
        full = cause.errno in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "Free some space or choose another place" if full else "Choose another place or mend this one"
        return cls(
            f"could not write {path}: {cause.strerror or cause}",
            fix=f"{remedy}; what was finished is kept, run the same command again.",
        )
