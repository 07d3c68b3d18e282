"""Pictures per second of the encoder of faces, and where the time goes.

    python benchmarks/faces.py [--seconds 20] [--threads 2] [--json FILE]

The film is made on the spot: 1280 × 720, 25 frames a second, one or two portraits that move (tests/media/videos.py).
It is looked at five times a second, as by default. Where ``load_average`` is above the number of cores, only
``processor_seconds_per_second`` tells what an idle machine would do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def film(path: Path, seconds: float, names: tuple[str, ...]) -> Path:
    """Write a film with some portraits side by side, each about a third as high as the picture."""
    import cv2
    from tests.media.videos import portrait, write_video

    portraits = [cv2.resize(portrait(name), (420, 420)) for name in names]
    rng = np.random.default_rng(0)
    background = cv2.GaussianBlur(rng.integers(0, 256, (720, 1280, 3), dtype=np.uint8), (0, 0), 9)

    def pictures() -> Iterator[np.ndarray]:
        for n in range(round(25 * seconds)):
            picture = background.copy()
            for k, face in enumerate(portraits):
                left, top = 100 + 640 * k + round(60 * np.sin(n / 20 + k)), 150 + round(30 * np.cos(n / 15))
                picture[top : top + 420, left : left + 420] = face
            yield picture

    return write_video(path, pictures(), rate=25, gop="50")


def measure(path: Path, seconds: float) -> dict[str, float]:
    """Times of one film: alone decoded, then encoded."""
    from moodline.encoders.load import load_encoder
    from moodline.encoders.settings import EncoderSpec
    from moodline.media.video import VideoClip

    encoder = load_encoder(EncoderSpec("faces", max_seconds=seconds))
    clip = VideoClip(path)
    start = time.perf_counter()
    pictures = sum(1 for _ in clip.pictures(5.0))
    decoding = time.perf_counter() - start
    one = next(clip.pictures(5.0)).pixels
    encoder.detector.search(one)
    start = time.perf_counter()
    faces = encoder.detector.search(one)
    searching = time.perf_counter() - start
    start = time.perf_counter()
    encoder.detector.follow(one, faces.boxes)
    following = time.perf_counter() - start
    start, worked = time.perf_counter(), time.process_time()
    encoder.encode([clip])
    whole, work = time.perf_counter() - start, time.process_time() - worked
    return {
        "pictures": pictures,
        "pictures_per_second": round(pictures / whole, 1),
        "real_time_factor": round(whole / seconds, 3),
        "processor_seconds_per_second": round(work / seconds, 3),
        "decoding_share": round(decoding / whole, 2),
        "search_ms": round(1000 * searching, 1),
        "follow_ms": round(1000 * following, 1),
    }


def main() -> None:
    """HeadlineMetric and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the figures to a file")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    import cv2
    import torch

    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    figures: dict[str, object] = {
        "film": "1280x720, 25 frames/s",
        "seconds": options.seconds,
        "threads": options.threads,
    }
    with tempfile.TemporaryDirectory() as folder:
        for title, names in (("one_face", ("astronaut",)), ("two_faces", ("astronaut", "hopper")), ("no_face", ())):
            figures[title] = measure(film(Path(folder) / f"{title}.mp4", options.seconds, names), options.seconds)
    figures["load_average"] = round(os.getloadavg()[0], 1)
    figures["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
