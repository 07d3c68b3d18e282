"""Fine-tuned encoders on disk: what changed, the classifier, and how to find the backbone again. Never a pickle.

adapter_config.json         with LoRA, a folder as peft writes it (``peft_files``): nothing but the adapter …
adapter_model.safetensors
adapter.safetensors         … else every changed weight; in folders of format 1 also LoRA's matrices
head.safetensors            the classifier (``UtteranceHead``)
encoder.json                backbone's name and revision, spec, config, labels

Weights are float32 or float16.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from moodline.core.errors import CheckpointError, ConfigError, StorageError
from moodline.core.files import write_bytes
from moodline.core.labels import LabelSet
from moodline.core.settings import parse
from moodline.encoders.backbone import Backbone, chosen_layers, result_settings, run_sorted
from moodline.encoders.backbones import load_backbone
from moodline.encoders.base import files_revision
from moodline.encoders.finetuning.activation_cache import FrozenStates
from moodline.encoders.finetuning.classifier import UtteranceClassifier, UtteranceHead
from moodline.encoders.finetuning.peft_files import CONFIG, WEIGHTS, adapter_config, check_config, from_peft, to_peft
from moodline.encoders.settings import EncoderSpec, FinetuneConfig
from moodline.nn.lora import attach_lora, lora_state, transposed

FORMAT = 2
READABLE = (1, 2)
RECORD, HEAD, CHANGED = "encoder.json", "head.safetensors", "adapter.safetensors"


class FinetunedEncoder:
    """A fine-tuned backbone; an ``Encoder`` whose vectors are the utterance embeddings.

    Args:
        backbone: with the changes merged in.
        head: the classifier.
        revision: over the backbone's revision and the saved files.
        labels: the classes of ``scores``.

    """

    frozen_states: FrozenStates | None = None

    kind: Literal["utterance", "frames"] = "utterance"

    def __init__(self, backbone: Backbone, head: UtteranceHead, revision: str, labels: LabelSet) -> None:
        self.backbone, self.head = backbone.eval().requires_grad_(False), head.eval().requires_grad_(False)
        self.labels, self.revision = labels, revision
        self.id, self.modality = f"finetuned-{backbone.id}", backbone.modality
        self.dim = int(head.fc1.out_features)
        self.layers = chosen_layers(backbone.spec.layers, backbone.depth, backbone.id)

    @property
    def spec(self) -> EncoderSpec:
        """The backbone's settings, for ``conversation_inputs``."""
        return self.backbone.spec

    @property
    def settings(self) -> dict[str, Any]:
        """See ``Encoder.settings``."""
        return result_settings(self.backbone.spec, self.modality) | self.backbone.reading

    def keep_frozen(self, root: Path) -> None:
        """Keep what the frozen blocks give on disk under ``root``: a corpus then costs only the upper blocks again."""
        if FrozenStates.usable(self.backbone):
            self.frozen_states = FrozenStates(self.backbone, root)

    def encode(self, inputs: Sequence[Any]) -> list[np.ndarray]:
        """The utterance embeddings, float32 [E] each."""

        def finish(states: tuple[Tensor, ...], mask: Tensor) -> list[np.ndarray]:
            return list(self._embed(states, mask).cpu().numpy())

        return run_sorted(self.backbone, inputs, finish, self.frozen_states)

    def cuts(self, inputs: Sequence[Any]) -> list[bool]:
        """See ``Limited.cuts``."""
        return self.backbone.cuts(inputs)

    def scores(self, inputs: Sequence[Any]) -> list[np.ndarray]:
        """Class probabilities by the encoder's own classifier, float32 [C] each, in the order of ``labels``."""

        def finish(states: tuple[Tensor, ...], mask: Tensor) -> list[np.ndarray]:
            return list(self.head(self._embed(states, mask)).softmax(-1).cpu().numpy())

        return run_sorted(self.backbone, inputs, finish, self.frozen_states)

    def _embed(self, states: tuple[Tensor, ...], mask: Tensor) -> Tensor:
        return self.head.embed([states[n] for n in self.layers], mask)


def save_finetuned(model: UtteranceClassifier, directory: str | Path, labels: LabelSet, half: bool = False) -> None:
    """Write a fine-tuned encoder.

    Args:
        model: after training.
        directory: made if missing; files of an earlier save are replaced, ``encoder.json`` last.
        labels: the classes of the classifier.
        half: store weights as float16, for shipping (half the size; embeddings change in the third digit).

    Raises:
        ConfigError: the labels are not as many as the classifier's classes.
        StorageError: the disk refused a write.
    """
    from safetensors.torch import save

    directory, backbone = Path(directory), model.backbone
    if len(labels) != model.head.fc2.out_features:
        raise ConfigError(f"label set {labels.name}: expected {model.head.fc2.out_features} labels", len(labels))
    kind = torch.float16 if half else torch.float32

    def packed(state: Mapping[str, Tensor]) -> bytes:
        return save({k: v.detach().to("cpu", kind).contiguous() for k, v in state.items()})

    contents = {}
    if model.config.method == "lora":
        changed = lora_state(backbone.network)
        base = backbone.spec.name.partition(":")[2] or backbone.spec.name
        turned = transposed(backbone.network, sorted({key.rsplit(".", 1)[0] for key in changed}))
        contents[CONFIG] = adapter_config(changed, model.config, base, backbone.revision, turned)
        contents[WEIGHTS] = packed(to_peft(changed))
    else:
        contents[CHANGED] = packed({n: p for n, p in backbone.network.named_parameters() if p.requires_grad})
    record = {
        "format": FORMAT,
        "backbone": {"name": backbone.id, "revision": backbone.revision, "modality": backbone.modality},
        "spec": backbone.spec.to_dict(),
        "finetune": {k: getattr(model.config, k) for k in model.config.__dataclass_fields__},
        "label_set": labels.name,
        "labels": list(labels.labels),
    }
    contents[HEAD] = packed(model.head.state_dict())
    contents[RECORD] = json.dumps(record, indent=2, ensure_ascii=False).encode() + b"\n"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (RECORD, CONFIG, WEIGHTS, CHANGED):
            (directory / name).unlink(missing_ok=True)  # never an old record or adapter beside new weights
        for name, content in contents.items():
            write_bytes(directory / name, [content])
    except OSError as error:
        raise StorageError.writing(directory, error) from error


def load_finetuned(directory: str | Path, device: str = "cpu", base_dir: Path | None = None) -> FinetunedEncoder:
    """Read what ``save_finetuned`` wrote, now or in format 1; LoRA is merged into weights that are held in float32.

    Args:
        directory: the folder.
        device: a torch device.
        base_dir: see ``load_backbone``.

    Raises:
        CheckpointError: a file is missing or corrupt, or the backbone has another revision than the one it was
            trained with.
        MissingDependencyError: the backbone's package is not installed.
    """
    directory = Path(directory)
    as_peft = (directory / CONFIG).is_file() or not (directory / CHANGED).is_file()
    files = [*((CONFIG, WEIGHTS) if as_peft else (CHANGED,)), HEAD, RECORD]
    missing = [name for name in files if not (directory / name).is_file()]
    if missing:
        raise CheckpointError(f"{directory}: expected a fine-tuned encoder with {', '.join(files)}", f"no {missing[0]}")
    try:
        record = json.loads((directory / RECORD).read_text(encoding="utf-8"))
        if record["format"] not in READABLE:
            raise CheckpointError(f"{directory}: expected format {FORMAT}", record["format"], "Update Moodline.")
        spec = EncoderSpec.from_dict(record["spec"], f"{directory}: spec")
        config = parse(FinetuneConfig, record["finetune"], f"{directory}: finetune")
        labels = LabelSet(record["label_set"], tuple(record["labels"]))
        name, revision = record["backbone"]["name"], record["backbone"]["revision"]
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(f"{directory}: encoder.json is corrupt", f"{type(error).__name__}: {error}") from None
    backbone = load_backbone(spec, base_dir, device)
    if backbone.revision != revision:
        raise CheckpointError(
            f"{directory}: it was trained on {name} with revision {revision}",
            backbone.revision,
            "Install or download that version of the backbone.",
        )
    changed, head_state = _load(directory / (WEIGHTS if as_peft else CHANGED)), _load(directory / HEAD)
    if as_peft:
        check_config(directory / CONFIG, config)
        changed = from_peft(changed, directory / WEIGHTS)
    backbone.frozen, backbone.stem_frozen = config.freeze_blocks, config.stem_frozen
    _apply(backbone, changed, config)
    states = len(chosen_layers(spec.layers, backbone.depth, name))
    head = UtteranceHead(backbone.hidden_size, states, len(labels), config)
    try:
        head.load_state_dict(head_state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{directory}: head.safetensors does not fit encoder.json", str(error).splitlines()[0]
        ) from None
    return FinetunedEncoder(backbone, head.to(device), files_revision(directory / f for f in files), labels)


def _load(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = {k: v.float() for k, v in load_file(path).items()}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path}: truncated or corrupt", str(error).splitlines()[0]) from None
    broken = [k for k, v in weights.items() if not bool(v.isfinite().all())]
    if broken:
        raise CheckpointError(f"{path}: weights must be finite", f"NaN or infinity in {broken[0]}", "Train again.")
    return weights


@torch.no_grad()
def _apply(backbone: Backbone, changed: dict[str, Tensor], config: FinetuneConfig) -> None:
    if config.method == "lora":
        attach_lora(backbone.network, changed, config.rank, config.alpha)
        return
    own = dict(backbone.network.named_parameters())
    for name, value in changed.items():
        if name not in own or own[name].shape != value.shape:
            raise CheckpointError(f"adapter: it does not fit the weight {name} of the backbone")
        own[name].copy_(value)
