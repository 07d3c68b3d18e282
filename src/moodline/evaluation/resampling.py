"""What a confidence interval draws anew: conversations, or groups of them that are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moodline.core.conversation import Conversation
from moodline.core.groups import ALONE, Groups
from moodline.evaluation.metrics import Ints

MIN_UNITS = 10
"""With fewer conversations or groups a bootstrap interval is too narrow."""


@dataclass(frozen=True)
class ResamplingUnits:
    """What resampled test sets are units of: conversations, or groups of them.

    Args:
        number: for each test conversation that of its group, from 0.
        name: of the groups, in the plural.
    """

    number: Ints
    name: str = ALONE.name

    @classmethod
    def of(cls, conversations: Sequence[Conversation], groups: Groups) -> ResamplingUnits:
        """The groups that a corpus says."""
        known: dict[str, int] = {}
        number = [known.setdefault(g, len(known)) for g in groups.each(conversations)]
        return cls(np.array(number, dtype=np.int64), groups.name)

    def method(self, seeds: int) -> str:
        """How an interval is found, in words."""
        also = " and of seeds" if seeds > 1 else "; one seed, so the chance in training is not in it"
        number = len(set(self.number.tolist()))
        small = f"; with {number} {self.name} it is too narrow" if number < MIN_UNITS else ""
        return f"95 % bootstrap, 2000 draws of test {self.name}{also}{small}"
