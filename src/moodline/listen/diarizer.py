"""Who speaks when: windows of speech as vectors, clustered; the number of speakers found or given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from moodline.core.errors import UnknownNameError
from moodline.core.files import replacing
from moodline.core.hashing import json_hash
from moodline.core.progress import ProgressCallback
from moodline.listen.base import Samples, Span, SpeakerSpan
from moodline.media.audio import RATE

Vectors = NDArray[np.float32]

WINDOW, STEP = 1.6, 0.8
"""Seconds of a window, and from one to the next."""

FIRM = 1.0
"""Windows with less speech (seconds) do not found clusters; they are given to one."""

MIN_CLUSTER = 4
"""With fewer firm windows for each speaker, all windows are clustered."""

MOST = 1200
"""Windows that are clustered; of more, an even sample is, and the rest go to the nearest."""


@runtime_checkable
class Diarizer(Protocol):
    """Says who speaks when. ``id`` names it and its version; what it gave is kept under that name."""

    id: str

    def diarize(
        self,
        sound: Path,
        segments: Sequence[Span],
        speakers: int | None,
        folder: Path | None = None,
        progress: ProgressCallback | None = None,
    ) -> list[SpeakerSpan]:
        """Give speech to speakers.

        Args:
            sound: mono, 16 kHz.
            segments: where there is speech, in order.
            speakers: how many there are; None to find out.
            folder: where parts of the work may be kept for the next time; None to keep nothing.
            progress: called with (title, done, total).

        Returns:
            Spans in order of their start, together covering the segments; speakers are numbered "S1", "S2", … in order
            of appearance.
        """
        ...


@dataclass(frozen=True)
class ClusterSettings:
    """How voices are grouped; chosen looking at the conversations of docs/listening.md."""

    threshold: float = 0.30
    """Clusters whose average cosine distance is larger stay apart."""

    least_seconds: float = 3.0
    """A voice heard for less time than that, in all, is not counted as a speaker of its own."""

    least_share: float = 0.03
    """Nor one with a smaller share of the speech."""

    switch: float = 0.12
    """What a change of speaker inside a segment must gain in cosine, summed over windows."""


class VoiceClusters:
    """The default diarizer: GE2E vectors, agglomerative clustering, a Viterbi path inside each segment."""

    id = "ge2e-clusters-1"

    def __init__(self, settings: ClusterSettings | None = None) -> None:
        from moodline.listen.ge2e import SpeakerEncoder

        self.settings = settings or ClusterSettings()
        self.encoder = SpeakerEncoder.load()

    def diarize(
        self,
        sound: Path,
        segments: Sequence[Span],
        speakers: int | None,
        folder: Path | None = None,
        progress: ProgressCallback | None = None,
    ) -> list[SpeakerSpan]:
        """See ``Diarizer``."""
        if not segments:
            return []
        if speakers == 1:
            return [SpeakerSpan(s.start, s.end, "S1") for s in segments]
        windows = [windows_of(s) for s in segments]
        flat = [w for part in windows for w in part]
        vectors = embed_windows(self.encoder, sound, flat, folder, progress)
        seconds = np.array([w.seconds for w in flat], np.float32)
        centres = find_speakers(vectors, seconds, speakers, self.settings)
        return assign(segments, windows, vectors @ centres.T, self.settings.switch)


def windows_of(segment: Span) -> list[Span]:
    """The windows that a segment is looked at through: evenly spaced, about ``STEP`` apart; one if it is short."""
    slack = segment.seconds - WINDOW
    if slack < STEP / 2:
        return [segment]
    count = round(slack / STEP) + 1
    starts = segment.start + np.arange(count) * slack / max(1, count - 1)
    return [Span(float(s), float(s) + WINDOW) for s in starts]


def embed_windows(
    encoder: Any,
    sound: Path,
    windows: Sequence[Span],
    folder: Path | None,
    progress: ProgressCallback | None,
    batch: int = 32,
    part: int = 512,
) -> Vectors:
    """A vector for each window; parts that are finished are kept in ``folder`` and read again.

    Returns:
        float32 [N, 256].
    """
    import soundfile

    out: list[Vectors] = []
    with soundfile.SoundFile(sound) as file:
        for first in range(0, len(windows), part):
            some = windows[first : first + part]
            key = json_hash([encoder.id, WINDOW, some])[:24]
            path = None if folder is None else folder / f"voices-{key}.npy"
            if path is not None and (kept := _load(path, len(some))) is not None:
                out.append(kept)
                continue
            rows = []
            for at in range(0, len(some), batch):
                rows.append(encoder.embed([_clip(file, w) for w in some[at : at + batch]]))
                if progress is not None:
                    progress("telling voices apart", first + min(at + batch, len(some)), len(windows))
            out.append(np.concatenate(rows))
            if path is not None:
                _save(path, out[-1])
    return np.concatenate(out)


def _clip(file: Any, span: Span) -> Samples:
    start = min(round(span.start * RATE), file.frames - 1)
    file.seek(start)
    samples: Samples = file.read(max(1, round(span.seconds * RATE)), dtype="float32")
    return samples


def _load(path: Path, rows: int) -> Vectors | None:
    try:
        kept = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
    return kept.astype(np.float32) if kept.ndim == 2 and len(kept) == rows else None


def _save(path: Path, vectors: Vectors) -> None:
    with replacing(path) as file:
        np.save(file, vectors.astype(np.float16))


def find_speakers(
    vectors: Vectors, seconds: NDArray[np.float32], speakers: int | None, settings: ClusterSettings
) -> Vectors:
    """The mean voice of each speaker.

    Args:
        vectors: [N, D] of length 1.
        seconds: speech in each window [N].
        speakers: how many; None to find out.

    Returns:
        float32 [speakers, D] of length 1; fewer than asked for if there are fewer windows.
    """
    firm = np.flatnonzero(seconds >= FIRM)
    firm = firm if len(firm) >= MIN_CLUSTER * (speakers or 2) else np.arange(len(vectors))
    if len(firm) > MOST:
        firm = firm[np.linspace(0, len(firm) - 1, MOST).astype(int)]
    x, weight = vectors[firm], seconds[firm]
    if len(x) < 2:
        return x
    labels = _cluster(x, speakers, settings.threshold)
    names, sizes = _sizes(labels, weight)
    if speakers is None:
        least = min(settings.least_seconds, 0.25 * float(weight.sum())) / max(float(weight.sum()), 1e-9)
        keep = [n for n, size in zip(names, sizes, strict=True) if size >= max(least, settings.least_share)]
        keep = keep or [names[int(np.argmax(sizes))]]
    else:
        keep = list(names)
    centres = np.stack([_mean(x[labels == n], weight[labels == n]) for n in keep])
    for _ in range(10):  # windows go to the nearest mean, means follow
        nearest = (x @ centres.T).argmax(axis=1)
        moved = [x[nearest == k] for k in range(len(centres))]
        new = [_mean(m, weight[nearest == k]) if len(m) else centres[k] for k, m in enumerate(moved)]
        if np.allclose(new, centres, atol=1e-5):
            break
        centres = np.stack(new)
    return centres


def _cluster(x: Vectors, speakers: int | None, threshold: float) -> NDArray[np.int64]:
    from sklearn.cluster import AgglomerativeClustering

    count = None if speakers is None else min(speakers, len(x))
    model = AgglomerativeClustering(
        n_clusters=count, metric="cosine", linkage="average", distance_threshold=threshold if count is None else None
    )
    labels: NDArray[np.int64] = model.fit_predict(x)
    return labels


def _sizes(labels: NDArray[np.int64], weight: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    names = np.unique(labels)
    total = max(float(weight.sum()), 1e-9)
    return names, np.array([weight[labels == n].sum() / total for n in names])


def _mean(x: Vectors, weight: NDArray[np.float32]) -> Vectors:
    mean: Vectors = (x * weight[:, None]).sum(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def assign(
    segments: Sequence[Span], windows: Sequence[Sequence[Span]], likeness: Vectors, switch: float
) -> list[SpeakerSpan]:
    """Give each segment, or parts of it, to a speaker.

    Args:
        segments: in order.
        windows: those of each segment.
        likeness: cosine of each window (all segments' below each other) to each speaker.
        switch: what a change inside a segment costs.
    """
    out, names, at = list[SpeakerSpan](), dict[int, str](), 0
    for segment, own in zip(segments, windows, strict=True):
        path = best_path(likeness[at : at + len(own)], switch)
        at += len(own)
        middles = [w.start + w.seconds / 2 for w in own]
        start = segment.start
        for n, who in enumerate(path):
            last = n == len(path) - 1
            if not last and path[n + 1] == who:
                continue
            end = segment.end if last else (middles[n] + middles[n + 1]) / 2
            name = names.setdefault(int(who), f"S{len(names) + 1}")
            out.append(SpeakerSpan(start, end, name))
            start = end
    return out


def best_path(likeness: Vectors, switch: float) -> list[int]:
    """The speaker of each window: the path with the highest sum of likeness, less ``switch`` for each change."""
    total, back = likeness[0].astype(np.float64), list[NDArray[np.int64]]()
    for row in likeness[1:]:
        best = int(total.argmax())
        stay = total >= total[best] - switch
        back.append(np.where(stay, np.arange(len(total)), best))
        total = np.where(stay, total, total[best] - switch) + row
    path = [int(total.argmax())]
    for pointers in reversed(back):
        path.append(int(pointers[path[-1]]))
    return path[::-1]


DIARIZERS = ("clusters", "pyannote")


def load_diarizer(name: str | None = None) -> Diarizer:
    """A diarizer by name: "clusters" (default), or "pyannote" (extra ``pyannote``, needs a model hub)."""
    if name in (None, "clusters"):
        return VoiceClusters()
    if name == "pyannote":
        from moodline.listen.pyannote import Pyannote

        return Pyannote()
    raise UnknownNameError("diarizer", str(name), DIARIZERS)
