"""Plain text in blocks: a name on a line of its own with the words below, and lines that were wrapped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from moodline.core.errors import TranscriptError
from moodline.transcripts.common import SKIP_FIX, Source
from moodline.transcripts.conventions import is_name_line
from moodline.transcripts.speaker_names import plausible, possible, titled
from moodline.transcripts.speakers import Cue, begins_with_name

HEADING = 3
"""So many lines may stand in front of the first name."""

LONG = 28
"""Characters of a line that a program may have wrapped."""

_END = re.compile(r"[.!?…。？！:;][\"'”’)\]*_]*$")


def named_blocks(source: Source, lines: Sequence[tuple[int, str]]) -> list[Cue] | None:
    """The cues of a text whose names stand on lines of their own, or None if it is not such a text.

    Args:
        source: the file, for notes.
        lines: number and text of each line that is not blank; numbers tell where blank lines are.
    """
    texts = [text.strip() for _, text in lines]
    colons = [k for k, text in enumerate(texts) if text.endswith((":", "：")) and _is_head(text[:-1].strip())]
    bare = [k for k, text in enumerate(texts) if is_name_line(text)]
    heads = _heads(texts, colons, least=1)
    heads = heads or _heads(texts, [k for k in bare if texts[k] in _likely([texts[j] for j in bare])], least=2)
    if heads is None:
        return None
    cues: list[Cue] = []
    for k, stop in zip(heads, [*heads[1:], len(lines)], strict=True):
        name = texts[k].rstrip(":：").strip()
        last = lines[k][0]
        if k + 1 == stop:
            source.leave_out(TranscriptError(f"{source.at(last)}: the utterance is empty", fix=SKIP_FIX))
        for n, text in lines[k + 1 : stop]:
            if cues and n == last + 1 and last != lines[k][0] and cues[-1].speaker == name:
                cues[-1] = replace(cues[-1], text=f"{cues[-1].text} {text.strip()}")
            else:
                cues.append(Cue(n, None, None, text.strip(), name))
            last = n
    names = sorted({texts[k].rstrip(":：").strip() for k in heads})
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    source.note(f"Names on lines of their own were taken for speakers: {shown}.")
    if heads[0]:
        source.note(f"The heading, {heads[0]} line{'s'[: heads[0] > 1]} before the first name, was left out.")
    return cues


def _is_head(name: str) -> bool:
    return plausible(name, lower=True) or titled(name) or possible(name)


def _likely(names: Sequence[str]) -> set[str]:
    """Names of lines that are nothing else: those that recur, and others that are written alike."""
    counts = Counter(names)
    again = {name for name, count in counts.items() if count > 1}
    if not again:
        return set()
    capitals = all(name == name.upper() for name in again)
    return again | {name for name in counts if (name == name.upper()) == capitals}


def _heads(texts: Sequence[str], heads: list[int], *, least: int) -> list[int] | None:
    """The lines that are names, if the text is built so: words below each, the first at the beginning."""
    counts = Counter(texts[k] for k in heads)
    if not heads or heads[0] > HEADING or len(heads) < 2 or max(counts.values()) < least:
        return None
    if least > 1 and len(counts) < 2 and max(counts.values()) < 3:
        return None
    follows = all(k + 1 < len(texts) and k + 1 not in set(heads) for k in heads[:-1])
    return heads if follows and 8 * len(heads) >= len(texts) else None


def unwrapped(source: Source, lines: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """The lines, those that were wrapped by a program put together again.

    A line goes on with the one directly above if most lines of paragraphs do not end where a sentence does; a line that
    begins with a name never does.
    """
    texts = [text.strip() for _, text in lines]
    named = begins_with_name(texts)
    width = max(map(len, texts), default=0)
    next_to = [k for k in range(1, len(lines)) if lines[k][0] == lines[k - 1][0] + 1 and not named[k]]
    open_ended = [k for k in next_to if not _END.search(texts[k - 1])]
    small = [k for k in open_ended if texts[k][:1].islower() and (len(texts[k - 1]) >= LONG or texts[k - 1][-1] == ",")]
    whole = (
        len(small) >= 2
        and 2 * len(open_ended) > len(next_to)
        and 2 * sum(len(texts[k - 1]) >= 0.6 * width for k in next_to) > len(next_to)
    )
    goes_on = set(next_to if whole else small)
    if whole:  # a full line that ends with a sentence may still go on; a short one ends its paragraph
        goes_on = {k for k in next_to if k in open_ended or len(texts[k - 1]) >= 0.6 * width}
    if not goes_on:
        return list(lines)
    out: list[tuple[int, str]] = []
    for k, (n, _) in enumerate(lines):
        if k in goes_on and out:
            out[-1] = (out[-1][0], f"{out[-1][1]} {texts[k]}")
        else:
            out.append((n, lines[k][1]))
    wrapped = "1 line that was wrapped was" if len(goes_on) == 1 else f"{len(goes_on)} lines that were wrapped were"
    source.note(f"{wrapped} put together with the line above.")
    return out
