"""How an emotion looks: a colour that colour-blind people can tell apart, and a letter for those who see none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = {
    "grey": "#999999",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "green": "#009E73",
    "sky": "#56B4E9",
}
"""The palette of Okabe and Ito, with grey for black, which would be lost on a dark page."""

EMOTIONS = {
    "grey": ("neutral", "neu"),
    "yellow": ("joy", "joyful", "happy", "happiness", "hap", "amused", "relieved"),
    "blue": ("sad", "sadness"),
    "vermillion": ("anger", "angry", "ang", "mad", "negative"),
    "purple": ("fear", "fearful", "scared", "frustrated", "frustration", "fru"),
    "orange": ("surprise", "surprised", "excited", "exc", "annoyed"),
    "green": ("disgust", "disgusted", "powerful", "positive"),
    "sky": ("calm", "peaceful", "contempt", "bored"),
}
"""Colour to the emotions that wear it; the others get what is left, in the order of their label set."""


@dataclass(frozen=True, slots=True)
class Look:
    """Args: colour: of the surface; ink: of letters on it, black or white; code: one to three letters."""

    colour: str
    ink: str
    code: str


def theme_of(labels: Sequence[str]) -> dict[str, Look]:
    """A look for every label; two have the same colour only where there are more labels than colours.

    Args:
        labels: names, all different.
    """
    known = {name: colour for colour, names in EMOTIONS.items() for name in names}
    taken: dict[str, str] = {}
    for label in labels:
        colour = known.get(label.lower())
        if colour is not None and colour not in taken.values():
            taken[label] = colour
    free = [colour for colour in COLOURS if colour not in taken.values()] or list(COLOURS)
    for n, label in enumerate(label for label in labels if label not in taken):
        taken[label] = free[n] if n < len(free) else list(COLOURS)[n % len(COLOURS)]
    codes = _codes(labels)
    return {label: Look(COLOURS[taken[label]], _ink(COLOURS[taken[label]]), codes[label]) for label in labels}


def _codes(labels: Sequence[str]) -> dict[str, str]:
    """The shortest beginnings that tell the labels apart, at most three letters; else a number."""
    out: dict[str, str] = {}
    for n, label in enumerate(labels):
        for size in (1, 2, 3):
            code = label[:size].capitalize()
            if not any(other != label and other[:size].capitalize() == code for other in labels):
                break
        else:
            code = str(n + 1)
        out[label] = code
    return out


def _ink(colour: str) -> str:
    """Black or white, whichever has the higher contrast on a colour (WCAG's relative luminance)."""
    values = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else "#ffffff"
