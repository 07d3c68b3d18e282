"""SURE for one conversation, utterance by utterance, in plain loops and numpy, written from the paper's equations.

It takes the weights of a ``Sure`` and shares no code with it. Only inference: σ is computed, nothing is sampled.
"""

from __future__ import annotations

from math import erf
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Weights = dict[str, Array]


def linear(x: Array, w: Weights, name: str) -> Array:
    return w[f"{name}.weight"] @ x + w[f"{name}.bias"]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return e / e.sum()


def layer_norm(x: Array, w: Weights, name: str) -> Array:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def gaussian(x: Array, w: Weights, name: str, config: Any) -> tuple[Array, Array]:
    """Eq. 1–2: μ and log σ²."""
    bound = config.log_variance_bound
    before = np.maximum(linear(x, w, f"{name}.before.0"), 0) if config.sigma_hidden else x
    return linear(x, w, f"{name}.mean"), bound * np.tanh(linear(before, w, f"{name}.spread") / bound)


def mixture(x: Array, w: Weights, name: str, config: Any) -> tuple[Array, dict[str, Array]]:
    """Eq. 4–5: the K experts with the best scores, one after the other."""
    bound, size = config.log_variance_bound, config.expert_hidden
    router = linear(x, w, f"{name}.router")
    outputs, log_variance = [], np.zeros(config.experts)
    for k in range(config.experts):
        rows = slice(k * size, (k + 1) * size)
        inner = np.maximum(w[f"{name}.enter.weight"][rows] @ x + w[f"{name}.enter.bias"][rows], 0)
        outputs.append(inner @ w[f"{name}.leave"][k] + w[f"{name}.leave_bias"][k])
        log_variance[k] = bound * np.tanh((w[f"{name}.doubt"][k] @ inner + w[f"{name}.doubt_bias"][k]) / bound)
    if config.uncertainty_routing:
        caution = np.log1p(np.exp(w[f"{name}.caution"]))
        router = router - caution * np.log(np.sqrt(np.exp(log_variance)))
    scores = softmax(router)
    asked = sorted(range(config.experts), key=lambda k: -scores[k])[: config.top_k]
    usage = np.array([scores[k] if k in asked else 0.0 for k in range(config.experts)])
    y = np.zeros_like(x)
    for k in asked:
        y += usage[k] * outputs[k]
    return y, {"scores": scores, "usage": usage, "doubt": log_variance}


def gru(x: list[Array], w: Weights, name: str, layer: int, reverse: bool) -> list[Array]:
    end = f"l{layer}" + ("_reverse" if reverse else "")
    hidden = w[f"{name}.weight_hh_{end}"].shape[1]
    h, out = np.zeros(hidden), [np.zeros(hidden)] * len(x)
    for u in reversed(range(len(x))) if reverse else range(len(x)):
        a = w[f"{name}.weight_ih_{end}"] @ x[u] + w[f"{name}.bias_ih_{end}"]
        b = w[f"{name}.weight_hh_{end}"] @ h + w[f"{name}.bias_hh_{end}"]
        r, z = sigmoid(a[:hidden] + b[:hidden]), sigmoid(a[hidden : 2 * hidden] + b[hidden : 2 * hidden])
        h = (1 - z) * np.tanh(a[2 * hidden :] + r * b[2 * hidden :]) + z * h
        out[u] = h
    return out


def near(u: int, length: int, window: int) -> list[int]:
    return [j for j in range(length) if not window or abs(j - u) < window]


def reasoning(
    y: list[Array], present: list[bool], w: Weights, name: str, config: Any
) -> tuple[list[Array], list[list[Array]]]:
    """Eq. 6–10: the last query of every utterance, and α of each of its steps over the whole conversation."""
    context = y
    for layer in range(config.memory_layers):
        ways = [gru(context, w, f"{name}.recurrent.gru", layer, reverse) for reverse in (False, True)]
        context = [np.concatenate(pair) for pair in zip(*ways, strict=True)]
    memory = [linear(g, w, f"{name}.memory") for g in context]
    out, looked = [], []
    for u in range(len(y)):
        query = linear(context[u], w, f"{name}.query")
        hidden = cell = np.zeros_like(query)
        seen = [j for j in near(u, len(y), config.attention_window) if present[j]]
        steps = []
        for _ in range(config.reasoning_steps):
            alpha, found = np.zeros(len(y)), np.zeros_like(query)
            if seen:
                alpha[seen] = softmax(np.array([memory[j] @ query for j in seen]))
            for j in seen:
                found = found + alpha[j] * memory[j]
            gates = linear(np.concatenate([query, found, hidden]), w, f"{name}.cell")
            i, f, g, o = np.split(gates, 4)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            query = hidden = sigmoid(o) * np.tanh(cell)
            steps.append(alpha)
        out.append(y[u] + query if config.residual else query)
        looked.append(steps)
    return out, looked


def attend(query: Array, keys: list[Array], w: Weights, name: str, heads: int) -> Array:
    if not keys:
        return np.zeros_like(query)
    q, parts = linear(query, w, f"{name}.query"), []
    width = len(q) // heads
    for h in range(heads):
        part = slice(h * width, (h + 1) * width)
        k = np.stack([linear(x, w, f"{name}.key")[part] for x in keys])
        v = np.stack([linear(x, w, f"{name}.value")[part] for x in keys])
        parts.append(softmax(k @ q[part] / np.sqrt(width)) @ v)
    return linear(np.concatenate(parts), w, f"{name}.out")


def encoder(u: int, own: list[Array], other: list[Array], real: list[bool], w: Weights, name: str, c: Any) -> Array:
    """Eq. 11–16 and the gate: one pre-norm encoder layer for utterance u."""
    keys = [layer_norm(other[j], w, f"{name}.norm") for j in near(u, len(own), c.attention_window) if real[j]]
    x = own[u] + attend(layer_norm(own[u], w, f"{name}.norm"), keys, w, f"{name}.attention", c.heads)
    inner = linear(layer_norm(x, w, f"{name}.norm_further"), w, f"{name}.further.0")
    inner = np.array([0.5 * a * (1 + erf(a / np.sqrt(2))) for a in inner])
    x = x + linear(inner, w, f"{name}.further.3")
    return sigmoid(linear(x, w, f"{name}.gate")) * x


def position(u: int, width: int) -> Array:
    out = np.zeros(width)
    for i in range(0, width, 2):
        angle = u / 10_000 ** (i / width)
        out[i : i + 2] = np.sin(angle), np.cos(angle)
    return out


def sure(
    features: dict[str, Array], present: dict[str, list[bool]], speakers: list[int], w: Weights, config: Any
) -> dict[str, Any]:
    """Logits [U, C] of one conversation, and for each modality what the losses and the reader need."""
    c, modalities, length = config, list(config.dims), len(speakers)
    streams: dict[str, list[Array]] = {}
    traces: dict[str, dict[str, list[Any]]] = {}
    for m in modalities:
        x = []
        for u in range(length):
            standard = (features[m][u] - w[f"inputs.{m}.mean"]) / w[f"inputs.{m}.scale"]
            x.append(linear(standard if present[m][u] else w[f"inputs.{m}.missing"], w, f"project.{m}"))
        traces[m] = {"mean": [], "log_variance": [], "routing": [], "attention": []}
        if c.experts:
            y = []
            for row in x:
                mean, log_variance = gaussian(row, w, f"experts.{m}.gaussian", c)
                out, routing = mixture(mean, w, f"experts.{m}.experts", c)
                y.append(row + out if c.residual else out)
                for key, value in (("mean", mean), ("log_variance", log_variance), ("routing", routing)):
                    traces[m][key].append(value)
            x = y
        if c.reasoning_steps:
            x, traces[m]["attention"] = reasoning(x, present[m], w, f"reasoning.{m}", c)
        streams[m] = x
    logits = np.zeros((length, c.classes))
    placed: dict[str, list[Array]] = {m: [] for m in modalities}
    for u, who in enumerate(speakers):
        place = position(u, c.hidden)
        if c.speakers and who >= 0:
            place = place + w["gate.speakers.table"][who % c.speakers]
        for m in modalities:
            placed[m].append(streams[m][u] + place)
    for u in range(length):
        fused = []
        for m in modalities:
            views = [encoder(u, placed[m], placed[n], present[n], w, f"gate.encoders.{m}-{n}", c) for n in modalities]
            fused.append(linear(np.concatenate(views), w, f"gate.reduce.{m}"))
        if any(present[m][u] for m in modalities):
            logits[u] = linear(np.concatenate(fused), w, "classify.1")
    return {"logits": logits, "traces": traces}


def loss(found: list[dict[str, Any]], present: list[dict[str, list[bool]]], labels: list[list[int]], c: Any) -> float:
    """The whole loss of some conversations, without class weights; labels below 0 do not count."""
    nll = [
        -np.log(softmax(f["logits"][u])[y])
        for f, ys in zip(found, labels, strict=True)
        for u, y in enumerate(ys)
        if y >= 0
    ]
    kls, balances = [], []
    for m in c.dims:
        own, doubts, asked, scores = [], [], [], []
        for f, here in zip(found, present, strict=True):
            t = f["traces"][m]
            for u in range(len(here[m])):
                if not here[m][u]:
                    continue
                variance = np.exp(t["log_variance"][u])
                own.append(0.5 * np.mean(variance + t["mean"][u] ** 2 - 1 - t["log_variance"][u]))
                doubt = t["routing"][u]["doubt"]
                doubts.append(0.5 * np.mean(np.exp(doubt) - 1 - doubt))
                asked.append(t["routing"][u]["usage"] > 0)
                scores.append(t["routing"][u]["scores"])
        kls.append(np.mean(own) + np.mean(doubts))
        share = np.mean(asked, axis=0) / c.top_k
        balances.append(c.experts * float(share @ np.mean(scores, axis=0)))
    return float(np.mean(nll) + c.kl_weight * np.mean(kls) + c.balance_weight * np.mean(balances))
