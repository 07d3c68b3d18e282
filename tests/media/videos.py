"""Small videos with real faces, made on the spot: two public-domain portraits moved over a plain background.

``astronaut.jpg`` is a part of NASA's portrait of Eileen Collins, as scikit-image has it; Grace Hopper's, of the US
Navy, comes with matplotlib. A mouth "talks" where a dark ellipse of changing height is drawn over it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, RATE = 320, 240, 10

Pixels = NDArray[np.uint8]


def portrait(name: str) -> Pixels:
    """A face with some of what is around it: ``astronaut`` [192, 192, 3] or ``hopper`` [150, 150, 3]."""
    import matplotlib
    from PIL import Image

    if name == "astronaut":
        return np.array(Image.open(Path(__file__).parent / "astronaut.jpg").convert("RGB"))
    whole = Path(matplotlib.__file__).parent / "mpl-data" / "sample_data" / "grace_hopper.jpg"
    return np.array(Image.open(whole).convert("RGB"))[30:330:2, 112:412:2]


MOUTHS = {"astronaut": (127, 108), "hopper": (115, 78)}
"""Row and column of the mouth's middle in a portrait."""


def talking(name: str, opened: float) -> Pixels:
    """A portrait whose mouth is open by ``opened`` × 10 pixels."""
    face = portrait(name).copy()
    row, column = MOUTHS[name]
    y, x = np.mgrid[: face.shape[0], : face.shape[1]]
    if opened > 0:
        face[((y - row) / (10 * opened)) ** 2 + ((x - column) / 12) ** 2 <= 1] = (40, 15, 20)
    return face


def scene(*faces: tuple[Pixels, int, int]) -> Pixels:
    """A picture with portraits at (left, top); what reaches beyond it is cut off."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.stack([90 + x // 8, 100 + y // 6, 120 - x // 10], axis=2).astype(np.uint8)
    for face, left, top in faces:
        part = face[max(0, -top) : HEIGHT - top, max(0, -left) : WIDTH - left]
        picture[max(0, top) :, max(0, left) :][: part.shape[0], : part.shape[1]] = part
    return picture


def write_video(path: Path, pictures: Iterable[Pixels], rate: int = RATE, turned: bool = False, **options: str) -> Path:
    """Encode pictures; ``turned`` marks an MP4 file as to be shown a quarter turn clockwise."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4" if path.suffix != ".webm" else "libvpx", rate=rate)
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        stream.codec_context.gop_size = int(options.get("gop", 10))
        for n, pixels in enumerate(pictures):
            if n == 0:
                stream.height, stream.width = pixels.shape[:2]
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = n
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if turned:
        data = bytearray(path.read_bytes())
        at = data.index(b"tkhd") + 4 + 40  # version, flags, times, id, …; then the matrix, nine numbers
        matrix = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]
        data[at : at + 36] = b"".join(n.to_bytes(4, "big", signed=True) for n in matrix)
        path.write_bytes(bytes(data))
    return path


def movie(seconds: float, draw: Callable[[float, int], Pixels]) -> list[Pixels]:
    """Pictures of ``draw(time, number)``."""
    return [draw(n / RATE, n) for n in range(round(seconds * RATE))]


def golden_crops() -> dict[str, Pixels]:
    """The three crops [112, 112, 3] whose embeddings by the original are in ``face_expression.json``."""
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    return {
        "astronaut": portrait("astronaut")[40:152, 40:152],
        "hopper": portrait("hopper")[38:150, 22:134],
        "noise": noise,
    }
