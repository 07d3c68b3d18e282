"""What to encode with and how, as it stands in recipes and beside saved encoders. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from moodline.core.errors import ConfigError
from moodline.core.settings import Settings, parse

POOLINGS = ("mean", "cls", "last", "mean_std", "none")
HEAD_POOLINGS = ("attentive", "mean", "mean_std", "cls", "last")
COMBINES = ("average", "concat")
DTYPES = ("float32", "bfloat16", "float16")
QUANTIZE = ("none", "8bit", "4bit")
PADDINGS = ("right", "left")


@dataclass(frozen=True)
class EncoderSpec(Settings):
    """An encoder and its settings.

    Raises:
        ConfigError: a value that no encoder accepts; all of them in one message.
    """

    name: str = "minilm"
    """A name of ``ENCODERS``, ``hf-text:<id or folder>``, ``hf-speech:<id or folder>``, ``salmonn:<folder>`` or
    ``finetuned:<folder>``."""

    pooling: str = "mean"
    """From tokens or frames to one vector: mean, cls (the first), last, mean_std (doubles D); none keeps the frames.
    Attentive statistics have weights and so exist only inside a fine-tuned encoder."""

    layers: str | tuple[int, ...] | None = None
    """Which hidden states: "last", "all", or numbers (0 is the embedding layer, negative counts from the end).
    None is the encoder's own default: the last for text, all for Moonshine."""

    combine: str | None = None
    """Several layers become one by "average", or stay side by side by "concat". None: text averages, speech
    concatenates."""

    max_tokens: int = 128
    """Text: tokens of context and current turn together; the oldest context goes first, then the turn's own end."""

    context_turns: int = 0
    """Text: how many previous turns are read along."""

    window: int = 0
    """Text: most turns that are read in one go, each seeing the others, and pooled each over its own tokens; 0 reads
    turns one by one. As cheap as reading them one by one, and the whole conversation is context."""

    context_after: int = 0
    """Text: how many following turns are read along; needs ``window``."""

    context_speakers: bool = False
    """Text: whether "NAME: " stands before each turn."""

    speaker_letters: bool = False
    """Text: "A: ", "B: ", … in the order of appearance before each turn, instead of names."""

    pool_context: bool = False
    """Text: whether the context's tokens enter the pooling; they are always attended to."""

    max_seconds: float = 30.0
    """Speech: what comes after this is not heard (Whisper's own limit is 30). Faces: nor seen."""

    prompt: str | None = None
    """Speech-language models: what they are asked about the sound; None asks for the person's emotion, as the paper."""

    frames_per_second: float = 5.0
    """Faces: pictures looked at per second of video; never more than the file has."""

    face_share: float = 0.0
    """Faces: least share of an utterance's pictures that must have a face; below it the utterance lacks the modality,
    as it does in any case where there is none."""

    face_sides: tuple[str, ...] = ()
    """Faces: whose face is in which half of the picture, as "SPEAKER=left" or "SPEAKER=right"; the speaker's name, or
    CONVERSATION/SPEAKER, may have * and ?. The first that fits counts; where none does, every face may be theirs."""

    batch_size: int = 64
    """Inputs per forward pass, at most; never changes a result."""

    layer_norm: bool = False
    """Whether each hidden state is normalised (LayerNorm without weights) before pooling; the values of Moonshine's
    middle layers reach several hundred."""

    dtype: str = "float32"
    """Type of the weights; results are float32 in any case. bfloat16 for large language models on a GPU."""

    quantize: str = "none"
    """8bit (LLM.int8) or 4bit (NF4, doubly quantized, as QLoRA has it) for the weights that stay as they are; models
    of transformers, with bitsandbytes."""

    padding: str = "right"
    """Text: the side that shorter inputs are filled up on; never changes a result beyond rounding."""

    revision: str | None = None
    """Hub models: the branch, tag or commit to take; a saved encoder notes the commit it was trained on."""

    def __post_init__(self) -> None:
        problems = []
        if self.pooling not in POOLINGS:
            problems.append(f"pooling must be one of {', '.join(POOLINGS)} (found: {self.pooling})")
        layers = self.layers
        if isinstance(layers, str):
            if layers not in ("all", "last"):
                problems.append(f"layers must be all, last or a list of numbers (found: {layers})")
        elif layers is not None and not layers:
            problems.append("layers must not be an empty list")
        if self.combine is not None and self.combine not in COMBINES:
            problems.append(f"combine must be one of {', '.join(COMBINES)} (found: {self.combine})")
        if self.dtype not in DTYPES:
            problems.append(f"dtype must be one of {', '.join(DTYPES)} (found: {self.dtype})")
        if self.quantize not in QUANTIZE:
            problems.append(f"quantize must be one of {', '.join(QUANTIZE)} (found: {self.quantize})")
        if self.padding not in PADDINGS:
            problems.append(f"padding must be one of {', '.join(PADDINGS)} (found: {self.padding})")
        for name, least in (
            ("max_tokens", 4), ("context_turns", 0), ("context_after", 0), ("window", 0), ("batch_size", 1)
        ):  # fmt: skip
            if getattr(self, name) < least:
                problems.append(f"{name} must be at least {least} (found: {getattr(self, name)})")
        if self.context_after and not self.window:
            problems.append("context_after needs window, the number of turns to read in one go")
        if not self.max_seconds > 0:
            problems.append(f"max_seconds must be positive (found: {self.max_seconds})")
        if not 0 < self.frames_per_second <= 60:
            problems.append(f"frames_per_second must lie in (0, 60] (found: {self.frames_per_second})")
        if not 0 <= self.face_share <= 1:
            problems.append(f"face_share must lie in [0, 1] (found: {self.face_share})")
        wrong = [rule for rule in self.face_sides if not rule.endswith(("=left", "=right")) or rule.startswith("=")]
        if wrong:
            problems.append(f"face_sides must be SPEAKER=left or SPEAKER=right (found: {wrong[0]})")
        if problems:
            raise ConfigError(f"encoder {self.name}: {'; '.join(problems)}")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], where: str = "encoder") -> EncoderSpec:
        """Read a spec from a recipe.

        Args:
            data: field name to value; left-out fields keep their defaults.
            where: for error messages.

        Raises:
            ConfigError: unknown fields, wrong types or values.
        """
        return parse(cls, data, where)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; ``from_dict`` reads them back."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def check_together(encoder: EncoderSpec, finetune: FinetuneConfig) -> None:
    """Can an encoder that is held in this way learn in that way?

    Raises:
        ConfigError: no.
    """
    held = encoder.dtype if encoder.quantize == "none" else encoder.quantize
    if finetune.method == "full" and held != "float32":
        raise ConfigError(
            "fine-tuning: with method full the weights themselves learn, in steps that only float32 can hold",
            held,
            "Set encoder.dtype to float32 and encoder.quantize to none, or take method lora.",
        )
    if finetune.shard and encoder.quantize != "none":
        raise ConfigError("fine-tuning: shard and quantize exclude each other", encoder.quantize)


@dataclass(frozen=True)
class FinetuneConfig(Settings):
    """How an encoder is fine-tuned; the defaults are those of MiSTER-E's text encoder.

    Raises:
        ConfigError: impossible values; all of them in one message.
    """

    method: str = "lora"
    """lora: low-rank updates of some linear layers; full: every weight; frozen: only the classifier on top."""

    embedding_dim: int = 2048
    """E, the size of the utterance embedding."""

    pooling: str = "attentive"
    """attentive (statistics, with learned weights), mean, mean_std, cls or last."""

    layer_mix: bool = False
    """Mix the spec's layers with learned weights; otherwise they are averaged."""

    layer_concat: bool = False
    """Pool each of the spec's layers alone and put the results side by side, standardised and with dropout, before the
    first Linear, instead of mixing layers."""

    dropout: float = 0.5
    """Between ReLU and the last Linear."""

    gamma: float = 2.0
    """Focusing parameter of the focal loss; 0 is cross-entropy."""

    balance: float = 0.0
    """Classes weigh in the loss as their frequency to the power of minus this: 0 all alike, 1 fully balanced."""

    r_drop: float = 0.0
    """Weight of R-Drop (arXiv 2106.14448): every input is read twice in training, with other dropout, and the two
    answers are to agree. Twice the time; 0 reads once."""

    rank: int = 8
    """LoRA's r."""

    alpha: float = 32.0
    """LoRA's α; updates are scaled by α/r."""

    lora_dropout: float = 0.1
    """Before LoRA's first matrix."""

    targets: tuple[str, ...] | None = None
    """Last names of the linear layers that get LoRA, e.g. ("q_proj", "v_proj"). None: query and value projections."""

    head_rate: float = 1.0
    """Learning rate of the classifier, as a multiple of training's."""

    layer_decay: float = 1.0
    """Learning rate of each block, as a multiple of the block's above it; 1 treats all alike."""

    weight_decay: float = 0.01
    """Of matrices; never of biases, norms and embeddings."""

    freeze_blocks: int = 0
    """The lowest blocks that stay as they are, without dropout. What they give is then computed once for all epochs
    and seeds, and kept in the cache. Moonshine's convolutions are kept so wherever they do not learn."""

    freeze_embeddings: bool = False
    """With method full: leave token embeddings or the convolutions over samples as they are."""

    crop_seconds: float = 0.0
    """Speech: random crops of this length in training (5 in the paper); 0 takes whole clips."""

    gradient_checkpointing: bool = False
    """Keep only what goes into each block and compute the rest again on the way back: about a third more time, a
    fraction of the memory. Models of transformers only; never changes a result beyond rounding."""

    shard: bool = False
    """With several processes: share the weights that stay as they are out among them (FSDP), instead of holding all of
    them in each; never changes a result beyond rounding."""

    @property
    def stem_frozen(self) -> bool:
        """Whether what lies below the blocks stays as it is."""
        return self.method != "full" or self.freeze_embeddings or self.freeze_blocks > 0

    def __post_init__(self) -> None:
        problems = []
        if self.layer_concat and self.layer_mix:
            problems.append("layer_concat and layer_mix exclude each other")
        if self.method not in ("lora", "full", "frozen"):
            problems.append(f"method must be lora, full or frozen (found: {self.method})")
        if self.pooling not in HEAD_POOLINGS:
            problems.append(f"pooling must be one of {', '.join(HEAD_POOLINGS)} (found: {self.pooling})")
        for name in ("embedding_dim", "rank"):
            if getattr(self, name) < 1:
                problems.append(f"{name} must be at least 1 (found: {getattr(self, name)})")
        for name in ("dropout", "lora_dropout"):
            if not 0 <= getattr(self, name) < 1:
                problems.append(f"{name} must lie in [0, 1) (found: {getattr(self, name)})")
        for name in ("gamma", "balance", "r_drop", "weight_decay", "crop_seconds", "freeze_blocks"):
            if not getattr(self, name) >= 0:
                problems.append(f"{name} must not be negative (found: {getattr(self, name)})")
        for name in ("alpha", "head_rate", "layer_decay"):
            if not getattr(self, name) > 0:
                problems.append(f"{name} must be positive (found: {getattr(self, name)})")
        if problems:
            raise ConfigError(f"fine-tuning: {'; '.join(problems)}")
