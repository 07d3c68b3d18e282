"""EGMF: expert-guided fusion spoken to a language model, for classes and for scores (arXiv 2601.07565).

Voice and face become one vector each, the words look at them, three bottleneck experts enrich what comes out, and it is
put into a prompt as a few pseudo tokens. A frozen language model, with LoRA, says the answer.

No code was ever released. What the paper states, what is of its closest public relative, MSE-Adapter, and what is ours:

- The paper: text by the language model's own embeddings; Z_cross = CrossAttention(H_text, H_av, H_av) + H_text (eq. 1);
  Z_self = SelfAttention(Z_cross) + Z_cross and global pooling (2); experts with bottlenecks 1:8 (Mish), 1:4 (GELU) and
  1:2 (Swish), w = GateNetwork(f), α = softmax(MLP([f ; w])), f' = Σ α_k E_k(f) + β f (3); pseudo tokens
  Repeat(Linear(f'), n); input [E_prefix ; pseudo ; E_suffix ; P_task]; LoRA; class names or indices, or a number with
  one decimal, learned as text.
- MSE-Adapter: LSTM over frames (64 for voice, 32 for face) and a linear layer to d_h = 256; n = 4; AdamW, 5e-5, batch
  8, cosine with 10 % warm-up.
- Ours: one linear layer and a softmax as GateNetwork, an MLP with one hidden layer of d/2 behind it; global pooling is
  the mean over the utterance's own words; β_i = 1 + Linear(f_i); words and pseudo tokens are measured in the language
  model's mean embedding; dropout; frames are standardised with training-set statistics. An absent voice or face is a
  masked key, absent words are one learned query. All wordings of prompts (``nn/prompting.py``).
- Also ours: answers cannot be malformed. All labels are scored in one forward pass, as paths of a tree behind the
  prompt (``nn/label_scoring.py``); ``logits`` are log p of a label's tokens and of the end marker. A score is the
  expected value over the numbers of one decimal within the range. ``scoring: constrained`` counts each token among
  those that may follow. Learned is the language model's loss on the true answer's tokens, as in the paper, or
  cross-entropy over all answers (``loss: answers``).
- Also ours: ``prompt_words`` puts the utterance's words, with those of previous turns where the recipe's encoder reads
  them along, into P_task; the equation above has the pseudo tokens alone. Learnable bottlenecks, gates, single experts.

Utterances are treated singly, as in the paper: the N real ones of a batch laid end to end (``nn/packing.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodline.core.batch import Batch, Output
from moodline.core.errors import ConfigError
from moodline.core.settings import Settings
from moodline.nn import pooling
from moodline.nn.bottleneck import ACTIVATIONS, Bottleneck, Gating, HierarchicalGate, LearnableBottleneck
from moodline.nn.goals import goal_of
from moodline.nn.inputs import hide_modalities
from moodline.nn.label_scoring import LabelScorer
from moodline.nn.language_model import LanguageModel, LoraConfig
from moodline.nn.model import ConversationModel
from moodline.nn.packing import PackedUtterances
from moodline.nn.prompting import WORDINGS, make_prompt
from moodline.nn.sequences import FrameEncoder, SequenceAttention
from moodline.nn.statistics import TrainingStatistics
from moodline.nn.value_range import value_range_problems

EXPERTS = {"fine": (8.0, "mish"), "semantic": (4.0, "gelu"), "global": (2.0, "silu")}
"""The paper's experts: fine-grained local, semantic correlation, global context; bottleneck and activation."""


@dataclass(frozen=True)
class EgmfConfig(Settings):
    """Sizes, switches and the language model of EGMF."""

    dims: dict[str, int]
    """Feature size D of each modality; set from the data."""
    classes: int
    """Number of classes C; set from the label set; 1 with ``value_range``."""
    backbone: str
    """The causal language model: a hub's id, a folder of transformers, or gemma3-270m once it was converted."""
    value_range: tuple[float, float] | None = None
    """The range (low, high) of the values to learn in place of classes; set from the corpus for a regression."""
    labels: tuple[str, ...] = ()
    """The classes' names; set from the label set. Without them their numbers are spoken."""
    spoken: dict[str, str] = field(default_factory=dict)
    """Label to the word that is said for it, where that is not its name."""
    lora: LoraConfig = field(default_factory=LoraConfig)
    """What is learned of the language model; rank 0 for nothing."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the language model's frozen weights."""
    load_bits: Literal[0, 4, 8] = 0
    """Quantise these weights; needs bitsandbytes."""
    gradient_checkpointing: bool = False
    """Compute the language model's activations again in the backward pass instead of keeping them."""
    wording: str = "en"
    """The prompt's language and length: en, en-short, zh, zh-short."""
    chat: bool | None = None
    """Whether the tokenizer's chat template goes around the prompt; null: where it has one."""
    prompt_words: bool = False
    """Whether the words stand in the prompt too, not in the pseudo tokens alone (ours)."""
    pseudo_tokens: int = 4
    """n, how often the fused vector is repeated."""
    hidden: int = 256
    """Width d_h of the fusion; a multiple of ``heads``."""
    heads: int = 8
    """Heads of cross- and self-attention."""
    frame_hidden: dict[str, int] = field(default_factory=lambda: {"speech": 64, "visual": 32})
    """Hidden size of the LSTM over frames, by modality."""
    experts: tuple[str, ...] = tuple(EXPERTS)
    """Which experts there are: fine, semantic, global; () leaves experts and gate out."""
    ratios: dict[str, float] = field(default_factory=dict)
    """Expert to d_h : bottleneck, where it is not the paper's."""
    activations: dict[str, str] = field(default_factory=dict)
    """Expert to activation, where it is not the paper's: mish, gelu, silu, relu."""
    learn_experts: bool = False
    """Learn bottlenecks and activations, beginning at those (ours)."""
    gate: Gating = "hierarchical"
    """hierarchical (the paper's), feature (w alone), uniform."""
    residual: Literal["sample", "scalar", "none"] = "sample"
    """β of f' = Σ α_k E_k(f) + β f: learned from each utterance's f, one number, or left out."""
    loss: Literal["language", "answers"] = "language"
    """The language model's loss on the true answer's tokens (the paper's), or cross-entropy over all answers (ours)."""
    scoring: Literal["all", "constrained"] = "all"
    """Whether a token's probability is among all tokens, or among those that may follow."""
    dropout: float = 0.1
    """In frame encoders, attention and experts."""
    modality_dropout: float = 0.0
    """Share of present (utterance, modality) pairs hidden in training, never the last one of an utterance."""

    def __post_init__(self) -> None:
        problems = [
            f"{name} must be at least {least}, got {getattr(self, name)}"
            for name, least in (("classes", 1), ("pseudo_tokens", 1), ("hidden", 2), ("heads", 1))
            if getattr(self, name) < least
        ]
        if not self.dims or any(size < 1 for size in self.dims.values()):
            problems.append(f"dims must name at least one modality with a positive size, got {self.dims}")
        if self.heads >= 1 and self.hidden % self.heads:
            problems.append(f"hidden must be a multiple of heads, {self.heads}, got {self.hidden}")
        if self.labels and len(self.labels) != self.classes:
            problems.append(f"labels must name the {self.classes} classes, got {len(self.labels)}")
        if self.labels and set(self.spoken) - set(self.labels):
            problems.append(
                f"spoken must be of the labels, got {', '.join(sorted(set(self.spoken) - set(self.labels)))}"
            )
        if self.wording not in WORDINGS:
            problems.append(f"wording must be one of {', '.join(WORDINGS)}, got {self.wording}")
        named = {*self.experts, *self.ratios, *self.activations}
        if named - set(EXPERTS) or len(set(self.experts)) < len(self.experts):
            problems.append(f"experts must be some of {', '.join(EXPERTS)}, got {', '.join(self.experts)}")
        if any(not ratio >= 1 for ratio in self.ratios.values()):
            problems.append(f"ratios must be at least 1, got {self.ratios}")
        if set(self.activations.values()) - set(ACTIVATIONS):
            problems.append(f"activations must be some of {', '.join(ACTIVATIONS)}, got {self.activations}")
        lacking = set(self.dims) - {"text"} - set(self.frame_hidden)
        if lacking or any(size < 1 for size in self.frame_hidden.values()):
            problems.append(f"frame_hidden must give a positive size for each of {', '.join(self.dims)}")
        for name in ("dropout", "modality_dropout"):
            if not 0 <= getattr(self, name) < 1:
                problems.append(f"{name} must be in [0, 1), got {getattr(self, name)}")
        problems += value_range_problems(self.classes, self.value_range)
        if problems:
            raise ConfigError("egmf: " + "; ".join(problems))


class TextCentredFusion(nn.Module):
    """Eq. 1–2: words look at voice and face, then at each other; their mean is what was understood."""

    def __init__(self, cross: nn.Module, within: nn.Module) -> None:
        super().__init__()
        self.cross, self.within = cross, within

    def forward(self, words: Tensor, own: Tensor, clues: Tensor, present: Tensor) -> Tensor:
        """Fuse.

        Args:
            words: H_text [N, T, d].
            own: bool [N, T], the real words; at least one each.
            clues: H_av [N, M, d].
            present: bool [N, M], which of them there are.

        Returns:
            f [N, d].
        """
        z = self.cross(words, clues, present) + words
        z = self.within(z, z, own) + z
        return pooling.mean(z, own)


class ExpertGuidance(nn.Module):
    """Eq. 3: f' = Σ_k α_k E_k(f) + β f.

    Args:
        experts: name to block [N, d] → [N, d].
        gate: [N, d] → α [N, K].
        width: d.
        residual: what β is.
    """

    def __init__(self, experts: dict[str, nn.Module], gate: nn.Module, width: int, residual: str) -> None:
        super().__init__()
        self.experts, self.gate, self.residual = nn.ModuleDict(experts), gate, residual
        if residual == "sample":
            linear = nn.Linear(width, 1)
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)
            self.beta: nn.Linear | nn.Parameter = linear
        elif residual == "scalar":
            self.beta = nn.Parameter(torch.zeros(1))

    def forward(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """f [N, d] → f' [N, d] and α [N, K]."""
        alpha = self.gate(f)
        said = torch.stack([expert(f) for expert in self.experts.values()], dim=1)
        enhanced = torch.einsum("nk,nkd->nd", alpha, said)
        if self.residual == "none":
            return enhanced, alpha
        beta = self.beta(f) if isinstance(self.beta, nn.Linear) else self.beta
        return enhanced + (1 + beta) * f, alpha


class Egmf(ConversationModel):
    """Fusion, experts and language model. See the module's docstring and ``EgmfConfig``."""

    Config = EgmfConfig
    description = "EGMF: voice, face and words as pseudo tokens of a language model with LoRA (arXiv 2601.07565)."
    reads: ClassVar[dict[str, str]] = {"speech": "frames", "text": "tokens", "visual": "frames"}

    def __init__(self, config: EgmfConfig) -> None:
        super().__init__(config)
        c = config
        d = c.hidden
        self.modalities = tuple(c.dims)
        self.clues = tuple(m for m in c.dims if m != "text")
        self.goal = goal_of(c.value_range, 0.0, "l1")
        self.numbers = self.goal.numbers
        language = LanguageModel.load(c.backbone, c.dtype, c.lora, c.gradient_checkpointing, c.load_bits)
        names = c.labels or tuple(str(n) for n in range(c.classes))
        answers = [f"{x:.1f}" for x in self.numbers] or [c.spoken.get(name, name) for name in names]
        prompt = make_prompt(language.tokenizer, WORDINGS[c.wording], answers, c.value_range, c.chat)
        self.answerer = LabelScorer(language, prompt, c.scoring == "constrained")
        self.frames = nn.ModuleDict({m: FrameEncoder(c.dims[m], c.frame_hidden[m], d, c.dropout) for m in self.clues})
        if "text" in c.dims:
            self.words = nn.Linear(language.width, d)
        self.no_words = nn.Parameter(0.02 * torch.randn(d))
        self.fusion = TextCentredFusion(*(SequenceAttention(d, c.heads, c.dropout) for _ in range(2)))
        kind = LearnableBottleneck if c.learn_experts else Bottleneck
        experts: dict[str, nn.Module] = {
            name: kind(d, c.ratios.get(name, EXPERTS[name][0]), c.activations.get(name, EXPERTS[name][1]), c.dropout)
            for name in c.experts
        }
        if experts:
            self.guidance = ExpertGuidance(experts, HierarchicalGate(d, len(experts), c.gate), d, c.residual)
        self.speak = nn.Linear(d, language.width)

    @property
    def base(self) -> dict[str, str]:
        """The language model that this model is an addition to; a checkpoint has to find the same again."""
        return {"id": self.answerer.language.id, "revision": self.answerer.language.revision}

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Set the standardisation of frames from training batches; called once, before training."""
        found = {m: TrainingStatistics(self.config.dims[m]) for m in self.clues}
        for batch in batches:
            for m, statistics in found.items():
                statistics.add(batch.frames[m][batch.frames_valid[m]])
        for m, statistics in found.items():
            encoder = self.frames[m]
            assert isinstance(encoder, FrameEncoder)
            statistics.store(encoder)

    def forward(self, batch: Batch) -> Output:
        """Scores of all answers; in training with the language model's loss, of the true ones alone.

        Args:
            batch: frames, tokens and masks of this model's modalities.

        Returns:
            ``Output`` with one expert ``model``, the whole. ``logits`` are log p of each label; with scores, the
            expected value. They are 0 where only the true answers are scored. In ``extras``: ``alpha`` [B, U, K] by
            the experts in ``config.experts``, ``guides`` the same by name; ``answers`` [B, U, A], log p of every label
            or number; ``best`` [B, U], with scores, the likeliest number; or ``true`` [B, U], log p of the true answer
            for each of its tokens.
        """
        rows = PackedUtterances(batch.valid)
        masks = {m: batch.present[m] & batch.valid for m in self.modalities}
        masks = hide_modalities(masks, self.config.modality_dropout) if self.training else masks
        present = {m: rows.pack(mask) for m, mask in masks.items()}
        f = self._fuse(batch, rows, present)
        extras: dict[str, Any] = {}
        if self.config.experts:
            f, alpha = self.guidance(f)
            extras["alpha"] = rows.pad(alpha)
            extras["guides"] = {e: rows.pad(alpha[:, k]) for k, e in enumerate(self.config.experts)}
        pseudo = self.answerer.language.scale * self.speak(f)
        pseudo = pseudo[:, None].expand(-1, self.config.pseudo_tokens, -1)  # Repeat
        words = self._words(batch, rows, present)
        if self.training and self.config.loss == "language":
            return self._true_only(batch, rows, pseudo, words, extras)
        answers = self.answerer(pseudo, words)
        extras["answers"] = rows.pad(answers)
        logits = answers
        if self.numbers:
            numbers = answers.new_tensor(self.numbers)
            logits = answers.softmax(-1) @ numbers[:, None]
            extras["best"] = rows.pad(numbers[answers.argmax(-1)])
        padded = rows.pad(logits)
        return Output(padded, {"model": padded}, batch.valid[..., None].to(padded), extras)

    def loss(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """A mean over real utterances with a label or a score.

        Returns:
            ``total``; and ``language``, −log p of the true answer's tokens, or ``answers``, the cross-entropy.
        """
        real, chosen = self._truth(batch)
        extras = output.extras
        if not len(chosen):
            return {"total": 0.0 * (extras["true"] if "true" in extras else extras["answers"]).sum()}
        if self.config.loss == "answers":
            answers = extras["answers"][real]
            term = F.cross_entropy(answers, chosen)
            return {"total": term, "answers": term.detach()}
        if "true" in extras:
            term = -extras["true"][real].mean()
        else:
            told = extras["answers"][real].gather(1, chosen[:, None]).squeeze(1)
            term = -(told / self._lengths(chosen)).mean()
        return {"total": term, "language": term.detach()}

    def _true_only(
        self,
        batch: Batch,
        rows: PackedUtterances,
        pseudo: Tensor,
        words: Sequence[Sequence[int]],
        extras: dict[str, Any],
    ) -> Output:
        real, chosen = self._truth(batch)
        which = rows.pack(real).nonzero().squeeze(1)
        told = pseudo.new_zeros(len(pseudo)) + 0.0 * pseudo.sum()
        if len(which):
            scores = self.answerer.log_probability_of(pseudo[which], [words[n] for n in which.tolist()], chosen)
            told = told.index_copy(0, which, scores / self._lengths(chosen))
        empty = rows.pad(pseudo.new_zeros(len(pseudo), self.config.classes))
        return Output(empty, {"model": empty}, batch.valid[..., None].to(empty), extras | {"true": rows.pad(told)})

    def _truth(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Where there is a true answer [B, U], and the numbers of the answers there, int64 [N]."""
        real, y = self.goal.truth(batch)
        return real, self.goal.answer_index(y)

    def _lengths(self, chosen: Tensor) -> Tensor:
        return self.answerer.tree.lengths.to(chosen.device)[chosen]

    def _fuse(self, batch: Batch, rows: PackedUtterances, present: dict[str, Tensor]) -> Tensor:
        """Eq. 1–2, f [N, d]."""
        n, d = len(rows.index), self.config.hidden
        if "text" in self.modalities:
            assert batch.tokens is not None
            assert batch.tokens_own is not None
            language = self.answerer.language
            own = rows.pack(batch.tokens_own) & present["text"][:, None]
            words = self.words(language.embed(rows.pack(batch.tokens)).float() / language.scale)
        else:
            own, words = batch.valid.new_zeros(n, 1), self.no_words.new_zeros(n, 1, d)
        none = ~own.any(1, keepdim=True)
        first = torch.arange(own.shape[1], device=own.device) == 0
        words = torch.where((none & first)[..., None], self.no_words, words)
        clues = [self._clue(m, batch, rows, present[m]) for m in self.clues]
        if not clues:  # words alone: there is one key, and nobody may look at it
            return self.fusion(words, own | (none & first), words[:, :1], torch.zeros_like(none))
        there = torch.stack([present[m] for m in self.clues], dim=1)
        return self.fusion(words, own | (none & first), torch.stack(clues, dim=1), there)

    def _clue(self, modality: str, batch: Batch, rows: PackedUtterances, present: Tensor) -> Tensor:
        """The vector of each utterance that has a modality, [N, d]; zero elsewhere, where it is masked."""
        which = present.nonzero().squeeze(1)
        out = self.no_words.new_zeros(len(present), self.config.hidden)
        if not len(which):
            return out
        frames = rows.pack(batch.frames[modality])[which]
        lengths = rows.pack(batch.frames_valid[modality])[which].sum(1)
        return out.index_copy(0, which, self.frames[modality](frames, lengths).to(out.dtype))

    def _words(self, batch: Batch, rows: PackedUtterances, present: dict[str, Tensor]) -> list[list[int]]:
        """What of the words stands in the prompt: tokens of context and utterance, of each of the N."""
        if not self.config.prompt_words or "text" not in self.modalities:
            return [[] for _ in rows.index]
        assert batch.tokens is not None
        assert batch.tokens_valid is not None
        tokens, lengths = rows.pack(batch.tokens).tolist(), rows.pack(batch.tokens_valid).sum(1)
        kept = (lengths * present["text"]).tolist()
        return [row[:length] for row, length in zip(tokens, kept, strict=True)]
