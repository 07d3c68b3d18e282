"""Marks of Markdown and spelled-out times in plain text, rewritten so that names and times can be told.

- ``#### Ada`` and ``**Ada**`` become ``Ada``, ``**Ada:** words`` becomes ``Ada: words``, ``**Ada** words`` becomes
  ``[Ada]: words``;
- Teams' "1 minute 2 seconds" becomes ``1:02``;
- a name on a line of its own above a line with nothing but a time comes onto that line, ``0:03 Ada`` above the words
  becomes ``Ada  0:03``;
- ``\\[`` becomes ``[``;
- headings that name nobody are left out, and so are lines on top that say what the transcript is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from moodline.transcripts.common import Source
from moodline.transcripts.conventions import is_name_line
from moodline.transcripts.speaker_names import plausible, possible, titled
from moodline.transcripts.speakers import split_name

Lines = list[tuple[int, str]]

_BOLD_NAME = re.compile(r"\A\s*(?:[-*]\s+)?(\*\*|__)([^*:\n]{1,60}?)\s?(?::\1|\1\s?:)")
_BOLD = re.compile(r"\A\s*(\*\*|__)([^*_\n]{1,60}?)\1(?:\s+(?=\S)|\s*\Z)")
_HEADING = re.compile(r"\A\s{0,3}#{1,6}\s+(\S.*?)\s*#*\s*\Z")
_RULE = re.compile(r"([=_*~#+.-])\1{2,}|(?:[*_-]\s){2,}[*_-]")  # a line drawn across the page
_NUMBER = re.compile(r"\s*([0-9]{1,5})[.):]?\s+(?=\S)")
_BULLET = re.compile(r"\s*[•·●▪*‣]\s+(?=\S)")
_DAYTIME = re.compile(
    r"([^\W\d_][^\n:]{0,50}?)\s*[\[(,–-]?\s*[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?\s?[AaPp]\.?[Mm]\.?[\])]?"
)
_ESCAPE = re.compile(r"\\([\[\]*_#()-])")
_HOURS = r"hours?|hrs?|Stunden?|heures?|horas?|ore|uur|timmar|timme"
_MINUTES = r"minutes?|mins?|Minuten?|minutos?|minuti|minuto|minuten|minuter|minut"
_SECONDS = r"seconds?|secs?|Sekunden?|secondes?|segundos?|secondi|secondo|seconden|sekunder|sekund"
_SPELLED = re.compile(
    rf"(?<![\w:])(?:([0-9]{{1,2}})\s(?:{_HOURS}),?\s)?(?:([0-9]{{1,2}})\s(?:{_MINUTES}),?\s)?([0-9]{{1,2}})\s(?:{_SECONDS})"
    r"(?:\s?[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?(?!\w)",
    re.IGNORECASE,
)
_TIME_NAME = re.compile(
    r"[\[(]?((?:[0-9]{1,3}:)?[0-9]{1,3}:[0-9]{2}(?:[.,][0-9]{1,9})?)[\])]?[ \t:–-]{1,4}([^\d\W][^\n:]{0,40}):?"
)
_FIELD = re.compile(
    r"(?:\w+\s)?(?:dates?|datum|time|zeit|participants?|teilnehmer\w*|attendees|present|location|place|ort|duration|dauer"
    r"|length|title|subject|topic|thema|file|filename|recording|recorded|transcri\w+|interview\w*|interviewers?|language"
    r"|sprache|project|projekt|study|id|code|pseudonym|audio|video|version|source|url|link|author|editor|episode|series"
    r"|host|guests?|summary|notes?|keywords|fecha|lugar|durée|lieu)(?:\s\w+)?",
    re.IGNORECASE,
)
HEADING = 12
"""So many lines a heading may have."""

_CLOCK = re.compile(r"[\[(]?\s?(?:[0-9]{1,3}:)?[0-9]{1,3}:[0-9]{2}(?:[.,][0-9]{1,9})?\s?[\])]?")


def tidied(source: Source, lines: Sequence[tuple[int, str]]) -> Lines:
    """The lines with these marks rewritten.

    Args:
        source: the file, for notes.
        lines: number and text of each line that is not blank.
    """
    lines = [(n, text) for n, text in lines if any(map(str.isalnum, text)) or not _RULE.fullmatch(text.strip())]
    if source.path.suffix.lower() in (".md", ".markdown") or any("\\[" in text and "\\]" in text for _, text in lines):
        lines = [(n, _ESCAPE.sub(r"\1", text)) for n, text in lines]
    lines = _unmarked(lines)
    out = _without_head(source, _markdown(source, lines))
    out = _spelled(_by_daytime(out))
    return _names_behind(_times_below(out))


def _unmarked(lines: Lines) -> Lines:
    """The lines without the numbers or bullets in front of nearly all of them."""
    numbers = [_NUMBER.match(text) for _, text in lines]
    counted = [int(m[1]) for m in numbers if m]
    if len(counted) >= max(3, 0.9 * len(lines)) and all(b == a + 1 for a, b in pairwise(counted)):
        return [(n, text[m.end() :] if m else text) for (n, text), m in zip(lines, numbers, strict=True)]
    bullets = [_BULLET.match(text) for _, text in lines]
    if sum(m is not None for m in bullets) >= max(2, 0.8 * len(lines)):
        return [(n, text[m.end() :] if m else text) for (n, text), m in zip(lines, bullets, strict=True)]
    return lines


def _by_daytime(lines: Lines) -> Lines:
    """Heads of messengers, ``Ada Okafor  10:03 AM``, without the time of day, which is no place in a recording."""
    found = {k: m for k, (_, text) in enumerate(lines) if (m := _DAYTIME.fullmatch(text.strip()))}
    if len(found) < 2 or 4 * len(found) < len(lines) or any(k + 1 in found for k in found):
        return lines
    if len({m[1] for m in found.values()}) == len(found) > 2:
        return lines
    return [(n, f"{found[k][1].strip()}:" if k in found else text) for k, (n, text) in enumerate(lines)]


def _without_head(source: Source, lines: Lines) -> Lines:
    """The lines without a heading of fields, ``Date: 3 May``, that a blank line parts from the transcript."""
    gap = next((k for k in range(1, min(HEADING, len(lines))) if lines[k][0] > lines[k - 1][0] + 1), None)
    if gap is None or lines[0][0] > 3:
        return lines
    names = [(split_name(text) or ("",))[0] for _, text in lines]
    below = Counter(name for name in names[gap:] if name)
    again = {name for name, count in below.items() if count > 1}
    fields = [name for name in names[:gap] if name]
    titles = gap <= 3 and all(text.rstrip()[-1:] not in ".?!" for _, text in lines[:gap])
    if len(again) < 2 or any(name in below for name in fields) or not (fields or titles):
        return lines
    if 2 * sum(below[name] for name in again) < len(lines) - gap or not all(map(_FIELD.fullmatch, fields)):
        return lines
    source.note(f"The heading, {gap} line{'s'[: gap > 1]} above the transcript, was left out.")
    return lines[gap:]


def _markdown(source: Source, lines: Lines) -> Lines:
    lines = [(n, _BOLD_NAME.sub(r"\2:", text, count=1)) for n, text in lines]
    headings = [m[1] for _, text in lines if (m := _HEADING.match(text))]
    if len(headings) > 1 and (len(set(headings)) < len(headings) or len(headings) * 4 > len(lines)):
        lines = [(n, m[1] if (m := _HEADING.match(text)) else text) for n, text in lines]
    elif headings and 2 * len(headings) < len(lines):
        lines = [(n, text) for n, text in lines if not _HEADING.match(text)]
        source.note(f"{len(headings)} heading{'s'[: len(headings) > 1]} (#) left out.")
    bold = [m[2].strip() for _, text in lines if (m := _BOLD.match(text))]
    counts = Counter(bold)
    names = {n for n, count in counts.items() if plausible(n) or titled(n) or (count > 1 and possible(n))}
    if names and max(counts[n] for n in names) > 1:
        return [(n, _unbold(text, names)) for n, text in lines]
    return lines


def _unbold(text: str, names: set[str]) -> str:
    match = _BOLD.match(text)
    if match is None or match[2].strip() not in names:
        return text
    name, rest = match[2].strip(), text[match.end() :].strip()
    return f"{name}  {rest}".strip() if not rest or _CLOCK.fullmatch(rest) else f"[{name}]: {rest}"


def _spelled(lines: Lines) -> Lines:
    found = sum(_SPELLED.fullmatch(text.strip()) is not None or _behind_name(text) for _, text in lines)
    if 6 * found < len(lines) or not found:
        return lines
    out: Lines = []
    for n, text in lines:
        match = _SPELLED.search(text)
        if match is None or not (_SPELLED.fullmatch(text.strip()) or _behind_name(text)):
            out.append((n, text))
            continue
        stamp = f"{int(match[1] or 0)}:{int(match[2] or 0):02d}:{int(match[3]):02d}"
        name = text[: match.start()].strip()
        line = f"{name}  {stamp}" if name else stamp
        while out and (out[-1][1] == name or out[-1][1].endswith(stamp)):  # Teams writes the name and the time twice
            out.pop()
        out.append((n, line))
    return out


def _behind_name(text: str) -> bool:
    match = _SPELLED.search(text)
    return bool(match and match.end() == len(text.rstrip()) and is_name_line(text[: match.start()].strip()))


def _names_behind(lines: Lines) -> Lines:
    """``0:03 Ada`` above the words as ``Ada  0:03``, if all times stand so and names recur."""
    found = {k: m for k, (_, text) in enumerate(lines) if (m := _TIME_NAME.fullmatch(text.strip()))}
    counts = Counter(m[2].strip() for m in found.values())
    again = sum(count for name, count in counts.items() if count > 1 and possible(name))
    fits = all(is_name_line(name) or (count > 1 and possible(name)) for name, count in counts.items())
    words = all(k + 1 < len(lines) and k + 1 not in found for k in found)
    if len(found) < 2 or 2 * again < len(found) or not fits or not words or 3 * len(found) < len(lines) - 3:
        return lines
    return [(n, f"{found[k][2].strip()}  {found[k][1]}" if k in found else text) for k, (n, text) in enumerate(lines)]


def _times_below(lines: Lines) -> Lines:
    """Names that stand above lines with nothing but a time, put in front of the time."""
    stamps = [k for k, (_, text) in enumerate(lines) if _CLOCK.fullmatch(text.strip())]
    above = [lines[k - 1][1].strip() if k else "" for k in stamps]
    counts = Counter(above)
    fits = [bool(name) and (is_name_line(name) or (counts[name] > 1 and possible(name))) for name in above]
    words = all(k + 1 < len(lines) and not _CLOCK.fullmatch(lines[k + 1][1].strip()) for k in stamps[:-1])
    if not stamps or not words or sum(fits) < 0.8 * len(stamps) or stamps[0] > 6:
        return lines
    if len(stamps) < 3 and stamps[0] != 1:
        return lines
    if max(counts.values()) == 1 and len(counts) > 2 and not all(map(plausible, counts)):
        return lines
    drop = {k - 1 for k, fit in zip(stamps, fits, strict=True) if fit}
    named = {k: name for k, name, fit in zip(stamps, above, fits, strict=True) if fit}
    return [
        (n, f"{named[k].rstrip(':')}  {text.strip().strip('[]() ')}" if k in named else text)
        for k, (n, text) in enumerate(lines)
        if k not in drop
    ]
