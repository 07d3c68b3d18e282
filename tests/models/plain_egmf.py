"""EGMF for one utterance in plain loops, written from the paper's equations, without its tree, masks or batches.

It takes the weights of an ``Egmf`` and shares no code with it. The language model is transformers' own, run once for
every answer on the whole text, the answer included, and its ordinary output is read.
"""

from __future__ import annotations

from math import erf
from typing import Any

import numpy as np
import torch

from tests.models.plain_sure import Array, Weights, linear, sigmoid, softmax


def mish(x: Array) -> Array:
    return x * np.tanh(np.log1p(np.exp(x)))


def gelu(x: Array) -> Array:
    return np.array([v * 0.5 * (1 + erf(v / np.sqrt(2))) for v in x])


def swish(x: Array) -> Array:
    return x * sigmoid(x)


ACTIVATIONS = {"fine": mish, "semantic": gelu, "global": swish}


def lstm(frames: Array, w: Weights, name: str) -> Array:
    """The last hidden state."""
    hidden = w[f"{name}.weight_hh_l0"].shape[1]
    h = c = np.zeros(hidden)
    for x in frames:
        gates = w[f"{name}.weight_ih_l0"] @ x + w[f"{name}.bias_ih_l0"]
        gates = gates + w[f"{name}.weight_hh_l0"] @ h + w[f"{name}.bias_hh_l0"]
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


def clue(frames: Array, w: Weights, modality: str) -> Array:
    """AudioVisualEncoder: an utterance's frames [T, D] to one vector."""
    name = f"frames.{modality}"
    standard = (frames - w[f"{name}.mean"]) / w[f"{name}.scale"]
    return linear(lstm(standard, w, f"{name}.lstm"), w, f"{name}.project.1")


def attention(query: Array, memory: list[Array], w: Weights, name: str, heads: int) -> Array:
    """One query [d] over the memory, head by head; zero without memory."""
    if not memory:
        return np.zeros_like(query)
    q = np.split(linear(query, w, f"{name}.query"), heads)
    keys = [np.split(linear(x, w, f"{name}.key"), heads) for x in memory]
    values = [np.split(linear(x, w, f"{name}.value"), heads) for x in memory]
    found = []
    for h in range(heads):
        weights = softmax(np.array([key[h] @ q[h] / np.sqrt(len(q[h])) for key in keys]))
        found.append(sum(a * value[h] for a, value in zip(weights, values, strict=True)))
    return linear(np.concatenate(found), w, f"{name}.out")


def fuse(words: list[Array], clues: list[Array], w: Weights, heads: int) -> Array:
    """Eq. 1–2: cross-attention, self-attention, mean."""
    cross = [attention(x, clues, w, "fusion.cross", heads) + x for x in words]
    within = [attention(z, cross, w, "fusion.within", heads) + z for z in cross]
    return np.mean(within, axis=0)


def guide(f: Array, w: Weights, names: tuple[str, ...]) -> tuple[Array, Array]:
    """Eq. 3: f' and α."""
    first = softmax(linear(f, w, "guidance.gate.first"))
    inner = np.maximum(linear(np.concatenate([f, first]), w, "guidance.gate.second.0"), 0)
    alpha = softmax(linear(inner, w, "guidance.gate.second.2"))
    beta = 1 + linear(f, w, "guidance.beta")[0]
    out = beta * f
    for a, name in zip(alpha, names, strict=True):
        inside = ACTIVATIONS[name](linear(f, w, f"guidance.experts.{name}.enter"))
        out = out + a * linear(inside, w, f"guidance.experts.{name}.leave")
    return out, alpha


def adapt(
    tokens: list[int] | None, own: list[bool], frames: dict[str, Array | None], w: Weights, model: Any
) -> tuple[Array, Array]:
    """From an utterance to its pseudo token [H] and α."""
    language = model.answerer.language
    words = [w["no_words"]]
    if tokens is not None:
        table = language.network.get_input_embeddings()
        embedded = table(torch.tensor(tokens)).detach().double().numpy() / language.scale
        words = [linear(e, w, "words") for e, mine in zip(embedded, own, strict=True) if mine]
    clues = [clue(x, w, m) for m, x in frames.items() if x is not None]
    f = fuse(words, clues, w, model.config.heads)
    enhanced, alpha = guide(f, w, model.config.experts)
    return language.scale * linear(enhanced, w, "speak"), alpha


@torch.no_grad()
def say(pseudo: Array, words: list[int], model: Any) -> Array:
    """log P(answer and end marker | I_wrapped) of each answer, one ordinary pass of the network for each."""
    network, prompt = model.answerer.language.network, model.answerer.prompt
    table = network.get_input_embeddings()
    found = []
    for answer in prompt.answers:
        middle = [*prompt.before, *words, *prompt.after] if words else []
        after = [*prompt.close, *middle, *prompt.question]
        targets = [*answer, prompt.end]
        repeated = torch.tensor(pseudo, dtype=torch.float32).expand(model.config.pseudo_tokens, -1)
        parts = [table(torch.tensor(list(prompt.head))), repeated, table(torch.tensor([*after, *answer]))]
        logits = network(inputs_embeds=torch.cat(parts)[None]).logits[0].double()
        start = len(prompt.head) + len(repeated) + len(after) - 1
        log_p = logits[start : start + len(targets)].log_softmax(-1)
        found.append(sum(float(log_p[n, token]) for n, token in enumerate(targets)))
    return np.array(found)


@torch.no_grad()
def decode(pseudo: Array, words: list[int], model: Any) -> dict[tuple[int, ...], float]:
    """Probability of each answer when decoding may only go on as some answer does, step by step."""
    network, prompt = model.answerer.language.network, model.answerer.prompt
    table = network.get_input_embeddings()
    whole = [(*answer, prompt.end) for answer in prompt.answers]
    middle = [*prompt.before, *words, *prompt.after] if words else []
    out: dict[tuple[int, ...], float] = {}

    def go(said: tuple[int, ...], p: float) -> None:
        may = sorted({answer[len(said)] for answer in whole if answer[: len(said)] == said and len(answer) > len(said)})
        if not may:
            out[said] = p
            return
        repeated = torch.tensor(pseudo, dtype=torch.float32).expand(model.config.pseudo_tokens, -1)
        ids = [*prompt.close, *middle, *prompt.question, *said]
        embedded = torch.cat([table(torch.tensor(list(prompt.head))), repeated, table(torch.tensor(ids))])
        logits = network(inputs_embeds=embedded[None]).logits[0, -1].double()
        for token, share in zip(may, logits[may].softmax(0).tolist(), strict=True):
            go((*said, token), p * share)

    go((), 1.0)
    return out
