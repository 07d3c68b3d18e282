"""Text encoders: the packaged MiniLM and MPNet through our own BERT, anything else through transformers."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moodline.core.errors import CheckpointError, ConfigError
from moodline.encoders.backbone import TORCH_TYPES, Backbone
from moodline.encoders.base import files_revision
from moodline.encoders.inputs import TextInput, TurnInput, Window
from moodline.encoders.quantized import loading_options, quiet
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.text.bert import Bert, BertConfig, mpnet_state
from moodline.encoders.text.layer_resume import can_resume, resumable_blocks, skip_layers
from moodline.encoders.text.tokens import TextTokens
from moodline.encoders.text.windows import WindowTokens, turns_apart
from moodline.encoders.weights import encoder_files, from_pretrained, keep_every_layer

# Padded tokens of one forward pass: 64 inputs of 128 tokens.
BUDGET = 8192
# These count positions from the padding token's number on, so that the first is the number after it.
_PAD_FIRST = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer")


class TextBackbone(Backbone):
    """A text network with its tokenizer.

    Args:
        name: the name it was loaded by.
        revision: see ``Backbone``.
        spec: settings, all filled in.
        network: ``Bert``, or a model of transformers.
        tokens: the tokenizer.
        sizes: (H, depth).
    """

    modality = "text"
    budget = BUDGET

    def __init__(
        self,
        name: str,
        revision: str,
        spec: EncoderSpec,
        network: nn.Module,
        tokens: TextTokens,
        sizes: tuple[int, int],
    ) -> None:
        super().__init__()
        self.id, self.revision, self.spec = name, revision, spec
        self.network, self.tokens = network, tokens
        self.windows = WindowTokens(tokens) if spec.window else None
        self.kept = torch.float16 if isinstance(network, Bert) else torch.float32  # of large states half would overflow
        if hasattr(network, "language_model"):  # beside eyes, which have nothing to look at
            self.adapted = ("language_model.",)
        self.stack = [] if isinstance(network, Bert) else resumable_blocks(network, sizes[1], self.adapted)
        self.hidden_size, self.depth = sizes
        self.first_position = 0
        taken = inspect.signature(network.forward).parameters
        self.positioned = tokens.left and "position_ids" in taken

    @property
    def reading(self) -> dict[str, Any]:
        """See ``Backbone.reading``: context was parted from the turn by what opens a text."""
        single, pair = (self.tokens.tokenizer.num_special_tokens_to_add(both) for both in (False, True))
        return {"context": "lines"} if self.spec.context_turns and pair > single and not self.tokens.parted else {}

    @functools.cached_property
    def resumable(self) -> bool:
        """See ``Backbone.resumable``: of a network of transformers it is tried."""
        return isinstance(self.network, Bert) or can_resume(self.network, self.stack, self.device)

    def units(self, inputs: Sequence[Any]) -> tuple[list[Any], list[tuple[int, int]]]:
        """See ``Backbone.units``: the turns of a window go through the network together."""
        if self.windows is None:
            return super().units(inputs)
        turns = [TurnInput(Window((item,)), 0) if isinstance(item, str) else item for item in inputs]
        number: dict[Window, int] = {}
        rows = [(number.setdefault(turn.window, len(number)), turn.place) for turn in turns]
        return list(number), rows

    def rows(self, unit: Any) -> int:
        """See ``Backbone.rows``."""
        return unit.size if isinstance(unit, Window) else 1

    def prepare(self, inputs: Sequence[TextInput | Window | str]) -> dict[str, Tensor]:
        """Token numbers, masks and types; see ``TextTokens`` and ``WindowTokens``."""
        if self.windows is not None:
            return self.windows([item for item in inputs if isinstance(item, Window)])
        singles = [TextInput(item) if isinstance(item, str) else item for item in inputs]
        return self.tokens([item for item in singles if isinstance(item, TextInput)])

    def cuts(self, inputs: Sequence[Any]) -> list[bool]:
        """See ``Limited.cuts``."""
        if self.windows is None:
            return self.tokens.cuts([TextInput(item) if isinstance(item, str) else item for item in inputs])
        units, rows = self.units(inputs)
        cut = self.windows.cuts(units)
        return [cut[number][place] for number, place in rows]

    def length(self, item: TextInput | Window | str) -> int:
        """Tokens, guessed from the characters (four a token), within max_tokens."""
        if isinstance(item, Window):
            return min(self.tokens.max_tokens, sum(len(turn) // 4 + 2 for turn in item.turns))
        count = len(item) if isinstance(item, str) else len(item.text) + sum(map(len, item.context))
        return min(self.tokens.max_tokens, count // 4 + 2)

    def forward(self, tensors: dict[str, Tensor]) -> tuple[tuple[Tensor, ...], Tensor]:
        """See ``Backbone.forward``."""
        known = tensors.get("hidden")
        if isinstance(self.network, Bert):
            given = {} if known is None else {"hidden": known, "start": self.frozen}
            states = self.network(tensors["input_ids"], tensors["attention_mask"], _types(tensors), **given)
        elif known is None:
            states = self._hidden_states(tensors)
        elif self.frozen == self.depth:  # after the last block comes a norm, which the state has been through
            states = (known,) * (1 + self.depth)
        else:
            with skip_layers(self.stack[: self.frozen], known):
                states = self._hidden_states(tensors)
        if self.windows is not None:
            return turns_apart(states, tensors["tokens_of_turn"]), tensors["pool_mask"]
        return states, tensors["pool_mask"]

    def lower(self, tensors: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """See ``Backbone.lower``."""
        mask = tensors["attention_mask"]
        if isinstance(self.network, Bert):
            return self.network(tensors["input_ids"], mask, _types(tensors), stop=self.frozen)[-1], mask
        with skip_layers(self.stack[self.frozen :]):
            return self._hidden_states(tensors)[self.frozen], mask

    def prepare_from_hidden(self, inputs: Sequence[Any], hidden: Sequence[Tensor]) -> dict[str, Tensor]:
        """See ``Backbone.prepare_from_hidden``."""
        known = super().prepare_from_hidden(inputs, hidden)
        if self.tokens.left and self.windows is None:
            known["hidden"] = nn.utils.rnn.pad_sequence(list(hidden), batch_first=True, padding_side="left")
        return known

    def _hidden_states(self, tensors: dict[str, Tensor]) -> tuple[Tensor, ...]:
        """Of a network of transformers."""
        mask = tensors["attention_mask"].long()
        extra = {"token_type_ids": tensors["token_type_ids"]} if "token_type_ids" in tensors else {}
        if self.positioned:  # or padding on the left would count
            extra["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0) + self.first_position
        with quiet(self.spec):
            out = self.network(
                input_ids=tensors["input_ids"],
                attention_mask=mask,
                output_hidden_states=True,
                return_dict=True,
                **extra,
            )
        return tuple(out.hidden_states)


def _types(tensors: dict[str, Tensor]) -> Tensor:
    return tensors.get("token_type_ids", torch.zeros_like(tensors["input_ids"]))


def load_bert(directory: Path, name: str, spec: EncoderSpec) -> TextBackbone:
    """Load a folder with a BERT or MPNet model (config.json, model.safetensors, tokenizer.json) without transformers.

    Raises:
        CheckpointError: a file is missing or corrupt, or the model is none that ``Bert`` computes.
    """
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    files = [directory / f for f in ("config.json", "model.safetensors", "tokenizer.json")]
    try:
        raw = json.loads(files[0].read_text(encoding="utf-8"))
        config = BertConfig.from_dict(raw)
        if config.model_type not in ("bert", "mpnet") or raw.get("hidden_act", "gelu") != "gelu":
            raise ValueError("not a BERT or MPNet with gelu")
        with torch.device("meta"):
            network = Bert(config)
        state = mpnet_state({k.removeprefix("bert.").removeprefix("mpnet."): v for k, v in load_file(files[1]).items()})
        wanted = network.state_dict()
        network.load_state_dict({k: v.float() for k, v in state.items() if k in wanted}, assign=True)
        tokenizer = Tokenizer.from_file(str(files[2]))
    except Exception as error:  # OSError, SafetensorError, KeyError, RuntimeError and tokenizers' bare Exception
        raise CheckpointError(
            f"encoder {name}: {directory.name} cannot be loaded as a BERT model", str(error).splitlines()[0][:120]
        ) from error
    if spec.padding == "left" or spec.quantize != "none":
        raise ConfigError(
            f"encoder {name}: padding on the left and quantize are for models of transformers",
            f"padding {spec.padding}, quantize {spec.quantize}",
            "Leave them out.",
        )
    spec = _fit_tokens(spec, config.max_position_embeddings - network.embeddings.first)
    network = network.to(TORCH_TYPES[spec.dtype])
    tokens = TextTokens(tokenizer, config.pad_token_id, spec.max_tokens, config.model_type == "bert", spec.pool_context)
    sizes = (config.hidden_size, config.num_hidden_layers)
    return TextBackbone(name, files_revision(files), spec, network, tokens, sizes)


def load_hf_text(source: str | Path, name: str, spec: EncoderSpec, device: str = "cpu") -> TextBackbone:
    """Load any text model of transformers, masked or causal, from a folder or by its hub id.

    Encoder-decoder models give their encoder; decoder-only ones may lack a padding token, then any token fills up:
    what is masked is never seen.

    Args:
        source: the folder or the id.
        name: the name it is asked for by.
        spec: settings.
        device: where the weights go.

    Raises:
        CheckpointError: nothing there, or it cannot be loaded; see ``moodline.nn.pretrained``.
        ConfigError: the model has no fast tokenizer, or reads fewer tokens than ``spec.max_tokens``.
        MissingDependencyError: see ``loading_options``.
    """
    files, spec = encoder_files(spec, source, "AutoModel", "AutoTokenizer")
    wrapper = from_pretrained("AutoTokenizer", files, name)
    network = from_pretrained("AutoModel", files, name, **loading_options(spec, device))
    config: Any = network.config
    if getattr(config, "is_encoder_decoder", False):
        network = network.get_encoder()
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    if hasattr(config, "use_cache"):
        config.use_cache = False
    keep_every_layer(network)
    for module in network.modules():
        if getattr(module, "project_out", None) is not None:
            module.project_out = None  # OPT 350M ends in embeddings of another width than its states
    backend = getattr(wrapper, "backend_tokenizer", None)
    if backend is None:
        raise ConfigError(f"encoder {name}: expected a model with a fast tokenizer (tokenizer.json)")
    pads = (wrapper.pad_token_id, getattr(config, "pad_token_id", None), wrapper.eos_token_id, 0)
    pad = next(int(p) for p in pads if isinstance(p, int))
    places = getattr(config, "max_position_embeddings", None) or wrapper.model_max_length
    first = pad + 1 if config.model_type in _PAD_FIRST else 0
    places = places - first if places > 0 else wrapper.model_max_length  # XLNet says -1: as many as you like
    spec = _fit_tokens(spec, min(places, wrapper.model_max_length))
    types = getattr(config, "type_vocab_size", 0) > 1 and "token_type_ids" in wrapper.model_input_names
    tokens = TextTokens(backend, pad, spec.max_tokens, types, spec.pool_context, spec.padding == "left")
    sizes = (int(config.hidden_size), int(config.num_hidden_layers))
    backbone = TextBackbone(name, files.revision, spec, network, tokens, sizes)
    backbone.first_position = first
    if spec.padding == "left" and not _padding_is_free(backbone):
        raise ConfigError(
            f"encoder {name}: its answers change with padding on the left, for it counts or reads it",
            "padding left",
            "Set padding right.",
        )
    return backbone


@torch.inference_mode()
def _padding_is_free(backbone: TextBackbone) -> bool:
    """Whether a short text has the same states beside a longer one, however it is filled up."""
    was_training = backbone.network.training
    backbone.network.eval()
    short, long = "Yes.", "No, and it is much longer than the other."
    (alone, _), (both, mask) = (
        backbone({k: v.to(backbone.device) for k, v in backbone.prepare(texts).items()})
        for texts in ([short], [short, long])
    )
    backbone.network.train(was_training)
    apart = both[-1][0][mask[0]].float() - alone[-1][0].float()
    return bool(apart.norm() < 0.1 * alone[-1][0].float().norm())


def _fit_tokens(spec: EncoderSpec, most: int) -> EncoderSpec:
    """The spec with a ``max_tokens`` that the model can read: the default gives way, a wish does not.

    Raises:
        ConfigError: more tokens are wished for than the model reads.
    """
    if spec.max_tokens <= most:
        return spec
    if spec.max_tokens == EncoderSpec.max_tokens:
        return replace(spec, max_tokens=most)
    raise ConfigError(f"encoder {spec.name}: max_tokens must be at most {most}", spec.max_tokens, f"Set it to {most}.")
