"""A trained checkpoint as a packaged model: weights halved, the card completed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file

from moodline.pipeline.checkpoint import load_checkpoint, save_checkpoint
from moodline.pipeline.encoders import load_encoders

PACKAGED = Path(__file__).resolve().parents[1] / "src" / "moodline" / "pretrained"


def clear(target: Path) -> None:
    """Empty a packaged model's folder but for ``about.json``, which is written by hand."""
    about = target / "about.json"
    kept = about.read_bytes() if about.is_file() else None
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    if kept is not None:
        about.write_bytes(kept)


def pack(name: str, source: Path, target: Path, complete: Callable[[str], str]) -> None:
    """Copy one seed's checkpoint, weights as float16.

    Args:
        name: of the packaged model.
        source: the checkpoint.
        target: the folder to write; what is there is replaced.
        complete: the checkpoint's card, named and addressed, to the whole card.
    """
    checkpoint = load_checkpoint(source)
    clear(target)
    for folder in sorted(p for p in source.glob("encoder-*") if p.is_dir()):
        (target / folder.name).mkdir(parents=True)
        shutil.copyfile(folder / "encoder.json", target / folder.name / "encoder.json")
        for file in folder.glob("*.safetensors"):
            halves = {k: v.half() if v.is_floating_point() else v for k, v in load_file(file).items()}
            save_file(halves, target / folder.name / file.name)
    text = (source / "README.md").read_text(encoding="utf-8").partition("\n")[2]
    text = text.replace("--model DIRECTORY", f"--model {name}").replace('load("DIRECTORY")', f'load("{name}")')
    encoders = load_encoders(checkpoint.modalities, target if any(target.glob("encoder-*")) else source, {})
    save_checkpoint(
        target,
        name=name,
        model=checkpoint.model,
        settings=checkpoint.config["model"],
        dims=checkpoint.config["dims"],
        target=checkpoint.target,
        modalities=checkpoint.modalities,
        calibration=checkpoint.calibration,
        metrics=json.loads((source / "metrics.json").read_text(encoding="utf-8")),
        card=complete(f"# {name}\n{text}"),
        encoders={m: encoder.revision for m, encoder in encoders.items()},
        normalizations=checkpoint.normalizations,
        languages=("en",),
        half=True,
    )
    for path in target.rglob("*.safetensors"):
        path.chmod(0o644)
