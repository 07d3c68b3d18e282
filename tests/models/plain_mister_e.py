"""MiSTER-E for one conversation without padding, in plain loops and numpy, written from the paper's equations.

It takes the weights of a ``MisterE`` and shares no code with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def linear(x: Array, w: dict[str, Array], name: str) -> Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer_norm(x: Array, w: dict[str, Array], name: str) -> Array:
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def convolution(x: Array, w: dict[str, Array], name: str) -> Array:
    kernel, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    width = kernel.shape[2]
    out = np.zeros((len(x), kernel.shape[0]))
    for u in range(len(x)):
        for k in range(width):
            other = u + k - width // 2
            if 0 <= other < len(x):
                out[u] += kernel[:, :, k] @ x[other]
        out[u] += bias
    return out


def gru(x: Array, w: dict[str, Array], name: str, layer: int, reverse: bool) -> Array:
    end = f"l{layer}" + ("_reverse" if reverse else "")
    wi, wh = w[f"{name}.weight_ih_{end}"], w[f"{name}.weight_hh_{end}"]
    bi, bh = w[f"{name}.bias_ih_{end}"], w[f"{name}.bias_hh_{end}"]
    hidden = wh.shape[1]
    h, out = np.zeros(hidden), np.zeros((len(x), hidden))
    for u in reversed(range(len(x))) if reverse else range(len(x)):
        a, b = wi @ x[u] + bi, wh @ h + bh
        r = 1 / (1 + np.exp(-(a[:hidden] + b[:hidden])))
        z = 1 / (1 + np.exp(-(a[hidden : 2 * hidden] + b[hidden : 2 * hidden])))
        n = np.tanh(a[2 * hidden :] + r * b[2 * hidden :])
        h = (1 - z) * n + z * h
        out[u] = h
    return out


def attention(query: Array, memory: Array, w: dict[str, Array], name: str, config: Any) -> Array:
    heads, width, window = config.heads, config.head_width, config.attention_window
    q, k, v = linear(query, w, f"{name}.query"), linear(memory, w, f"{name}.key"), linear(memory, w, f"{name}.value")
    out = np.zeros_like(q)
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        for u in range(len(query)):
            near = [j for j in range(len(memory)) if not window or abs(j % len(query) - u) < window]
            scores = np.array([q[u, part] @ k[j, part] / np.sqrt(width) for j in near])
            out[u, part] = softmax(scores) @ v[near, part]
    return linear(out, w, f"{name}.out")


def context(x: Array, w: dict[str, Array], name: str, layers: int, kernels: int) -> Array:
    y = sum(np.maximum(convolution(x, w, f"{name}.inception.convolutions.{k}"), 0) for k in range(kernels))
    for layer in range(layers):
        forward = gru(y, w, f"{name}.recurrent.gru", layer, False)
        y = np.concatenate([forward, gru(y, w, f"{name}.recurrent.gru", layer, True)], axis=1)
    return y + linear(x, w, f"{name}.skip")


def mister_e(features: dict[str, Array], w: dict[str, Array], config: Any) -> dict[str, Array]:
    """Logits of each expert, gate weights and mixture for one conversation whose modalities are all present."""
    modalities = list(config.dims)
    x = {m: (features[m] - w[f"inputs.{m}.mean"]) / w[f"inputs.{m}.scale"] for m in modalities}
    z = {
        m: linear(context(x[m], w, f"context.{m}", config.gru_layers, len(config.kernels)), w, f"heads.{m}.1")
        for m in modalities
    }
    streams = {m: linear(x[m], w, f"fusion.projections.{m}") for m in modalities}
    for b in range(config.fusion_layers):
        block, new = f"fusion.blocks.{b}", {}
        for m in modalities:
            memory = np.concatenate([streams[n] for n in modalities if n != m])
            cross = attention(streams[m], memory, w, f"{block}.cross.{m}", config)
            t = layer_norm(streams[m] + cross, w, f"{block}.cross_norm.{m}")
            own = attention(t, t, w, f"{block}.own.{m}", config)
            new[m] = layer_norm(t + own, w, f"{block}.own_norm.{m}")
        streams = new
    fused = np.concatenate([streams[m] for m in modalities], axis=1)
    z["fusion"] = linear(fused, w, "fusion_head.layers.1")
    views = np.concatenate(list(z.values()), axis=1)
    if config.gate_hidden:
        views = np.maximum(linear(views, w, "gate.network.0"), 0)
        weights = softmax(linear(views, w, "gate.network.2") / config.gate_temperature)
    else:
        weights = softmax(linear(views, w, "gate.network") / config.gate_temperature)
    mixture = sum(weights[:, [k]] * expert for k, expert in enumerate(z.values()))
    return {**z, "weights": weights, "mixture": mixture}
