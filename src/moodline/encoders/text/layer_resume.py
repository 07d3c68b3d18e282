"""Going on in a network of transformers from a state that is known: what lies below is not computed again.

The lowest blocks are made to hand the known state on, whatever the architecture does around its blocks; whether the
network then says the same is tried once, on a short input.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from moodline.nn.blocks import layer_index


def resumable_blocks(network: nn.Module, depth: int, within: tuple[str, ...] = ("",)) -> list[nn.Module]:
    """The blocks of a network in order; none where it is not built of ``depth`` different ones.

    Args:
        network: a model of transformers.
        depth: how many hidden states it has beside that of the embeddings.
        within: how the names of the parts begin that may have them.
    """
    for name, module in network.named_modules():
        fits = isinstance(module, nn.ModuleList) and len(module) == depth and layer_index(f"{name}.0.") == 0
        if fits and name.startswith(within):
            return list(module.children())
    return []


@contextmanager
def skip_layers(blocks: list[nn.Module], state: Tensor | None = None) -> Iterator[None]:
    """In here these blocks compute nothing.

    Args:
        blocks: some of ``resumable_blocks``.
        state: what they give, [B, T, H], in the type of what comes in; None for what comes in.
    """

    def hand_on(hidden: Tensor, *_: Any, **__: Any) -> Tensor:
        return hidden if state is None else state.to(hidden.dtype)

    for block in blocks:
        block.forward = hand_on
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


@torch.inference_mode()
def can_resume(network: nn.Module, blocks: list[nn.Module], device: torch.device) -> bool:
    """Whether a network that goes on after its first block says what it says when it runs from the start.

    Args:
        network: takes ``input_ids`` and ``attention_mask``; left as it was.
        blocks: of ``resumable_blocks``.
        device: where its weights are.
    """
    if not blocks or any("forward" in block.__dict__ for block in blocks):
        return False
    was_training = network.training
    network.eval()
    ids = torch.arange(1, 5, device=device)[None]
    kwargs: dict[str, Any] = {"attention_mask": torch.ones_like(ids), "output_hidden_states": True, "return_dict": True}
    try:
        whole = network(input_ids=ids, **kwargs).hidden_states
        with skip_layers(blocks[:1], whole[1]):
            parts = network(input_ids=ids.flip(1), **kwargs).hidden_states
        same = len(whole) == len(parts) == len(blocks) + 1
        return same and all(
            torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(whole[1:], parts[1:], strict=True)
        )
    except (TypeError, ValueError, AttributeError, IndexError, RuntimeError):
        return False  # blocks of another kind: they are computed
    finally:
        network.train(was_training)
