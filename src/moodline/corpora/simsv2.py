"""CH-SIMS v2: the MMSA pickle, see ``mmsa.py``.

Its splits share source videos, so a clip stands alone. A score above 0 is positive, 0 and below negative, as in the
corpus's own binary accuracy.
"""

from __future__ import annotations

from functools import partial

from moodline.corpora.base import CorpusDescriptor
from moodline.corpora.mmsa import HINT, SIMS2, found, read_family

DESCRIPTOR = CorpusDescriptor(
    title="CH-SIMS v2: Chinese film and television, scores from −1 to 1, negative or positive",
    licence="research terms of the corpus's authors",
    files="one MMSA pickle (ch-simsv2s.pkl)",
    language="zh",
    labels="sentiment-2",
    other_labels=("sentiment-3", "sentiment-2-zh", "sentiment-3-zh"),
    modalities=("text", "text features", "speech features", "visual features"),
)

__all__ = ["HINT", "matches", "read"]

matches = partial(found, SIMS2)
read = partial(read_family, SIMS2)
