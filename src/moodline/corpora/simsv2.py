"""CH-SIMS v2: the MMSA pickle, see ``mmsa.py``.

Its splits share source videos, so a clip stands alone. A score above 0 is positive, 0 and below negative, as in the
corpus's own binary accuracy.
"""

from __future__ import annotations

from functools import partial

from moodline.corpora.mmsa import HINT, SIMS2, found, read_family

__all__ = ["HINT", "matches", "read"]

matches = partial(found, SIMS2)
read = partial(read_family, SIMS2)
