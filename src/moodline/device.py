"""The device that networks run on unless somebody wishes for another: one answer for training, inference and doctor."""

from __future__ import annotations


def own_device() -> str:
    """``cuda`` if PyTorch has such a GPU here, else ``cpu``.

    Apple's GPU (``mps``) is not taken: it lacks float64 and some operations, and nothing here is tested on one.
    """
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
