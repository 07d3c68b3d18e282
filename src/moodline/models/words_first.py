"""Words first: the words decide, and a voice counts as far as it shows something that its training set showed too.

The packaged model for recordings. Nothing of it is from a paper: it answers the question where a trained gate failed,
namely voices unlike those of the training set. It is Bayes' rule with a voice that usually shows nothing. A voice is
expressive with probability π, else flat whatever its speaker feels. With the words' probabilities p(e):

    p(e | words, voice) ∝ p(e) · [1 + π · max(0, r(e) − 1)]        r(e) = p(voice | e, expressive) / p(voice | flat)

r comes from a linear classifier of the voice whose class "neutral" stands for flat voices (neutral and calm actors, and
synthetic voices that speak emotional words): log r(e) = z(e) − z(neutral), where z are logits less the logarithm of the
classes' shares in training. The maximum says that a flat voice is no evidence against an emotion. A voice far from all
training voices is no evidence either: log r is multiplied by exp(−slope · (distance − reach)) beyond ``reach``.

Without a voice this is p(e) exactly, so a mixture of flat, far or missing voices is as good as its words. The gate
weight of the voice is the share of the posterior that it added. Without words the voice alone answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moodline.core.batch import Batch, Output
from moodline.core.errors import ConfigError
from moodline.core.settings import Settings
from moodline.models.linear import Linear, LinearConfig
from moodline.models.mister_e import MisterE, MisterEConfig
from moodline.nn.goals import goal_of
from moodline.nn.model import ConversationModel

WORDS: dict[str, Any] = {"linear": (Linear, LinearConfig), "mister-e": (MisterE, MisterEConfig)}
"""The models that may read the words."""


@dataclass(frozen=True)
class WordsFirstConfig(Settings):
    """Settings of the model."""

    dims: dict[str, int]
    """Feature size of each modality, text and speech; set from the data."""
    classes: int
    """Number of classes C; set from the label set."""
    words: dict[str, Any] = field(default_factory=lambda: {"name": "linear"})
    """The model of the words: its ``name`` (linear, mister-e) and settings."""
    components: int = 64
    """R, the number of principal components that the voice's features are projected to."""
    neutral: int = 0
    """The class that a flat voice shows."""
    expressive: float = 0.2
    """π, the prior probability that a voice shows what its speaker feels."""
    reach: float = 1.5
    """The distance up to which a voice counts as like those of the training set; 1 is the mean distance there."""
    slope: float = 4.0
    """How fast log r goes to 0 beyond ``reach``."""
    most: float = 6.0
    """log r stays between −most and most."""

    def __post_init__(self) -> None:
        problems = []
        if set(self.dims) != {"speech", "text"} or any(d < 1 for d in self.dims.values()):
            problems.append(f"dims must be positive sizes of speech and text, got {self.dims}")
        if self.words.get("name") not in WORDS:
            problems.append(f"words.name must be one of {', '.join(WORDS)}, got {self.words.get('name')}")
        if not 0 < self.expressive < 1:
            problems.append(f"expressive must lie between 0 and 1, got {self.expressive}")
        if self.components < 1 or not 0 <= self.neutral < max(1, self.classes):
            problems.append(f"components must be positive, neutral a class; got {self.components}, {self.neutral}")
        if self.reach <= 0 or self.slope < 0 or self.most <= 0:
            problems.append("reach and most must be positive, slope not negative")
        if problems:
            raise ConfigError("voice-evidence: " + "; ".join(problems))


class WordsFirst(ConversationModel):
    """See the module, and ``WordsFirstConfig``."""

    Config = WordsFirstConfig
    description = "Words first: the words decide, a voice counts as far as it is like those it was trained on."
    mean: Tensor
    projection: Tensor
    temperatures: Tensor

    def __init__(self, config: WordsFirstConfig) -> None:
        super().__init__(config)
        self.goal = goal_of(None, 0.0, "l1")
        kind, settings = WORDS[config.words["name"]]
        rest = {k: v for k, v in config.words.items() if k != "name"}
        self.words = kind(settings(dims={"text": config.dims["text"]}, classes=config.classes, **rest))
        self.voice = nn.Linear(config.components, config.classes)
        self.register_buffer("mean", torch.zeros(config.dims["speech"]))
        self.register_buffer("projection", torch.zeros(config.dims["speech"], config.components))
        self.register_buffer("temperatures", torch.ones(2))
        """By which the logits of the words and of the voice are divided, from dev."""

    def fit_statistics(self, batches: Iterable[Batch]) -> None:
        """Set the input statistics of the words, and the voice's principal components, scaled to variance 1.

        Args:
            batches: of the training set.
        """
        batches = list(batches)
        self.words.fit_statistics([_words_of(b) for b in batches])
        x = torch.cat([b.features["speech"][b.present["speech"]] for b in batches]).double()
        if len(x) < 2:
            return
        mean = x.mean(0)
        _, spread, directions = torch.linalg.svd(x - mean, full_matrices=False)
        kept = min(self.config.components, int((spread > 1e-9 * spread[0]).sum()))
        scale = spread[:kept] / math.sqrt(len(x) - 1)
        largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
        directions = directions * largest.sign()  # the sign of a singular vector depends on the processor
        self.projection.zero_()
        self.projection[:, :kept] = (directions[:kept].T / scale.clamp_min(1e-12)).to(self.projection)
        self.mean.copy_(mean)

    def project(self, voice: Tensor) -> tuple[Tensor, Tensor]:
        """The voice's coordinates and how far it lies from the training set.

        Args:
            voice: features [..., D].

        Returns:
            Coordinates [..., R]; distance [...], the root mean square of the coordinates: about 1 for voices like
            those of the training set.
        """
        x = (voice - self.mean) @ self.projection
        return x, x.square().mean(-1).sqrt()

    def evidence(self, voice: Tensor) -> Tensor:
        """log r(e) of every class, 0 for the neutral one.

        Args:
            voice: features [..., D].

        Returns:
            [..., C].
        """
        c = self.config
        x, distance = self.project(voice)
        z = self.voice(x) / self.temperatures[1]
        ratio = z - z[..., c.neutral, None]
        ratio = ratio * torch.exp(-c.slope * (distance - c.reach).clamp_min(0))[..., None]
        ratio = c.most * torch.tanh(ratio / c.most)
        return ratio.masked_fill(torch.arange(c.classes, device=ratio.device) == c.neutral, 0.0)

    def forward(self, batch: Batch) -> Output:
        """Posterior logits of every utterance.

        Args:
            batch: features and masks of text and speech.

        Returns:
            ``Output`` with logits [B, U, C]; the experts speech (log r) and text (log p(e)), equal logits where the
            modality is missing; weights [B, U, 2] in this order.
        """
        c = self.config
        speaks = (batch.present["speech"] & batch.valid)[..., None]  # [B, U, 1]
        writes = (batch.present["text"] & batch.valid)[..., None]
        words = self.words(_words_of(batch)).logits / self.temperatures[0]  # [B, U, C]
        words = torch.where(writes, F.log_softmax(words, -1), -math.log(c.classes))
        voice = torch.where(speaks, batch.features["speech"], self.mean)
        ratio = torch.where(speaks, self.evidence(voice), 0.0)
        added = c.expressive * (ratio.exp() - 1).clamp_min(0)  # [B, U, C]
        logits = torch.where(writes, words + added.log1p(), ratio)
        logits = torch.where(batch.valid[..., None], logits, 0.0)
        speech = (F.softmax(logits, -1) * added / (1 + added)).sum(-1, keepdim=True)  # [B, U, 1]
        speech = torch.where(writes, torch.where(speaks, speech, 0.0), speaks.to(logits))
        weights = torch.where(batch.valid[..., None], torch.cat([speech, 1 - speech], -1), 0.0)
        return Output(logits, {"speech": ratio, "text": words}, weights)

    def loss(self, batch: Batch, output: Output) -> dict[str, Tensor]:
        """Cross-entropy of the posterior over real, labelled utterances.

        Returns:
            ``total``, a scalar.
        """
        real, y = self.goal.truth(batch)
        return {"total": self.goal.loss(output.logits[real], y)}


def _words_of(batch: Batch) -> Batch:
    """The batch with the words alone."""
    return replace(batch, features={"text": batch.features["text"]}, present={"text": batch.present["text"]})
