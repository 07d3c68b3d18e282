"""Recurrent layers that never step over padding."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import PackedSequence

from moodline.nn.dropout import Dropout
from moodline.nn.packing import PackedUtterances, TimeSteps


class BiGRU(nn.Module):
    """A bidirectional GRU over the real utterances of each conversation.

    Weights and equations are those of ``torch.nn.GRU``. Where gradients are needed on a CPU, the steps are our own
    (``_Scan``): torch's write a gradient of the whole recurrent weight at each step, which takes most of the time.

    Args:
        width: input size D.
        hidden: hidden size H per direction; the output has ``2 * hidden``.
        layers: number of layers.
        dropout: between layers, in training.
    """

    def __init__(self, width: int, hidden: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.gru = nn.GRU(
            width, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout if layers > 1 else 0.0
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, rows: PackedUtterances) -> Tensor:
        """Run over each conversation's own length.

        Args:
            x: [N, D], the real utterances.
            rows: which conversation each belongs to.

        Returns:
            [N, 2 * hidden].
        """
        steps = rows.steps
        if torch.is_grad_enabled() and x.device.type == "cpu":
            for layer in range(self.gru.num_layers):
                x = self._layer(x if layer == 0 else self.dropout(x), layer, steps)
            return x
        packed = PackedSequence(x.index_select(0, steps.forwards), torch.tensor(steps.sizes))
        return self.gru(packed)[0].data.index_select(0, steps.places[0])

    def _layer(self, x: Tensor, layer: int, steps: TimeSteps) -> Tensor:
        def both(name: str) -> tuple[Tensor, Tensor]:
            return getattr(self.gru, f"{name}_l{layer}"), getattr(self.gru, f"{name}_l{layer}_reverse")

        inputs = zip(both("weight_ih"), both("bias_ih"), (steps.forwards, steps.backwards), strict=True)
        gates = torch.stack([F.linear(x, w, b).index_select(0, order) for w, b, order in inputs])
        states = _Scan.apply(gates, torch.stack(both("weight_hh")), torch.stack(both("bias_hh")), steps)
        return torch.cat([s.index_select(0, place) for s, place in zip(states, steps.places, strict=True)], dim=-1)


class BiLSTM(nn.Module):
    """A bidirectional LSTM over the real utterances of each conversation, torch's own.

    Args:
        width: input size D.
        hidden: hidden size H per direction; the output has ``2 * hidden``.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, rows: PackedUtterances) -> Tensor:
        """[N, D], the real utterances → [N, 2 * hidden]; each conversation is read by itself."""
        steps = rows.steps
        packed = PackedSequence(x.index_select(0, steps.forwards), torch.tensor(steps.sizes))
        states: Tensor = self.lstm(packed)[0].data.index_select(0, steps.places[0])
        return states


class _Scan(torch.autograd.Function):
    """The steps of both directions of a GRU layer side by side; weight gradients in one product at the end.

    r = σ(g_r + u_r), z = σ(g_z + u_z), c = tanh(g_c + r u_c), h' = c + z (h − c), with u = W h + b.
    """

    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # type: ignore[untyped-decorator]
    def forward(ctx: Any, gates: Tensor, weight: Tensor, bias: Tensor, steps: TimeSteps) -> Tensor:
        """Inputs' share of the gates [2, N, 3H] in order of time, W [2, 3H, H], b [2, 3H] → states [2, N, H]."""
        n, hidden = gates.shape[1], weight.shape[2]
        states, candidates, recurrent = (gates.new_empty(2, n, hidden) for _ in range(3))
        switches = gates.new_empty(2, n, 2 * hidden)

        def direction(d: int) -> None:
            state, transposed = gates.new_zeros(steps.sizes[0], hidden), weight[d].T
            views = (x[d].split(steps.sizes) for x in (gates, switches, candidates, recurrent, states))
            for size, g, rz, c, u_c, new in zip(steps.sizes, *views, strict=True):
                u = torch.addmm(bias[d], state[:size], transposed)
                torch.add(g[:, : 2 * hidden], u[:, : 2 * hidden], out=rz).sigmoid_()
                u_c.copy_(u[:, 2 * hidden :])
                torch.addcmul(g[:, 2 * hidden :], rz[:, :hidden], u_c, out=c).tanh_()
                state = torch.lerp(c, state[:size], rz[:, hidden:], out=new)

        _side_by_side(direction)
        ctx.save_for_backward(weight, states, switches, candidates, recurrent)
        ctx.steps = steps
        return states

    @staticmethod
    @once_differentiable
    @custom_bwd(device_type="cpu")  # type: ignore[untyped-decorator]
    def backward(  # type: ignore[override]
        ctx: Any, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, None]:
        """Gradients of the inputs' share, of W and of b."""
        weight, states, switches, c, u_c = ctx.saved_tensors
        steps, hidden = ctx.steps, weight.shape[2]
        r, z = switches.split(hidden, -1)
        previous = torch.zeros_like(states)
        previous[:, steps.sizes[0] :] = states.index_select(1, steps.before)
        inner = (1 - z) * (1 - c * c)  # dh'/dg_c
        share = torch.stack([inner * u_c * r * (1 - r), (previous - c) * z * (1 - z), inner * r], dim=2)  # dh'/du
        of_state, of_u = grad.clone(memory_format=torch.contiguous_format), torch.empty_like(share)

        def direction(d: int) -> None:
            views = (reversed(x[d].split(steps.sizes)) for x in (of_state, share, of_u, z))
            carry = grad.new_zeros(0, hidden)
            for dh, s, du, keep in zip(*views, strict=True):
                dh[: len(carry)].add_(carry)
                torch.mul(dh[:, None], s, out=du)
                carry = torch.addmm(dh * keep, du.flatten(1), weight[d])

        _side_by_side(direction)
        of_gates = of_u = of_u.flatten(2)
        of_weight, of_bias = torch.bmm(of_u.transpose(1, 2), previous), of_u.sum(1)
        torch.mul(of_state, inner, out=of_gates[..., 2 * hidden :])
        return of_gates, of_weight, of_bias, None


def _side_by_side(direction: Callable[[int], None]) -> None:
    """Both directions, each on half of the threads.

    A step is short, and threads that wait for each other after every one of them lose much time where other programs
    use the processor too.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        direction(0)
        direction(1)
        return

    def run(d: int) -> None:
        torch.set_num_threads(threads // 2)
        with torch.no_grad():
            direction(d)

    try:
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(run, 1)
            run(0)
            other.result()
    finally:
        torch.set_num_threads(threads)
