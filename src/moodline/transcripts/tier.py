"""A tier of an annotation program as it stands in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from moodline.transcripts.tier_names import Kind


@dataclass(frozen=True, slots=True)
class Label:
    """A labelled stretch of a tier.

    Args:
        place: file and line, for error messages.
        start: seconds, or None.
        end: seconds, or None.
        text: the label; may be empty.
    """

    place: str
    start: float | None
    end: float | None
    text: str


@dataclass(slots=True)
class Tier:
    """A tier as it stands in the file.

    Args:
        name: its own.
        labels: in the order of the file.
        speaker: the participant that the file itself names; empty if it names none.
        parent: the tier that it hangs from; None if from none.
        holds: what the file itself says that it holds; ``UNKNOWN`` if it does not say.
        sure: that is all that counts.
        type: what the program calls tiers of this kind (ELAN's linguistic type); empty if it has no types.
    """

    name: str
    labels: Sequence[Label]
    speaker: str = ""
    parent: str | None = None
    holds: Kind = Kind.UNKNOWN
    sure: bool = False
    type: str = ""
    kind: Kind = field(default=Kind.UNKNOWN, init=False)
    whose: str = field(default="", init=False)
    guessed: bool = field(default=False, init=False)  # its kind, as nothing speaks against it

    @property
    def spoken(self) -> list[Label]:
        """The labels that are not blank."""
        return [label for label in self.labels if label.text.strip()]


def without_overflow(name: str) -> str:
    """A name without what Moodline puts behind it for turns that overlap (``[overlap 2]``)."""
    head, _, tail = name.partition(" [overlap ")
    return head.strip() if tail.rstrip("]").isdigit() else name.strip()


def listed(tiers: Sequence[Tier]) -> str:
    """The tiers' names with what they hold, for messages."""
    shown = [f"{t.name.strip()} ({t.kind})" for t in tiers]
    return ", ".join(shown[:12]) + (f", … {len(shown) - 12} more" if len(shown) > 12 else "")
