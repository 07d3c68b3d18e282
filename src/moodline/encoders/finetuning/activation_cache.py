"""What the frozen part of an encoder gives, computed once for all epochs, seeds and evaluations, kept on disk."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from moodline.core.files import make_folder, write_bytes
from moodline.core.hashing import text_hash
from moodline.encoders.backbone import Backbone, chosen_layers
from moodline.encoders.base import length_batches
from moodline.media.audio import AudioClip


class FrozenStates:
    """The states after ``backbone.frozen`` blocks, by input; for corpora, never for a user's conversations.

    Args:
        backbone: one that is ``usable``; its lowest ``frozen`` blocks are as they were loaded.
        root: the cache's folder for such files; a folder for each backbone is made in it.
    """

    def __init__(self, backbone: Backbone, root: Path) -> None:
        self.backbone = backbone
        limit = backbone.spec.max_tokens if backbone.modality == "text" else backbone.spec.max_seconds
        facts = [backbone.revision, backbone.frozen, limit, backbone.spec.dtype]
        facts += [backbone.spec.quantize] if backbone.spec.quantize != "none" else []  # as folders were named before
        facts += [backbone.reading] if backbone.reading else []
        name = re.sub(r"[^A-Za-z0-9._]+", "-", backbone.id)
        self.folder = root / f"{name}-{text_hash(json.dumps(facts))[:16]}"

    @staticmethod
    def usable(backbone: Backbone) -> bool:
        """Whether something is frozen, all below what is read, worth keeping, and the network can go on from there.

        Token embeddings alone are not: they are looked up as quickly.
        """
        lowest = min(chosen_layers(backbone.spec.layers, backbone.depth, backbone.id))
        frozen = backbone.frozen > 0 or (backbone.stem_frozen and backbone.modality != "text")
        return frozen and backbone.frozen <= lowest and backbone.resumable

    @staticmethod
    def share(units: Sequence[Any], number: int, of: int) -> list[Any]:
        """Those of units that one of several processes is to compute, by what is in them: equal ones go to one."""
        return [unit for unit in units if int(_key(unit)[:8], 16) % of == number]

    def __call__(self, units: Sequence[Any], progress: Callable[[int, int], None] | None = None) -> list[np.ndarray]:
        """States of units, [T, H] each, of the backbone's type ``kept``; what is not there is computed and written.

        Args:
            units: what the backbone prepares.
            progress: called with (done, total) of those that are computed.

        Raises:
            StorageError: the disk refused a write.
        """
        make_folder(self.folder)
        paths = [self.folder / f"{_key(unit)[:32]}.npy" for unit in units]
        found = [_read(path) for path in paths]
        missing = [n for n, array in enumerate(found) if array is None]
        lengths = [self.backbone.length(units[n]) for n in missing]
        done = 0
        for batch in length_batches(lengths, 16, 4096):
            chosen = [missing[n] for n in batch]
            for n, array in zip(chosen, self._compute([units[n] for n in chosen]), strict=True):
                buffer = io.BytesIO()
                np.save(buffer, array, allow_pickle=False)
                write_bytes(paths[n], [buffer.getvalue()])
                found[n] = array
            done += len(chosen)
            if progress:
                progress(done, len(missing))
        return [array for array in found if array is not None]

    @torch.inference_mode()
    def _compute(self, units: Sequence[Any]) -> list[np.ndarray]:
        tensors = self.backbone.prepare(units)
        states, masks = self.backbone.lower({k: v.to(self.backbone.device) for k, v in tensors.items()})
        return [
            state[mask].to(self.backbone.kept).numpy() for state, mask in zip(states.cpu(), masks.cpu(), strict=True)
        ]


def _key(unit: Any) -> str:
    return text_hash(unit.content_hash()) if isinstance(unit, AudioClip) else text_hash(repr(unit))


def _read(path: Path) -> np.ndarray | None:
    """What an earlier run wrote; None if there is nothing, or a file that was damaged."""
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array
