"""CH-SIMS: the MMSA pickle, see ``mmsa.py``.

A score above 0 is positive, 0 and below negative, as in the corpus's own binary accuracy. A video is a
conversation, unless splits share videos.
"""

from __future__ import annotations

from functools import partial

from moodline.corpora.mmsa import HINT, SIMS, found, read_family

__all__ = ["HINT", "matches", "read"]

matches = partial(found, SIMS)
read = partial(read_family, SIMS)
