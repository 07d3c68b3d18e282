"""The device that networks run on unless somebody wishes for another: one answer for training, inference and doctor."""

from __future__ import annotations

from moodline.core.errors import ConfigError


def best_device() -> str:
    """``cuda`` if PyTorch has such a GPU here, else ``cpu``.

    Apple's GPU (``mps``) is not taken: it lacks float64 and some operations, and nothing here is tested on one.
    """
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def default_device(wish: str = "auto") -> str:
    """The device to run on: ``best_device`` unless the caller wishes for another.

    Raises:
        ConfigError: torch has no such device here.
    """
    import torch

    if wish == "auto":
        return best_device()
    try:
        torch.empty(1, device=wish)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"device '{wish}' cannot be used here ({str(error).splitlines()[0][:80]})", fix="Use cpu."
        ) from None
    return wish
