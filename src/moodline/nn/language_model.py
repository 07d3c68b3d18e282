"""A causal language model of transformers as a part of a model: frozen, with or without LoRA, read through masks.

The weights of the base are no part of the state of whoever holds it: ``state_dict`` has LoRA's matrices alone.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodline.core.errors import ConfigError, MissingDependencyError
from moodline.core.settings import Settings
from moodline.nn.lora import inject_lora
from moodline.nn.pretrained import ModelFiles, few_bits, from_pretrained, keep_every_layer, model_files, model_source

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
POSITIONS_AT_ONCE = 64
"""Places whose logits over the whole vocabulary are in memory together, outside of training."""


@dataclass(frozen=True)
class LoraConfig(Settings):
    """Low-rank adaptation of the language model."""

    rank: int = 8
    """r; 0 leaves the language model as it is."""
    alpha: float = 16.0
    """α; the update counts α / r."""
    dropout: float = 0.05
    """Before A."""
    targets: tuple[str, ...] = ()
    """Last names of the linear layers; () for the query and value projections."""
    layers: tuple[int, ...] = ()
    """Numbers of the blocks that get it; () for all."""

    def __post_init__(self) -> None:
        if self.rank < 0 or not self.alpha > 0 or not 0 <= self.dropout < 1:
            raise ConfigError(
                "lora: expected rank at least 0, alpha above 0, dropout in [0, 1)",
                f"{self.rank}, {self.alpha}, {self.dropout}",
            )


class LanguageModel(nn.Module):
    """The network and its tokenizer. Make one with ``LanguageModel.load``.

    Attributes:
        id, revision: what was loaded.
        width: H, the size of an embedding.
        places: the longest input; None where nothing limits it.
        scale: root mean square of the input embeddings: how large a vector must be to pass for a word.
    """

    def __init__(self, network: Any, tokenizer: Any, name: str, revision: str) -> None:
        super().__init__()
        self.network, self.tokenizer, self.id, self.revision = network, tokenizer, name, revision
        config: Any = network.config.get_text_config()
        config.use_cache = False
        self.width = int(config.hidden_size)
        self.places: int | None = getattr(config, "max_position_embeddings", None)
        self.window: int | None = getattr(config, "sliding_window", None)
        kinds = set(getattr(config, "layer_types", None) or ())
        self.kinds = tuple(sorted(kinds)) if "sliding_attention" in kinds else ()
        self.cap: float | None = getattr(config, "final_logit_softcapping", None)
        self.factor = float(getattr(config, "logit_scale", None) or 1.0) / float(
            getattr(config, "logits_scaling", None) or 1.0
        )
        network.requires_grad_(False)
        keep_every_layer(network)
        self.scale = 1.0 if network.device.type == "meta" else self._embedding_scale()
        self.register_state_dict_post_hook(_leave_base_out)
        self.register_load_state_dict_post_hook(_miss_no_base)

    @classmethod
    def load(
        cls,
        name: str,
        dtype: str = "float32",
        lora: LoraConfig | None = None,
        checkpointing: bool = False,
        load_bits: Literal[0, 4, 8] = 0,
    ) -> LanguageModel:
        """Load a causal language model, and look whether it is one and can be read through masks.

        Args:
            name: the id of a hub, a folder, or a converted model (``hub.CONVERTED``).
            dtype: of its weights.
            lora: what is learned of it; None or rank 0 for nothing.
            checkpointing: compute activations again in the backward pass instead of keeping them.
            load_bits: 4 or 8 quantises the frozen weights; needs bitsandbytes.

        Raises:
            CheckpointError: not found, or transformers has no causal language model of this kind.
            ConfigError: it is not causal, or its attention cannot be masked; LoRA's targets do not exist.
            MissingDependencyError: quantised loading without bitsandbytes.
        """
        empty = torch.get_default_device().type == "meta"  # sizes only, for a checkpoint's check
        needs = ("AutoConfig" if empty else "AutoModelForCausalLM", "AutoTokenizer")
        files = model_files(model_source(name), f"backbone {name}", needs)
        tokenizer = from_pretrained("AutoTokenizer", files, f"backbone {name}")
        if empty:
            network = _empty(files, name)
            revision = ""
        else:
            options: dict[str, Any] = {"dtype": DTYPES[dtype], **_quantized(load_bits, DTYPES[dtype])}
            network = from_pretrained("AutoModelForCausalLM", files, f"backbone {name}", **options)
            revision = files.revision
        model = cls(network, tokenizer, name, revision)
        if network.device.type != "meta":
            model.probe()
        if lora is not None and lora.rank:
            model.inject(lora)
        if checkpointing:
            how = {"use_reentrant": False}
            if hasattr(network, "activation_checkpointing_enable"):  # newer versions of transformers
                network.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
            else:
                network.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
        return model

    def inject(self, lora: LoraConfig) -> None:
        """Put LoRA into the network, by peft; its matrices are float32."""
        try:
            inject_lora(self.network, lora.rank, lora.alpha, lora.dropout, lora.targets or None, lora.layers or None)
        except ConfigError as error:
            raise ConfigError(f"backbone {self.id}: {error}") from None

    # -- reading ------------------------------------------------------------------------------------------------

    def embed(self, ids: Tensor) -> Tensor:
        """Tokens of any shape → their input embeddings [..., H], as the network scales them; no gradient."""
        with torch.no_grad():
            return self.network.get_input_embeddings()(ids)

    def hidden(self, embeddings: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        """The last layer's states.

        Args:
            embeddings: [N, S, H].
            mask: bool [N, S, S], True where the row may look at the column; no row is empty.
            positions: int64 [N, S].

        Returns:
            [N, S, H].
        """
        limit = torch.finfo(embeddings.dtype).min

        def additive(seen: Tensor) -> Tensor:
            return torch.where(seen, 0.0, limit).to(embeddings.dtype)[:, None]

        masks: Any = additive(mask)
        if self.window and int(positions.max()) >= self.window:
            near = positions[:, :, None] - positions[:, None, :] < self.window
            if self.kinds:
                masks = {k: additive(mask & near) if k == "sliding_attention" else masks for k in self.kinds}
            else:
                masks = additive(mask & near)
        elif self.kinds:
            masks = dict.fromkeys(self.kinds, masks)
        body = self.network.base_model
        found = body(inputs_embeds=embeddings, attention_mask=masks, position_ids=positions, use_cache=False)
        return found.last_hidden_state

    def logits(self, states: Tensor, tokens: Tensor | None = None) -> Tensor:
        """States [..., H] → logits of all V tokens, or of those that are asked for [K]; float32."""
        head: Any = self.network.get_output_embeddings()
        if tokens is None:
            z = head(states)
        elif type(head) is nn.Linear:
            z = F.linear(states, head.weight[tokens], None if head.bias is None else head.bias[tokens])
        else:
            z = head(states)[..., tokens]
        z = z.float() * self.factor
        return z if self.cap is None else self.cap * torch.tanh(z / self.cap)

    def normalizer(self, states: Tensor) -> Tensor:
        """log Σ exp over the vocabulary, [..., H] → [...]; outside of training a few places at a time."""
        flat = states.flatten(0, -2)
        parts = flat.split(POSITIONS_AT_ONCE) if not torch.is_grad_enabled() else (flat,)
        return torch.cat([self.logits(part).logsumexp(-1) for part in parts]).view(states.shape[:-1])

    # -- what it must be ----------------------------------------------------------------------------------------

    @torch.no_grad()
    def probe(self) -> None:
        """Compare the network's own answers to two short inputs with those through masks, laid side by side.

        Raises:
            ConfigError: an earlier answer depends on a later token, or masks, positions or logits mean something else.
        """
        was_training = self.network.training
        self.network.eval()
        device = self.network.device
        thresholds = _no_outliers(self.network)
        a, b, c, d = (torch.arange(4) * 7 + 11).tolist()  # any tokens will do
        try:
            own = [
                self.network(input_ids=torch.tensor([ids], device=device)).logits[0] for ids in ([a, b, c], [a, b, d])
            ]
            seen = torch.ones(4, 4, dtype=torch.bool).tril()
            seen[3, 2] = False
            states = self.hidden(
                self.embed(torch.tensor([[a, b, c, d]], device=device)),
                seen[None].to(device),
                torch.tensor([[0, 1, 2, 2]], device=device),
            )
            found = self.logits(states)[0]
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ConfigError(
                f"backbone {self.id}: expected a causal language model that takes attention masks and positions",
                f"{type(self.network).__name__}: {str(error).splitlines()[0][:80] if str(error) else ''}",
            ) from None
        finally:
            self.network.train(was_training)
            for layer, threshold in thresholds:
                layer.state.threshold = threshold
        largest = max(float(own[0].float().abs().max()), 1e-3)
        margin = 1e-3 if own[0].dtype == torch.float32 else 0.05
        rounding = 0.3 if thresholds else margin  # activations of eight bits: errors grow from block to block

        def differ(x: Tensor, y: Tensor, share: float) -> bool:
            return bool((x.float() - y.float()).abs().max() > share * largest)

        if differ(own[0][:2], own[1][:2], margin / 10):
            raise ConfigError(
                f"backbone {self.id}: expected a causal language model",
                f"{type(self.network).__name__}, which looks at what comes later",
                "Use a decoder such as LLaMA, Qwen, Gemma or GLM.",
            )
        if differ(found[:3], own[0], rounding) or differ(found[3], own[1][2], rounding):
            raise ConfigError(
                f"backbone {self.id}: its attention masks, positions or logits are not those of a plain decoder",
                type(self.network).__name__,
                "Use a decoder such as LLaMA, Qwen, Gemma or GLM.",
            )

    def _embedding_scale(self) -> float:
        table: Any = self.network.get_input_embeddings()
        some = torch.arange(min(1024, table.num_embeddings), device=self.network.device)
        return float(self.embed(some).float().square().mean().sqrt())


def _empty(files: ModelFiles, name: str) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_config(from_pretrained("AutoConfig", files, f"backbone {name}"))


def _quantized(bits: int, dtype: torch.dtype) -> dict[str, Any]:
    if not bits:
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingDependencyError("bitsandbytes", "quantize", f"{bits}-bit loading")
    return {"quantization_config": few_bits(bits, dtype)}


def _no_outliers(network: Any) -> list[tuple[Any, float]]:
    """Weights of eight bits: no outliers apart, which LLM.int8 looks for in all tokens of a call together, so that each
    token's answer would depend on all; the layers and their thresholds, to put back."""
    layers = [m for m in network.modules() if hasattr(getattr(m, "state", None), "threshold")]
    before = [(layer, layer.state.threshold) for layer in layers]
    for layer in layers:
        layer.state.threshold = 0.0
    return before


def _is_base(key: str, prefix: str) -> bool:
    return key.startswith(f"{prefix}network.") and ".lora_" not in key


def _leave_base_out(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    for key in [k for k in state if _is_base(k, prefix)]:
        del state[key]


def _miss_no_base(module: nn.Module, keys: Any) -> None:
    """The base is there already, from its own files."""
    keys.missing_keys[:] = [k for k in keys.missing_keys if ".lora_" in k or "network." not in k]
