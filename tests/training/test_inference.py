"""A model's answers where the device's memory is small."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from moodline.core.batch import Batch, Output
from moodline.training.data import ConversationExample, collate
from moodline.training.inference import answer
from tests.training.small_run import example


class Narrow(nn.Module):
    """Its device holds so many examples."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.sizes = most, list[int]()
        self.linear = nn.Linear(6, 3)

    def forward(self, batch: Batch) -> Output:
        self.sizes.append(len(batch.labels))
        if len(batch.labels) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return Output(self.linear(batch.features["text"]))


def answers(model: Narrow, examples: list[ConversationExample], **options) -> list[np.ndarray]:
    torch.manual_seed(0)
    nn.init.normal_(model.linear.weight)
    found = answer(model, examples, collate, lengths=[len(e) for e in examples], **options)
    return [a.logits for a in found]


def test_batches_that_do_not_fit_are_halved() -> None:
    examples = [example(n) for n in range(20)]
    small, large = Narrow(3), Narrow(100)
    small.load_state_dict(large.state_dict())
    expected = answers(large, examples)
    for one, other in zip(answers(small, examples), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert large.sizes == [20]
    assert small.sizes == [20, 10, 5, *[2] * 10]  # those that come later are longer: a larger one is not tried again


def test_one_that_does_not_fit_is_said() -> None:
    with pytest.raises(torch.OutOfMemoryError):
        answers(Narrow(0), [example(0), example(1)])


def test_processes_that_share_weights_stay_together() -> None:
    """Each of them gathers the others' parts, batch by batch; weights gathered here can be trained with later."""
    examples, model = [example(n) for n in range(4)], Narrow(3)
    with pytest.raises(torch.OutOfMemoryError):
        answers(model, examples, together=True)
    kept = []
    model.register_forward_hook(lambda module, inputs, output: kept.append(module.linear.weight + 0))
    answers(model, examples, together=True, batch_size=2)
    answers(model, examples, batch_size=2)
    assert [x.is_inference() for x in kept] == [False, False, True, True]
