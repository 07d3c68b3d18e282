"""CMU-MOSEI: the MMSA pickle, see ``mmsa.py``.

A score below 0 is negative, 0 and above positive. A video is a conversation with one speaker.
"""

from __future__ import annotations

from pathlib import Path

from moodline.corpora.base import Corpus, CorpusDescriptor
from moodline.corpora.mmsa import HINT, MOSEI, found, read_family

DESCRIPTOR = CorpusDescriptor(
    title="CMU-MOSEI: opinions in videos, scores from −3 to 3, negative or positive",
    licence="research terms of the corpus's authors",
    files="one MMSA pickle (MOSEI/unaligned_50.pkl, aligned_50.pkl)",
    language="en",
    labels="sentiment-2",
    other_labels=("sentiment-3",),
    modalities=("text", "text features", "speech features", "visual features"),
)

__all__ = ["HINT", "matches", "read"]


def matches(directory: Path) -> bool:
    """Whether a pickle with a telling name is here."""
    return found(MOSEI, directory)


def read(directory: Path, *, case: str = "lower", conversation: str = "auto", labels: str = "sentiment-2") -> Corpus:
    """Read CMU-MOSEI.

    Args:
        directory: the folder with the pickle, or the pickle itself.
        case: ``"lower"``: upper-case text is made lower-case; ``"asis"``: left alone.
        conversation: ``"video"``, ``"clip"`` (every clip stands alone) or ``"auto"``.
        labels: ``"sentiment-2"`` or ``"sentiment-3"``, for scores by their sign.

    Returns:
        The corpus. Feature sets ``"text"``, ``"speech"``, ``"visual"``: frames [T, D].

    Raises:
        CorpusError, ConfigError, UnsafePickleError: see ``mmsa.read_family``.
    """
    return read_family(MOSEI, directory, case=case, conversation=conversation, labels=labels)
