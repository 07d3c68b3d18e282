"""Stage 1 of MiSTER-E (arXiv 2602.23300): fine-tune an utterance encoder with a small classifier on top.

backbone → hidden states → LayerNorm → attentive statistics (weighted mean ‖ weighted std) or mean → Linear(·, E)
→ ReLU → dropout 0.5 → Linear(E, C), with the focal loss, γ = 2. The utterance embedding [E] is the output of the
first Linear, before the ReLU.

Deviations from the paper: any backbone of ``encoders`` instead of a 7-8 B language model; as an option a learned
mix of all hidden states (softmax weights) in place of the last; as an option the neighbouring turns of a conversation
in one go (``EncoderSpec.window``), each seeing the others and pooled over its own tokens. An example is a conversation
of length U, one utterance or the wanted turns of a window, so the training loop, the metrics and the inference code of
conversations serve here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from moodline.core.batch import Output
from moodline.core.conversation import Conversation
from moodline.core.errors import ConfigError
from moodline.core.labels import IGNORE, LabelSet
from moodline.encoders.backbone import Backbone, chosen_layers
from moodline.encoders.inputs import conversation_inputs
from moodline.encoders.settings import EncoderSpec, FinetuneConfig
from moodline.media.audio import RATE
from moodline.nn import pooling
from moodline.nn.blocks import layer_index
from moodline.nn.lora import inject_lora
from moodline.nn.losses import focal_loss, symmetric_kl
from moodline.nn.model import TrainableModel


class UtteranceHead(nn.Module):
    """Hidden states to an embedding and class logits.

    Args:
        hidden_size: H.
        states: how many hidden states it is given.
        classes: C.
        config: see ``FinetuneConfig``.
    """

    def __init__(self, hidden_size: int, states: int, classes: int, config: FinetuneConfig) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.zeros(states)) if config.layer_mix else None
        self.concat = config.layer_concat
        self.norm = nn.LayerNorm(hidden_size)
        attentive = config.pooling == "attentive"
        self.pool = pooling.AttentiveStatistics(hidden_size) if attentive else pooling.POOLINGS[config.pooling]
        width = hidden_size * (2 if config.pooling in ("attentive", "mean_std") else 1) * (states if self.concat else 1)
        self.scale = _Standardize(width, momentum=0.05, affine=False) if self.concat else nn.Identity()
        self.fc1 = nn.Linear(width, config.embedding_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.fc2 = nn.Linear(config.embedding_dim, classes)

    def embed(self, states: Sequence[Tensor], mask: Tensor) -> Tensor:
        """The utterance embedding: states [B, T, H] each, mask bool [B, T] → [B, E]."""
        if self.concat:
            pooled = torch.cat([self.pool(self.norm(s.float()), mask) for s in states], dim=-1)
            side_by_side: Tensor = self.fc1(self.dropout(self.scale(pooled)))
            return side_by_side
        stacked = torch.stack([s.float() for s in states])
        weights = (
            torch.full((len(states),), 1 / len(states), device=mask.device) if self.mix is None else self.mix.softmax(0)
        )
        embedding: Tensor = self.fc1(self.pool(self.norm(torch.einsum("l,lbth->bth", weights, stacked)), mask))
        return embedding

    def forward(self, embedding: Tensor) -> Tensor:
        """Class logits: [B, E] → [B, C]."""
        logits: Tensor = self.fc2(self.dropout(torch.relu(embedding)))
        return logits


class _Standardize(nn.BatchNorm1d):
    """By the batch, or, where an utterance is alone in it, by what is known so far."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 1 or not self.training:
            return super().forward(x)
        return nn.functional.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)


@dataclass(frozen=True)
class Example:
    """What goes through the network in one go, to learn from: an utterance, or a window of turns.

    Args:
        ids: the utterances' ids.
        input: what the backbone prepares.
        labels: class number of each utterance; ``IGNORE`` where unlabelled.
        length: roughly its tokens or 20 ms frames, for batches of similar lengths.
        task: 0 for the corpus itself, n for the n-th auxiliary corpus.
        hidden: float16 [T, H], what the frozen blocks give for it, if that is known.
    """

    ids: tuple[str, ...]
    input: Any
    labels: tuple[int, ...]
    length: int
    task: int = 0
    hidden: np.ndarray | None = None

    def __len__(self) -> int:
        return self.length


@dataclass(frozen=True)
class UtteranceBatch:
    """Utterances as conversations of length U: 1, or as many as the longest window has.

    Args:
        tensors: what the backbone prepared, batch first.
        labels: int64 [B, U], ``IGNORE`` at padding.
        valid: bool [B, U], True at utterances.
        tasks: int64 [B], see ``Example.task``.
    """

    tensors: dict[str, Tensor]
    labels: Tensor
    valid: Tensor = field(repr=False)
    tasks: Tensor = field(repr=False)

    def to(self, device: torch.device | str) -> UtteranceBatch:
        """The same batch on another device."""
        moved = {k: v.to(device) for k, v in self.tensors.items()}
        return UtteranceBatch(moved, self.labels.to(device), self.valid.to(device), self.tasks.to(device))

    def count(self) -> int:
        """How many labelled utterances there are."""
        return int((self.labels != IGNORE).sum())


class Collate:
    """Examples to a batch.

    Args:
        backbone: prepares the inputs.
        crop_seconds: in training mode, random crops of this length from longer clips, drawn from torch's generator
            (which the training loop seeds for each step); 0 takes whole clips.
    """

    def __init__(self, backbone: Backbone, crop_seconds: float = 0.0) -> None:
        self.backbone, self.crop = backbone, int(crop_seconds * RATE)

    def __call__(self, examples: Sequence[Example]) -> UtteranceBatch:
        """Prepare and pad."""
        inputs = [e.input for e in examples]
        hidden = [torch.from_numpy(e.hidden).float() for e in examples if e.hidden is not None]
        if len(hidden) == len(examples):
            tensors = self.backbone.prepare_from_hidden(inputs, hidden)
        else:
            if self.crop and self.backbone.modality == "speech" and self.backbone.training:
                inputs = [self._cropped(item) for item in inputs]
            tensors = self.backbone.prepare(inputs)
        labels = pad_sequence([torch.tensor(e.labels) for e in examples], batch_first=True, padding_value=IGNORE)
        valid = pad_sequence([torch.ones(len(e.labels), dtype=torch.bool) for e in examples], batch_first=True)
        return UtteranceBatch(tensors, labels, valid, torch.tensor([e.task for e in examples]))

    def _cropped(self, item: Any) -> Any:
        samples = item.load(RATE) if hasattr(item, "load") else item
        start = int(torch.randint(max(1, len(samples) - self.crop + 1), ()))
        return samples[start : start + self.crop]


class UtteranceClassifier(TrainableModel):
    """A backbone with a classifier: a model for ``training.loop.fit``.

    Args:
        backbone: loaded by ``load_backbone``; changed in place (LoRA layers are put in, gradients switched).
        classes: C.
        config: see ``FinetuneConfig``.
        class_weights: float [C] for the loss, or None.
        auxiliary: how many classes each auxiliary corpus has; their classifiers are not part of the encoder.
    """

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        config: FinetuneConfig,
        class_weights: Tensor | None = None,
        auxiliary: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.backbone, self.config = backbone, config
        self.layers = chosen_layers(backbone.spec.layers, backbone.depth, backbone.id)
        self.head = UtteranceHead(backbone.hidden_size, len(self.layers), classes, config)
        self.auxiliary = nn.ModuleList(nn.Linear(config.embedding_dim, n) for n in auxiliary)
        self.register_buffer("class_weights", class_weights, persistent=False)
        backbone.network.requires_grad_(config.method == "full")
        if config.method == "lora":
            layers = range(config.freeze_blocks, backbone.depth) if config.freeze_blocks else None
            inject_lora(
                backbone.network,
                config.rank,
                config.alpha,
                config.lora_dropout,
                config.targets,
                layers,
                backbone.adapted,
            )
        elif config.method == "full" and config.freeze_embeddings:
            for name, parameter in backbone.network.named_parameters():
                parameter.requires_grad_(layer_index(name) is not None)
        if config.gradient_checkpointing:
            checkpoint_blocks(backbone)
        backbone.frozen, backbone.stem_frozen = config.freeze_blocks, config.stem_frozen
        for name, parameter in backbone.network.named_parameters():
            if self._stays(name):
                parameter.requires_grad_(False)
        self.head.to(backbone.device)
        self.auxiliary.to(backbone.device)

    def _stays(self, name: str) -> bool:
        """Whether a part of the network, by its name, is frozen: not adapted, among frozen blocks, or not read."""
        if not name.startswith(self.backbone.adapted):
            return True
        number = layer_index(name + ".")
        if number is None:
            return self.config.freeze_blocks > 0 and any(part in name for part in _STEM)
        return number < self.config.freeze_blocks or number >= max(self.layers)

    def train(self, mode: bool = True) -> UtteranceClassifier:
        """As ever, but frozen blocks stay in eval mode: no dropout in what does not learn, and no new means and
        variances in batch norms, which are not saved with the encoder."""
        super().train(mode)
        for name, module in self.backbone.network.named_modules():
            if (name and self._stays(name)) or isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def embed(self, tensors: dict[str, Tensor]) -> Tensor:
        """The utterance embeddings [N, E] of prepared inputs."""
        states, mask = self.backbone(tensors)
        return self.head.embed([states[n] for n in self.layers], mask)

    def forward(self, batch: UtteranceBatch) -> Output:
        """Logits [B, U, C]; ``extras["embedding"]`` [B, U, E].

        In training with R-Drop everything is read twice: ``extras["again"]`` has the second reading's logits. What the
        auxiliary corpora's classifiers say of their own rows, [n U, C] each, is in ``extras["auxiliary"]``, for each
        reading: here and not in ``loss``, for several processes look for what is learned in here only.
        """
        twice = self.training and self.config.r_drop > 0
        embedding, *second = [self.embed(batch.tensors) for _ in range(1 + twice)]
        places = batch.valid.flatten().nonzero().squeeze(1)

        def spread(x: Tensor) -> Tensor:
            return (
                x.new_zeros(batch.valid.numel(), x.shape[-1]).index_copy(0, places, x).unflatten(0, batch.valid.shape)
            )

        extras: dict[str, Any] = {"embedding": spread(embedding)}
        if second:
            extras["again"] = spread(self.head(second[0]))
        logits = spread(self.head(embedding))
        extras["auxiliary"] = [self._others(batch, extras["embedding"]) for _ in range(1 + twice)]
        return Output(logits, extras=extras)

    def _others(self, batch: UtteranceBatch, embedding: Tensor) -> list[Tensor]:
        """Logits of each auxiliary corpus's rows [n U, C] from embeddings [B, U, E]."""
        rows = (embedding[batch.tasks == task].flatten(0, 1) for task in range(1, 1 + len(self.auxiliary)))
        return [head(self.head.dropout(torch.relu(x))) for head, x in zip(self.auxiliary, rows, strict=True)]

    def loss(self, batch: UtteranceBatch, output: Output) -> dict[str, Tensor]:
        """The focal loss over labelled utterances of all corpora, as ``"total"``.

        With R-Drop it is the mean of both readings' losses, and ``"r_drop"`` beside it: the weighted mean of
        (KL(p‖q) + KL(q‖p)) / 2 over labelled utterances of the corpus itself, for the readings' answers p and q.
        """
        others = output.extras["auxiliary"]
        total = self._focal(batch, output.logits, others[0])
        again = output.extras.get("again")
        if again is None:
            return {"total": total}
        real = (batch.tasks == 0)[:, None] & (batch.labels != IGNORE)
        everywhere = torch.ones_like(batch.labels[real], dtype=torch.bool)
        apart = symmetric_kl([(output.logits[real], everywhere), (again[real], everywhere)])
        total = (total + self._focal(batch, again, others[1])) / 2
        return {"total": total + self.config.r_drop * apart, "r_drop": self.config.r_drop * apart}

    def _focal(self, batch: UtteranceBatch, own: Tensor, others: Sequence[Tensor]) -> Tensor:
        weights: Any = self.class_weights
        terms, counts = [], []
        for task in range(1 + len(self.auxiliary)):
            mine = batch.tasks == task
            labels = batch.labels[mine].flatten()
            logits = others[task - 1] if task else own[mine].flatten(0, 1)
            terms.append(focal_loss(logits, labels, self.config.gamma, None if task else weights))
            counts.append((labels != IGNORE).sum())
        share = torch.stack(counts).float()
        return (torch.stack(terms) * share).sum() / share.sum().clamp_min(1)


def make_examples(
    conversations: Sequence[Conversation],
    labels: LabelSet,
    backbone: Backbone,
    keep_unlabelled: bool = False,
    training: bool = False,
    task: int = 0,
) -> list[Example]:
    """Every utterance that has the backbone's modality, in an example.

    Args:
        conversations: in any order; contexts stay within a conversation.
        labels: the label set.
        backbone: says which modality, how much context, and how long an input is.
        keep_unlabelled: keep utterances without an emotion, labelled ``IGNORE``.
        training: where turns are read in windows, want the context turns too: nothing is computed in vain.
        task: see ``Example``.

    Raises:
        LabelError: an emotion is not in the label set.
        MediaError: a sound file is missing or unreadable.
    """
    examples = []
    spec: EncoderSpec = backbone.spec
    if training and spec.window:
        size = spec.window + spec.context_turns + spec.context_after
        spec = replace(spec, window=size, context_turns=0, context_after=0)
    for conversation in conversations:
        inputs = conversation_inputs(conversation, backbone.modality, spec)
        has = [(u, x) for u, x in zip(conversation, inputs, strict=True) if x is not None]
        units, rows = backbone.units([x for _, x in has])
        for number, unit in enumerate(units):
            inside = [u for (u, _), (n, _) in zip(has, rows, strict=True) if n == number]
            known = tuple(labels.index(u.emotion) for u in inside)
            if keep_unlabelled or any(label != IGNORE for label in known):
                examples.append(Example(tuple(u.id for u in inside), unit, known, backbone.length(unit), task))
    return examples


def checkpoint_blocks(backbone: Backbone) -> None:
    """Let a network keep only what goes into each block, in training.

    Raises:
        ConfigError: it is none of transformers.
    """
    network = backbone.blocks
    if not getattr(network, "supports_gradient_checkpointing", False):
        raise ConfigError(
            f"encoder {backbone.id}: gradient_checkpointing is for models of transformers",
            fix="Leave it out: this one is small.",
        )
    checkpoint_network(network)


def checkpoint_network(network: nn.Module) -> None:
    """The same for a model of transformers, whose method was renamed within version 5."""
    name = next(n for n in ("activation_checkpointing_enable", "gradient_checkpointing_enable") if hasattr(network, n))
    getattr(network, name)({"use_reentrant": False})


_STEM = ("embedding", "conv", "groupnorm", "feature")
"""Parts of names below the blocks."""


def parameter_groups(model: UtteranceClassifier, config: FinetuneConfig) -> list[dict[str, Any]]:
    """Optimizer groups for ``fit``: rates relative to the training's learning rate.

    The classifier has ``head_rate``; block n of depth L has ``layer_decay`` to the power L − 1 − n, what lies below the
    blocks one power more. Vectors (biases, norms) and embeddings do not decay.
    """
    depth = model.backbone.depth
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith(("head.", "auxiliary.")):
            rate = config.head_rate
        else:
            block = layer_index(name)
            above = depth if block is None else max(0, depth - 1 - block)
            rate = config.layer_decay**above
        decay = config.weight_decay if parameter.dim() > 1 and "embedding" not in name else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": v, "lr": rate, "weight_decay": decay} for (rate, decay), v in sorted(groups.items(), key=_order)]


def _order(group: tuple[tuple[float, float], list[nn.Parameter]]) -> tuple[float, float]:
    return group[0]
