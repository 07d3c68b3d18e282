"""CH-SIMS: the MMSA pickle, see ``mmsa.py``.

A score above 0 is positive, 0 and below negative, as in the corpus's own binary accuracy. A video is a
conversation, unless splits share videos.
"""

from __future__ import annotations

from pathlib import Path

from moodline.corpora.base import Corpus
from moodline.corpora.mmsa import HINT, SIMS, found, read_family

__all__ = ["HINT", "matches", "read"]


def matches(directory: Path) -> bool:
    """Whether a pickle with a telling name is here."""
    return found(directory, SIMS)


def read(
    directory: Path,
    *,
    case: str = "lower",
    conversation: str = "auto",
    labels: str = "sentiment-2",
    annotation: str = "M",
) -> Corpus:
    """Read CH-SIMS.

    Args:
        directory: the folder with the pickle, or the pickle itself.
        case: ``"lower"``: upper-case text is made lower-case; ``"asis"``: left alone.
        conversation: ``"video"``, ``"clip"`` (every clip stands alone) or ``"auto"``.
        labels: ``"sentiment-2"`` or ``"sentiment-3"``, for scores by their sign; with ``-zh`` their Chinese names.
        annotation: the score that annotators gave who had all modalities, ``"M"``, or the one of ``"T"``, ``"A"``,
            ``"V"``.

    Returns:
        The corpus. Feature sets ``"text"``, ``"speech"``, ``"visual"``: frames [T, D].

    Raises:
        CorpusError, ConfigError, UnsafePickleError: see ``mmsa.read_family``.
    """
    return read_family(directory, SIMS, case=case, conversation=conversation, labels=labels, annotation=annotation)
