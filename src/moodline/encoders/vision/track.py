"""Which faces in successive pictures are the same, and whose of several is the speaker's. By position only: nobody is
recognised, and nothing that could tell who somebody is is computed or kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from moodline.encoders.vision.detect import Floats, overlaps

SAME = 0.3
"""Least overlap (IoU) of a face with where it was before."""

FORGOTTEN = 1.0
"""Seconds after which a face that was not seen is no longer waited for."""

PATCH = 32
"""Pixels of the squares in which motion is measured."""

MARGIN = 4
"""Pixels by which a patch may have moved as a whole before that counts as motion inside it."""

SPEAKING = 1.5
"""The mouth that moves most must move so many times as much as the next one's to tell the speaker."""

STILL = 0.03
"""Motion, relative to the patch's contrast, below which a mouth counts as closed."""


class Tracker:
    """Numbers the faces of successive pictures, so that one face keeps its number while it is seen.

    Faces are matched with where the tracks were last, the largest overlap first; what matches nothing begins a track.
    """

    def __init__(self) -> None:
        self._boxes: list[Floats] = []
        self._times: list[float] = []

    def add(self, time: float, boxes: Floats) -> list[int]:
        """The tracks of a picture's faces.

        Args:
            time: seconds; later than the picture before.
            boxes: [N, 4].

        Returns:
            One track number for each box, all different.
        """
        alive = [n for n, seen in enumerate(self._times) if time - seen <= FORGOTTEN]
        found = [-1] * len(boxes)
        if alive and len(boxes):
            shared = overlaps(boxes, np.stack([self._boxes[n] for n in alive]))
            while shared.size and shared.max() >= SAME:
                face, track = divmod(int(shared.argmax()), shared.shape[1])
                found[face] = alive[track]
                shared[face], shared[:, track] = -1, -1
        for face, track in enumerate(found):
            if track < 0:
                found[face] = len(self._boxes)
                self._boxes.append(boxes[face])
                self._times.append(time)
            self._boxes[found[face]], self._times[found[face]] = boxes[face], time
        return found


@dataclass
class Track:
    """One face through a clip.

    Args:
        pictures: the numbers of the pictures it is in, rising.
        areas: its share of each of these pictures.
        crops: uint8 [112, 112, 3] each.
        mouths: grey patches [32, 32] around the mouth.
        eyes: likewise between eyes and nose.
    """

    pictures: list[int] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    crops: list[NDArray[np.uint8]] = field(default_factory=list)
    mouths: list[NDArray[np.uint8]] = field(default_factory=list)
    eyes: list[NDArray[np.uint8]] = field(default_factory=list)

    @property
    def area(self) -> float:
        """Its average share of a picture."""
        return float(np.mean(self.areas))

    @property
    def motion(self) -> float:
        """How much more the mouth moves than the rest of the face from one picture to the next; 0 if that is unknown.

        Motion of the whole head and noise are in both, and so are no speech.
        """
        pairs = [n for n in range(1, len(self.pictures)) if self.pictures[n] - self.pictures[n - 1] == 1]
        if not pairs:
            return 0.0
        moves = [patch_motion(self.mouths[n - 1], self.mouths[n]) for n in pairs]
        rest = [patch_motion(self.eyes[n - 1], self.eyes[n]) for n in pairs]
        return max(0.0, float(np.mean(moves) - np.mean(rest)))


def patch_motion(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """How different two patches are, relative to their contrast, where one is best shifted onto the other."""
    inner = before[MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)
    shifted = sliding_window_view(after.astype(np.float32), inner.shape)
    difference = float(np.abs(shifted - inner).mean(axis=(2, 3)).min())
    return difference / max(float(inner.std()), 1.0)


def ranked(tracks: Sequence[Track]) -> list[Track]:
    """Tracks in the order of how likely each is the speaker's.

    First comes the face whose mouth clearly moves most; where none does, the largest one. The rest is ordered alike.
    """
    rest, out = list(tracks), []
    motions = {id(track): track.motion for track in rest}
    while rest:
        moving = sorted(rest, key=lambda t: -motions[id(t)])
        most = motions[id(moving[0])]
        clear = len(rest) == 1 or most >= max(STILL, SPEAKING * motions[id(moving[1])])
        first = moving[0] if clear else max(rest, key=lambda t: t.area)
        out.append(first)
        rest = [t for t in rest if t is not first]
    return out


def speakers_face(tracks: Sequence[Track], pictures: int) -> list[NDArray[np.uint8] | None]:
    """The speaker's face in each picture, as a crop; None where there is no face.

    In each picture it is the one that ``ranked`` puts first among those that are visible in it. Where only one face is
    visible, it is that one.
    """
    out: list[NDArray[np.uint8] | None] = [None] * pictures
    for track in reversed(ranked(tracks)):
        for n, crop in zip(track.pictures, track.crops, strict=True):
            out[n] = crop
    return out
