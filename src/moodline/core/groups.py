"""Groups of conversations that belong together, for example all conversations of one actor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from moodline.core.conversation import Conversation


@dataclass(frozen=True)
class Groups:
    """Conversations that are alike because they share somebody or something: a resampled test set takes or leaves them
    together.

    Args:
        name: of the groups, in the plural, as intervals tell it ("actors").
        of: conversation id to its group; one that is not in it is a group by itself.
    """

    name: str = "conversations"
    of: Mapping[str, str] = field(default_factory=dict)

    def each(self, conversations: Iterable[Conversation]) -> list[str]:
        """The group of each conversation."""
        return [self.of.get(c.id, c.id) for c in conversations]


ALONE = Groups()
"""Every conversation stands by itself."""
