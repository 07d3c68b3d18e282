"""Saved models: a directory of safetensors and JSON, never a pickle.

model.safetensors   weights                      calibration.json   temperatures (or errors) on dev
config.json         model, sizes, encoders       metrics.json       dev numbers of this model
labels.json         label set; of a model of     README.md          model card
                    scores scores.json, its scale
encoder-<modality>/ a fine-tuned encoder, where there is one
normalization.safetensors  the training set's statistics, where features are normalised by speaker
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from moodline import __version__
from moodline.core.errors import CheckpointError, MoodlineError, StorageError
from moodline.core.files import replacing_path, write_text
from moodline.core.labels import LABEL_SETS, VALUE_SCALES, LabelSet, Target, ValueScale
from moodline.evaluation.tasks import task_of
from moodline.features.speaker_normalization import SpeakerNormalization, load_normalizations, save_normalizations
from moodline.models.registry import model_class, model_reads
from moodline.nn.model import ConversationModel
from moodline.pipeline.recipe import ModalitySpec, parse, to_plain

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A loaded model with everything that goes with it.

    Args:
        directory: where it was loaded from.
        name: the model's name.
        model: the network, in evaluation mode.
        target: its classes, or the scale of its scores.
        modalities: where each modality's features come from.
        calibration: temperatures, or how far its scores were off; see ``evaluation/calibration.py``.
        config: the whole of config.json.
        normalizations: of the modalities that are normalised by speaker.
    """

    directory: Path
    name: str
    model: ConversationModel
    target: Target
    modalities: dict[str, ModalitySpec]
    calibration: dict[str, Any]
    config: dict[str, Any]
    normalizations: dict[str, SpeakerNormalization] = field(default_factory=dict)

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages whose words it learned, e.g. "en"; none where that is not known."""
        return tuple(self.config.get("languages", ()))

    @property
    def reads(self) -> dict[str, str]:
        """Modality to "frames" or "tokens", where the model does not read vectors."""
        return model_reads(self.config["model"]["name"])


def build_model(
    settings: dict[str, Any],
    dims: dict[str, int],
    classes: int,
    value_range: tuple[float, float] | None = None,
    labels: Sequence[str] = (),
) -> ConversationModel:
    """A model with fresh weights.

    Args:
        settings: ``name`` and the model's own settings, as in a recipe.
        dims: modality to feature size.
        classes: number of classes; 1 for a regression.
        value_range: (low, high) of the values to learn in place of classes; None for a classification.
        labels: the classes' names, for a model that speaks them.

    Raises:
        UnknownNameError, ConfigError: see ``config.parse``.
    """
    kind = model_class(settings["name"])
    set_from_data = ("name", "scores")  # ``scores``: the older name of value_range
    rest = {k: v for k, v in settings.items() if k not in set_from_data}
    sizes: dict[str, Any] = {"dims": dims, "classes": classes}
    if value_range is not None:
        sizes["value_range"] = value_range
    elif "labels" in {f.name for f in fields(kind.Config)}:
        sizes["labels"] = list(labels)
    config = parse(kind.Config, rest | sizes, f"model {settings['name']}")
    return kind(config)


def save_checkpoint(
    directory: Path,
    *,
    name: str,
    model: nn.Module,
    settings: dict[str, Any],
    dims: dict[str, int],
    target: Target,
    modalities: dict[str, ModalitySpec],
    calibration: dict[str, Any],
    metrics: dict[str, Any],
    card: str,
    encoders: dict[str, str] | None = None,
    normalizations: Mapping[str, SpeakerNormalization] | None = None,
    languages: Sequence[str] = (),
    half: bool = False,
) -> None:
    """Write a model's directory; ``config.json`` comes last and makes it valid.

    Args:
        directory: created if needed; an ``encoder-<modality>`` folder already in it is kept.
        name: the model's name, e.g. the recipe and the seed.
        model: the network.
        settings: model name and settings of the recipe.
        dims: modality to feature size.
        target: the label set, or the scale of the scores.
        modalities: where the features come from.
        calibration: of ``evaluation/calibration.py``.
        metrics: dev numbers.
        card: text of the model card.
        encoders: modality to the revision of its encoder, checked when the model is used.
        normalizations: statistics of the modalities that are normalised by speaker.
        languages: of the words that it learned, as codes; none where that is not known.
        half: store weights as float16, for shipping.

    Raises:
        StorageError: the disk is full.
    """
    from safetensors.torch import save_file

    weights = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    if half:
        weights = {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}
    config = {
        "format": FORMAT,
        "name": name,
        "version": __version__,
        "model": settings,
        "dims": dims,
        "labels": list(target.labels),
        "encoders": encoders or {},
        **({"languages": list(languages)} if languages else {}),
        **({"base": model.base} if hasattr(model, "base") else {}),
        "modalities": {m: to_plain(spec) for m, spec in modalities.items()},
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.json").unlink(missing_ok=True)
        with replacing_path(directory / "model.safetensors") as path:
            save_file(weights, path)
        save_normalizations(directory, normalizations or {})
        other, part, content = task_of(target).parts()
        (directory / other).unlink(missing_ok=True)
        _write_json(directory / part, content)
        _write_json(directory / "calibration.json", calibration)
        _write_json(directory / "metrics.json", metrics)
        write_text(directory / "README.md", card)
        _write_json(directory / "config.json", config)
    except OSError as error:
        raise StorageError.writing(directory, error) from error
    except Exception as error:  # safetensors has an exception of its own for a full disk
        if type(error).__name__ == "SafetensorError":
            raise StorageError.writing(directory, OSError(str(error))) from error
        raise


def load_checkpoint(directory: Path, device: str = "cpu") -> Checkpoint:
    """Load a model's directory.

    Raises:
        CheckpointError: a file is missing, truncated, or does not fit the others.
    """
    if not directory.is_dir():
        raise CheckpointError(
            f"no model at {directory}", fix="Give a directory with config.json, or a name of: moodline models."
        )
    config = read_part(directory, "config.json")
    calibration = read_part(directory, "calibration.json")
    try:
        if config["format"] != FORMAT:
            raise CheckpointError(
                f"{directory.name}: expected checkpoint format {FORMAT}", config["format"], "Update moodline."
            )
        target = _read_target(directory, config)
        modalities = {m: parse(ModalitySpec, v, m) for m, v in config["modalities"].items()}
        if not all(isinstance(code, str) for code in config.get("languages", ())):
            raise ValueError("languages of config.json must be a list of codes")
        if modalities.keys() != config["dims"].keys():
            raise ValueError("dims and modalities of config.json differ")
        task_of(target).check_calibration(calibration)
        weights = _read_weights(directory)
        with torch.device("meta"):  # sizes first, memory later
            _check_sizes(_build(config, target), weights, directory)
        model = _build(config, target)
        _check_base(config.get("base"), getattr(model, "base", None), directory)
        name = str(config["name"])
        shrink = {m: spec.shrink for m, spec in modalities.items() if spec.normalize == "speaker"}
        normalizations = load_normalizations(directory, shrink, config["dims"])
    except CheckpointError:
        raise
    except MoodlineError as error:
        raise CheckpointError(f"{directory.name}: {error}", fix="Update moodline, or get a complete copy.") from None
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(
            f"{directory.name}: a field of the checkpoint is missing or wrong",
            f"{type(error).__name__}: {error}"[:160],
            "Get a complete copy.",
        ) from None
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in weights.items()})
    model.eval().to(device)
    return Checkpoint(directory, name, model, target, modalities, calibration, config, normalizations)


def _build(config: dict[str, Any], target: Target) -> ConversationModel:
    return build_model(config["model"], config["dims"], len(target), target.range, target.labels)


def _read_target(directory: Path, config: dict[str, Any]) -> Target:
    """Classes or scores, as the files say, which must agree."""
    if not config["labels"]:
        data = read_part(directory, "scores.json")
        scale = ValueScale(str(data["name"]), float(data["low"]), float(data["high"]))
        VALUE_SCALES.get(scale.name, scale).check_same(scale, "scores.json")
        return scale
    data = read_part(directory, "labels.json")
    labels = LabelSet(str(data["name"]), tuple(map(str, data["labels"])))
    LABEL_SETS.get(labels.name, labels).check_same(labels.labels, "labels.json")
    LabelSet("config", tuple(config["labels"])).check_same(labels.labels, "labels.json")
    return labels


def _check_base(saved: dict[str, str] | None, found: dict[str, str] | None, directory: Path) -> None:
    """A model whose weights are an addition to others must be given the same others again."""
    if saved and found and saved["revision"] != found["revision"]:
        raise CheckpointError(
            f"{directory.name}: the model was trained on revision {saved['revision']} of {saved['id']}",
            found["revision"],
            "Use the same weights of the language model, or train again.",
        )


def _read_weights(directory: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = directory / "model.safetensors"
    if not path.is_file():
        raise CheckpointError(f"{directory.name}: expected model.safetensors", fix="Get a complete copy of the model.")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: the weights are truncated or not safetensors",
            str(error)[:80],
            "Get a complete copy of the model.",
        ) from None
    broken = [k for k, v in weights.items() if v.is_floating_point() and not bool(v.isfinite().all())]
    if broken:
        raise CheckpointError(f"{path}: weights must be finite", f"NaN or infinity in {broken[0]}", "Train again.")
    return weights


def _check_sizes(model: nn.Module, weights: dict[str, Tensor], directory: Path) -> None:
    expected = {k: tuple(v.shape) for k, v in model.state_dict().items()}
    found = {k: tuple(v.shape) for k, v in weights.items()}
    wrong = [k for k in expected | found if expected.get(k) != found.get(k)]
    if wrong:
        k = wrong[0]
        raise CheckpointError(
            f"{directory.name}: weights do not fit config.json and labels.json: {k} expected {expected.get(k)}",
            found.get(k),
            "The files belong to different models; get a complete copy.",
        )


def read_part(directory: Path, name: str) -> dict[str, Any]:
    """One of the JSON files of a model's directory.

    Raises:
        CheckpointError: it is missing or broken.
    """
    path = directory / name
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        seeds = sorted(p.parent.name for p in directory.glob("seed-*/config.json"))
        raise CheckpointError(
            f"{directory}: expected {name}",
            f"a run of {len(seeds)} models" if seeds else None,
            f"Name one of its models: {directory / seeds[0]}."
            if seeds
            else "A model directory holds model.safetensors, config.json and labels.json.",
        ) from None
    except (ValueError, OSError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON", str(error)[:80], "Get a complete copy of the model.") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{path}: expected an object", type(data).__name__)
    return data


def _write_json(path: Path, data: Any) -> None:
    write_text(path, json.dumps(data, indent=2) + "\n")
