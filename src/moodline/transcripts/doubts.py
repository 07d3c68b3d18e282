"""What looks wrong in what was read: one general look at the turns, whatever the format.

No reader knows all forms. Where names, times or marks were left in the words, the turns themselves show it: short lines
recur, times stand in front, speakers are missing here and there. Each doubt says what was taken for what.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from moodline.core.conversation import Conversation, Utterance
from moodline.transcripts.audacity import resembles_labels
from moodline.transcripts.common import Source
from moodline.transcripts.conventions import is_name_line

FEW = 0.1
"""The share of turns from which on something in them is worth a note."""

LONGEST = 400
"""Words of a turn that nobody says in one go."""

FASTEST, SLOWEST = 12.0, 0.05
"""Words a second, in the median, beyond which times are not seconds."""

_CLOCK = r"[0-9]{1,3}:[0-9]{2}(?::[0-9]{2})?(?:[.,-][0-9]{1,3})?"
_STAMP = re.compile(
    rf"[\[(<#{{]\s?{_CLOCK}\s?[\])>#}}]|^{_CLOCK}(?!\s?(?:[AaPp]\.?[Mm]|h\b|Uhr|o.clock))\b|-->|\s{_CLOCK}$"
    r"|^[0-9]{1,2} (?:minutes?|seconds?)(?: [0-9]{1,2} seconds?)?$|\[[0-9]{1,6}\.[0-9]{1,3}\]",
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,60}>|\{\\|&[a-z]{2,6};")
_BRACKET = re.compile(r"[\[(<{*_#]{1,2}[^\W\d_][^\[\](){}<>*\n]{0,40}[\])>}*_]{1,2}[:\s]")
_USUAL = re.compile(
    r"yeah|yep|yes|no|right|sure|m+|mm-?hm+|h+m+|uh-?huh|exactly|thanks|thank you|hello|hi|hey|bye|great|good|cool|wow"
    r"|okay|ok|oh|ah|well|please|sorry|what|why|really|maybe|true|never|always|nothing|stop|go|wait"
    r"|come on|i see|i know",
    re.IGNORECASE,
)


def doubts(conversation: Conversation, source: Source) -> list[str]:
    """Notes on what looks wrong, one sentence each; none if nothing does.

    Args:
        conversation: as it was read.
        source: the file that it comes from.
    """
    spoken = [u for u in conversation if u.text]
    return list(_doubts(spoken, source)) if spoken else []


def _doubts(turns: Sequence[Utterance], source: Source) -> Iterator[str]:
    texts = [u.text or "" for u in turns]
    many = max(2, FEW * len(turns)) if len(turns) > 1 else 1
    for pattern, what in (
        (_STAMP, "what looks like a time"),
        (_TAG, "what looks like a tag"),
        (_BRACKET, "something in brackets in front"),
    ):
        found = [t for t in texts if (pattern.match(t) if pattern is _BRACKET else pattern.search(t))]
        if len(found) >= (many if pattern is not _BRACKET else max(3, 0.3 * len(turns))):
            yield f"{_count(len(found), turns)} {what} (“{found[0][:40]}”): it was read as words."
    yield from _names(texts, turns)
    yield from _tabs(source)
    without = sum(u.speaker is None for u in turns)
    if 0 < without < len(turns):
        yield f"{_count(without, turns)} no speaker, though others have one."
    longest = max(turns, key=lambda u: len(u.text or ""))
    words = len((longest.text or "").split())
    if words > LONGEST:
        yield f"Turn {longest.id} has {words} words: perhaps it is several turns."
    yield from _pace(turns)


def _tabs(source: Source) -> Iterator[str]:
    """Tabs in plain text that was not read as a table."""
    if source.path.suffix.lower() != ".txt" or "\t" not in source.text[:100_000] or resembles_labels(source):
        return
    lines = source.text[:100_000].split("\n")
    tabs = sum("\t" in line.strip() for line in lines)
    if 3 * tabs > len(lines) and not any(note.startswith("Columns were told") for note in source.notes):
        yield f"{tabs} lines hold tabs, as a table does, but were read as words; a table (.tsv) needs a header."


def _names(texts: Sequence[str], turns: Sequence[Utterance]) -> Iterator[str]:
    """Short turns that recur, as names do that stand on lines of their own."""
    counts = Counter(t.rstrip(":") for t in texts if len(t) <= 40 and is_name_line(t.rstrip(":")))
    again = {t: n for t, n in counts.items() if n > 1 and not _USUAL.fullmatch(t)}
    total = sum(again.values())
    if total >= max(3, FEW * len(turns)):
        shown = ", ".join(f"“{t}”" for t in list(again)[:3])
        yield f"{total} turns are short and recur ({shown}): if they are names, they were read as words."


def _pace(turns: Sequence[Utterance]) -> Iterator[str]:
    rates = [
        len((u.text or "").split()) / (u.end - u.start)
        for u in turns
        if u.start is not None and u.end is not None and u.end > u.start and (u.text or "").isascii()
    ]
    if len(rates) < 3:
        return
    rate = statistics.median(rates)
    if rate > FASTEST or rate < SLOWEST:
        yield f"By its times the talk has {rate:.3g} words a second: perhaps they are not seconds."


def _count(number: int, turns: Sequence[Utterance]) -> str:
    verb = "has" if number == 1 else "have"
    return f"{number} of {len(turns)} turn{'s'[: len(turns) > 1]} {verb}"
